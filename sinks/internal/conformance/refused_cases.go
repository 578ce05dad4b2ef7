package conformance

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// commitWithout commits as the engine does: what is refused is left out. It returns
// the refused rows.
func (h *harness) commitWithout(t fatal) (refused []string) {
	t.Helper()
	for h.Pending != nil {
		err := h.Sink.Commit(context.Background(), h.Pending)
		var told *pipeline.RefusedError
		switch {
		case err == nil:
			h.Done()
		case errors.As(err, &told) && len(told.Rows) > 0:
			for _, r := range told.Rows {
				if r.Table != h.Tables[0].Name || r.Message == "" {
					t.Fatalf("refused: %+v", r)
				}
				refused = append(refused, fmt.Sprint(r.Op, " ", string(r.Row)))
			}
			h.Pending.Exclude = told.Exclude
		default:
			t.Fatalf("commit: %v", err)
		}
	}
	slices.Sort(refused)
	return refused
}

// fatal is a test, or a case of a property.
type fatal interface {
	Helper()
	Fatalf(format string, args ...any)
}

// remembered returns the rows of which the table is not as the state says.
func (h *harness) remembered() []string {
	h.T.Helper()
	return h.sql().Query(h.T, fmt.Sprintf("SELECT operation, key, epoch FROM %s WHERE pipeline = '%s' ORDER BY 1, 2", h.in(warehouse.RefusedTable), h.Pipeline))
}

// refusedRowsCase is about rows that the database refuses by constraints which
// somebody has put on a table: no text is 'bad', and no row with the text 'keep'
// may be deleted.
func refusedRowsCase(t *testing.T, target Target) {
	if target.Constrain == nil {
		t.Skip("the database adds no constraint to a table that is there, so nobody can make it refuse rows")
	}
	t.Run("one by one", func(t *testing.T) { refusedOnes(t, target) })
	t.Run("after a crash", func(t *testing.T) { refusedAgain(t, target) })
	t.Run("a failure at some requests", func(t *testing.T) { refusedFaults(t, target) })
	t.Run("many", func(t *testing.T) { refusedMany(t, target) })
	t.Run("any", func(t *testing.T) { refusedAny(t, target) })
}

func (h *harness) constrain() {
	h.T.Helper()
	for _, statement := range h.target.Constrain(h.db.Schema(), h.Tables[0].Name) {
		h.sql().Exec(h.T, statement)
	}
}

func refusedOnes(t *testing.T, target Target) {
	h := newHarness(t, target, Orders(t))
	h.constrain()
	h.put(Row{insert, 1, "a"}, Row{insert, 2, "keep"}, Row{insert, 3, "b"})
	h.Prepare(Rows(h.Tables[0], []Row{{update, 1, "bad"}, {remove, 2, ""}, {insert, 4, "bad"}, {insert, 5, "e"}, {remove, 3, ""}}))
	h.same(h.commitWithout(t), `delete {"id":2}`, `insert {"id":4,"select":"bad"}`, `update {"id":1,"select":"bad"}`)
	h.want("1|a", "2|keep", "5|e")
	h.same(h.remembered(), "delete|[2]|2", "insert|[4]|2")
	h.same(h.sql().Query(t, fmt.Sprintf(`SELECT "rows" FROM %s ORDER BY epoch`, h.in(warehouse.EpochsTable))), "3", "2")
	// They are refused once more, and the table stays as it is.
	h.Prepare(Rows(h.Tables[0], []Row{{update, 4, "bad"}, {insert, 2, "bad"}}))
	h.same(h.commitWithout(t), `insert {"id":2,"select":"bad"}`, `update {"id":4,"select":"bad"}`)
	h.want("1|a", "2|keep", "5|e")
	h.same(h.remembered(), "update|[4]|3")
	// What comes later finds its way.
	h.Must(h.restart())
	h.Prepare(Rows(h.Tables[0], []Row{{update, 4, "d"}, {update, 2, "z"}, {update, 1, "A"}, {insert, 6, "bad"}, {insert, 7, "bad"}}))
	h.same(h.commitWithout(t), `insert {"id":6,"select":"bad"}`, `insert {"id":7,"select":"bad"}`)
	h.Prepare(Rows(h.Tables[0], []Row{{remove, 6, ""}, {remove, 5, ""}}))
	h.same(h.commitWithout(t))
	h.want("1|A", "2|z", "4|d")
	h.same(h.remembered(), "insert|[7]|4")
	h.put(Row{insert, 6, "f"}, Row{update, 7, "g"})
	h.want("1|A", "2|z", "4|d", "6|f", "7|g")
	h.same(h.remembered())
	h.put(Row{update, 7, "G"}, Row{remove, 1, ""})
	h.want("2|z", "4|d", "6|f", "7|G")
}

// refusedAgain: what was told as refused stays left out, though the database would
// take it by then.
func refusedAgain(t *testing.T, target Target) {
	for _, committed := range []bool{false, true} {
		h := newHarness(t, target, Orders(t))
		h.constrain()
		h.Prepare(Rows(h.Tables[0], []Row{{insert, 1, "a"}, {insert, 2, "bad"}}))
		var told *pipeline.RefusedError
		if err := h.Sink.Commit(context.Background(), h.Pending); !errors.As(err, &told) || len(told.Rows) != 1 {
			t.Fatalf("commit: %v", err)
		}
		h.want()
		h.Pending.Exclude = told.Exclude
		if committed {
			h.Must(h.Sink.Commit(context.Background(), h.Pending))
		}
		for _, statement := range h.target.Release(h.db.Schema(), h.Tables[0].Name) {
			h.sql().Exec(t, statement)
		}
		h.Must(h.restart())
		h.Commit()
		h.want("1|a")
		h.put(Row{update, 2, "bad"})
		h.want("1|a", "2|bad")
	}
}

// refusedFaults lets requests of the commits around a refused row fail: of the
// one that finds it, of the one without it, and of those that mend it.
func refusedFaults(t *testing.T, target Target) {
	h := newHarness(t, target, Orders(t))
	h.constrain()
	commit := func() (fired bool) {
		for h.Pending != nil {
			err := h.Sink.Commit(context.Background(), h.Pending)
			fired = h.faults.Disarm() || fired
			var told *pipeline.RefusedError
			switch {
			case err == nil:
				h.Done()
			case errors.As(err, &told):
				h.Pending.Exclude = told.Exclude
			case !fired || !pipeline.Retryable(err):
				t.Fatalf("commit: %v", err)
			}
		}
		return fired
	}
	struck := 0
	for _, after := range []bool{false, true} {
		for others := 0; ; others += 5 {
			id := h.Epoch * 10
			h.Prepare(Rows(h.Tables[0], []Row{{insert, id, "bad"}, {insert, id + 1, "a"}}))
			h.faults.Arm(others, after)
			found := commit()
			h.Prepare(Rows(h.Tables[0], []Row{{update, id, "b"}, {update, id + 1, "c"}}))
			h.faults.Arm(others/2, after)
			mended := commit()
			got := h.rows(h.Tables[0])
			h.same(got[len(got)-2:], fmt.Sprintf("%d|b", id), fmt.Sprintf("%d|c", id+1))
			if !found && !mended {
				break
			}
			struck++
		}
	}
	h.same(h.remembered())
	if struck < 6 {
		t.Errorf("only %d faults", struck)
	}
}

func refusedMany(t *testing.T, target Target) {
	h := newHarness(t, target, Orders(t))
	h.constrain()
	var in []Row
	var want []string
	for id := range int64(3000) {
		text := "a"
		if id%500 == 7 || id == 2999 {
			text = "bad"
			want = append(want, fmt.Sprintf(`insert {"id":%d,"select":"bad"}`, id))
		}
		in = append(in, Row{insert, id, text})
	}
	slices.Sort(want)
	h.Prepare(Rows(h.Tables[0], in))
	h.same(h.commitWithout(t), want...)
	if n := len(h.rows(h.Tables[0])); n != len(in)-len(want) {
		t.Errorf("%d rows", n)
	}
	in = in[:0]
	for id := range int64(1200) {
		in = append(in, Row{insert, 10_000 + id, "bad"})
	}
	h.Prepare(Rows(h.Tables[0], in))
	err := h.Sink.Commit(context.Background(), h.Pending)
	if err == nil || !strings.Contains(err.Error(), "more than 1000 rows of one epoch are refused") || pipeline.Retryable(err) {
		t.Errorf("got error %v", err)
	}
}

// refusedAny: whatever the epochs and crashes, what is refused is told, all else is
// in the table, and what the table has of a refused row is what was there before.
func refusedAny(t *testing.T, target Target) {
	Fewer(t, "20")
	db, n := target.Open(t), 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		h := another(t, target, db, fmt.Sprint("shop", n), pipelinetest.TableOf(t, fmt.Sprint("order", n), []string{"id"}, Orders(t).Columns...))
		h.Must(h.restart())
		defer func() {
			h.Close()
			h.Must(os.RemoveAll(h.Dir))
		}()
		h.constrain()
		m := refusedModel{state: map[int64]string{}, table: map[int64]string{}}
		for range rapid.IntRange(1, 6).Draw(rt, "epochs") {
			in := m.draw(rt)
			h.Prepare(Rows(h.Tables[0], in))
			if h.Pending == nil {
				continue
			}
			if rapid.IntRange(0, 3).Draw(rt, "crash") == 0 {
				h.Must(h.restart())
			}
			got := h.commitWithout(rt)
			if want := m.apply(in); !slices.Equal(got, want) {
				rt.Fatalf("refused are %v, want %v", got, want)
			}
		}
		var want []string
		for _, id := range slices.Sorted(maps.Keys(m.table)) {
			want = append(want, fmt.Sprintf("%d|%s", id, m.table[id]))
		}
		if got := h.rows(h.Tables[0]); !slices.Equal(got, want) {
			rt.Fatalf("the table is %v, want %v", got, want)
		}
	})
}

// Fewer makes a property take fewer cases than the default, unless the command
// line says how many.
func Fewer(t *testing.T, cases string) {
	t.Helper()
	checks := flag.Lookup("rapid.checks")
	if checks.Value.String() != checks.DefValue {
		return
	}
	if err := flag.Set(checks.Name, cases); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := flag.Set(checks.Name, checks.DefValue); err != nil {
			t.Error(err)
		}
	})
}

// refusedModel is the state as the engine has it, and the table as it may be.
type refusedModel struct{ state, table map[int64]string }

// draw draws an epoch's rows, which lead from one state to the next.
func (m *refusedModel) draw(rt *rapid.T) (in []Row) {
	for _, id := range slices.Sorted(maps.Keys(rapid.MapOfN(rapid.Int64Range(0, 9), rapid.Just(true), 0, 6).Draw(rt, "keys"))) {
		text := rapid.SampledFrom([]string{"a", "b", "bad", "keep"}).Draw(rt, "text")
		_, there := m.state[id]
		switch {
		case !there:
			in = append(in, Row{insert, id, text})
		case rapid.Bool().Draw(rt, "delete"):
			in = append(in, Row{remove, id, ""})
			delete(m.state, id)
			continue
		default:
			in = append(in, Row{update, id, text})
		}
		m.state[id] = text
	}
	return in
}

// apply applies rows as the table takes them, and returns those that it refuses.
func (m *refusedModel) apply(in []Row) (refused []string) {
	for _, r := range in {
		was, there := m.table[r.ID]
		switch {
		case r.Op == remove && there && was == "keep":
			refused = append(refused, fmt.Sprintf(`delete {"id":%d}`, r.ID))
		case r.Op == remove:
			delete(m.table, r.ID)
		case r.Text == "bad":
			refused = append(refused, fmt.Sprintf(`%s {"id":%d,"select":"bad"}`, r.Op, r.ID))
		default:
			m.table[r.ID] = r.Text
		}
	}
	slices.Sort(refused)
	return refused
}
