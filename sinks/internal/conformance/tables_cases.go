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
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

func columnsCase(t *testing.T, target Target) {
	t.Run("new ones are added", func(t *testing.T) {
		h := newHarness(t, target, Orders(t))
		h.put(Row{insert, 1, "a"})
		h.Tables = []*pipeline.Table{pipelinetest.TableOf(t, "order", []string{"id"}, append(slices.Clone(h.Tables[0].Columns), pipeline.Column{Name: `we"ird ü`, Type: decimalType(10, 2)})...)}
		h.Must(h.restart())
		h.put(Row{insert, 2, "b"})
		h.Prepare(pipelinetest.JSONRows(t, h.Tables[0], []pipeline.Op{update}, `{"id": 1, "select": "c", "we\"ird ü": "1.50"}`))
		h.Commit()
		h.want("1|c|1.50", "2|b|null")
	})
	t.Run("others are left alone", func(t *testing.T) {
		h := newHarness(t, target, Orders(t))
		h.put(Row{insert, 1, "a"}, Row{insert, 2, "b"})
		h.Close()
		h.db.AddColumn(t, "order", "note")
		h.db.Update(t, "order", "note", "mine")
		h.Must(h.restart())
		h.put(Row{update, 1, "A"}, Row{insert, 3, "c"}, Row{remove, 2, ""})
		h.same(h.db.Select(t, "order", "id", "select", "note"), "1|A|mine", "3|c|null")
	})
	t.Run("that do not fit", func(t *testing.T) {
		h := newHarness(t, target, Orders(t))
		h.Close()
		h.exec(`DROP TABLE %s`, h.in("order"))
		h.exec(`CREATE TABLE %s (id DATE, "select" BIGINT, must VARCHAR NOT NULL, may VARCHAR DEFAULT 'x' NOT NULL)`, h.in("order"))
		err := h.restart()
		if err == nil || strings.Contains(err.Error(), `"may"`) {
			t.Fatalf("got error %v", err)
		}
		for _, want := range []string{`table "order": table ` + h.db.Schema() + ".order does not fit", `column "id": the pipeline has `, `column "select": the pipeline has `, `column "must": the pipeline does not have it`} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("error %v lacks %s", err, want)
			}
		}
	})
	t.Run("that may not be null", func(t *testing.T) {
		h := newHarness(t, target, Orders(t))
		h.Close()
		if target.NoNulls == nil {
			h.exec(`ALTER TABLE %s ALTER COLUMN "select" SET NOT NULL`, h.in("order"))
		} else {
			for _, statement := range target.NoNulls(h.db.Schema(), "order", "select") {
				h.exec("%s", statement)
			}
		}
		if err := h.restart(); err == nil || !strings.Contains(err.Error(), `column "select": the pipeline may bring nulls`) {
			t.Errorf("got error %v", err)
		}
	})
	t.Run("the pipeline file changes while an epoch is pending", func(t *testing.T) {
		h := newHarness(t, target, Orders(t))
		h.put(Row{insert, 1, "a"})
		h.Prepare(Rows(h.Tables[0], []Row{{update, 1, "b"}, {insert, 2, "c"}}))
		h.Tables = []*pipeline.Table{pipelinetest.TableOf(t, "order", []string{"id"}, pipelinetest.Column("id", pipeline.Int64), pipelinetest.Column("new", pipeline.String))}
		h.Must(h.restart())
		h.Commit()
		h.same(h.db.Select(t, "order", "id", "select", "new"), "1|b|null", "2|c|null")
	})
	t.Run("the table leaves while an epoch is pending", func(t *testing.T) {
		h := newHarness(t, target, Orders(t))
		h.put(Row{insert, 1, "a"})
		h.Prepare(Rows(h.Tables[0], []Row{{update, 1, "b"}, {insert, 2, "c"}}))
		h.Tables = nil
		h.Must(h.restart())
		h.Commit()
		h.same(h.rows(Orders(t)), "1|b", "2|c")
	})
}

func againCase(t *testing.T, target Target) {
	for _, crash := range []string{"before the commit", "after the commit", "after the spool was deleted"} {
		t.Run(crash, func(t *testing.T) {
			h := newHarness(t, target, Orders(t))
			h.put(Row{insert, 1, "a"})
			h.Prepare(Rows(h.Tables[0], []Row{{update, 1, "b"}, {insert, 2, "c"}}))
			if crash != "before the commit" {
				h.Must(h.Sink.Commit(context.Background(), h.Pending))
			}
			if crash == "after the spool was deleted" {
				// The note that all sinks have committed is not synced: a process that is killed loses it,
				// and has no file of the epoch any more.
				h.Must(os.RemoveAll(h.Spool(h.Pending.Epoch)))
			}
			h.Must(h.restart())
			for range 3 {
				h.Must(h.Sink.Commit(context.Background(), h.Pending))
			}
			h.want("1|b", "2|c")
			h.same(h.audit(), "shop|1", "shop|2")
		})
	}
	t.Run("a failed one leaves nothing", func(t *testing.T) {
		h := newHarness(t, target, Orders(t))
		h.put(Row{insert, 1, "a"})
		h.Prepare(Rows(h.Tables[0], []Row{{update, 1, "b"}, {insert, 2, "c"}}))
		h.exec(`ALTER TABLE %s RENAME COLUMN "job" TO "jobs"`, h.in(warehouse.EpochsTable))
		if err := h.Sink.Commit(context.Background(), h.Pending); err == nil {
			t.Fatal("the commit succeeded")
		}
		h.want("1|a")
		h.exec(`ALTER TABLE %s RENAME COLUMN "jobs" TO "job"`, h.in(warehouse.EpochsTable))
		h.Commit()
		h.want("1|b", "2|c")
	})
}

func tokensCase(t *testing.T, target Target) {
	for _, tc := range []struct {
		name string
		do   func(h *harness)
		want string
	}{
		{"a new state folder", func(h *harness) { h.State, h.Published = "state-2", 0 }, "with another state folder (state-1, up to epoch 2)"},
		{"an older state folder", func(h *harness) { h.Published = 1 }, "the tables are at epoch 2, the state folder state-1 expects epoch 1"},
		{"older tables", (*harness).backToEpoch1, "the tables are at epoch 1, the state folder state-1 expects epoch 2"},
		{"new tables", func(h *harness) {
			h.db.DropTable(h.T, h.tokenTable())
			h.db.DropTable(h.T, warehouse.EpochsTable)
		}, "the tables are at epoch 0, the state folder state-1 expects epoch 2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHarness(t, target, Orders(t))
			h.put(Row{insert, 1, "a"})
			h.put(Row{insert, 2, "b"})
			h.Close()
			tc.do(h)
			err := h.restart()
			var token *warehouse.TokenError
			if !errors.As(err, &token) || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "starlift reset FILE") || pipeline.Retryable(err) {
				t.Errorf("got error %v, want %s", err, tc.want)
			}
		})
	}
	t.Run("during a commit", func(t *testing.T) {
		h := newHarness(t, target, Orders(t))
		h.put(Row{insert, 1, "a"})
		h.put(Row{insert, 2, "a"})
		h.Prepare(Rows(h.Tables[0], []Row{{insert, 3, "b"}}))
		h.backToEpoch1()
		var token *warehouse.TokenError
		if err := h.Sink.Commit(context.Background(), h.Pending); !errors.As(err, &token) || token.Found != 1 || token.Want != 2 {
			t.Errorf("got error %v", err)
		}
		h.want("1|a", "2|a")
	})
	t.Run("another pipeline's", func(t *testing.T) {
		h := newHarness(t, target, Orders(t))
		h.put(Row{insert, 1, "a"})
		h.Close()
		if target.TokenTable == nil {
			h.db.Update(t, warehouse.EpochsTable, "pipeline", "other")
			h.db.Update(t, warehouse.TokensTable, "pipeline", "other")
		} else {
			h.db.DropTable(t, h.tokenTable()) // another pipeline has another one
		}
		h.db.Update(t, warehouse.TablesTable, "pipeline", "other")
		h.NewState("state-2")
		h.Tables = []*pipeline.Table{pipelinetest.TableOf(t, "sale", []string{"id"}, Orders(t).Columns...)}
		h.Must(h.restart())
		h.put(Row{insert, 2, "b"})
	})
}

// tokenTable is the name of the table that has the tokens of the sink.
func (h *harness) tokenTable() string {
	if h.target.TokenTable == nil {
		return warehouse.TokensTable
	}
	return h.target.TokenTable(h.Pipeline, "warehouse")
}

// deleteTokens deletes all tokens, and the epochs from which they are made again.
func (h *harness) deleteTokens() {
	h.T.Helper()
	h.db.DeleteAll(h.T, h.tokenTable())
	h.db.DeleteAll(h.T, warehouse.EpochsTable)
}

// backToEpoch1 sets the token back from epoch 2, as a backup does.
func (h *harness) backToEpoch1() {
	h.T.Helper()
	h.db.Delete(h.T, warehouse.EpochsTable, "epoch", 2)
	h.db.Update(h.T, h.tokenTable(), "epoch", "1")
}

// twoPipelinesCase lets two write into one schema, in turn, and at a time where
// the database can.
func twoPipelinesCase(t *testing.T, target Target) {
	db := target.Open(t)
	one, two := another(t, target, db, "shop", Orders(t)), another(t, target, db, "sales", pipelinetest.TableOf(t, "sale", []string{"id"}, pipelinetest.Column("id", pipeline.Int64), pipelinetest.Column("v", pipeline.String)))
	for i := range int64(3) {
		for _, h := range []*harness{one, two} {
			h.Must(h.restart())
			h.put(Row{insert, i, fmt.Sprint(h.Pipeline, i)})
			h.Close()
		}
	}
	one.want("0|shop0", "1|shop1", "2|shop2")
	two.want("0|sales0", "1|sales1", "2|sales2")
	one.same(one.audit(), "sales|1", "sales|2", "sales|3", "shop|1", "shop|2", "shop|3")
	if !target.Shared {
		return
	}
	db = target.Open(t)
	one, two = another(t, target, db, "shop", one.Tables...), another(t, target, db, "sales", two.Tables...)
	var wg sync.WaitGroup
	for _, h := range []*harness{one, two} {
		wg.Go(func() {
			err := h.restart()
			for tries := 1; pipeline.Retryable(err) && tries < 10; tries++ { // as the engine does
				err = h.restart()
			}
			if err != nil {
				t.Error(err)
				return
			}
			for i := range int64(5) {
				h.Prepare(Rows(h.Tables[0], []Row{{insert, i, "a"}}))
				if err := h.Sink.Commit(context.Background(), h.Pending); err != nil {
					t.Error(err)
					return
				}
				h.Done()
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
		name, want string
		change     Row
	}{
		{"an updated row is gone", "0 rows updated, want 1", Row{update, 1, "b"}},
		{"a deleted row is gone", "0 rows deleted, want 1", Row{remove, 1, ""}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			// Another column keeps DuckDB from taking updated rows out and putting them in.
			h := newHarness(t, target, Orders(t))
			h.put(Row{insert, 1, "a"}, Row{insert, 2, "a"})
			h.Close()
			h.db.AddColumn(t, "order", "note")
			h.db.Delete(t, "order", "id", 1)
			h.Must(h.restart())
			h.Prepare(Rows(h.Tables[0], []Row{tc.change}))
			err := h.Sink.Commit(context.Background(), h.Pending)
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
	h := newHarness(t, target, Orders(t), pipelinetest.TableOf(t, "line", []string{"id"}, pipelinetest.Column("id", pipeline.Int64), pipelinetest.Column("v", pipeline.String)))
	both := func(in ...Row) {
		h.Prepare(Rows(h.Tables[0], in), Rows(h.Tables[1], in))
	}
	check := func(want ...string) {
		t.Helper()
		for _, table := range h.Tables {
			h.same(h.rows(table), want...)
		}
	}
	both(Row{insert, 1, "v0"}, Row{insert, 3, "v0"})
	h.Commit()
	struck := 0
	for _, after := range target.Faults.passes() {
		for others := 0; ; others++ {
			v := fmt.Sprint("v", h.Epoch)
			gone, come := int64(2+h.Epoch%2), int64(3-h.Epoch%2) // there is one of rows 2 and 3
			both(Row{update, 1, v}, Row{remove, gone, ""}, Row{insert, come, v})
			h.faults.Arm(others, after(others))
			fired := h.crashCommit(others/2%2 == 1)
			check("1|"+v, fmt.Sprintf("%d|%s", come, v))
			if !fired {
				break
			}
			struck++
		}
	}
	if got := h.audit(); int64(len(got)) != h.Epoch {
		t.Errorf("%d epochs in the audit table, want %d", len(got), h.Epoch)
	}
	if struck < 10 {
		t.Errorf("only %d faults", struck)
	}
	if target.Faults != AfterFirst {
		openFaults(t, target)
	}
}

func openFaults(t *testing.T, target Target) {
	for _, after := range target.Faults.passes() {
		for others := 0; ; others++ {
			h := another(t, target, target.Open(t), "shop", Orders(t))
			h.faults.Arm(others, after(others))
			err := h.restart()
			fired := h.faults.Disarm()
			if fired != (err != nil) {
				t.Fatalf("the fault struck: %v, the error: %v", fired, err)
			}
			if fired {
				h.Must(h.restart())
			}
			h.put(Row{insert, 1, "a"})
			h.want("1|a")
			h.Close()
			if !fired {
				break
			}
		}
	}
}

// anyEpochsCase: whatever the epochs, crashes and restarts, the table equals a map.
func anyEpochsCase(t *testing.T, target Target) {
	store, n := target.open(t), 0
	if target.Cases != "" {
		Fewer(t, target.Cases)
	}
	rapid.Check(t, func(rt *rapid.T) {
		n++
		h := another(t, target, store, fmt.Sprint("shop", n), pipelinetest.TableOf(t, fmt.Sprint("order", n), []string{"id"}, Orders(t).Columns...))
		h.Must(h.restart())
		defer func() {
			h.Close()
			h.Must(os.RemoveAll(h.Dir))
		}()
		model := map[int64]string{}
		for range rapid.IntRange(1, 6).Draw(rt, "epochs") {
			in := drawEpoch(rt, model)
			if len(in) == 0 {
				h.Prepare()
				continue
			}
			h.Prepare(Rows(h.Tables[0], in))
			if rapid.IntRange(0, 3).Draw(rt, "crash") == 0 {
				if rapid.Bool().Draw(rt, "after the commit") {
					h.Must(h.Sink.Commit(context.Background(), h.Pending))
				}
				h.Must(h.restart())
			}
			h.Commit()
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
func drawEpoch(rt *rapid.T, model map[int64]string) (in []Row) {
	for _, id := range slices.Sorted(maps.Keys(rapid.MapOfN(rapid.Int64Range(0, 30), rapid.Just(true), 0, 20).Draw(rt, "keys"))) {
		text := rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(rt, "text")
		_, there := model[id]
		switch {
		case !there:
			in, model[id] = append(in, Row{insert, id, text}), text
		case rapid.Bool().Draw(rt, "delete"):
			in = append(in, Row{remove, id, ""})
			delete(model, id)
		default:
			in, model[id] = append(in, Row{update, id, text}), text
		}
	}
	return in
}
