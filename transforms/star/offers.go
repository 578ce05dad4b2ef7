package star

import (
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// offer is a row of the log that may bring members.
type offer struct {
	table   *logTable
	row     []byte // packed
	version pipeline.Version
	itemKey []byte
}

// suspect is an offer whose change may turn out to be a dead letter.
type suspect struct {
	offer
	ordinal int64
}

// bid is an offer to one member.
type bid struct {
	offer      int32 // of step.offers
	at         int32 // of members.all
	dimension  *dimension
	member     pipeline.Hash // of the dimension and the natural key
	naturalKey []byte        // packed
}

// Log implements pipeline.Operator. Of all rows that a member is offered it keeps
// the newest only: there are few products and very many that were sold.
func (s *step) Log(reading int, first int64, changes []pipeline.Change, rows *pipeline.Rows) error {
	t := s.star.readings[reading].log
	s.columns = t.arrange(s.columns, rows.Record)
	for i, op := range rows.Ops {
		if op != pipeline.OpUpsert {
			continue
		}
		c := &changes[rows.Change[i]]
		from := len(s.buffer)
		s.buffer = packed.AppendRow(s.buffer, s.columns, i)
		o := offer{t, s.buffer[from:len(s.buffer):len(s.buffer)], c.Version, c.Key}
		if c.Late {
			o.row, o.itemKey = s.arena.Copy(o.row), s.arena.Copy(o.itemKey)
			s.suspects = append(s.suspects, suspect{o, first + int64(rows.Change[i])})
			continue
		}
		s.offers = append(s.offers, o)
		if len(s.offers) == ahead {
			if err := s.offer(); err != nil {
				return err
			}
		}
	}
	return s.offer()
}

// offer offers rows to the members that they have the natural keys of. What is read
// of the members is read for all rows at once: one after the other, each would wait
// for the memory.
func (s *step) offer() error {
	s.bids, s.keys = s.bids[:0], s.keys[:0]
	for i := range s.offers {
		s.bid(int32(i))
	}
	s.members.prefetch(s.keys)
	for i := range s.bids {
		b := &s.bids[i]
		var err error
		if b.at, err = s.members.touchWhole(b.dimension, b.member, b.naturalKey); err != nil {
			return err
		}
		if key := s.members.all[b.at].offered.itemKey; len(key) > 0 {
			s.members.prefetched += int64(key[0])
		}
	}
	for i := range s.bids {
		s.take(&s.bids[i])
	}
	s.offers, s.buffer = s.offers[:0], s.buffer[:0]
	return nil
}

// bid makes the bids of an offer: one for each dimension whose natural key has no
// null in the row.
func (s *step) bid(offer int32) {
	o := &s.offers[offer]
	s.values = packed.SplitRow(s.values[:0], o.row, o.table.widths)
	for _, d := range o.table.dimensions {
		naturalKey, ok := pick(s.values, d.naturalKey)
		if !ok {
			if d.rowKey != nil {
				s.tracked.given(d, s.trackedHash(d), pipeline.Hash{}, &o.version)
			}
			continue
		}
		b := bid{offer: offer, dimension: d, member: s.members.hash(d, naturalKey)}
		from := len(s.buffer)
		s.buffer = packed.JoinRow(s.buffer, naturalKey)
		b.naturalKey = s.buffer[from:len(s.buffer):len(s.buffer)]
		key := d.stateKey(b.member)
		s.bids, s.keys = append(s.bids, b), append(s.keys, key)
		if d.rowKey != nil {
			s.tracked.given(d, s.trackedHash(d), key, &o.version)
		}
	}
}

// trackedHash hashes the key of the row of the log that was split.
func (s *step) trackedHash(d *dimension) pipeline.Hash {
	s.scratch = append(s.scratch[:0], d.trackSeed...)
	for _, i := range d.rowKey {
		s.scratch = append(s.scratch, s.values[i]...)
	}
	return hashOf(s.scratch)
}

// take keeps a bid, unless the member was offered something newer.
func (s *step) take(b *bid) {
	o, e := &s.offers[b.offer], &s.members.all[b.at]
	than := e.offered.beats(&o.version, o.itemKey)
	if than < 0 {
		return
	}
	itemKey := o.itemKey
	if than > 0 {
		itemKey = s.arena.Copy(itemKey)
	}
	s.values = packed.SplitRow(s.values[:0], o.row, o.table.widths)
	s.picked = s.picked[:0]
	for _, i := range b.dimension.attributes {
		if i < 0 {
			s.picked = append(s.picked, nil)
			continue
		}
		s.picked = append(s.picked, s.values[i])
	}
	s.scratch = packed.JoinRow(s.scratch[:0], s.picked)
	e.offered.bring(&o.version, itemKey, s.arena.Copy(s.scratch))
}

// pick returns some of the values; ok = false when one is null.
func pick(values [][]byte, at []int) (picked [][]byte, ok bool) {
	picked = values[len(values):]
	for _, i := range at {
		if values[i] == nil {
			return nil, false
		}
		picked = append(picked, values[i])
	}
	return picked, true
}

// bringMembers takes what the epoch's log offers, but for changes that turned out
// to be dead letters, and its tracked rows to the members.
func (s *step) bringMembers(dead []int64) error {
	for i := range s.suspects {
		if _, gone := slices.BinarySearch(dead, s.suspects[i].ordinal); !gone {
			s.offers = append(s.offers, s.suspects[i].offer)
		}
	}
	if err := s.offer(); err != nil {
		return err
	}
	if err := s.readTracked(); err != nil {
		return err
	}
	if err := s.members.load(); err != nil {
		return err
	}
	s.members.bring()
	return s.applyTracked()
}
