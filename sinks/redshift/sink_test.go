package redshift

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/sinks/internal/conformance"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
	"github.com/starlift-etl/starlift/sinks/redshift/redshifttest"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/faults"
)

const (
	insertOp = pipeline.OpInsert
	updateOp = pipeline.OpUpdate
	deleteOp = pipeline.OpDelete
)

type row = conformance.Row

// harness is a driver of a sink on a schema.
type harness struct {
	*pipelinetest.SinkDriver
	*target
	log bytes.Buffer
}

func newHarness(t *testing.T, cfg Config, tables ...*pipeline.Table) *harness {
	t.Helper()
	return openCluster(t, redshifttest.Snapshot).harness(t, "shop", cfg, tables...)
}

// harness returns a driver of a pipeline, whose sink is not open.
func (c cluster) harness(t *testing.T, pipelineName string, cfg Config, tables ...*pipeline.Table) *harness {
	h := &harness{SinkDriver: pipelinetest.NewSinkDriver(t, pipelineName, tables...), target: c.schemaIn(cfg)}
	h.EarlyClean = true
	return h
}

// restart opens a new sink, as a new process would.
func (h *harness) restart() error {
	h.SinkDriver.Close()
	s, err := h.New("warehouse", &conformance.Faults{})
	h.Must(err)
	o := h.Options()
	o.Env.Log = slog.New(slog.NewTextHandler(&h.log, nil))
	if _, err := s.Check(context.Background(), o); err != nil {
		return err
	}
	h.Sink = s
	return s.Open(context.Background(), o)
}

func (h *harness) put(in ...row) {
	h.T.Helper()
	conformance.Put(h.SinkDriver, in...)
}

// in returns the quoted name of a table.
func (h *harness) in(table string) string { return warehouse.QualifiedName(h.schema, table) }

func (h *harness) want(query string, want ...string) {
	h.T.Helper()
	if diff := cmp.Diff(want, h.Query(h.T, query)); diff != "" {
		h.T.Errorf("%s: -want +got\n%s", query, diff)
	}
}

func columnsOfText(names ...string) (all []pipeline.Column) {
	for _, name := range names {
		all = append(all, pipelinetest.Column(name, pipeline.String))
	}
	return all
}

// TestReaders: what others may read they go on to read after flushes, new columns and restarts.
func TestReaders(t *testing.T) {
	h := newHarness(t, Config{}, conformance.Orders(t))
	h.Must(h.restart())
	h.put(row{Op: insertOp, ID: 1, Text: "a"}, row{Op: insertOp, ID: 2, Text: "b"})
	h.session.Exec("CREATE USER reader PASSWORD DISABLE")
	h.session.Exec("GRANT USAGE ON SCHEMA " + warehouse.Quote(h.schema) + " TO reader")
	h.session.Exec("GRANT SELECT ON " + h.in("order") + " TO reader")
	h.session.Exec(fmt.Sprintf(`CREATE VIEW %s AS SELECT id, "select" FROM %s WITH NO SCHEMA BINDING`, h.in("late"), h.in("order")))
	h.session.Exec(fmt.Sprintf(`CREATE VIEW %s AS SELECT count(*) AS n FROM %s`, h.in("bound"), h.in("order")))
	reader := h.ConnectAs("reader")
	for i, columns := range [][]string{{"select"}, {"select", "more"}, {"select", "more", "most"}} {
		h.Tables[0] = pipelinetest.TableOf(t, "order", []string{"id"}, append([]pipeline.Column{pipelinetest.Column("id", pipeline.Int64)}, columnsOfText(columns...)...)...)
		h.Must(h.restart())
		text := fmt.Sprint("v", i)
		h.put(row{Op: updateOp, ID: 1, Text: text})
		if diff := cmp.Diff([]string{"1|" + text, "2|b"}, reader.Query(fmt.Sprintf(`SELECT id, "select" FROM %s ORDER BY 1`, h.in("order")))); diff != "" {
			t.Error(diff)
		}
		h.want("SELECT * FROM "+h.in("late")+" ORDER BY 1", "1|"+text, "2|b")
		h.want("SELECT n FROM "+h.in("bound"), "2")
	}
	// A view that is bound keeps a reset from dropping its table, and from all else.
	h.SinkDriver.Close()
	reset := func() error {
		s, err := h.New("warehouse", &conformance.Faults{})
		h.Must(err)
		_, err = s.(pipeline.Resettable).Reset(t.Context(), pipeline.Reset{Pipeline: "shop", StateID: h.State, Sinks: []string{"warehouse"}, Tables: h.Tables, Do: true})
		return err
	}
	if err := reset(); err == nil || !strings.Contains(err.Error(), "WITH NO SCHEMA BINDING") || pipeline.Retryable(err) {
		t.Errorf("got error %v", err)
	}
	h.want("SELECT count(*) FROM "+h.in("order"), "2")
	h.want("SELECT count(*) FROM "+h.in(tokenTable(warehouse.Owner{Pipeline: "shop", Sink: "warehouse"})), "1")
	h.session.Exec("DROP VIEW " + h.in("bound"))
	h.Must(reset())
	h.want("SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE nspname = "+literal(h.schema)+" AND relkind = 'r' ORDER BY 1", "starlift_epochs", "starlift_tables")
}

// TestLoadedAt: the column has the time of the flush that wrote a row last, whichever way it did.
func TestLoadedAt(t *testing.T) {
	h := newHarness(t, Config{}, conformance.Orders(t))
	h.Must(h.restart())
	h.put(row{Op: insertOp, ID: 1, Text: "a"}, row{Op: insertOp, ID: 2, Text: "b"})
	h.cfg.LoadedAt = true
	times := func() []string {
		t.Helper()
		return h.Query(t, fmt.Sprintf(`SELECT "_loaded_at" FROM %s ORDER BY id`, h.in("order")))
	}
	h.Must(h.restart()) // the column comes to a table that is there
	if got := times(); !slices.Equal(got, []string{"null", "null"}) {
		t.Errorf("got %q", got)
	}
	h.put(row{Op: updateOp, ID: 1, Text: "A"}, row{Op: insertOp, ID: 3, Text: "c"})
	first := times()
	if first[0] == "null" || first[1] != "null" || first[2] != first[0] {
		t.Errorf("got %q", first)
	}
	h.want(`SELECT count(*) FROM `+h.in("order")+` WHERE "_loaded_at" BETWEEN SYSDATE - INTERVAL '1 minute' AND SYSDATE`, "2")
	h.put(row{Op: updateOp, ID: 1, Text: "B"})
	if second := times(); second[0] <= first[0] || second[2] != first[2] {
		t.Errorf("got %q after %q", second, first)
	}
	h.session.Exec("ALTER TABLE " + h.in("order") + " ADD COLUMN note VARCHAR(10) DEFAULT 'x'")
	second := times()
	h.put(row{Op: updateOp, ID: 1, Text: "C"}) // in place now
	if third := times(); third[0] <= second[0] || third[2] != second[2] {
		t.Errorf("got %q after %q", third, second)
	}
	h.cfg.LoadedAt = false
	h.Must(h.restart())
	h.put(row{Op: updateOp, ID: 1, Text: "D"})
	h.want(`SELECT id, "select", "_loaded_at" IS NULL, note FROM `+h.in("order")+" ORDER BY id", "1|D|t|x", "2|b|t|x", "3|c|f|x")
	h.session.Exec("ALTER TABLE " + h.in("order") + " DROP COLUMN note")
	h.put(row{Op: updateOp, ID: 3, Text: "d"})
	h.want(`SELECT count("_loaded_at") FROM `+h.in("order"), "0")
	h.cfg.LoadedAt = true // and with a table that is made
	h.Tables = append(h.Tables, pipelinetest.TableOf(t, "new", []string{"id"}, conformance.Orders(t).Columns...))
	h.Must(h.restart())
	h.Prepare(conformance.Rows(h.Tables[1], []row{{Op: insertOp, ID: 1}}))
	h.Commit()
	h.want(`SELECT id, "_loaded_at" IS NULL FROM `+h.in("new"), "1|f")
}

// layoutTable has a column of each type.
func layoutTable(t *testing.T) *pipeline.Table {
	return pipelinetest.TableOf(t, "Line", []string{"id", "no"}, pipelinetest.Column("id", pipeline.String), pipelinetest.Column("no", pipeline.Int64), pipelinetest.Column("At", pipeline.Timestamp),
		pipelinetest.Column("day", pipeline.Date), pipelinetest.Column("doc", pipeline.JSONText), pipelinetest.Column("bin", pipeline.Binary), pipelinetest.Column("yes", pipeline.Bool), pipelinetest.Column("f", pipeline.Double),
		pipeline.Column{Name: "d", Type: pipeline.Type{Kind: pipeline.Decimal, Precision: 10, Scale: 2}})
}

// TestLayout: tables are made as the pipeline file says; of those that are there otherwise, the log has
// statements that make them so.
func TestLayout(t *testing.T) {
	c := openCluster(t, redshifttest.Snapshot)
	for _, layout := range []TableConfig{
		{DistKey: "ID", SortKey: []string{"at", "no"}},
		{DistStyle: "even", Encode: spec.Map[string]{{Name: "no", Value: "AZ64"}, {Name: "id", Value: "zstd"}, {Name: "f", Value: "raw"}}},
		{DistStyle: "all", SortKey: []string{"id"}},
		{DistStyle: "auto"},
	} {
		cfg := Config{Tables: spec.Map[TableConfig]{{Name: "line", Value: layout}}}
		made := c.harness(t, "made", cfg, layoutTable(t))
		made.Must(made.restart())
		there := c.harness(t, "there", Config{}, layoutTable(t))
		there.Must(there.restart())
		there.cfg.Tables = cfg.Tables
		there.Must(there.restart())
		changes := there.statements()
		if (len(changes) == 0) != (layout.DistStyle == "auto") {
			t.Errorf("%+v: to change are %q", layout, changes)
		}
		for _, statement := range changes {
			there.session.Exec(statement)
		}
		for _, h := range []*harness{made, there} {
			h.log.Reset()
			h.Must(h.restart())
			if again := h.statements(); again != nil {
				t.Errorf("%+v: of pipeline %s to change are %q", layout, h.Pipeline, again)
			}
			h.Prepare(pipelinetest.JSONRows(t, h.Tables[0], []pipeline.Op{insertOp}, `{"id": "a", "no": 1}`))
			h.Commit()
			h.SinkDriver.Close()
		}
	}
}

// statements returns those that the log suggests.
func (h *harness) statements() (all []string) {
	for line := range strings.Lines(h.log.String()) {
		if _, quoted, ok := strings.Cut(line, "statement="); ok {
			var statement string
			if _, err := fmt.Sscanf(quoted, "%q", &statement); err != nil {
				h.T.Fatalf("%s: %v", line, err)
			}
			all = append(all, statement)
		}
	}
	return all
}

// TestLayoutMistakes: all mistakes of tables are told at once, each where it is.
func TestLayoutMistakes(t *testing.T) {
	paths := func(err error) (all []string) {
		var joined interface{ Unwrap() []error }
		if field := (*spec.FieldError)(nil); errors.As(err, &joined) {
			for _, e := range joined.Unwrap() {
				if errors.As(e, &field) {
					all = append(all, strings.Join(field.Path, "."))
				}
			}
		}
		return all
	}
	var flat func(err error) []string
	flat = func(err error) (all []string) {
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			for _, e := range joined.Unwrap() {
				all = append(all, flat(e)...)
			}
			return all
		}
		return append(all, paths(errors.Join(err))...)
	}
	encode := func(column, encoding string) TableConfig {
		return TableConfig{Encode: spec.Map[string]{{Name: column, Value: encoding}}}
	}
	for _, tc := range []struct {
		table string
		cfg   TableConfig
		want  []string
	}{
		{"line", TableConfig{DistStyle: "key"}, []string{"tables.line.diststyle"}},
		{"line", TableConfig{DistStyle: "all", DistKey: "id"}, []string{"tables.line.distkey"}},
		{"line", TableConfig{DistKey: "ids", SortKey: []string{"at", "AT", "x"}}, []string{"tables.line.distkey", "tables.line.sortkey.1", "tables.line.sortkey.2"}},
		{"line", TableConfig{DistKey: "doc", SortKey: []string{"bin"}}, []string{"tables.line.distkey", "tables.line.sortkey.0"}},
		{"line", encode("no", "gzip"), []string{"tables.line.encode.no"}},
		{"line", encode("nos", "zstd"), []string{"tables.line.encode.nos"}},
		{"line", encode("id", "az64"), []string{"tables.line.encode.id"}},
		{"line", encode("yes", "lzo"), []string{"tables.line.encode.yes"}},
		{"lines", TableConfig{}, []string{"tables.lines"}},
		{"LINE", TableConfig{DistStyle: "key", DistKey: "ID", SortKey: []string{"No"}}, nil},
	} {
		cfg := Config{Tables: spec.Map[TableConfig]{{Name: tc.table, Value: tc.cfg}}}
		got := append(flat(cfg.checkLayouts()), flat(cfg.checkTables([]*pipeline.Table{layoutTable(t)}))...)
		slices.Sort(got)
		if !slices.Equal(slices.Compact(got), tc.want) {
			t.Errorf("%s %+v: mistakes %q, want %q", tc.table, tc.cfg, got, tc.want)
		}
	}
}

// TestEncodings: the stand-in takes what the table of encodings takes, and nothing else.
func TestEncodings(t *testing.T) {
	session := openCluster(t, redshifttest.Snapshot).session
	table := layoutTable(t)
	n := 0
	for encoding := range encodings {
		for _, c := range table.Columns {
			n++
			layout := TableConfig{Encode: spec.Map[string]{{Name: c.Name, Value: encoding}}}
			ours := layout.check("line", table) == nil
			_, err := session.Try(t.Context(), fmt.Sprintf("CREATE TABLE t%d (c %s ENCODE %s)", n, sqlType(c.Type), encoding))
			if ours != (err == nil) {
				t.Errorf("%s of %s: taken by us: %v, by the stand-in: %v", encoding, c.Type, ours, err)
			}
		}
	}
}

// TestNamesRefused: names and types that Redshift lacks are refused before anything is asked.
func TestNamesRefused(t *testing.T) {
	decimal := func(p, s int32) pipeline.Type {
		return pipeline.Type{Kind: pipeline.Decimal, Precision: p, Scale: s}
	}
	text := pipeline.Type{Kind: pipeline.String}
	for _, tc := range []struct {
		table, column string
		kind          pipeline.Type
		want          string // empty = it is taken
	}{
		{"t", "oid", text, "needs for itself"}, {"t", "OID", text, "needs for itself"}, {"t", "XMin", text, "needs for itself"}, {"t", "tableoid", text, "needs for itself"},
		{"t", "_starlift_op", text, "needs for itself"}, {"t", "_Starlift_doc_3", text, "needs for itself"}, {"t", "_starlift_x", text, "needs for itself"},
		{"t", "_LOADED_AT", text, "needs for itself"}, {"starlift_epochs", "c", text, "audit table"}, {"Starlift_Tables", "c", text, "table of owners"}, {"starlift_TOKEN_x", "c", text, "tables of tokens"},
		{"t", strings.Repeat("ü", 63) + "a", text, ""}, {"t", strings.Repeat("ü", 64), text, "128 bytes"}, {strings.Repeat("a", 128), "c", text, "128 bytes"}, {strings.Repeat("a", 127), "c", text, ""},
		{"t", "d", decimal(38, 37), ""}, {"t", "d", decimal(38, 38), "37 digits"}, {"t", "d", decimal(1, 1), ""},
		{"t", "timestamp", text, ""}, {"t", "ÖID", text, ""},
	} {
		cfg := Config{LoadedAt: true}
		table := pipelinetest.TableOf(t, tc.table, []string{"k"}, pipelinetest.Column("k", pipeline.Int64), pipeline.Column{Name: tc.column, Type: tc.kind})
		err := newDialect(&cfg).CheckNames([]*pipeline.Table{table})
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%.20s.%.20s %s: got error %v, want %s", tc.table, tc.column, tc.kind, err, tc.want)
		}
	}
	document := pipelinetest.TableOf(t, "t", []string{"k"}, pipelinetest.Column("k", pipeline.JSONText))
	if err := newDialect(&Config{}).CheckNames([]*pipeline.Table{document}); err == nil || !strings.Contains(err.Error(), "documents") {
		t.Errorf("a document as a key: got error %v", err)
	}
	for schema, want := range map[string]bool{"public": true, "Shop": true, "pg_x": false, "PG_temp": false, "information_schema": false, strings.Repeat("s", 128): false, "": false} {
		if err := checkSchema(schema); (err == nil) != want {
			t.Errorf("schema %q: got error %v", schema, err)
		}
	}
}

// TestOpenAtOnce: pipelines that begin with one empty database at a time get their tables, and of two
// that want one table, one gets it.
func TestOpenAtOnce(t *testing.T) {
	for _, level := range redshifttest.Isolations {
		t.Run(string(level), func(t *testing.T) {
			c := openCluster(t, level)
			schema := c.schemaIn(Config{})
			var all []*harness
			for i := range 5 {
				table := pipelinetest.TableOf(t, fmt.Sprint("t", i/2), []string{"id"}, conformance.Orders(t).Columns...) // t0 and t1 are wanted twice
				h := c.harness(t, fmt.Sprint("pipeline", i), Config{}, table)
				h.target = schema
				all = append(all, h)
			}
			var wg sync.WaitGroup
			errs := make([]error, len(all))
			for i, h := range all {
				wg.Go(func() {
					for range 10 { // as the engine does
						if errs[i] = h.restart(); !pipeline.Retryable(errs[i]) {
							return
						}
					}
				})
			}
			wg.Wait()
			for i, err := range errs {
				var owned *warehouse.OwnerError
				if err != nil && !errors.As(err, &owned) {
					t.Errorf("pipeline %d: %v", i, err)
				}
				if i%2 == 1 && (err == nil) == (errs[i-1] == nil) {
					t.Errorf("pipelines %d and %d: %v, %v", i-1, i, errs[i-1], err)
				}
			}
			if errs[4] != nil {
				t.Errorf("the table that one wants: %v", errs[4])
			}
			all[0].want(`SELECT "table" FROM `+all[0].in(warehouse.TablesTable)+" ORDER BY 1", "t0", "t1", "t2")
		})
	}
}

// TestOrderOfTables: a flush writes tables in the pipeline's order, whatever came first.
func TestOrderOfTables(t *testing.T) {
	table := func(name string) *pipeline.Table {
		return pipelinetest.TableOf(t, name, []string{"id"}, conformance.Orders(t).Columns...)
	}
	h := newHarness(t, Config{}, table("z_dimension"), table("m_dimension"), table("a_fact"))
	h.Must(h.restart())
	in := []row{{Op: insertOp, ID: 1, Text: "a"}}
	before := len(h.Statements())
	h.Prepare(conformance.Rows(h.Tables[2], in), conformance.Rows(h.Tables[1], in), conformance.Rows(h.Tables[0], in))
	h.Commit()
	var order []string
	for _, r := range h.Statements()[before:] {
		if rest, ok := strings.CutPrefix(r.SQL, "INSERT INTO "+warehouse.Quote(h.schema)+"."); ok {
			name, _, _ := strings.Cut(rest, " ")
			order = append(order, name)
		}
	}
	token := warehouse.Quote(tokenTable(warehouse.Owner{Pipeline: "shop", Sink: "warehouse"}))
	if diff := cmp.Diff([]string{`"z_dimension"`, `"m_dimension"`, `"a_fact"`, token, `"starlift_epochs"`}, order); diff != "" {
		t.Error(diff)
	}
}

// TestLoadStatements: what is shown of a flush is what a flush sends.
func TestLoadStatements(t *testing.T) {
	for _, stage := range []StageConfig{{}, {None: true}} {
		table := pipelinetest.TableOf(t, "order", []string{"id"}, pipelinetest.Column("id", pipeline.Int64), pipelinetest.Column("note", pipeline.String), pipelinetest.Column("doc", pipeline.JSONText))
		h := newHarness(t, Config{Stage: stage, LoadedAt: true}, table)
		h.Must(h.restart())
		put := func(op pipeline.Op) {
			h.Prepare(pipelinetest.JSONRows(t, table, []pipeline.Op{op}, `{"id": 1, "note": "a", "doc": "{}"}`))
			h.Commit()
		}
		put(insertOp)
		before := len(h.Statements())
		put(updateOp)
		var sent []string
		for _, r := range h.Statements()[before:] {
			if !strings.Contains(r.SQL, "pg_catalog") { // whether others have added columns
				sent = append(sent, r.SQL)
			}
		}
		var shown []string
		for statement := range strings.SplitSeq(h.Sink.(pipeline.LoadWriter).LoadStatements("shop", h.Tables), ";") {
			if _, rest, ok := strings.Cut(statement, " -- $1 = "); ok && strings.HasPrefix(statement, " --") {
				_, statement, _ = strings.Cut(rest, "\n")
			}
			if statement = strings.TrimSpace(strings.TrimSuffix(statement, ", (<further rows>)")); statement != "" {
				shown = append(shown, statement)
			}
		}
		blur := func(all []string) string {
			return regexp.MustCompile(`'s3://[^']*/shop/warehouse/[^']*\.manifest'`).ReplaceAllString(strings.Join(all, ";\n"), "'manifest'")
		}
		if diff := cmp.Diff(blur(sent), blur(shown)); diff != "" {
			t.Errorf("stage %+v: -sent +shown\n%s", stage, diff)
		}
	}
}

// TestAnalyze: statistics are brought up to date after flushes of many rows, when they are committed,
// and a failure is told and is no other.
func TestAnalyze(t *testing.T) {
	h := newHarness(t, Config{AnalyzeRows: 2}, conformance.Orders(t))
	h.Must(h.restart())
	analyzed := func() (n int) {
		all := h.Statements()
		for i, r := range all {
			if strings.HasPrefix(r.SQL, "ANALYZE ") {
				n++
				if all[i-1].SQL != "COMMIT" {
					t.Errorf("ANALYZE comes after %s", all[i-1].SQL)
				}
			}
		}
		return n
	}
	h.put(row{Op: insertOp, ID: 1, Text: "a"})
	if n := analyzed(); n != 0 {
		t.Errorf("%d times after one row", n)
	}
	h.put(row{Op: updateOp, ID: 1, Text: "b"}, row{Op: insertOp, ID: 2, Text: "b"})
	if n := analyzed(); n != 1 {
		t.Errorf("%d times after two rows", n)
	}
	h.Inject(faults.Rule{Kind: faults.LostBefore, Pattern: "^analyze", Count: 1})
	h.put(row{Op: updateOp, ID: 1, Text: "c"}, row{Op: updateOp, ID: 2, Text: "c"})
	if pending := h.Cluster.Pending(); len(pending) != 0 || !strings.Contains(h.log.String(), "statistics of a table could not be updated") {
		t.Errorf("faults left: %v; log: %s", pending, &h.log)
	}
	h.put(row{Op: deleteOp, ID: 1})
	h.want(`SELECT id, "select" FROM `+h.in("order"), "2|c")
}

// TestNothingToLoad: without rows no statement is sent, be it that none came or that they came to nothing.
func TestNothingToLoad(t *testing.T) {
	h := newHarness(t, Config{}, conformance.Orders(t))
	h.Must(h.restart())
	before := len(h.Statements())
	for range 3 {
		if c := h.Prepare(); c.Payload != nil {
			t.Errorf("an epoch without rows commits %s", c.Payload)
		}
	}
	if n := len(h.Statements()); n != before {
		t.Errorf("%d statements were sent", n-before)
	}
}

// TestChangedByOthers: nobody enforces keys, so that rows of others show in the counts.
func TestChangedByOthers(t *testing.T) {
	for _, tc := range []struct{ name, do, want string }{
		{"a row that is to come is there", `INSERT INTO %s VALUES (3, 'x')`, "2 rows deleted, want 1"},
		{"a row is there twice", `INSERT INTO %s VALUES (1, 'x')`, "2 rows deleted, want 1"},
		{"a row is gone", `DELETE FROM %s WHERE id = 1`, "0 rows deleted, want 1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHarness(t, Config{}, conformance.Orders(t))
			h.Must(h.restart())
			h.put(row{Op: insertOp, ID: 1, Text: "a"}, row{Op: insertOp, ID: 2, Text: "b"})
			h.session.Exec(fmt.Sprintf(tc.do, h.in("order")))
			before := h.Query(t, "SELECT * FROM "+h.in("order")+" ORDER BY 1, 2")
			h.Prepare(conformance.Rows(h.Tables[0], []row{{Op: updateOp, ID: 1, Text: "c"}, {Op: insertOp, ID: 3, Text: "d"}}))
			if err := h.Sink.Commit(t.Context(), h.SinkDriver.Pending); err == nil || !strings.Contains(err.Error(), tc.want) || pipeline.Retryable(err) {
				t.Errorf("got error %v, want %s", err, tc.want)
			}
			h.want("SELECT * FROM "+h.in("order")+" ORDER BY 1, 2", before...)
		})
	}
	t.Run("two tokens", func(t *testing.T) {
		h := newHarness(t, Config{}, conformance.Orders(t))
		h.Must(h.restart())
		h.put(row{Op: insertOp, ID: 1, Text: "a"})
		token := h.in(tokenTable(warehouse.Owner{Pipeline: "shop", Sink: "warehouse"}))
		h.session.Exec("INSERT INTO " + token + " SELECT * FROM " + token)
		h.Prepare(conformance.Rows(h.Tables[0], []row{{Op: updateOp, ID: 1, Text: "c"}}))
		if err := h.Sink.Commit(t.Context(), h.SinkDriver.Pending); err == nil || !strings.Contains(err.Error(), "has 2 rows for state folder state-1") {
			t.Errorf("got error %v", err)
		}
	})
}

// TestRights: what a user lacks is told before anything is made, and who has it need not own the tables.
func TestRights(t *testing.T) {
	h := newHarness(t, Config{}, conformance.Orders(t))
	h.Must(h.restart())
	h.put(row{Op: insertOp, ID: 1, Text: "a"})
	h.session.Exec("CREATE USER loader PASSWORD DISABLE")
	h.session.Exec("GRANT USAGE ON SCHEMA " + warehouse.Quote(h.schema) + " TO loader")
	h.session.Exec("GRANT TEMP ON DATABASE " + warehouse.Quote(h.Database) + " TO loader")
	h.cfg.DSN = h.UserDSN("loader")
	h.session.Exec("GRANT SELECT, INSERT, DELETE ON ALL TABLES IN SCHEMA " + warehouse.Quote(h.schema) + " TO loader")
	if err := h.restart(); err == nil || !strings.Contains(err.Error(), "may not UPDATE there: GRANT UPDATE ON ") {
		t.Errorf("got error %v", err)
	}
	h.session.Exec("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA " + warehouse.Quote(h.schema) + " TO loader")
	h.Must(h.restart())
	h.put(row{Op: updateOp, ID: 1, Text: "b"}, row{Op: insertOp, ID: 2, Text: "c"})
	h.want(`SELECT id, "select" FROM `+h.in("order")+" ORDER BY id", "1|b", "2|c")
}
