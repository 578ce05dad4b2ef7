package settle

import (
	"github.com/starlift-etl/starlift/pipeline"
)

// noteFanInRows notes what has become of the rows.
func (p *policySettler) noteFanInRows() {
	c := &p.fanIn
	for i := range c.keys {
		k := &c.keys[i]
		if k.tops[1] != nil {
			k.lastDied = k.byItem[k.tops[1].item()].indexed.deletedAt
		}
		if o, differs := c.changes[k.changes[1]-1].rowChange(k.before, p.fanInRow(k)); differs {
			p.rowChanges[k.row] = o
		}
	}
	p.rowChanges = withRows(p.rowChanges)
}

// putFanIn writes the fan-in keys. One that has few contributions again gets an entry that
// has them all.
func (p *policySettler) putFanIn() error {
	c := &p.fanIn
	var fewer []*fanInKey
	for i := range c.keys {
		if k := &c.keys[i]; k.liveCount+k.deadCount <= 1 || k.bytes <= p.inlineBytes/2 {
			fewer = append(fewer, k)
		}
	}
	if err := p.makeInline(fewer); err != nil {
		return err
	}
	for i := range c.keys {
		k := &c.keys[i]
		if k.liveCount+k.deadCount <= 1 || k.bytes <= p.inlineBytes/2 {
			continue
		}
		if err := p.putFanInKey(k); err != nil {
			return err
		}
	}
	return nil
}

// putFanInKey writes one fan-in key.
func (p *policySettler) putFanInKey(k *fanInKey) error {
	if k.inlineEntry != nil { // it may be in pages
		if err := p.longKeys.Put(k.key, k.inlineEntry, nil); err != nil {
			return err
		}
	}
	for _, s := range k.contributions {
		if s.indexed == s.was {
			continue
		}
		if err := p.putContribution(s, s.indexed); err != nil {
			return err
		}
	}
	p.forest.Write(k.tree)
	p.encoded = k.append(p.encoded[:0])
	p.keys.Put(k.key, p.encoded)
	return nil
}

func (p *policySettler) putContribution(s *fanInContribution, now *contribution) error {
	if now == nil {
		return p.longKeys.Put(s.stateKey, s.entry, nil)
	}
	p.encoded = now.append(append(p.encoded[:0], contributionEntry))
	return p.longKeys.Put(s.stateKey, s.entry, p.encoded)
}

// makeInline gives fan-in keys an entry that has all their contributions.
func (p *policySettler) makeInline(keys []*fanInKey) error {
	err := p.forest.Read(len(keys), func(i int) bool { return p.forest.Each(keys[i].tree, nil, func([]byte) {}) })
	if err != nil {
		return err
	}
	for _, k := range keys {
		p.forest.Each(k.tree, nil, func(at []byte) {
			if at[0] != columnRank {
				p.fanIn.contribution(k, rank(at).item())
			}
		})
	}
	if err := p.readContributions(); err != nil {
		return err
	}
	for _, k := range keys {
		var contributions []contribution
		for _, s := range k.contributions {
			if s.indexed != nil {
				contributions = append(contributions, *s.indexed)
			}
			if s.entry == nil {
				continue
			}
			if err := p.putContribution(s, nil); err != nil {
				return err
			}
		}
		p.forest.Clear(k.tree)
		p.forest.Write(k.tree)
		var value []byte
		if len(contributions) > 0 {
			p.encoded = appendContributions(p.encoded[:0], contributions)
			value = p.encoded
		}
		if err := p.longKeys.Put(k.key, k.inlineEntry, value); err != nil {
			return err
		}
	}
	return nil
}

// sweepKeys forgets rows that went before the horizon.
func (p *policySettler) sweepKeys() (err error) {
	var emptied []fanInKey
	expired := func(h pipeline.Hash, v []byte) bool {
		switch v[0] {
		case inlineEntry:
			return allForgotten(decodeContributions(v, &p.policyRules), p.tables)
		case fanInEntry:
			k := openFanInKey(h, v)
			return k.liveCount+k.visibleDeadCount == 0 && k.lastDied < p.horizon(&k)
		}
		return false
	}
	p.keysAt, err = sweep(p.keys, &p.longKeys, p.keysAt, p.sweepEntriesMax(), expired, func(h pipeline.Hash, entry []byte) error {
		if entry[0] != fanInEntry {
			return p.longKeys.Put(h, entry, nil)
		}
		emptied = append(emptied, openFanInKey(h, entry))
		return nil
	})
	if err != nil {
		return err
	}
	return p.dropFanIn(emptied)
}

// dropFanIn deletes fan-in keys with all that they have.
func (p *policySettler) dropFanIn(emptied []fanInKey) error {
	err := p.forest.Read(len(emptied), func(i int) bool { return p.forest.Each(emptied[i].tree, nil, func([]byte) {}) })
	if err != nil {
		return err
	}
	for i := range emptied {
		k := &emptied[i]
		p.forest.Each(k.tree, nil, func(at []byte) { p.fanIn.contribution(k, rank(at).item()) })
		p.forest.Clear(k.tree)
		p.forest.Write(k.tree)
		p.keys.Put(k.key, nil)
	}
	if err := p.readContributions(); err != nil {
		return err
	}
	for i := range emptied {
		for _, s := range emptied[i].contributions {
			if err := p.putContribution(s, nil); err != nil {
				return err
			}
		}
	}
	return nil
}
