package conformance

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

func columnsCase(t *testing.T, target Target) {
	t.Run("new ones are added", func(t *testing.T) {
		h := newHarness(t, target, orders(t))
		h.put(row{insert, 1, "a"})
		h.tables = []*pipeline.Table{newTable(t, "order", []string{"id"}, append(slices.Clone(h.tables[0].Columns), pipeline.Column{Name: `we"ird ü`, Type: decimal(10, 2)})...)}
		h.must(h.restart())
		h.put(row{insert, 2, "b"})
		h.prepare(jsonRows(t, h.tables[0], []pipeline.Op{update}, `{"id": 1, "select": "c", "we\"ird ü": "1.50"}`))
		h.commit()
		h.want("1|c|1.50", "2|b|null")
	})
	t.Run("others are left alone", func(t *testing.T) {
		h := newHarness(t, target, orders(t))
		h.put(row{insert, 1, "a"}, row{insert, 2, "b"})
		h.close()
		h.exec(`ALTER TABLE %s ADD COLUMN note VARCHAR`, h.in("order"))
		h.exec(`UPDATE %s SET note = 'mine'`, h.in("order"))
		h.must(h.restart())
		h.put(row{update, 1, "A"}, row{insert, 3, "c"}, row{remove, 2, ""})
		h.same(h.db.Query(t, "SELECT * FROM "+h.in("order")+" ORDER BY id"), "1|A|mine", "3|c|null")
	})
	t.Run("that do not fit", func(t *testing.T) {
		h := newHarness(t, target, orders(t))
		h.close()
		h.exec(`DROP TABLE %s`, h.in("order"))
		h.exec(`CREATE TABLE %s (id DATE, "select" BIGINT, must VARCHAR NOT NULL, may VARCHAR DEFAULT 'x' NOT NULL)`, h.in("order"))
		err := h.restart()
		if err == nil || strings.Contains(err.Error(), `"may"`) {
			t.Fatalf("got error %v", err)
		}
		for _, want := range []string{h.db.Schema() + ".order does not fit", `column "id": the pipeline has `, `column "select": the pipeline has `, `column "must": the pipeline does not have it`} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("error %v lacks %s", err, want)
			}
		}
	})
	t.Run("that may not be null", func(t *testing.T) {
		h := newHarness(t, target, orders(t))
		h.close()
		h.exec(`ALTER TABLE %s ALTER COLUMN "select" SET NOT NULL`, h.in("order"))
		if err := h.restart(); err == nil || !strings.Contains(err.Error(), `column "select": the pipeline may bring nulls`) {
			t.Errorf("got error %v", err)
		}
	})
	t.Run("the pipeline file changes while an epoch is pending", func(t *testing.T) {
		h := newHarness(t, target, orders(t))
		h.put(row{insert, 1, "a"})
		h.prepare(rowsOf(h.tables[0], []row{{update, 1, "b"}, {insert, 2, "c"}}))
		h.tables = []*pipeline.Table{newTable(t, "order", []string{"id"}, column("id", pipeline.Int64), column("new", pipeline.String))}
		h.must(h.restart())
		h.commit()
		h.same(h.db.Query(t, "SELECT * FROM "+h.in("order")+" ORDER BY id"), "1|b|null", "2|c|null")
	})
	t.Run("the table leaves while an epoch is pending", func(t *testing.T) {
		h := newHarness(t, target, orders(t))
		h.put(row{insert, 1, "a"})
		h.prepare(rowsOf(h.tables[0], []row{{update, 1, "b"}, {insert, 2, "c"}}))
		h.tables = nil
		h.must(h.restart())
		h.commit()
		h.same(h.rows(orders(t)), "1|b", "2|c")
	})
}

func againCase(t *testing.T, target Target) {
	for _, crash := range []string{"before the commit", "after the commit"} {
		t.Run(crash, func(t *testing.T) {
			h := newHarness(t, target, orders(t))
			h.put(row{insert, 1, "a"})
			h.prepare(rowsOf(h.tables[0], []row{{update, 1, "b"}, {insert, 2, "c"}}))
			if crash == "after the commit" {
				h.must(h.sink.Commit(context.Background(), h.pending))
			}
			h.must(h.restart())
			for range 3 {
				h.must(h.sink.Commit(context.Background(), h.pending))
			}
			h.want("1|b", "2|c")
			h.same(h.audit(), "shop|1", "shop|2")
		})
	}
	t.Run("a failed one leaves nothing", func(t *testing.T) {
		h := newHarness(t, target, orders(t))
		h.put(row{insert, 1, "a"})
		h.prepare(rowsOf(h.tables[0], []row{{update, 1, "b"}, {insert, 2, "c"}}))
		h.exec(`ALTER TABLE %s RENAME COLUMN "job" TO "jobs"`, h.in(warehouse.EpochsTable))
		if err := h.sink.Commit(context.Background(), h.pending); err == nil {
			t.Fatal("the commit succeeded")
		}
		h.want("1|a")
		h.exec(`ALTER TABLE %s RENAME COLUMN "jobs" TO "job"`, h.in(warehouse.EpochsTable))
		h.commit()
		h.want("1|b", "2|c")
	})
}

func tokensCase(t *testing.T, target Target) {
	for _, tc := range []struct {
		name string
		do   func(h *harness)
		want string
	}{
		{"a new state folder", func(h *harness) { h.state, h.published = "state-2", 0 }, "with another state folder (state-1, up to epoch 2)"},
		{"an older state folder", func(h *harness) { h.published = 1 }, "the tables are at epoch 2, the state folder state-1 expects epoch 1"},
		{"older tables", func(h *harness) { h.exec("DELETE FROM %s WHERE epoch = 2", h.in(warehouse.EpochsTable)) }, "the tables are at epoch 1, the state folder state-1 expects epoch 2"},
		{"new tables", func(h *harness) { h.exec("DROP TABLE %s", h.in(warehouse.EpochsTable)) }, "the tables are at epoch 0, the state folder state-1 expects epoch 2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHarness(t, target, orders(t))
			h.put(row{insert, 1, "a"})
			h.put(row{insert, 2, "b"})
			h.close()
			tc.do(h)
			err := h.restart()
			var token *warehouse.TokenError
			if !errors.As(err, &token) || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "backfill") || pipeline.Retryable(err) {
				t.Errorf("got error %v, want %s", err, tc.want)
			}
		})
	}
	t.Run("during a commit", func(t *testing.T) {
		h := newHarness(t, target, orders(t))
		h.put(row{insert, 1, "a"})
		h.put(row{insert, 2, "a"})
		h.prepare(rowsOf(h.tables[0], []row{{insert, 3, "b"}}))
		h.exec("DELETE FROM %s WHERE epoch = 2", h.in(warehouse.EpochsTable))
		var token *warehouse.TokenError
		if err := h.sink.Commit(context.Background(), h.pending); !errors.As(err, &token) || token.Found != 1 || token.Want != 2 {
			t.Errorf("got error %v", err)
		}
		h.want("1|a", "2|a")
	})
	t.Run("another pipeline's", func(t *testing.T) {
		h := newHarness(t, target, orders(t))
		h.put(row{insert, 1, "a"})
		h.close()
		h.exec("UPDATE %s SET pipeline = 'other'", h.in(warehouse.EpochsTable))
		h.published, h.epoch, h.state = 0, 0, "state-2"
		h.must(h.restart())
		h.put(row{insert, 2, "b"})
	})
}

// twoPipelinesCase lets two write into one schema, in turn, and at a time where
// the database can.
func twoPipelinesCase(t *testing.T, target Target) {
	db := target.Open(t)
	one, two := another(t, target, db, "shop", orders(t)), another(t, target, db, "sales", newTable(t, "sale", []string{"id"}, column("id", pipeline.Int64), column("v", pipeline.String)))
	for i := range int64(3) {
		for _, h := range []*harness{one, two} {
			h.must(h.restart())
			h.put(row{insert, i, fmt.Sprint(h.pipeline, i)})
			h.close()
		}
	}
	one.want("0|shop0", "1|shop1", "2|shop2")
	two.want("0|sales0", "1|sales1", "2|sales2")
	one.same(one.audit(), "sales|1", "sales|2", "sales|3", "shop|1", "shop|2", "shop|3")
	if !target.Shared {
		return
	}
	db = target.Open(t)
	one, two = another(t, target, db, "shop", one.tables...), another(t, target, db, "sales", two.tables...)
	var wg sync.WaitGroup
	for _, h := range []*harness{one, two} {
		wg.Go(func() {
			if err := h.restart(); err != nil {
				t.Error(err)
				return
			}
			for i := range int64(5) {
				h.prepare(rowsOf(h.tables[0], []row{{insert, i, "a"}}))
				if err := h.sink.Commit(context.Background(), h.pending); err != nil {
					t.Error(err)
					return
				}
				h.done()
			}
		})
	}
	wg.Wait()
	one.same(one.audit(), "sales|1", "sales|2", "sales|3", "sales|4", "sales|5", "shop|1", "shop|2", "shop|3", "shop|4", "shop|5")
	one.want("0|a", "1|a", "2|a", "3|a", "4|a")
	two.want("0|a", "1|a", "2|a", "3|a", "4|a")
}

// foreignCase is about rows that are not there as the pipeline left them.
func foreignCase(t *testing.T, target Target) {
	for _, tc := range []struct {
		name, do, want string
		change         row
	}{
		{"an updated row is gone", "DELETE FROM %s WHERE id = 1", "0 rows updated, want 1", row{update, 1, "b"}},
		{"a deleted row is gone", "DELETE FROM %s WHERE id = 1", "0 rows deleted, want 1", row{remove, 1, ""}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			// Another column keeps DuckDB from taking updated rows out and putting them in.
			h := newHarness(t, target, orders(t))
			h.put(row{insert, 1, "a"}, row{insert, 2, "a"})
			h.close()
			h.exec("ALTER TABLE %s ADD COLUMN note VARCHAR", h.in("order"))
			h.exec(tc.do, h.in("order"))
			h.must(h.restart())
			h.prepare(rowsOf(h.tables[0], []row{tc.change}))
			err := h.sink.Commit(context.Background(), h.pending)
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "changed by something else") || pipeline.Retryable(err) {
				t.Errorf("got error %v", err)
			}
			h.want("2|a")
		})
	}
}

// faultsCase lets every request of a commit and of an open fail, before and
// after it took effect, that to COMMIT among them.
func faultsCase(t *testing.T, target Target) {
	h := newHarness(t, target, orders(t), newTable(t, "line", []string{"id"}, column("id", pipeline.Int64), column("v", pipeline.String)))
	both := func(in ...row) {
		h.prepare(rowsOf(h.tables[0], in), rowsOf(h.tables[1], in))
	}
	check := func(want ...string) {
		t.Helper()
		for _, table := range h.tables {
			h.same(h.rows(table), want...)
		}
	}
	both(row{insert, 1, "v0"}, row{insert, 3, "v0"})
	h.commit()
	struck := 0
	for _, after := range []bool{false, true} {
		for others := 0; ; others++ {
			v := fmt.Sprint("v", h.epoch)
			gone, come := int64(2+h.epoch%2), int64(3-h.epoch%2) // there is one of rows 2 and 3
			both(row{update, 1, v}, row{remove, gone, ""}, row{insert, come, v})
			h.faults.Arm(others, after)
			fired := h.crashCommit(others/2%2 == 1)
			check("1|"+v, fmt.Sprintf("%d|%s", come, v))
			if !fired {
				break
			}
			struck++
		}
	}
	if got := h.audit(); int64(len(got)) != h.epoch {
		t.Errorf("%d epochs in the audit table, want %d", len(got), h.epoch)
	}
	if struck < 10 {
		t.Errorf("only %d faults", struck)
	}
	openFaults(t, target)
}

func openFaults(t *testing.T, target Target) {
	for _, after := range []bool{false, true} {
		for others := 0; ; others++ {
			h := another(t, target, target.Open(t), "shop", orders(t))
			h.faults.Arm(others, after)
			err := h.restart()
			fired := h.faults.Disarm()
			if fired != (err != nil) {
				t.Fatalf("the fault struck: %v, the error: %v", fired, err)
			}
			if fired {
				h.must(h.restart())
			}
			h.put(row{insert, 1, "a"})
			h.want("1|a")
			h.close()
			if !fired {
				break
			}
		}
	}
}

// anyEpochsCase: whatever the epochs, crashes and restarts, the table equals a map.
func anyEpochsCase(t *testing.T, target Target) {
	db, n := target.Open(t), 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		h := another(t, target, db, fmt.Sprint("shop", n), newTable(t, fmt.Sprint("order", n), []string{"id"}, orders(t).Columns...))
		h.must(h.restart())
		defer func() {
			h.close()
			h.must(os.RemoveAll(h.dir))
		}()
		model := map[int64]string{}
		for range rapid.IntRange(1, 6).Draw(rt, "epochs") {
			in := drawEpoch(rt, model)
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
		h.want(want...)
	})
}

// drawEpoch draws changes, and makes them in the model too.
func drawEpoch(rt *rapid.T, model map[int64]string) (in []row) {
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
	return in
}
