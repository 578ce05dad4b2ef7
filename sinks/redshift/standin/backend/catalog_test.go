package backend

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/names"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/translate"
)

func relationOf(t *testing.T, c *Conn, schema, name string) *translate.Relation {
	t.Helper()
	r, err := c.Relation(t.Context(), schema, name)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRelation(t *testing.T) {
	c := connect(t, database(t))
	exec(t, c, `CREATE SCHEMA dwh;
		CREATE TABLE dwh.sales (id bigint NOT NULL, cust varchar(20), code char(3) DEFAULT 'x', amt numeric(10,2), doc rs.super, raw rs.varbyte(8), at timestamp,
			ym interval year to month, ds interval day to second, n integer);
		SELECT rs.set_identity('dwh.sales'::regclass, 'id', 'by default', 10, 5);
		SELECT rs.set_dist('dwh.sales'::regclass, 'key', 'cust');
		SELECT rs.set_sort('dwh.sales'::regclass, 'compound', 'at', 'id');
		SELECT rs.set_encode('dwh.sales'::regclass, 'amt', 'ZSTD');
		SELECT rs.add_key('dwh.sales'::regclass, NULL, 'p', '{id}');
		INSERT INTO dwh.sales (n) VALUES (1), (2)`)
	if got := table(t, c, "SELECT id FROM dwh.sales ORDER BY n"); got != "10\n15" {
		t.Errorf("identities: %s", got)
	}
	got := relationOf(t, c, "dwh", "sales")
	if got == nil || got.OID == 0 {
		t.Fatal(got)
	}
	got.OID = 0
	want := &translate.Relation{
		Schema: "dwh", Name: "sales", Kind: translate.UserTable, DistStyle: "key", DistKey: "cust", SortKey: []string{"at", "id"}, Owner: "awsuser",
		Columns: []translate.Column{
			{Name: "id", Type: translate.Type{Name: "bigint"}, NotNull: true, Identity: "by default", Encode: "raw", Key: true},
			{Name: "cust", Type: translate.Type{Name: "character varying", Length: 20}, Encode: "lzo"},
			{Name: "code", Type: translate.Type{Name: "character", Length: 3}, HasDefault: true, Encode: "lzo"},
			{Name: "amt", Type: translate.Type{Name: "numeric", Precision: 10, Scale: 2}, Encode: "zstd"},
			{Name: "doc", Type: translate.Type{Name: "super"}, Encode: "zstd"},
			{Name: "raw", Type: translate.Type{Name: "binary varying", Length: 8}, Encode: "lzo"},
			{Name: "at", Type: translate.Type{Name: "timestamp without time zone"}, Encode: "raw"},
			{Name: "ym", Type: translate.Type{Name: "interval year to month"}, Encode: "az64"},
			{Name: "ds", Type: translate.Type{Name: "interval day to second"}, Encode: "az64"},
			{Name: "n", Type: translate.Type{Name: "integer"}, Encode: "az64"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if r := relationOf(t, c, "", "sales"); r != nil {
		t.Errorf("found outside of the search path: %+v", r)
	}
	exec(t, c, "SET search_path TO dwh")
	if r := relationOf(t, c, "", "sales"); r == nil {
		t.Error("not found on the search path")
	}
	exec(t, c, "CREATE TEMP TABLE sales (x integer)")
	if r := relationOf(t, c, "", "sales"); r == nil || r.Kind != translate.TempTable || len(r.Columns) != 1 {
		t.Errorf("a temporary table does not shadow: %+v", r)
	}
}

func TestRelationKinds(t *testing.T) {
	c := connect(t, database(t))
	exec(t, c, `CREATE TABLE t (a integer, b varchar(3));
		CREATE VIEW v AS SELECT a FROM t; CREATE VIEW w AS SELECT a FROM v;
		CREATE MATERIALIZED VIEW m AS SELECT b FROM t;
		CREATE VIEW late AS SELECT NULL::integer AS x;
		SELECT rs.set_late_binding('late'::regclass, 'select a from public.t', '{a}', '{integer}')`)
	for name, want := range map[string]translate.Kind{
		"t": translate.UserTable, "v": translate.View, "m": translate.MaterializedView, "late": translate.LateBindingView,
		"columns": -1, "relation": -1, "relations": -1, "nothing": -1,
	} {
		r := relationOf(t, c, "", name)
		if (r == nil) != (want < 0) || r != nil && r.Kind != want {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if r := relationOf(t, c, "", "late"); r.Definition != "select a from public.t" {
		t.Errorf("%+v", r)
	}
	for _, hidden := range []string{"rs", "pg_toast"} {
		if ok, err := c.Schema(t.Context(), hidden); ok || err != nil {
			t.Errorf("schema %s is shown: %v", hidden, err)
		}
		if r := relationOf(t, c, hidden, "relation"); r != nil {
			t.Errorf("%+v", r)
		}
	}
	for _, shown := range []string{"public", "pg_catalog", "information_schema"} {
		if ok, err := c.Schema(t.Context(), shown); !ok || err != nil {
			t.Errorf("schema %s is not shown: %v", shown, err)
		}
	}
	oid := relationOf(t, c, "public", "t").OID
	for column, want := range map[string]string{"": "m v w", "a": "v w", "b": "m"} {
		views, err := c.Dependents(t.Context(), oid, column)
		if got := targetNames(views); err != nil || got != want {
			t.Errorf("views of column %q: %s %v, want %s", column, got, err, want)
		}
	}
}

func targetNames(list []translate.Target) string {
	var all []string
	for _, x := range list {
		all = append(all, x.Name)
	}
	return strings.Join(all, " ")
}

// TestViewsOfViews finds what is above a view, by oid, and what is in a schema.
func TestViewsOfViews(t *testing.T) {
	c := connect(t, database(t))
	exec(t, c, "CREATE SCHEMA s; CREATE TABLE s.t (a integer, b integer); CREATE VIEW s.v AS SELECT a FROM s.t; CREATE VIEW w AS SELECT a FROM s.v")
	for column, want := range map[string]string{"": "w v", "a": "w v", "b": ""} {
		views, err := c.Dependents(t.Context(), relationOf(t, c, "s", "t").OID, column)
		if got := targetNames(views); err != nil || got != want {
			t.Errorf("views of column %q: %s %v, want %s", column, got, err, want)
		}
	}
	inside, err := c.Contents(t.Context(), "s")
	if err != nil || targetNames(inside) != "t v" || inside[0].OID != relationOf(t, c, "s", "t").OID {
		t.Errorf("%v %v", inside, err)
	}
}

func TestLongNamesInCatalog(t *testing.T) {
	c := connect(t, database(t))
	long, column := strings.Repeat("t", 120), strings.Repeat("ü", 60)
	if err := c.KeepNames(t.Context(), long, column); err != nil {
		t.Fatal(err)
	}
	exec(t, c, fmt.Sprintf("CREATE TABLE %s (%s integer)", quote(names.Short(long)), quote(names.Short(column))))
	r := relationOf(t, c, "public", long)
	if r == nil || r.Name != long || r.Columns[0].Name != column {
		t.Errorf("%+v", r)
	}
}

// TestForgetsWhatIsDropped drops, renames and rolls back: metadata goes with its relation.
func TestForgetsWhatIsDropped(t *testing.T) {
	c := connect(t, database(t))
	exec(t, c, `CREATE SCHEMA s; CREATE TABLE s.t (a integer NOT NULL, b integer); SELECT rs.set_dist('s.t'::regclass, 'key', 'b'); SELECT rs.add_key('s.t'::regclass, NULL, 'p', '{a}');
		SELECT rs.set_sort('s.t'::regclass, 'interleaved', 'a', 'b')`)
	left := func() string {
		return table(t, c, "SELECT (SELECT count(*) FROM rs.relation), (SELECT count(*) FROM rs.attribute), (SELECT count(*) FROM rs.key_constraint)")
	}
	exec(t, c, "BEGIN; DROP SCHEMA s CASCADE")
	if got := left(); got != "0|0|0" {
		t.Errorf("after DROP: %s", got)
	}
	exec(t, c, "ROLLBACK")
	if got := left(); got != "1|2|1" {
		t.Errorf("after ROLLBACK: %s", got)
	}
	exec(t, c, "ALTER TABLE s.t RENAME COLUMN b TO c")
	if r := relationOf(t, c, "s", "t"); r.DistKey != "c" || !slices.Equal(r.SortKey, []string{"a", "c"}) {
		t.Errorf("%+v", r)
	}
	exec(t, c, "ALTER TABLE s.t DROP COLUMN a")
	if got := left(); got != "1|1|0" {
		t.Errorf("after DROP COLUMN: %s", got)
	}
}
