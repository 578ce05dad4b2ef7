package warehouse

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
)

// Column is a column that a table has.
type Column struct {
	Type       string // as the catalogue prints it
	NotNull    bool
	HasDefault bool // what it gets without a value, be it from the database
	Generated  bool // always by the database: nobody can write it
	Identity   bool // it gets a number of the database's without a value
}

// Columns are a table's columns by name, in lower case where the dialect folds.
type Columns map[string]Column

// missingColumns compares a table with what the catalogue says of it, and returns the
// columns to add. The error lists everything that does not fit.
func (d *Dialect) missingColumns(schema string, t *pipeline.Table, found Columns) ([]pipeline.Column, error) {
	var add []pipeline.Column
	var diff []string
	differs := func(column, format string, args ...any) {
		diff = append(diff, fmt.Sprintf("  column %q: ", column)+fmt.Sprintf(format, args...))
	}
	ours := map[string]bool{}
	for i, c := range d.columnsOf(t) {
		ours[d.fold(c.Name)] = true
		have, ok := found[d.fold(c.Name)]
		switch want := d.Type(c.Type); {
		case !ok:
			add = append(add, c)
		case have.Type != want && !(d.Takes != nil && d.Takes(c.Type, have.Type)):
			differs(c.Name, "the pipeline has %s, the table has %s%s", want, have.Type, d.declaration(have.Type))
		case have.Generated:
			differs(c.Name, "the database makes it itself (GENERATED ALWAYS), and the pipeline can't write it")
		case have.NotNull && !slices.Contains(t.Key, i):
			differs(c.Name, "the pipeline may bring nulls, and in the table it may not be null")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if c := found[name]; c.NotNull && !c.HasDefault && !ours[name] {
			differs(name, "the pipeline does not have it, and in the table it may not be null")
		}
	}
	if diff != nil {
		return nil, fmt.Errorf("table %s.%s does not fit the pipeline:\n%s\nalter the table, or give the columns other names", schema, t.Name, strings.Join(diff, "\n"))
	}
	return add, nil
}

// HasForeignColumns tells whether a table has columns that neither the staged rows nor the
// dialect fill: they keep their values when a row is updated.
func (d *Dialect) HasForeignColumns(s *StagedTable, found Columns) bool {
	ours := map[string]bool{}
	for _, c := range d.Extra {
		ours[d.fold(c.Name)] = true
	}
	for _, c := range s.Columns {
		ours[d.fold(c)] = true
	}
	for name := range found {
		if !ours[name] {
			return true
		}
	}
	return false
}

// declaration says which type of the pipeline is a column's in the catalogue; empty = none is.
func (d *Dialect) declaration(have string) string {
	for _, t := range typesLike(have) {
		if d.Type(t) == have {
			return fmt.Sprintf(": declare type: %s", t)
		}
	}
	return ""
}

// TakesLength tells whether the catalogue's name of a type is the name with a length that is enough.
func TakesLength(have, name string, length int32) bool {
	_, n, found := typeArguments(have, name)
	return found && n[0] >= length
}

// TakesDecimal tells whether the catalogue's name of a type is the name of one with digits that hold those of a
// decimal.
func TakesDecimal(have, name string, t pipeline.Type) bool {
	count, n, found := typeArguments(have, name)
	return found && count == 2 && n[1] >= t.Scale && n[0]-n[1] >= t.Precision-t.Scale
}

// typeArguments reads one or two numbers in brackets behind a name.
func typeArguments(have, name string) (count int, n [2]int32, found bool) {
	arguments, ok := strings.CutPrefix(have, name+"(")
	if !ok || !strings.HasSuffix(arguments, ")") {
		return 0, n, false
	}
	all := strings.Split(strings.TrimSuffix(arguments, ")"), ",")
	if len(all) > len(n) {
		return 0, n, false
	}
	for i, text := range all {
		v, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return 0, n, false
		}
		n[i] = int32(v)
	}
	return len(all), n, true
}

// typesLike returns the types that a column may have of which the catalogue says type; the numbers in brackets
// are theirs.
func typesLike(have string) []pipeline.Type {
	types := scalarsLike(have)
	if element, isArray := strings.CutSuffix(have, "[]"); isArray {
		for _, t := range scalarsLike(element) {
			if t.Base() != pipeline.JSONText && t.Base() != pipeline.Binary {
				types = append(types, pipeline.ListOf(t))
			}
		}
	}
	return types
}

func scalarsLike(have string) []pipeline.Type {
	types := []pipeline.Type{{Kind: pipeline.String}}
	for _, k := range []pipeline.Kind{pipeline.Bool, pipeline.Int32, pipeline.Int64, pipeline.Double, pipeline.Date, pipeline.Time, pipeline.Timestamp, pipeline.TimestampTZ, pipeline.UUID, pipeline.Binary, pipeline.JSONText} {
		types = append(types, pipeline.Type{Kind: k})
	}
	for _, name := range []string{"decimal", "varchar", "char"} {
		_, arguments, _ := strings.Cut(have, "(")
		if t, err := pipeline.ParseType(name + "(" + arguments); err == nil {
			types = append(types, t)
		}
	}
	return types
}
