package locks

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// The model is a database of snapshots without any isolation beyond them. A row is a number that depends on
// all that its transaction had read before, so that two runs with the same results are the same run.

const modelTables = 3

// content are the rows of each table, sorted.
type content [modelTables][]uint64

func (c content) clone() content {
	for i := range c {
		c[i] = slices.Clone(c[i])
	}
	return c
}

func (c content) equal(d content) bool {
	for i := range c {
		if !slices.Equal(c[i], d[i]) {
			return false
		}
	}
	return true
}

// operation is one statement: its uses have at most one that writes, the first.
type operation []modelUse

type modelUse struct {
	table  int
	action Action
}

func mix(a, b uint64) uint64 {
	h := (a ^ 0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9
	h ^= h >> 29
	h = (h + b) * 0x94d049bb133111eb
	return h ^ h>>32
}

// modelTxn is a transaction of the model.
type modelTxn struct {
	id         int
	operations []operation
	snapshot   *content // as it was taken
	own        content  // the snapshot with its own changes
	seen       uint64   // of everything that it has read
	changed    [modelTables]bool
	defined    [modelTables]bool
}

// apply runs the operation on the transaction's own view. Definitions work on the tables as they are committed.
func (x *modelTxn) apply(op operation, committed *content) {
	for _, u := range op {
		if u.action == ActionDefine && !x.defined[u.table] {
			now := committed.clone()
			x.commitTo(&now)
			x.own[u.table] = now[u.table]
		}
		if u.action.reads() {
			for _, row := range x.own[u.table] {
				x.seen = mix(x.seen, row)
			}
			x.seen = mix(x.seen, uint64(u.table))
		}
	}
	for _, u := range op {
		if !u.action.writes() {
			continue
		}
		row := mix(x.seen, uint64(x.id))
		x.seen = mix(x.seen, 1)
		rows := x.own[u.table]
		switch u.action {
		case ActionAppend:
			rows = append(slices.Clone(rows), row)
		case ActionModify:
			changed := []uint64{row}
			for _, r := range rows {
				changed = append(changed, mix(r, row))
			}
			rows = changed
		default:
			rows = []uint64{row}
			x.defined[u.table] = true
		}
		slices.Sort(rows)
		x.own[u.table] = rows
		x.changed[u.table] = true
	}
}

// commitTo makes the transaction's changes: rows of its snapshot that it no longer has go, its new ones come.
func (x *modelTxn) commitTo(committed *content) {
	for i := range committed {
		switch {
		case x.defined[i]:
			committed[i] = slices.Clone(x.own[i])
		case x.changed[i]:
			before, after := map[uint64]int{}, map[uint64]int{}
			for _, r := range x.snapshot[i] {
				before[r]++
			}
			for _, r := range x.own[i] {
				after[r]++
			}
			var rows []uint64
			for _, r := range committed[i] {
				if before[r] > 0 && after[r] == 0 {
					continue
				}
				rows = append(rows, r)
			}
			for _, r := range x.own[i] {
				if before[r] == 0 {
					rows = append(rows, r)
				}
			}
			slices.Sort(rows)
			committed[i] = rows
		}
	}
}

// serial finds an order in which the transactions, one after the other from the start, read and leave the same.
func serial(start, end content, txns []*modelTxn) bool {
	used := make([]bool, len(txns))
	var try func(at content, left int) bool
	try = func(at content, left int) bool {
		if left == 0 {
			return at.equal(end)
		}
		for i, x := range txns {
			if used[i] {
				continue
			}
			again := &modelTxn{id: x.id, own: at.clone()}
			again.snapshot = &at
			for _, op := range x.operations {
				again.apply(op, &at)
			}
			if again.seen != x.seen {
				continue
			}
			next := at.clone()
			again.commitTo(&next)
			used[i] = true
			if try(next, left-1) {
				return true
			}
			used[i] = false
		}
		return false
	}
	return try(start, len(txns))
}

// round is one random run of a few transactions.
type round struct {
	*stage
	rand      *rand.Rand
	start     content
	committed content
	models    map[int]*modelTxn // that run
	history   []*modelTxn       // that have committed
	pending   map[int]operation
	story     []string
	counts    map[string]int
}

func (r *round) fail(format string, args ...any) {
	r.t.Helper()
	r.t.Fatalf("%s\n%s\n%s", fmt.Sprintf(format, args...), strings.Join(r.story, "\n"), r.describe())
}

// operation makes a random statement.
func (r *round) operation() operation {
	kinds := []Action{ActionSelect, ActionSelect, ActionAppend, ActionAppend, ActionModify, ActionLock, ActionDefine}
	first := modelUse{r.rand.IntN(modelTables), kinds[r.rand.IntN(len(kinds))]}
	op := operation{first}
	if first.action != ActionLock && r.rand.IntN(3) == 0 {
		op = append(op, modelUse{r.rand.IntN(modelTables), ActionSelect})
	}
	return op
}

func (r *round) uses(op operation) []TableUse {
	uses := make([]TableUse, len(op))
	for i, u := range op {
		uses[i] = TableUse{Table: Table{Database: 1, OID: uint32(101 + u.table)}, Action: u.action}
	}
	return uses
}

// step lets a random session do something.
func (r *round) step() {
	var idle []int
	for n := range r.models {
		if !r.waiting[n] {
			idle = append(idle, n)
		}
	}
	slices.Sort(idle)
	if len(idle) == 0 {
		r.fail("all transactions wait")
	}
	n := idle[r.rand.IntN(len(idle))]
	x := r.models[n]
	switch k := r.rand.IntN(10); {
	case k == 0:
		r.say(n, "rollback", event{})
		r.rollback(n)
	case k <= 2 || len(x.operations) >= 5:
		r.commit(n)
	default:
		op := r.operation()
		r.pending[n] = op
		txn := r.txns[n]
		e := r.run(n, func() error {
			return txn.Admit(context.Background(), r.uses(op), func() error {
				// The gate keeps commits away meanwhile.
				s := r.committed.clone()
				x.snapshot = &s
				x.own = s.clone()
				return nil
			})
		})
		r.say(n, fmt.Sprint(op), e)
		switch {
		case e.waits:
		case e.err == nil:
			r.admit(n)
		default:
			r.judge(n, e.err)
			r.rollback(n)
		}
	}
	r.resume()
	r.check()
}

func (r *round) say(n int, what string, e event) {
	r.story = append(r.story, fmt.Sprintf("%d: %s -> %s", n, what, outcome(e)))
}

func (r *round) commit(n int) {
	x := r.models[n]
	e := r.run(n, func() error {
		return r.txns[n].Commit(func() error {
			if x.snapshot == nil {
				return nil
			}
			x.commitTo(&r.committed)
			for _, y := range r.models {
				for i, defined := range x.defined {
					if defined && y != x && y.snapshot != nil {
						y.snapshot[i] = slices.Clone(r.committed[i])
						y.own[i] = slices.Clone(r.committed[i])
					}
				}
			}
			return nil
		})
	})
	r.say(n, "commit", e)
	if e.waits || e.err != nil {
		r.fail("COMMIT: %v", e)
	}
	delete(r.models, n)
	r.history = append(r.history, x)
	r.counts["commit"]++
}

// resume goes on with the statements that have waited. Several may go on at once, in any order: what was
// refused may have been so because of what was admitted, or because of what was refused after it.
func (r *round) resume() {
	for len(r.ended) > 0 {
		ended := maps.Clone(r.ended)
		clear(r.ended)
		sessions := slices.Sorted(maps.Keys(ended))
		for _, n := range sessions {
			r.say(n, "resumes", event{err: ended[n]})
			r.counts["resume"]++
			if ended[n] == nil {
				r.admit(n)
			}
		}
		for _, n := range sessions {
			if ended[n] != nil {
				r.judge(n, ended[n])
			}
		}
		for _, n := range sessions {
			if ended[n] != nil {
				r.rollback(n)
			}
		}
	}
}

func (r *round) rollback(n int) {
	r.statement(n, "rollback")
	delete(r.models, n)
}

// admit applies a statement that was admitted.
func (r *round) admit(n int) {
	x := r.models[n]
	op := r.pending[n]
	if x.snapshot == nil && op[0].action != ActionLock {
		r.fail("no snapshot was taken")
	}
	r.counts["ok"]++
	x.apply(op, &r.committed)
	x.operations = append(x.operations, op)
}

// judge says whether an error had to be.
func (r *round) judge(n int, err error) {
	r.counts[outcome(event{err: err})]++
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &pg) && pg.Code == "40P01":
		r.judgeDeadlock(n, pg)
	case errors.As(err, &pg) && pg.Message == "1023" && r.level == Serializable:
		r.judgeRefusal(n)
	default:
		r.fail("error %v", err)
	}
}

// judgeRefusal holds that a refused transaction, with its last statement, has no place in a serial order of
// what committed and what runs.
func (r *round) judgeRefusal(n int) {
	all := slices.Clone(r.history)
	end := r.committed.clone()
	for m, y := range r.models {
		if y.snapshot == nil {
			continue
		}
		if m == n {
			x := *y
			x.own = y.own.clone()
			x.apply(r.pending[n], &r.committed)
			x.operations = append(slices.Clone(y.operations), r.pending[n])
			y = &x
		}
		y.commitTo(&end)
		all = append(all, y)
	}
	if serial(r.start, end, all) {
		r.fail("transaction %d was refused, though there is a serial order", n)
	}
}

// judgeDeadlock holds that every wait of the detail is one, and that they are a cycle.
func (r *round) judgeDeadlock(n int, pg *pgconn.PgError) {
	lines := strings.Split(pg.Detail, "\n")
	next := n
	for i, line := range lines {
		var pid, oid, database, blocker int
		var mode string
		if _, err := fmt.Sscanf(line, "Process %d waits for %s on relation %d of database %d; blocked by process %d.", &pid, &mode, &oid, &database, &blocker); err != nil {
			r.fail("line %q: %v", line, err)
		}
		if pid != next {
			r.fail("not a cycle: %s", pg.Detail)
		}
		next = blocker
		if i == 0 {
			continue // the request that was withdrawn
		}
		if !slices.ContainsFunc(r.manager.Locks(), func(l LockInfo) bool {
			return int(l.Session.PID) == pid && !l.Granted && l.Mode.String() == mode && int(l.Table.OID) == oid && slices.Contains(l.WaitsFor, int32(blocker))
		}) && r.waiting[pid] {
			r.fail("no such wait: %s", line)
		}
	}
	if next != n {
		r.fail("not a cycle: %s", pg.Detail)
	}
}

// check holds what is true after every step.
func (r *round) check() {
	locks := r.manager.Locks()
	for i, a := range locks {
		if !a.Granted {
			if len(a.WaitsFor) == 0 {
				r.fail("process %d waits for nobody", a.Session.PID)
			}
			continue
		}
		if r.models[int(a.Session.PID)] == nil {
			r.fail("process %d has a lock after its end", a.Session.PID)
		}
		for _, b := range locks[i+1:] {
			if b.Granted && a.Table == b.Table && a.XID != b.XID && a.Mode.conflicts(setOf(b.Mode)) {
				r.fail("processes %d and %d have locks that conflict", a.Session.PID, b.Session.PID)
			}
		}
	}
	for n, x := range r.models {
		for _, op := range x.operations {
			for _, u := range r.uses(op) {
				for _, mode := range u.Action.modes(r.level) {
					if !slices.ContainsFunc(locks, func(l LockInfo) bool {
						return int(l.Session.PID) == n && l.Granted && l.Table == u.Table && (l.Mode == mode || mode == RowExclusive && l.Mode == AppendExclusive)
					}) {
						r.fail("process %d has lost its %s", n, mode)
					}
				}
			}
		}
	}
	if r.level == Serializable && !serial(r.start, r.committed, r.history) {
		r.fail("what was committed equals no serial order")
	}
}

// seeds are those of a random test: one that STANDIN_SEED names, or new ones.
func seeds(t *testing.T, count int) []uint64 {
	if s := os.Getenv("STANDIN_SEED"); s != "" {
		seed, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return []uint64{seed}
	}
	list := make([]uint64, count)
	first := uint64(time.Now().UnixNano())
	for i := range list {
		list[i] = first + uint64(i)
	}
	return list
}

// TestRandomTransactions runs random interleavings of small transactions over three tables.
func TestRandomTransactions(t *testing.T) {
	for _, level := range []Level{Snapshot, Serializable} {
		t.Run(level.String(), func(t *testing.T) {
			counts := map[string]int{}
			list := seeds(t, 600)
			for _, seed := range list {
				r := &round{stage: newStage(t, level), rand: rand.New(rand.NewPCG(seed, 1)), models: map[int]*modelTxn{},
					pending: map[int]operation{}, counts: counts, story: []string{fmt.Sprintf("STANDIN_SEED=%d", seed)}}
				for i := range r.start {
					r.start[i] = []uint64{uint64(i) + 1}
				}
				r.committed = r.start.clone()
				total := 3 + r.rand.IntN(4)
				for n := 1; n <= total || len(r.models) > 0; {
					if n <= total && (len(r.models) == 0 || len(r.models) < 4 && r.rand.IntN(3) == 0) {
						r.begin(n)
						r.models[n] = &modelTxn{id: n}
						r.story = append(r.story, fmt.Sprintf("%d: begin", n))
						n++
						continue
					}
					r.step()
				}
				r.end()
			}
			t.Logf("%d rounds: %v", len(list), counts)
			wanted := []string{"commit", "ok", "resume", "deadlock"}
			if level == Serializable {
				wanted = append(wanted, "1023")
			}
			for _, what := range wanted {
				if len(list) > 1 && counts[what] == 0 {
					t.Errorf("no %s in %d rounds", what, len(list))
				}
			}
		})
	}
}
