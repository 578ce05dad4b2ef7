package pipelinetest

import (
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
)

// Table returns a table of columns that are described by their name and type, as in "id
// int64"; a name alone is a string. key lists the columns of the key with commas between;
// empty = there is none. What goes wrong is a mistake of the test, and panics: tables are
// variables of packages too.
func Table(name, key string, columns ...string) *pipeline.Table {
	all := make([]pipeline.Column, len(columns))
	for i, c := range columns {
		name, text, _ := strings.Cut(c, " ")
		typ, err := pipeline.ParseType(text)
		if err != nil {
			panic(err)
		}
		all[i] = pipeline.Column{Name: name, Type: typ}
	}
	var keys []string
	if key != "" {
		keys = strings.Split(key, ",")
	}
	table, err := pipeline.NewTable(name, all, keys)
	if err != nil {
		panic(err)
	}
	return table
}

// TableOf returns a table of columns, whatever their names and types.
func TableOf(t testing.TB, name string, key []string, columns ...pipeline.Column) *pipeline.Table {
	t.Helper()
	table, err := pipeline.NewTable(name, columns, key)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// Column returns a column of a type without parameters.
func Column(name string, k pipeline.Kind) pipeline.Column {
	return pipeline.Column{Name: name, Type: pipeline.Type{Kind: k}}
}
