package settle

import (
	"github.com/starlift-etl/starlift/pipeline"
)

// giveMany notes what has become of the rows.
func (m *Merger) giveMany() {
	c := &m.crowd
	for i := range c.keys {
		k := &c.keys[i]
		if k.tops[1] != nil {
			k.last = k.byItem[k.tops[1].item()].in.deletedAt
		}
		if o, differs := c.effects[k.effects[1]-1].out(k.before, m.crowdRow(k)); differs {
			m.outs[k.out] = o
		}
	}
	m.outs = withRows(m.outs)
}

// putMany writes the crowded keys. Those that have few shares again are as others are.
func (m *Merger) putMany() error {
	c := &m.crowd
	var fewer []*crowdedKey
	for i := range c.keys {
		if k := &c.keys[i]; k.live+k.dead <= 1 || k.bytes <= m.few/2 {
			fewer = append(fewer, k)
		}
	}
	if err := m.gatherShares(fewer); err != nil {
		return err
	}
	for i := range c.keys {
		k := &c.keys[i]
		if k.live+k.dead <= 1 || k.bytes <= m.few/2 {
			continue
		}
		if err := m.putCrowd(k); err != nil {
			return err
		}
	}
	return nil
}

// putCrowd writes one crowded key.
func (m *Merger) putCrowd(k *crowdedKey) error {
	if k.few != nil { // it may be in pages
		if err := m.wide.Put(k.key, k.few, nil); err != nil {
			return err
		}
	}
	for _, s := range k.shares {
		if s.in == s.was {
			continue
		}
		if err := m.putShare(s, s.in); err != nil {
			return err
		}
	}
	m.forest.Write(k.tree)
	m.encoded = k.append(m.encoded[:0])
	m.keys.Put(k.key, m.encoded)
	return nil
}

func (m *Merger) putShare(s *crowdShare, now *share) error {
	if now == nil {
		return m.wide.Put(s.at, s.entry, nil)
	}
	m.encoded = now.append(append(m.encoded[:0], oneShare))
	return m.wide.Put(s.at, s.entry, m.encoded)
}

// gatherShares makes crowded keys ordinary ones, of what they have.
func (m *Merger) gatherShares(keys []*crowdedKey) error {
	err := m.forest.Read(len(keys), func(i int) bool { return m.forest.Each(keys[i].tree, nil, func([]byte) {}) })
	if err != nil {
		return err
	}
	for _, k := range keys {
		m.forest.Each(k.tree, nil, func(p []byte) {
			if p[0] != columnPlace {
				m.crowd.share(k, place(p).item())
			}
		})
	}
	if err := m.readShares(); err != nil {
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
			if err := m.putShare(s, nil); err != nil {
				return err
			}
		}
		m.forest.Clear(k.tree)
		m.forest.Write(k.tree)
		var value []byte
		if len(shares) > 0 {
			m.encoded = appendShares(m.encoded[:0], shares)
			value = m.encoded
		}
		if err := m.wide.Put(k.key, k.few, value); err != nil {
			return err
		}
	}
	return nil
}

// sweepKeys forgets rows that went before the horizon.
func (m *Merger) sweepKeys() (err error) {
	var crowds []crowdedKey
	expired := func(h pipeline.Hash, v []byte) bool {
		switch v[0] {
		case fewShares:
			return over(decodeShares(v, &m.mergeRules), m.tables)
		case manyShares:
			k := openCrowd(h, v)
			return k.live+k.stays == 0 && k.last < m.horizon(&k)
		}
		return false
	}
	m.keysAt, err = sweep(m.keys, &m.wide, m.keysAt, m.sweeps(), expired, func(h pipeline.Hash, entry []byte) error {
		if entry[0] != manyShares {
			return m.wide.Put(h, entry, nil)
		}
		crowds = append(crowds, openCrowd(h, entry))
		return nil
	})
	if err != nil {
		return err
	}
	return m.dropCrowds(crowds)
}

// dropCrowds deletes crowded keys with all that they have.
func (m *Merger) dropCrowds(crowds []crowdedKey) error {
	err := m.forest.Read(len(crowds), func(i int) bool { return m.forest.Each(crowds[i].tree, nil, func([]byte) {}) })
	if err != nil {
		return err
	}
	for i := range crowds {
		k := &crowds[i]
		m.forest.Each(k.tree, nil, func(p []byte) { m.crowd.share(k, place(p).item()) })
		m.forest.Clear(k.tree)
		m.forest.Write(k.tree)
		m.keys.Put(k.key, nil)
	}
	if err := m.readShares(); err != nil {
		return err
	}
	for i := range crowds {
		for _, s := range crowds[i].shares {
			if err := m.putShare(s, nil); err != nil {
				return err
			}
		}
	}
	return nil
}
