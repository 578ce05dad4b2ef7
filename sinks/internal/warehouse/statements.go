package warehouse

import (
	"fmt"
	"slices"
	"strings"
)

// OpColumn holds each spooled row's operation. CheckNames refuses a table's
// column of this name.
const OpColumn = "_starlift_op"

// OnKey compares the keys of t and s. Keys are never null.
func (s *Staged) OnKey() string {
	on := make([]string, len(s.Key))
	for i, k := range s.Key {
		on[i] = fmt.Sprintf("t.%s = s.%s", Quote(k), Quote(k))
	}
	return strings.Join(on, " AND ")
}

// Delete returns the statement that takes out the keys of the rows of from: what
// stands after FROM in a query.
func (s *Staged) Delete(schema, from string) string {
	return fmt.Sprintf("DELETE FROM %s t USING (SELECT %s FROM %s) s WHERE %s", In(schema, s.Table), Quoted(s.Key), from, s.OnKey())
}

// Insert returns the statement that puts in the rows of from.
func (s *Staged) Insert(schema, from string) string {
	list := Quoted(s.Columns)
	return fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %s", In(schema, s.Table), list, list, from)
}

// Update returns the statement that updates in place what the rows of from have;
// empty = there are only key columns, which never change.
func (s *Staged) Update(schema, from string) string {
	var set []string
	for _, c := range s.Columns {
		if !slices.Contains(s.Key, c) {
			set = append(set, fmt.Sprintf("%s = s.%s", Quote(c), Quote(c)))
		}
	}
	if set == nil {
		return ""
	}
	return fmt.Sprintf("UPDATE %s t SET %s FROM (SELECT %s FROM %s) s WHERE %s", In(schema, s.Table),
		strings.Join(set, ", "), Quoted(s.Columns), from, s.OnKey())
}
