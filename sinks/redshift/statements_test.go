package redshift

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/sinks/redshift/redshifttest"
)

// scene is a sink whose statements are kept in golden files.
type scene struct {
	*pipelinetest.SinkDriver
	c   *redshifttest.Cluster
	cfg Config
}

var (
	goldenMembers = pipelinetest.Table("dim_customer", "customer_key", "customer_key int64", "username", "since date")
	goldenFacts   = pipelinetest.Table("fact_order", "orderid,product", "orderid", "product", "customer_key int64", "price decimal(10,2)", "gift bool", "weight double", "ordered_at timestamp", "code binary")
	goldenItems   = pipelinetest.Table("item", "id", "id", "doc json")
)

func newScene(t *testing.T, tables ...*pipeline.Table) *scene {
	t.Helper()
	c := redshifttest.Open(t, redshifttest.Snapshot)
	s := &scene{SinkDriver: pipelinetest.NewSinkDriver(t, "shop", tables...), c: c, cfg: flushConfig(c)}
	t.Cleanup(s.Close)
	return s
}

// restart opens the sink as a new process would.
func (s *scene) restart() {
	s.T.Helper()
	s.Close()
	sink, err := New("warehouse", s.cfg)
	s.Must(err)
	s.Must(s.Open(sink))
}

// flush commits rows as an epoch.
func (s *scene) flush(rows ...*pipeline.Rows) {
	s.T.Helper()
	s.PrepareEpoch(true, rows...)
	s.Commit()
}

func (s *scene) want(name, about string) {
	s.T.Helper()
	s.c.WantStatements(name, about, s.c.TakeStatements())
}

func (s *scene) rows(t *pipeline.Table, ops []pipeline.Op, objects ...string) *pipeline.Rows {
	return pipelinetest.JSONRows(s.T, t, ops, objects...)
}

const (
	ada   = `{"customer_key": 1, "username": "ada", "since": "2024-02-29"}`
	bob   = `{"customer_key": 2, "username": "bob", "since": "2024-02-29"}`
	pen   = `{"orderid": "o1", "product": "pen", "customer_key": 1, "price": 2.50, "gift": true, "weight": 0.01, "ordered_at": "2024-02-29T12:00:00Z", "code": "AQID"}`
	mug   = `{"orderid": "o1", "product": "mug", "customer_key": 1, "price": 9, "gift": false, "weight": 0.3, "ordered_at": "2024-02-29T12:00:00Z"}`
	plain = `{"id": "1", "doc": "{\"a\": [1, 2.5]}"}`
)

var inserts = []pipeline.Op{pipeline.OpInsert, pipeline.OpInsert}

// TestStatements keeps what a cluster is asked, in each situation.
func TestStatements(t *testing.T) {
	t.Parallel()
	s := newScene(t, goldenMembers, goldenFacts)
	sink, err := New("warehouse", s.cfg)
	s.Must(err)
	s.Must(s.Check(sink))
	s.want("check", "A check, as validate --connect and each start make it, in an empty database.\nAll of it is rolled back.")
	s.Must(sink.Open(t.Context(), s.Options()))
	s.Sink = sink
	s.want("open", "The first opening: the sinks' own tables, one by one, and then the tables of the pipeline in a transaction.")

	s.flush(s.rows(goldenMembers, inserts, ada, bob), s.rows(goldenFacts, inserts, pen, mug))
	s.want("flush", "A flush of new rows of a dimension and its facts.")
	s.flush(s.rows(goldenMembers, []pipeline.Op{pipeline.OpUpdate}, ada), s.rows(goldenFacts, []pipeline.Op{pipeline.OpUpdate, pipeline.OpDelete}, pen, mug))
	s.want("flush_changes", "A flush of rows that are changed and removed.")
	pending := s.PrepareEpoch(true, s.rows(goldenMembers, []pipeline.Op{pipeline.OpUpdate}, bob))
	s.Must(s.Sink.Commit(t.Context(), pending))
	s.c.TakeStatements()
	s.Must(s.Sink.Commit(t.Context(), pending))
	s.want("flush_again", "A flush that a lost connection has left in doubt, and that was committed: the token says so, and nothing is changed.")
	s.Done()
	s.flush()
	s.want("flush_nothing", "An interval without rows: nothing is sent.")

	s.restart()
	s.c.TakeStatements()
	s.restart()
	s.want("open_again", "A check and an opening when everything is there.")
	s.Tables[0] = pipelinetest.Table("dim_customer", "customer_key", "customer_key int64", "username", "since date", "country")
	s.restart()
	s.want("open_column", "A check and an opening when a table gets a column.")
}

// TestStatementsOfDocuments keeps those of documents, and of a table to which somebody has added a column.
func TestStatementsOfDocuments(t *testing.T) {
	t.Parallel()
	s := newScene(t, goldenItems)
	s.restart()
	s.want("open_documents", "A check and the first opening with a table that has a column of documents.")
	s.flush(s.rows(goldenItems, inserts[:1], plain))
	s.want("flush_documents", "A flush of rows with documents: they come as texts, and are parsed on their way into the table.")
	s.c.Exec(`ALTER TABLE dwh.item ADD COLUMN remark varchar(100)`)
	s.flush(s.rows(goldenItems, []pipeline.Op{pipeline.OpUpdate}, plain))
	s.want("flush_in_place", "A flush of changed rows into a table that others have given a column: rows are updated where they are, and keep it.")
}

// TestStatementsOfLayouts keeps those of tables that are laid out by the pipeline file, with the time
// of loading, statistics and a query group.
func TestStatementsOfLayouts(t *testing.T) {
	t.Parallel()
	s := newScene(t, goldenMembers, goldenFacts)
	s.cfg.LoadedAt, s.cfg.AnalyzeRows, s.cfg.QueryGroup = true, 2, "etl"
	s.cfg.Tables = spec.Map[TableConfig]{{Name: "fact_order", Value: TableConfig{
		DistKey: "orderid", SortKey: []string{"orderid", "product"}, Encode: spec.Map[string]{{Name: "price", Value: "az64"}}}}}
	s.restart()
	s.want("open_layout", "A check and the first opening with a query group, and with tables that have a distribution key, sort keys, encodings and the time of loading.")
	s.flush(s.rows(goldenMembers, inserts, ada, bob), s.rows(goldenFacts, inserts, pen, mug))
	s.want("flush_layout", "A flush into tables with the time of loading, and statistics afterwards.")
}

// TestStatementsOfReset keeps those of a reset.
func TestStatementsOfReset(t *testing.T) {
	t.Parallel()
	s := newScene(t, goldenMembers)
	s.restart()
	s.flush(s.rows(goldenMembers, inserts, ada, bob))
	s.Close()
	s.c.TakeStatements()
	sink, err := New("warehouse", s.cfg)
	s.Must(err)
	_, err = sink.Reset(t.Context(), pipeline.Reset{Pipeline: s.Pipeline, StateID: s.State, Sinks: []string{"warehouse"}, Tables: s.Tables, Do: true})
	s.Must(err)
	s.want("reset", "starlift reset: the tables that the sink owns, and what it has noted of them.")
}

// TestStatementsByInsert keeps those of a sink without a stage.
func TestStatementsByInsert(t *testing.T) {
	t.Parallel()
	s := newScene(t, goldenMembers, goldenItems)
	s.cfg.Stage = StageConfig{None: true}
	s.restart()
	s.c.TakeStatements()
	s.flush(s.rows(goldenMembers, inserts, ada, bob), s.rows(goldenItems, inserts[:1], plain))
	s.want("flush_without_stage", "A flush with stage: none: rows go into stage tables by INSERT.")
}

// TestStatementsOfTypes keeps those of columns of every type, in keys and outside of them, so that what
// random tests draw is in a golden file.
func TestStatementsOfTypes(t *testing.T) {
	t.Parallel()
	types := []string{"", "bool", "int64", "double", "decimal(9,2)", "date", "timestamp", "binary"}
	var keys, columns []string
	for i, kind := range types {
		keys = append(keys, fmt.Sprint("key", i, " ", kind))
		columns = append(columns, fmt.Sprint("column", i, " ", kind))
	}
	names := func(of []string) string {
		var all []string
		for _, c := range of {
			name, _, _ := strings.Cut(c, " ")
			all = append(all, name)
		}
		return strings.Join(all, ",")
	}
	all := append(slices.Clone(keys), columns...)
	every := pipelinetest.Table("every", names(keys), append(slices.Clone(all), "doc json")...)
	bare := pipelinetest.Table("bare", names(keys), keys...)
	s := newScene(t, every, bare)
	s.cfg.Stage = StageConfig{None: true}
	s.restart()
	s.want("open_types", "A check and the first opening with columns of every type.")
	row := func(key int) string {
		values := []string{`"a"`, "true", fmt.Sprint(key), "0.5", "1.25", `"2024-02-29"`, `"2024-02-29T12:00:00Z"`, `"AQID"`}
		var fields []string
		for i := range types {
			fields = append(fields, fmt.Sprintf(`"key%d": %s, "column%d": %s`, i, values[i], i, values[i]))
		}
		return "{" + strings.Join(fields, ", ") + `, "doc": "{}"}`
	}
	s.flush(s.rows(every, inserts, row(1), row(2)))
	s.c.TakeStatements()
	s.c.Exec("ALTER TABLE dwh.every ADD COLUMN remark varchar(10)")
	s.flush(s.rows(every, []pipeline.Op{pipeline.OpUpdate, pipeline.OpDelete}, row(1), row(2)))
	s.want("flush_types", "A flush of rows with columns of every type into a table that others have given a column, with stage: none.")
	s.Tables[1] = pipelinetest.Table("bare", names(keys), append(slices.Clone(all), "doc json")...)
	s.restart()
	s.want("open_type_columns", "A check and an opening when a table gets a column of every type.")
}
