package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pgconn/pgtest"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/sinks/internal/conformance"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// TestRefusals: which constraints refuse which rows, as far as they are checked
// late, across rows, or not about rows at all.
func TestRefusals(t *testing.T) {
	for _, c := range []refusal{
		{name: "unique", constraint: `ADD UNIQUE (email)`,
			insert: []string{"1||a", "2||b", "3||a", "4||a", "5||c"}, refused: []string{"3", "4"}},
		{name: "checked at commit", constraint: `ADD UNIQUE (email) DEFERRABLE INITIALLY DEFERRED`,
			insert: []string{"1||a", "2||a"}, refused: []string{"2"}},
		{name: "a parent that comes later", constraint: `ADD FOREIGN KEY (parent) REFERENCES %s DEFERRABLE INITIALLY DEFERRED`,
			insert: []string{"1|3|a", "2|9|b", "3||c", "4|2|d"}, refused: []string{"2", "4"}},
		{name: "not null", constraint: `ALTER email SET NOT NULL`, insert: []string{"1||a", "2||", "3||c"}, refused: []string{"2"}},
		{name: "a key that is there", constraint: `ADD CHECK (email <> 'x')`, insert: []string{"1||a", "7||b"}, fails: "a row to be inserted is there"},
		{name: "a key that is there, and a refused row", constraint: `ADD CHECK (email <> 'x')`, insert: []string{"1||x", "7||b"}, fails: "a row to be inserted is there"},
		{name: "never", constraint: `RENAME COLUMN email TO mail`, insert: []string{"1||a"}, fails: `column "email" of relation "person" does not exist`},
	} {
		t.Run(c.name, c.run)
	}
}

// refusal is rows that are inserted under a constraint.
type refusal struct {
	name, constraint string   // of the table %s, in which there is a row 7
	insert           []string // id|parent|email
	refused          []string // ids
	fails            string   // the commit, with this text
}

func (c refusal) run(t *testing.T) {
	d, ctx := newTarget(t, pgtest.Schema()), context.Background()
	table := pipelinetest.Table("person", "id", "id int64", "parent int64", "email")
	sink, err := d.New("w", &conformance.Faults{})
	must(t, err)
	driver := pipelinetest.NewSinkDriver(t, "p", table)
	must(t, driver.Open(sink))
	in := warehouse.QualifiedName(d.schema, "person")
	d.Exec(t, fmt.Sprintf("INSERT INTO %s VALUES (7, NULL, 'seven')", in))
	d.Exec(t, fmt.Sprintf("ALTER TABLE %s %s", in, strings.ReplaceAll(c.constraint, "%s", in)))
	r := driver.PrepareEpoch(true, people(t, table, c.insert))
	err = sink.Commit(ctx, r)
	var told *pipeline.RefusedError
	if c.fails != "" {
		if err == nil || errors.As(err, &told) || pipeline.Retryable(err) || !strings.Contains(err.Error(), c.fails) {
			t.Fatalf("commit: %v", err)
		}
		return
	}
	if !errors.As(err, &told) {
		t.Fatalf("commit: %v", err)
	}
	var got []string
	for _, row := range told.Rows {
		id, _, _ := strings.Cut(strings.TrimPrefix(string(row.Row), `{"id":`), ",")
		got = append(got, id)
	}
	if fmt.Sprint(got) != fmt.Sprint(c.refused) {
		t.Errorf("refused are %v, want %v: %v", got, c.refused, told)
	}
	r.Exclude = told.Exclude
	must(t, sink.Commit(ctx, r))
	if n := d.Query(t, fmt.Sprintf("SELECT count(*) FROM %s WHERE id <> 7", in)); n[0] != fmt.Sprint(len(c.insert)-len(c.refused)) {
		t.Errorf("%s rows", n[0])
	}
}

// people makes rows to insert of id|parent|email; empty = null.
func people(t *testing.T, table *pipeline.Table, in []string) *pipeline.Rows {
	t.Helper()
	var objects []string
	for _, text := range in {
		var values []string
		for i, v := range strings.Split(text, "|") {
			switch {
			case v == "":
				v = "null"
			case i == 2:
				v = `"` + v + `"`
			}
			values = append(values, fmt.Sprintf("%q: %s", table.Columns[i].Name, v))
		}
		objects = append(objects, "{"+strings.Join(values, ", ")+"}")
	}
	return pipelinetest.JSONRows(t, table, slices.Repeat([]pipeline.Op{pipeline.OpInsert}, len(in)), objects...)
}
