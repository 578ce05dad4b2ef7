package settle

import (
	"github.com/starlift-etl/starlift/pipeline"
)

// giveMany notes what has become of the rows.
func (p *policySettler) giveMany() {
	c := &p.crowd
	for i := range c.keys {
		k := &c.keys[i]
		if k.tops[1] != nil {
			k.last = k.byItem[k.tops[1].item()].in.deletedAt
		}
		if o, differs := c.effects[k.effects[1]-1].rowChange(k.before, p.crowdRow(k)); differs {
			p.outs[k.out] = o
		}
	}
	p.outs = withRows(p.outs)
}

// putMany writes the crowded keys. Those that have few shares again are as others are.
func (p *policySettler) putMany() error {
	c := &p.crowd
	var fewer []*crowdedKey
	for i := range c.keys {
		if k := &c.keys[i]; k.live+k.dead <= 1 || k.bytes <= p.few/2 {
			fewer = append(fewer, k)
		}
	}
	if err := p.gatherShares(fewer); err != nil {
		return err
	}
	for i := range c.keys {
		k := &c.keys[i]
		if k.live+k.dead <= 1 || k.bytes <= p.few/2 {
			continue
		}
		if err := p.putCrowd(k); err != nil {
			return err
		}
	}
	return nil
}

// putCrowd writes one crowded key.
func (p *policySettler) putCrowd(k *crowdedKey) error {
	if k.few != nil { // it may be in pages
		if err := p.wide.Put(k.key, k.few, nil); err != nil {
			return err
		}
	}
	for _, s := range k.shares {
		if s.in == s.was {
			continue
		}
		if err := p.putShare(s, s.in); err != nil {
			return err
		}
	}
	p.forest.Write(k.tree)
	p.encoded = k.append(p.encoded[:0])
	p.keys.Put(k.key, p.encoded)
	return nil
}

func (p *policySettler) putShare(s *crowdShare, now *share) error {
	if now == nil {
		return p.wide.Put(s.at, s.entry, nil)
	}
	p.encoded = now.append(append(p.encoded[:0], oneShare))
	return p.wide.Put(s.at, s.entry, p.encoded)
}

// gatherShares makes crowded keys ordinary ones, of what they have.
func (p *policySettler) gatherShares(keys []*crowdedKey) error {
	err := p.forest.Read(len(keys), func(i int) bool { return p.forest.Each(keys[i].tree, nil, func([]byte) {}) })
	if err != nil {
		return err
	}
	for _, k := range keys {
		p.forest.Each(k.tree, nil, func(at []byte) {
			if at[0] != columnPlace {
				p.crowd.share(k, place(at).item())
			}
		})
	}
	if err := p.readShares(); err != nil {
		return err
	}
	for _, k := range keys {
		var shares []share
		for _, s := range k.shares {
			if s.in != nil {
				shares = append(shares, *s.in)
			}
			if s.entry == nil {
				continue
			}
			if err := p.putShare(s, nil); err != nil {
				return err
			}
		}
		p.forest.Clear(k.tree)
		p.forest.Write(k.tree)
		var value []byte
		if len(shares) > 0 {
			p.encoded = appendShares(p.encoded[:0], shares)
			value = p.encoded
		}
		if err := p.wide.Put(k.key, k.few, value); err != nil {
			return err
		}
	}
	return nil
}

// sweepKeys forgets rows that went before the horizon.
func (p *policySettler) sweepKeys() (err error) {
	var crowds []crowdedKey
	expired := func(h pipeline.Hash, v []byte) bool {
		switch v[0] {
		case fewShares:
			return over(decodeShares(v, &p.mergeRules), p.tables)
		case manyShares:
			k := openCrowd(h, v)
			return k.live+k.stays == 0 && k.last < p.horizon(&k)
		}
		return false
	}
	p.keysAt, err = sweep(p.keys, &p.wide, p.keysAt, p.sweptEntries(), expired, func(h pipeline.Hash, entry []byte) error {
		if entry[0] != manyShares {
			return p.wide.Put(h, entry, nil)
		}
		crowds = append(crowds, openCrowd(h, entry))
		return nil
	})
	if err != nil {
		return err
	}
	return p.dropCrowds(crowds)
}

// dropCrowds deletes crowded keys with all that they have.
func (p *policySettler) dropCrowds(crowds []crowdedKey) error {
	err := p.forest.Read(len(crowds), func(i int) bool { return p.forest.Each(crowds[i].tree, nil, func([]byte) {}) })
	if err != nil {
		return err
	}
	for i := range crowds {
		k := &crowds[i]
		p.forest.Each(k.tree, nil, func(at []byte) { p.crowd.share(k, place(at).item()) })
		p.forest.Clear(k.tree)
		p.forest.Write(k.tree)
		p.keys.Put(k.key, nil)
	}
	if err := p.readShares(); err != nil {
		return err
	}
	for i := range crowds {
		for _, s := range crowds[i].shares {
			if err := p.putShare(s, nil); err != nil {
				return err
			}
		}
	}
	return nil
}
