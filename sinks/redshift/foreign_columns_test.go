package redshift

import (
	"fmt"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/sinks/internal/conformance"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// TestLoadedAtOfOthers: a column that has the name of the sink's own, and is not the sink's, is written by
// whose it is.
func TestLoadedAtOfOthers(t *testing.T) {
	t.Run("the pipeline's", func(t *testing.T) {
		table := pipelinetest.TableOf(t, "order", []string{"id"}, pipelinetest.Column("id", pipeline.Int64), pipelinetest.Column("_loaded_at", pipeline.Timestamp))
		h := newHarness(t, Config{}, table)
		h.Must(h.restart())
		h.session.Exec("ALTER TABLE " + h.in("order") + " ADD COLUMN note VARCHAR(10) DEFAULT 'x'")
		h.Prepare(pipelinetest.JSONRows(t, table, []pipeline.Op{insertOp}, `{"id": 1, "_loaded_at": "2024-02-29 01:02:03"}`))
		h.Commit()
		h.session.Exec("UPDATE " + h.in("order") + " SET note = 'y'")
		h.Prepare(pipelinetest.JSONRows(t, table, []pipeline.Op{updateOp}, `{"id": 1, "_loaded_at": "2024-03-01 01:02:03"}`))
		h.Commit()
		h.want(`SELECT id, "_loaded_at", note FROM `+h.in("order"), "1|2024-03-01 01:02:03|y")
	})
	for _, column := range []string{"TIMESTAMP NOT NULL DEFAULT '2020-01-01'", "TIMESTAMP DEFAULT '2020-01-01'", "VARCHAR(30)"} {
		t.Run(column, func(t *testing.T) {
			h := newHarness(t, Config{}, conformance.Orders(t))
			h.session.Exec("CREATE SCHEMA " + warehouse.Quote(h.schema))
			h.session.Exec(fmt.Sprintf(`CREATE TABLE %s (id BIGINT NOT NULL, "select" VARCHAR(65535), "_loaded_at" %s)`, h.in("order"), column))
			h.Must(h.restart())
			h.put(row{Op: insertOp, ID: 1, Text: "a"})
			h.session.Exec("UPDATE " + h.in("order") + ` SET "_loaded_at" = '2021-01-01 00:00:00'`)
			h.put(row{Op: updateOp, ID: 1, Text: "b"})
			h.want(`SELECT id, "select", "_loaded_at" FROM `+h.in("order"), "1|b|2021-01-01 00:00:00")
		})
	}
}

// TestForeignColumnsTwice: what a transaction knows of a table stays as it is for the second lot of its rows.
func TestForeignColumnsTwice(t *testing.T) {
	found := warehouse.Columns{"id": {Type: "bigint"}, "note": {Type: "character varying(10)"}, "_loaded_at": {Type: "timestamp without time zone"}}
	for try := range 2 {
		m := &tableMerge{tx: &tx{SQL: &warehouse.SQL{Dialect: dialectOf(t)}, cfg: &Config{}}, rows: &warehouse.StagedTable{Columns: []string{"id"}, Key: []string{"id"}}}
		if !m.foreign(found) || !m.outdated {
			t.Errorf("try %d: the table has a column of others, and a time that is outdated: %v", try, m.outdated)
		}
	}
}

// TestWidestTable: the stage table of a table that is taken has no more columns than Redshift has.
func TestWidestTable(t *testing.T) {
	wide := func(texts, documents int) *pipeline.Table {
		columns := []pipeline.Column{pipelinetest.Column("id", pipeline.Int64)}
		for i := range texts {
			columns = append(columns, pipelinetest.Column(fmt.Sprint("c", i), pipeline.Bool))
		}
		for i := range documents {
			columns = append(columns, pipelinetest.Column(fmt.Sprint("d", i), pipeline.JSONText))
		}
		return pipelinetest.TableOf(t, "wide", []string{"id"}, columns...)
	}
	for _, tc := range []struct {
		texts, documents int
		loadedAt, taken  bool
	}{{1598, 0, false, true}, {1599, 0, false, false}, {1598, 0, true, false}, {1597, 0, true, true}, {0, 799, false, true}, {0, 800, false, false}} {
		cfg := Config{LoadedAt: tc.loadedAt}
		err := newDialect(&cfg).CheckNames([]*pipeline.Table{wide(tc.texts, tc.documents)})
		if (err == nil) != tc.taken || err != nil && !strings.Contains(err.Error(), "columns") {
			t.Errorf("%+v: got error %v", tc, err)
		}
	}
	h := newHarness(t, Config{}, wide(1000, 299))
	h.Must(h.restart())
	h.Prepare(pipelinetest.JSONRows(t, h.Tables[0], []pipeline.Op{insertOp}, `{"id": 1, "c999": true, "d298": "{}"}`))
	h.Commit()
	h.want(`SELECT id, c999, d298 FROM `+h.in("wide"), "1|t|{}")
}
