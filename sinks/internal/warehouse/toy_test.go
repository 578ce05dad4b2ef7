package warehouse_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/sinks/internal/conformance"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// row is a row by the names of its columns; a null has no entry.
type row map[string]string

// toyTable is a table. All that it holds is text.
type toyTable struct {
	Columns []pipeline.Column
	Rows    []row
}

// toy is a warehouse in memory: tables by name, which outlive the sinks that write
// them; nil = there is no schema. It is a warehouse.Database.
type toy struct {
	tables map[string]*toyTable
	faults *conformance.Faults
}

var toyDialect = &warehouse.Dialect{Name: "toy", Type: pipeline.Type.String}

// toyTx is a transaction: a copy of the tables. It is a warehouse.Tx.
type toyTx toy

func (d *toy) begin() *toyTx {
	tx := &toyTx{faults: d.faults, tables: maps.Clone(d.tables)}
	for name, table := range tx.tables {
		copied := &toyTable{Columns: slices.Clone(table.Columns)}
		for _, r := range table.Rows {
			copied.Rows = append(copied.Rows, maps.Clone(r))
		}
		tx.tables[name] = copied
	}
	return tx
}

func (d *toy) Check(ctx context.Context, tables []*pipeline.Table, do warehouse.InTx) (names []string, err error) {
	for _, t := range tables {
		names = append(names, fmt.Sprintf("table %q", t.Name))
	}
	return names, do(ctx, d.begin())
}

func (d *toy) Open(ctx context.Context, _ []*pipeline.Table, do warehouse.InTx) error {
	return d.Transact(ctx, do)
}

func (d *toy) Transact(ctx context.Context, do warehouse.InTx) error {
	tx := d.begin()
	if err := do(ctx, tx); err != nil {
		return err
	}
	return d.faults.Do(func() error { d.tables = tx.tables; return nil })
}

func (d *toy) Reset(ctx context.Context, _ []*pipeline.Table, _ bool, do warehouse.InTx) error {
	return d.Transact(ctx, do)
}

func (d *toy) Close() error { return nil }

// request is one that may fail: what it has done to the copy makes no difference.
func (t *toyTx) request() error { return t.faults.Do(func() error { return nil }) }

func (t *toyTx) LockToken(context.Context, warehouse.Owner) error { return t.request() }

func (t *toyTx) CreateSchema(context.Context) error {
	if t.tables == nil {
		t.tables = map[string]*toyTable{}
	}
	return t.request()
}

func (t *toyTx) CreateTable(_ context.Context, table *pipeline.Table) error {
	t.tables[table.Name] = &toyTable{Columns: table.Columns}
	return t.request()
}

func (t *toyTx) AddColumn(_ context.Context, table string, c pipeline.Column) error {
	t.tables[table].Columns = append(t.tables[table].Columns, c)
	return nil
}

func (t *toyTx) DropTable(_ context.Context, table string) error {
	delete(t.tables, table)
	return nil
}

func (t *toyTx) FindTable(_ context.Context, table string) (*warehouse.FoundTable, error) {
	if t.tables[table] == nil {
		return nil, nil
	}
	return &warehouse.FoundTable{}, nil
}

func (t *toyTx) HasRows(_ context.Context, table string) (bool, error) {
	return len(t.tables[table].Rows) > 0, nil
}

func (t *toyTx) TableColumns(_ context.Context, table string) (warehouse.Columns, error) {
	found := warehouse.Columns{}
	for _, c := range t.tables[table].Columns {
		found[c.Name] = warehouse.Column{Type: c.Type.String()}
	}
	return found, nil
}

// ofOwner returns the rows of one of the sinks' own tables that are of an owner.
func (t *toyTx) ofOwner(table string, o warehouse.Owner) (all []row) {
	for _, r := range t.tables[table].Rows {
		if r["pipeline"] == o.Pipeline && r["sink"] == o.Sink && (o.StateID == "" || r["state_id"] == o.StateID) {
			all = append(all, r)
		}
	}
	return all
}

func (t *toyTx) OpenToken(_ context.Context, o warehouse.Owner) error {
	if len(t.ofOwner(warehouse.TokensTable, o)) == 0 {
		t.insert(warehouse.TokensTable, row{"pipeline": o.Pipeline, "state_id": o.StateID, "sink": o.Sink, "epoch": "0"})
	}
	return t.request()
}

func (t *toyTx) LastEpoch(_ context.Context, o warehouse.Owner) (epoch int64, err error) {
	for _, r := range t.ofOwner(warehouse.TokensTable, o) {
		epoch = number(r["epoch"])
	}
	return epoch, t.request()
}

func (t *toyTx) OtherState(_ context.Context, o warehouse.Owner) (string, int64, error) {
	all := t.ofOwner(warehouse.TokensTable, warehouse.Owner{Pipeline: o.Pipeline, Sink: o.Sink})
	for _, r := range slices.Backward(all) {
		if r["state_id"] != o.StateID && r["epoch"] != "0" {
			return r["state_id"], number(r["epoch"]), nil
		}
	}
	return "", 0, nil
}

func (t *toyTx) RecordEpoch(_ context.Context, a warehouse.Audit) error {
	const layout = "2006-01-02 15:04:05.999999"
	for _, r := range t.ofOwner(warehouse.TokensTable, a.Owner) {
		r["epoch"], r["committed_at"] = fmt.Sprint(a.Epoch), a.Ended.UTC().Format(layout)
	}
	t.insert(warehouse.EpochsTable, row{"job": a.Pipeline + "." + a.Sink, "status": "committed", "started_at": a.Started.UTC().Format(layout), "ended_at": a.Ended.UTC().Format(layout),
		"rows": fmt.Sprint(a.Rows), "pipeline": a.Pipeline, "state_id": a.StateID, "sink": a.Sink, "epoch": fmt.Sprint(a.Epoch)})
	return t.request()
}

func (t *toyTx) insert(table string, r row) { t.tables[table].Rows = append(t.tables[table].Rows, r) }

func (t *toyTx) TableOwners(context.Context) (all []warehouse.TableOwner, err error) {
	for _, r := range t.tables[warehouse.TablesTable].Rows {
		all = append(all, warehouse.TableOwner{Table: r["table"], Owner: warehouse.Owner{Pipeline: r["pipeline"], StateID: r["state_id"], Sink: r["sink"]}})
	}
	slices.SortFunc(all, func(a, b warehouse.TableOwner) int { return strings.Compare(a.Table, b.Table) })
	return all, nil
}

func (t *toyTx) RecordOwner(_ context.Context, table string, o warehouse.Owner) error {
	t.insert(warehouse.TablesTable, row{"schema": "toy", "table": table, "pipeline": o.Pipeline, "state_id": o.StateID, "sink": o.Sink})
	return t.request()
}

func (t *toyTx) CountOwn(_ context.Context, table, sink string, r *pipeline.Reset) (n int64, err error) {
	all := t.tables[table].Rows
	rest := slices.DeleteFunc(slices.Clone(all), func(o row) bool { return r.Owns(sink, o["pipeline"], o["sink"]) })
	if r.Do {
		t.tables[table].Rows = rest
	}
	return int64(len(all) - len(rest)), nil
}

// toyWriter writes a table's rows as JSON. It is a warehouse.Writer.
type toyWriter struct{ file *os.File }

func newToyWriter(dir string, _ *pipeline.Table, s *warehouse.StagedTable) (warehouse.Writer, error) {
	f, err := os.Create(filepath.Join(dir, s.File))
	return toyWriter{f}, err
}

func (w toyWriter) Close() error { return w.file.Close() }

func (w toyWriter) Abort() error { return w.Close() }

// toyChange is a spooled row.
type toyChange struct {
	Op  pipeline.Op
	Row row
}

func (w toyWriter) Write(rows *pipeline.Rows) error {
	for i, op := range rows.Ops {
		change := toyChange{op, row{}}
		for c, column := range rows.Table.Columns {
			if a := rows.Record.Column(c); a.IsValid(i) {
				change.Row[column.Name] = pipelinetest.CellText(column.Type, a, i)
			}
		}
		if err := json.NewEncoder(w.file).Encode(change); err != nil {
			return err
		}
	}
	return nil
}

// Apply applies the spooled rows one by one.
func (t *toyTx) Apply(_ context.Context, files *warehouse.Files, s *warehouse.StagedTable, _ warehouse.Columns) error {
	text, err := os.ReadFile(filepath.Join(files.Dir, s.File))
	if err != nil {
		return err
	}
	counts := map[pipeline.Op]int64{}
	for in := json.NewDecoder(strings.NewReader(string(text))); in.More(); {
		var change toyChange
		if err := in.Decode(&change); err != nil {
			return err
		}
		at := slices.IndexFunc(t.tables[s.Table].Rows, func(r row) bool {
			return !slices.ContainsFunc(s.Key, func(k string) bool { return r[k] != change.Row[k] })
		})
		if (at < 0) != (change.Op == pipeline.OpInsert) {
			continue // it is not counted
		}
		counts[change.Op]++
		switch change.Op {
		case pipeline.OpInsert:
			t.insert(s.Table, change.Row)
		case pipeline.OpUpdate:
			have := t.tables[s.Table].Rows[at]
			maps.DeleteFunc(have, func(c, _ string) bool { return slices.Contains(s.Columns, c) })
			maps.Copy(have, change.Row)
		case pipeline.OpDelete:
			t.tables[s.Table].Rows = slices.Delete(t.tables[s.Table].Rows, at, at+1)
		}
	}
	return errors.Join(t.request(), warehouse.CheckCount(counts[pipeline.OpInsert], s.Inserts, "inserted"),
		warehouse.CheckCount(counts[pipeline.OpUpdate], s.Updates, "updated"), warehouse.CheckCount(counts[pipeline.OpDelete], s.Deletes, "deleted"))
}
