package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pgconn/pgtest"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/sinks/internal/conformance"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// TestArrays: rows of COPY are taken apart by columns, and what is cut off anywhere, or has more
// or fewer rows than are listed, is an error, never fewer rows.
func TestArrays(t *testing.T) {
	types := []arrayType{{"text", 25}, {"bigint", 20}}
	file := slices.Concat(copyHeader,
		[]byte("\x00\x02\x00\x00\x00\x01a\xff\xff\xff\xff"), []byte("\x00\x02\x00\x00\x00\x00\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x07"), copyTrailer)
	arrays, err := arraysOf(file, types, 2)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{
		"\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x19\x00\x00\x00\x02\x00\x00\x00\x01" + "\x00\x00\x00\x01a" + "\x00\x00\x00\x00",
		"\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x14\x00\x00\x00\x02\x00\x00\x00\x01" + "\xff\xff\xff\xff" + "\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x07",
	} {
		if string(arrays[i]) != want {
			t.Errorf("column %d: %q, want %q", i, arrays[i], want)
		}
	}
	for n := range len(file) {
		if _, err := arraysOf(file[:n], types, 2); err == nil {
			t.Errorf("the first %d bytes are taken", n)
		}
	}
	if _, err := arraysOf(file, types, 3); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("three rows of two: %v", err)
	}
	if _, err := arraysOf(file, types, 1); err == nil {
		t.Error("one row of two is taken")
	}
}

// openOrders opens a sink of the table of orders in a schema of its own.
func openOrders(t *testing.T, orders *pipeline.Table) (*target, *pipelinetest.SinkDriver, *Sink) {
	t.Helper()
	d := newTarget(t, pgtest.Schema())
	h := pipelinetest.NewSinkDriver(t, "p", orders)
	sink, err := New("warehouse", Config{DSN: d.dsn, Schema: d.schema})
	h.Must(err)
	h.Must(h.Open(sink))
	return d, h, sink
}

// TestSmallEpochMakesNoFile: an epoch of a few rows makes no file, one of many does, and both
// are in the table. What changes rows that it does not find is an error, whichever statement
// of the request it is.
func TestSmallEpochMakesNoFile(t *testing.T) {
	orders := conformance.Orders(t)
	d, h, sink := openOrders(t, orders)
	put := func(op pipeline.Op, from, to int64, text string) *pipeline.Committable {
		rows := make([]conformance.Row, 0, to-from)
		for id := from; id < to; id++ {
			rows = append(rows, conformance.Row{Op: op, ID: id, Text: text})
		}
		return h.Prepare(conformance.Rows(orders, rows))
	}
	files := func() int {
		all, err := os.ReadDir(h.Spool(h.Epoch))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		return len(all)
	}
	small := put(pipeline.OpInsert, 0, 3, "few")
	if files() != 0 || small.Spooled == nil {
		t.Errorf("three rows make %d files", files())
	}
	h.Commit()
	large := put(pipeline.OpInsert, 3, 30_000, strings.Repeat("x", 100))
	if files() != 1 || large.Spooled != nil {
		t.Errorf("3 MB of rows make %d files, and %d bytes besides", files(), len(large.Spooled))
	}
	h.Commit()
	put(pipeline.OpUpdate, 1, 3, "")
	h.Commit()
	put(pipeline.OpDelete, 0, 2, "")
	h.Commit()
	got := d.Query(t, fmt.Sprintf(`SELECT count(*), min(id), count("select") FROM %s`, warehouse.QualifiedName(d.schema, orders.Name)))
	if want := []string{"29998|2|29997"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	for op, want := range map[pipeline.Op]string{pipeline.OpUpdate: "0 rows updated, want 1", pipeline.OpDelete: "0 rows deleted, want 1"} {
		c := put(op, 0, 1, "")
		if err := sink.Commit(context.Background(), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s of a row that is not there: %v", op, err)
		}
		h.Epoch, h.Pending = h.Epoch-1, nil
	}
}

// TestTableWithoutIndex: an epoch of few rows is in a table that lost the index on its key, which is
// not read for each of them.
func TestTableWithoutIndex(t *testing.T) {
	orders := conformance.Orders(t)
	d := newTarget(t, pgtest.Schema())
	for _, index := range []string{"", fmt.Sprintf("UNIQUE (%s)", warehouse.Quoted(warehouse.KeyOf(orders)))} {
		table := warehouse.QualifiedName(d.schema, orders.Name)
		h := pipelinetest.NewSinkDriver(t, "p"+index, orders)
		sink, err := New("warehouse", Config{DSN: d.dsn, Schema: d.schema})
		h.Must(err)
		h.Must(h.Open(sink))
		alter := fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT %s", table, warehouse.Quote(orders.Name+"_pkey"))
		if index != "" {
			alter += ", ADD " + index
		}
		d.Query(t, alter)
		for id := range int64(3) {
			h.Prepare(conformance.Rows(orders, []conformance.Row{{Op: pipeline.OpInsert, ID: id, Text: "a"}}))
			h.Commit()
		}
		if got, want := sink.db.indexed[orders.Name], index != ""; got != want {
			t.Errorf("%q is an index on the key: %v", index, got)
		}
		if got, want := d.Query(t, "SELECT count(*) FROM "+table), []string{"3"}; !slices.Equal(got, want) {
			t.Errorf("%v rows, want %v", got, want)
		}
		h.Close()
		d.Query(t, fmt.Sprintf("DROP TABLE %s", table))
		d.Query(t, fmt.Sprintf("DELETE FROM %s", warehouse.QualifiedName(d.schema, warehouse.TablesTable)))
	}
}

// TestPublishedTwice: what is in the tables is not applied once more, and nothing is where the token is
// another's, whether the commit before has succeeded or not.
func TestPublishedTwice(t *testing.T) {
	orders := conformance.Orders(t)
	d, h, sink := openOrders(t, orders)
	for id := range int64(3) {
		h.Prepare(conformance.Rows(orders, []conformance.Row{{Op: pipeline.OpInsert, ID: id, Text: "a"}}))
		for range 3 {
			h.Must(sink.Commit(t.Context(), h.Pending))
		}
		h.Done()
	}
	want := []string{"3"}
	count := fmt.Sprintf("SELECT count(*) FROM %s", warehouse.QualifiedName(d.schema, orders.Name))
	if got := d.Query(t, count); !slices.Equal(got, want) {
		t.Errorf("%v rows, want %v", got, want)
	}
	h.Prepare(conformance.Rows(orders, []conformance.Row{{Op: pipeline.OpInsert, ID: 3, Text: "a"}}))
	h.Commit()
	d.Query(t, fmt.Sprintf(`UPDATE %s SET "epoch" = 17 RETURNING 1`, warehouse.QualifiedName(d.schema, warehouse.TokensTable)))
	c := h.Prepare(conformance.Rows(orders, []conformance.Row{{Op: pipeline.OpInsert, ID: 3, Text: "a"}, {Op: pipeline.OpInsert, ID: 4, Text: "a"}}))
	for range 2 {
		var token *warehouse.TokenError
		if err := sink.Commit(t.Context(), c); !errors.As(err, &token) || token.Found != 17 {
			t.Errorf("a commit over another's token: %v", err)
		}
	}
	if got, want := d.Query(t, count), []string{"4"}; !slices.Equal(got, want) {
		t.Errorf("%v rows, want %v", got, want)
	}
}

// TestSpooledRowsThatAreDamaged: rows that the state gives back otherwise than they were are an
// error that says so.
func TestSpooledRowsThatAreDamaged(t *testing.T) {
	orders := conformance.Orders(t)
	_, h, sink := openOrders(t, orders)
	c := h.Prepare(conformance.Rows(orders, []conformance.Row{{Op: pipeline.OpInsert, ID: 1, Text: "a"}}))
	whole := c.Spooled
	for n := range len(whole) {
		c := *h.Pending
		c.Spooled = whole[:n]
		if err := sink.Commit(context.Background(), &c); err == nil || !strings.Contains(err.Error(), "rows") {
			t.Fatalf("the first %d of %d bytes are taken: %v", n, len(whole), err)
		}
	}
	h.Commit()
}
