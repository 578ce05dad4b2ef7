package star

import (
	"encoding/binary"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/overflow"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// The backlog is one value in the keyspace of the lookup tables, in pages where it is long:
// it is read when the operator is opened, and written with each epoch.

// backlogKey is the key of the backlog in the state.
var backlogKey = hashOf([]byte{tagBacklog})

// backlogHead is the first byte of the value.
const backlogHead = 1

// backlogValues reads and writes the backlog.
func (s *operator) backlogValues() *overflow.Values {
	return &overflow.Values{State: s.lookups.state, InlineBytes: overflow.DefaultInlineBytes}
}

func (s *operator) backlogEntry() (entry []byte, err error) {
	var values [1][]byte
	err = s.lookups.state.Lookup([]pipeline.Hash{backlogKey}, values[:])
	return values[0], err
}

func (s *operator) loadBacklog() error {
	entry, err := s.backlogEntry()
	if err != nil || entry == nil {
		return err
	}
	value, err := s.backlogValues().Whole(backlogKey, entry)
	if err != nil {
		return err
	}
	s.backlogSaved = true
	for c := (packed.Cursor{B: value[1:]}); len(c.B) > 0; {
		d := dirtyLookupRow{row: c.Hash()}
		v := c.Candidate(int64(c.U64()))
		d.version, d.nextShard, d.shards = v.Version, int32(c.Uvarint()), int32(c.Uvarint())
		s.backlog = append(s.backlog, d)
	}
	return nil
}

func (s *operator) saveBacklog() error {
	if len(s.backlog) == 0 && !s.backlogSaved {
		return nil
	}
	entry, err := s.backlogEntry()
	if err != nil {
		return err
	}
	s.backlogSaved = len(s.backlog) > 0
	if !s.backlogSaved {
		return s.backlogValues().Put(backlogKey, entry, nil)
	}
	b := []byte{backlogHead}
	for i := range s.backlog {
		d := &s.backlog[i]
		b = binary.LittleEndian.AppendUint64(packed.AppendHash(b, d.row), uint64(d.version.Time))
		b = packed.AppendCandidate(b, &pipeline.Candidate{Version: d.version})
		b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(d.nextShard)), uint64(d.shards))
	}
	return s.backlogValues().Put(backlogKey, entry, b)
}
