//go:build cgo

package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"
	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

func TestInsertUpdateDelete(t *testing.T) {
	h := newHarness(t, Config{Schema: "my \"dwh"}, orders(t))
	h.put(row{insert, 1, "a"}, row{insert, 2, "b"}, row{insert, 3, ""})
	h.put(row{update, 1, "A"}, row{remove, 2, ""}, row{insert, 4, "d"})
	h.want(`FROM "my ""dwh"."order" ORDER BY id`, "1|A", "3|null", "4|d")
	h.want(`SELECT "status", "rows", "epoch", "pipeline", "state_id", "sink", "started_at" = TIMESTAMP '2001-09-09 01:46:40', "ended_at" > "started_at" FROM "my ""dwh".starlift_epochs ORDER BY epoch`,
		"committed|3|1|shop|state-1|warehouse|true|true", "committed|3|2|shop|state-1|warehouse|true|true")
	if r := h.prepare(); r.Publish != nil {
		t.Errorf("an epoch without rows publishes %s", r.Publish)
	}
	h.put(row{update, 3, "c"})
	h.want(`FROM "my ""dwh"."order" ORDER BY id`, "1|A", "3|c", "4|d")
}

func TestCommitAgain(t *testing.T) {
	for _, crash := range []string{"before the commit", "after the commit"} {
		t.Run(crash, func(t *testing.T) {
			h := newHarness(t, Config{}, orders(t))
			h.put(row{insert, 1, "a"})
			h.prepare(rowsOf(h.tables[0], []row{{update, 1, "b"}, {insert, 2, "c"}}))
			if crash == "after the commit" {
				h.must(h.sink.Commit(context.Background(), h.pending))
			}
			h.must(h.restart())
			for range 3 {
				h.must(h.sink.Commit(context.Background(), h.pending))
			}
			h.want(`FROM "order" ORDER BY id`, "1|b", "2|c")
			h.want("SELECT epoch FROM starlift_epochs ORDER BY epoch", "1", "2")
		})
	}
}

func TestFailedCommitLeavesNothing(t *testing.T) {
	h := newHarness(t, Config{}, orders(t))
	h.put(row{insert, 1, "a"})
	h.prepare(rowsOf(h.tables[0], []row{{update, 1, "b"}, {insert, 2, "c"}}))
	h.exec(`ALTER TABLE starlift_epochs RENAME COLUMN "job" TO "jobs"`)
	if err := h.sink.Commit(context.Background(), h.pending); err == nil {
		t.Fatal("the commit succeeded")
	}
	h.want(`FROM "order"`, "1|a")
	h.exec(`ALTER TABLE starlift_epochs RENAME COLUMN "jobs" TO "job"`)
	h.commit()
	h.want(`FROM "order" ORDER BY id`, "1|b", "2|c")
}

func TestTokensThatContradict(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(h *harness)
		want string
	}{
		{"a new state folder", func(h *harness) { h.state, h.published = "state-2", 0 }, "with another state folder (state-1, up to epoch 2)"},
		{"an older state folder", func(h *harness) { h.published = 1 }, "the tables are at epoch 2, the state folder state-1 expects epoch 1"},
		{"older tables", func(h *harness) { h.exec("DELETE FROM starlift_epochs WHERE epoch = 2") }, "the tables are at epoch 1, the state folder state-1 expects epoch 2"},
		{"new tables", func(h *harness) { h.exec("DROP TABLE starlift_epochs") }, "the tables are at epoch 0, the state folder state-1 expects epoch 2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHarness(t, Config{}, orders(t))
			h.put(row{insert, 1, "a"})
			h.put(row{insert, 2, "b"})
			tc.do(h)
			err := h.restart()
			var token *warehouse.TokenError
			if !errors.As(err, &token) || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "backfill") {
				t.Errorf("got error %v, want %s", err, tc.want)
			}
		})
	}
	t.Run("during a commit", func(t *testing.T) {
		h := newHarness(t, Config{}, orders(t))
		h.put(row{insert, 1, "a"})
		h.put(row{insert, 2, "a"})
		h.prepare(rowsOf(h.tables[0], []row{{insert, 3, "b"}}))
		h.exec("DELETE FROM starlift_epochs WHERE epoch = 2")
		var token *warehouse.TokenError
		if err := h.sink.Commit(context.Background(), h.pending); !errors.As(err, &token) || token.Found != 1 || token.Want != 2 {
			t.Errorf("got error %v", err)
		}
		h.want(`SELECT id FROM "order" ORDER BY id`, "1", "2")
	})
	t.Run("another pipeline's records", func(t *testing.T) {
		h := newHarness(t, Config{}, orders(t))
		h.put(row{insert, 1, "a"})
		h.exec("UPDATE starlift_epochs SET pipeline = 'other'")
		h.published, h.epoch, h.state = 0, 0, "state-2"
		h.must(h.restart())
		h.put(row{insert, 2, "b"})
	})
}

func TestColumns(t *testing.T) {
	t.Run("new ones are added", func(t *testing.T) {
		h := newHarness(t, Config{}, orders(t))
		h.put(row{insert, 1, "a"})
		h.tables = []*pipeline.Table{newTable(t, "order", []string{"id"}, append(slices.Clone(h.tables[0].Columns), pipeline.Column{Name: `we"ird ü`, Type: pipeline.Type{Kind: pipeline.Decimal, Precision: 10, Scale: 2}})...)}
		h.must(h.restart())
		h.put(row{insert, 2, "b"})
		h.want(`FROM "order" ORDER BY id`, "1|a|null", "2|b|null")
	})
	t.Run("others are left alone", func(t *testing.T) {
		h := newHarness(t, Config{}, orders(t))
		h.put(row{insert, 1, "a"}, row{insert, 2, "b"})
		h.exec(`ALTER TABLE "order" ADD COLUMN note VARCHAR`)
		h.exec(`UPDATE "order" SET note = 'mine'`)
		h.must(h.restart())
		h.put(row{update, 1, "A"}, row{insert, 3, "c"}, row{remove, 2, ""})
		h.want(`FROM "order" ORDER BY id`, "1|A|mine", "3|c|null")
	})
	t.Run("types that differ", func(t *testing.T) {
		h := newHarness(t, Config{}, orders(t))
		h.exec(`DROP TABLE "order"`)
		h.exec(`CREATE TABLE "order" (id VARCHAR, "select" JSON)`)
		err := h.restart()
		if err == nil {
			t.Fatal("it was opened")
		}
		for _, want := range []string{`main.order`, `column "id": the pipeline has BIGINT, the table has VARCHAR`, `column "select": the pipeline has VARCHAR, the table has JSON`} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("error %v lacks %s", err, want)
			}
		}
	})
	t.Run("a column that may not be null", func(t *testing.T) {
		h := newHarness(t, Config{}, orders(t))
		h.exec(`DROP TABLE "order"`)
		h.exec(`CREATE TABLE "order" (id BIGINT, "select" VARCHAR, must VARCHAR NOT NULL, may VARCHAR NOT NULL DEFAULT 'x')`)
		if err := h.restart(); err == nil || !strings.Contains(err.Error(), `"must"`) || strings.Contains(err.Error(), `"may"`) {
			t.Errorf("got error %v", err)
		}
	})
	t.Run("the pipeline file changes while an epoch is pending", func(t *testing.T) {
		h := newHarness(t, Config{}, orders(t))
		h.put(row{insert, 1, "a"})
		h.prepare(rowsOf(h.tables[0], []row{{update, 1, "b"}, {insert, 2, "c"}}))
		h.tables = []*pipeline.Table{newTable(t, "order", []string{"id"}, pipeline.Column{Name: "id", Type: kind(pipeline.Int64)}, pipeline.Column{Name: "new", Type: kind(pipeline.String)})}
		h.must(h.restart())
		h.commit()
		h.want(`FROM "order" ORDER BY id`, "1|b|null", "2|c|null")
	})
	t.Run("the table leaves while an epoch is pending", func(t *testing.T) {
		h := newHarness(t, Config{}, orders(t))
		h.prepare(rowsOf(h.tables[0], []row{{insert, 1, "a"}}))
		h.tables = nil
		h.must(h.restart())
		h.commit()
		h.want(`FROM "order"`, "1|a")
	})
}

func TestEveryType(t *testing.T) {
	decimal := func(p, s int32) pipeline.Type { return pipeline.Type{Kind: pipeline.Decimal, Precision: p, Scale: s} }
	columns := []pipeline.Column{{Name: "k", Type: kind(pipeline.Int64)}, {Name: "s", Type: kind(pipeline.String)}, {Name: "b", Type: kind(pipeline.Bool)},
		{Name: "i", Type: kind(pipeline.Int64)}, {Name: "f", Type: kind(pipeline.Double)}, {Name: "d4", Type: decimal(4, 1)}, {Name: "d18", Type: decimal(18, 0)},
		{Name: "d38", Type: decimal(38, 2)}, {Name: "day", Type: kind(pipeline.Date)}, {Name: "at", Type: kind(pipeline.Timestamp)},
		{Name: "bin", Type: kind(pipeline.Binary)}, {Name: "doc", Type: kind(pipeline.JSONText)}}
	table := newTable(t, "every", []string{"k"}, columns...)
	records := []string{
		`{"k": 1, "s": "ü \" ' \u0000 x", "b": true, "i": 9223372036854775807, "f": 1.7976931348623157e308, "d4": "999.9", "d18": "999999999999999999", "d38": "999999999999999999999999999999999999.99", "day": "9999-12-31", "at": "9999-12-31T23:59:59.999999", "bin": "AP8=", "doc": "{\"a\": [1, 2]}"}`,
		`{"k": 2, "s": "", "b": false, "i": -9223372036854775808, "f": -0.1, "d4": "-999.9", "d18": "-999999999999999999", "d38": "-999999999999999999999999999999999999.99", "day": "0001-01-01", "at": "0001-01-01T00:00:00", "bin": "", "doc": "null"}`,
		`{"k": 3}`,
	}
	rec, _, err := array.RecordFromJSON(memory.DefaultAllocator, table.Schema(), strings.NewReader("["+strings.Join(records, ",")+"]"), array.WithUseNumber())
	if err != nil {
		t.Fatal(err)
	}
	h := newHarness(t, Config{}, table)
	h.prepare(&pipeline.Rows{Table: table, Record: rec, Ops: []pipeline.Op{insert, insert, insert}, Versions: make([]pipeline.Version, 3)})
	h.commit()
	want := []string{
		`ü " ' ` + "\x00" + ` x|true|9223372036854775807|1.7976931348623157e+308|999.9|999999999999999999|999999999999999999999999999999999999.99|9999-12-31|9999-12-31 23:59:59.999999|00FF|{"a": [1, 2]}`,
		"|false|-9223372036854775808|-0.1|-999.9|-999999999999999999|-999999999999999999999999999999999999.99|0001-01-01|0001-01-01 00:00:00||null",
		"null|null|null|null|null|null|null|null|null|null|null",
	}
	h.want(`SELECT s, b, i, f, d4::VARCHAR, d18::VARCHAR, d38::VARCHAR, day::VARCHAR, "at"::VARCHAR, hex(bin), doc::VARCHAR FROM every ORDER BY k`, want...)
	h.prepare(&pipeline.Rows{Table: table, Record: rec, Ops: []pipeline.Op{update, update, update}, Versions: make([]pipeline.Version, 3)})
	h.commit()
	h.want(`SELECT s, b, i, f, d4::VARCHAR, d18::VARCHAR, d38::VARCHAR, day::VARCHAR, "at"::VARCHAR, hex(bin), doc::VARCHAR FROM every ORDER BY k`, want...)
}

func TestTextThatIsNotUTF8IsRefusedBeforeSave(t *testing.T) {
	h := newHarness(t, Config{}, orders(t))
	e, err := h.sink.Begin(1)
	h.must(err)
	err = e.Write(nil, rowsOf(h.tables[0], []row{{insert, 1, "a\xffb"}}))
	e.Abort()
	if err == nil || !strings.Contains(err.Error(), `column "select"`) {
		t.Errorf("got error %v", err)
	}
}

// What is special in a path for read_parquet is nothing special in ours.
func TestOddPaths(t *testing.T) {
	h := newHarness(t, Config{}, orders(t))
	h.dir = filepath.Join(h.dir, "id=7", "a[b]*?'{x}")
	h.must(h.restart())
	h.put(row{insert, 1, "a"})
	h.put(row{update, 1, "b"})
	h.want(`FROM "order"`, "1|b")
}

func TestCheck(t *testing.T) {
	text := kind(pipeline.String)
	sink, err := New("w", Config{DSN: "x.duckdb"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name   string
		tables []*pipeline.Table
		want   string
	}{
		{"fine", []*pipeline.Table{newTable(t, "a", []string{"k"}, pipeline.Column{Name: "k", Type: text})}, ""},
		{"audit table", []*pipeline.Table{newTable(t, "Starlift_Epochs", []string{"k"}, pipeline.Column{Name: "k", Type: text})}, "audit table"},
		{"tables", []*pipeline.Table{newTable(t, "a", []string{"k"}, pipeline.Column{Name: "k", Type: text}), newTable(t, "A", []string{"k"}, pipeline.Column{Name: "k", Type: text})}, `tables "a" and "A"`},
		{"columns", []*pipeline.Table{newTable(t, "a", []string{"k"}, pipeline.Column{Name: "k", Type: text}, pipeline.Column{Name: "K", Type: text})}, `columns "k" and "K"`},
		{"operation", []*pipeline.Table{newTable(t, "a", []string{"k"}, pipeline.Column{Name: "k", Type: text}, pipeline.Column{Name: "_Starlift_op", Type: text})}, `column "_Starlift_op"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := sink.Check(tc.tables)
			if (err != nil) != (tc.want != "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got error %v, want %q", err, tc.want)
			}
		})
	}
}

func TestConfigMistakes(t *testing.T) {
	for _, dsn := range []string{"", ":memory:", "postgres://x", "x.duckdb?access_mode=read_only"} {
		if _, err := New("w", Config{DSN: dsn}); err == nil || !strings.Contains(err.Error(), "dsn") {
			t.Errorf("dsn %q: got error %v", dsn, err)
		}
	}
}

// The file in another process.
func TestLocked(t *testing.T) {
	if dsn := os.Getenv("STARLIFT_TEST_HOLD"); dsn != "" {
		db, err := sql.Open("duckdb", dsn)
		if err != nil || db.Ping() != nil {
			t.Fatal(err)
		}
		fmt.Println("holding")
		if _, err := os.Stdin.Read(make([]byte, 1)); err == nil {
			t.Fatal("unexpected input")
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		return
	}
	h := newHarness(t, Config{}, orders(t))
	h.must(h.sink.Close())
	cmd := osexec.Command(os.Args[0], "-test.run=^TestLocked$")
	cmd.Env = append(os.Environ(), "STARLIFT_TEST_HOLD="+h.cfg.DSN)
	in, err := cmd.StdinPipe()
	h.must(err)
	out, err := cmd.StdoutPipe()
	h.must(err)
	h.must(cmd.Start())
	_, err = out.Read(make([]byte, 8))
	h.must(err)
	err = h.restart()
	if err == nil || !strings.Contains(err.Error(), "another process") || !strings.Contains(err.Error(), fmt.Sprint(cmd.Process.Pid)) || pipeline.Retryable(err) {
		t.Errorf("got error %v", err)
	}
	h.must(in.Close())
	h.must(cmd.Wait())
	h.must(h.restart())
}

func TestCloseLeavesNoLog(t *testing.T) {
	h := newHarness(t, Config{}, orders(t))
	h.put(row{insert, 1, "a"})
	for range 2 {
		h.must(h.sink.Close())
	}
	if _, err := os.Stat(h.cfg.DSN + ".wal"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the log is there after Close: %v", err)
	}
}

func TestDDLRuns(t *testing.T) {
	h := newHarness(t, Config{Schema: "x"}, orders(t))
	h.exec(`DROP SCHEMA x CASCADE`)
	h.exec(h.sink.DDL(h.tables))
	h.must(h.restart())
	h.put(row{insert, 1, "a"})
	h.want(`FROM x."order"`, "1|a")
}

// Whatever the epochs, crashes and restarts, the table equals a map.
func TestTableEqualsAMap(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := newHarness(t, Config{}, orders(t))
		defer func() {
			h.must(h.sink.Close())
			h.must(os.RemoveAll(h.dir))
		}()
		model := map[int64]string{}
		for range rapid.IntRange(1, 6).Draw(rt, "epochs") {
			var in []row
			for _, id := range slices.Sorted(maps.Keys(rapid.MapOfN(rapid.Int64Range(0, 30), rapid.Just(true), 0, 20).Draw(rt, "keys"))) {
				text := rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(rt, "text")
				_, there := model[id]
				switch {
				case !there:
					in, model[id] = append(in, row{insert, id, text}), text
				case rapid.Bool().Draw(rt, "delete"):
					in = append(in, row{remove, id, ""})
					delete(model, id)
				default:
					in, model[id] = append(in, row{update, id, text}), text
				}
			}
			if len(in) == 0 {
				h.prepare()
				continue
			}
			h.prepare(rowsOf(h.tables[0], in))
			if rapid.IntRange(0, 3).Draw(rt, "crash") == 0 {
				if rapid.Bool().Draw(rt, "after the commit") {
					h.must(h.sink.Commit(context.Background(), h.pending))
				}
				h.must(h.restart())
			}
			h.commit()
		}
		var want []string
		for _, id := range slices.Sorted(maps.Keys(model)) {
			text := model[id]
			if text == "" {
				text = "null"
			}
			want = append(want, fmt.Sprintf("%d|%s", id, text))
		}
		h.want(`FROM "order" ORDER BY id`, want...)
	})
}
