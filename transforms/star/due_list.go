package star

import (
	"encoding/binary"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/overflow"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// The rows that are due are a value among the rows of lookup tables, in pages where they
// are many: it is read when the step is opened, and written with the epoch.

// dueKey is the key of the rows that are due.
var dueKey = hashOf([]byte{tagDue})

// dueEntry leads their value.
const dueEntry = 1

// dueValues are the values that the rows that are due are among.
func (s *step) dueValues() *overflow.Values {
	return &overflow.Values{State: s.rows.state, InlineBytes: overflow.DefaultInlineBytes}
}

func (s *step) dueEntry() (entry []byte, err error) {
	var values [1][]byte
	err = s.rows.state.Lookup([]pipeline.Hash{dueKey}, values[:])
	return values[0], err
}

func (s *step) loadDue() error {
	entry, err := s.dueEntry()
	if err != nil || entry == nil {
		return err
	}
	value, err := s.dueValues().Whole(dueKey, entry)
	if err != nil {
		return err
	}
	s.dueKept = true
	for c := (packed.Cursor{B: value[1:]}); len(c.B) > 0; {
		d := dueRow{row: c.Hash()}
		v := c.Candidate(int64(c.U64()))
		d.version, d.from, d.segments = v.Version, int32(c.Uvarint()), int32(c.Uvarint())
		s.due = append(s.due, d)
	}
	return nil
}

func (s *step) saveDue() error {
	if len(s.due) == 0 && !s.dueKept {
		return nil
	}
	entry, err := s.dueEntry()
	if err != nil {
		return err
	}
	s.dueKept = len(s.due) > 0
	if !s.dueKept {
		return s.dueValues().Put(dueKey, entry, nil)
	}
	b := []byte{dueEntry}
	for i := range s.due {
		d := &s.due[i]
		b = binary.LittleEndian.AppendUint64(packed.AppendHash(b, d.row), uint64(d.version.Time))
		b = packed.AppendCandidate(b, &pipeline.Candidate{Version: d.version})
		b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(d.from)), uint64(d.segments))
	}
	return s.dueValues().Put(dueKey, entry, b)
}
