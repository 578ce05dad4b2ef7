package reference

import (
	"fmt"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/gather"
)

// mapper is one worker of a Join, for one table.
type mapper struct {
	join  *Join
	table *table

	key     []byte
	keys    []arrow.Array
	matches []int32

	// If texts are normalized, a cache of the matches of keys as they are before that.
	seen    map[string]int32
	version *snapshot
}

// seenKeysMax is the number of keys whose match a mapper caches.
const seenKeysMax = 1 << 14

const noMatch = -1

// NewRowMapper implements pipeline.RowTransform.
func (j *Join) NewRowMapper(i int) pipeline.RowMapper {
	return &mapper{join: j, table: j.tables[i], seen: map[string]int32{}}
}

// MapRows implements pipeline.RowMapper.
func (m *mapper) MapRows(rows *pipeline.Rows, reference any) (out pipeline.RowResult, err error) {
	s, ok := reference.(*snapshot)
	if !ok || s == nil {
		return out, fmt.Errorf("reference is %T, want a loaded one", reference)
	}
	m.match(rows.Record, s)
	if m.join.inner {
		for i, match := range m.matches {
			if match == noMatch && rows.Ops[i] != pipeline.OpDelete {
				out.Dropped = append(out.Dropped, int32(i))
			}
		}
	}
	added := make([]arrow.Array, 0, len(m.join.columns)+1)
	defer func() {
		for _, a := range added {
			a.Release()
		}
	}()
	for _, c := range m.join.columns {
		added = append(added, gather.Column(s.columns[c], m.matches))
	}
	if m.join.stamp {
		added = append(added, constantColumn(s.version, len(m.matches)))
	}
	out.Record = m.table.Record(rows.Record, added)
	return out, nil
}

// constantColumn returns a column that has one value only.
func constantColumn(version int64, n int) arrow.Array {
	b := array.NewInt64Builder(memory.DefaultAllocator)
	defer b.Release()
	b.Reserve(n)
	for range n {
		b.UnsafeAppend(version)
	}
	return b.NewArray()
}

// match finds the rows of the reference.
func (m *mapper) match(rec arrow.Record, s *snapshot) {
	m.keys, m.matches = m.keys[:0], m.matches[:0]
	for _, c := range m.table.key {
		m.keys = append(m.keys, rec.Column(c))
	}
	find := m.find
	if m.join.normalize.some() {
		if find = m.findSeen; m.version != s {
			clear(m.seen)
			m.version = s
		}
	}
	for i := range int(rec.NumRows()) {
		m.matches = append(m.matches, find(s, i))
	}
}

func (m *mapper) find(s *snapshot, i int) int32 {
	var null bool
	if m.key, null = m.join.normalize.appendKey(m.key[:0], m.keys, i); null {
		return noMatch
	}
	if match, ok := s.rows[string(m.key)]; ok {
		return match
	}
	return noMatch
}

// findSeen is find for keys that take work to normalize: most come again.
func (m *mapper) findSeen(s *snapshot, i int) int32 {
	var null bool
	if m.key, null = (normalization{}).appendKey(m.key[:0], m.keys, i); null {
		return noMatch
	}
	if match, ok := m.seen[string(m.key)]; ok {
		return match
	}
	raw := string(m.key)
	match := m.find(s, i)
	if len(m.seen) >= seenKeysMax {
		clear(m.seen)
	}
	m.seen[raw] = match
	return match
}
