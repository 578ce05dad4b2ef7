package settle

import (
	"encoding/json"
	"fmt"

	"github.com/apache/arrow/go/v14/arrow"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// schema describes a table whose rows are in the state, as the checkpoint
// keeps it: rows are kept in the order of its columns. Columns that the
// pipeline no longer has stay in it, so that the rows written with them can be
// read; new ones are added at the end.
type schema struct {
	ID      uint64          `json:"id"`
	Columns []schemaColumn  `json:"columns"`
	Key     []string        `json:"key"`
	of      *pipeline.Table // nil = no longer in the pipeline
	from    []int           // column of the schema → column of the table, or -1
	layout  *layout         // of settled rows; nil as of
	seed    []byte          // what the hashes of its row keys begin with
}

type schemaColumn struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// CheckSchemas says whether a Settler can go on with saved schemas of the tables.
func CheckSchemas(saved map[string]json.RawMessage, tables []Table) error {
	_, err := restoreSchemas(saved, tables)
	return err
}

// restoreSchemas merges the saved schemas with the pipeline's tables.
func restoreSchemas(saved map[string]json.RawMessage, tables []Table) (map[string]*schema, error) {
	all := map[string]*schema{}
	var next uint64
	for name, raw := range saved {
		s := &schema{}
		if err := json.Unmarshal(raw, s); err != nil {
			return nil, fmt.Errorf("schema of table %q in the state: %w", name, err)
		}
		all[name] = s
		next = max(next, s.ID+1)
	}
	for _, t := range tables {
		s := all[t.StateName]
		if s == nil {
			s = &schema{ID: next}
			next++
			for _, k := range t.Key {
				s.Key = append(s.Key, t.Columns[k].Name)
			}
			all[t.StateName] = s
		}
		if err := s.bind(t.StateName, t.Table); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// bind maps the columns of the table to those of the schema, and adds new ones to it.
func (s *schema) bind(name string, t *pipeline.Table) error {
	const remedy = "give the column or table another name, or begin anew (starlift reset FILE shows what that takes)"
	if len(s.Key) != len(t.Key) {
		return fmt.Errorf("table %q: its key was (%v) when the state was made and is of %d columns now: %s", name, s.Key, len(t.Key), remedy)
	}
	for i, k := range t.Key {
		if t.Columns[k].Name != s.Key[i] {
			return fmt.Errorf("table %q: its key was (%v) when the state was made, now it has %q there: %s", name, s.Key, t.Columns[k].Name, remedy)
		}
	}
	known := map[string]int{}
	for i, c := range s.Columns {
		known[c.Name] = i
	}
	for _, c := range t.Columns {
		i, ok := known[c.Name]
		if !ok {
			s.Columns = append(s.Columns, schemaColumn{c.Name, c.Type.String()})
			continue
		}
		if was := s.Columns[i].Type; was != c.Type.String() {
			return fmt.Errorf("table %q: column %q was %s when the state was made and is %s now: %s", name, c.Name, was, c.Type, remedy)
		}
	}
	s.of, s.seed = t, packed.KeySeed(name)
	s.from = make([]int, len(s.Columns))
	for i, c := range s.Columns {
		s.from[i] = t.Column(c.Name)
	}
	return nil
}

// arrange returns the record's columns in the schema's order; nil = not in the table.
func (s *schema) arrange(dst []arrow.Array, rec arrow.Record) []arrow.Array {
	dst = dst[:0]
	for _, c := range s.from {
		if c < 0 {
			dst = append(dst, nil)
		} else {
			dst = append(dst, rec.Column(c))
		}
	}
	return dst
}
