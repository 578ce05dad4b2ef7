package locks

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// TestNoLostUpdates lets goroutines add to counters under Serializable: each reads two tables' versions at its
// snapshot and writes one of them. Every commit has to count.
func TestNoLostUpdates(t *testing.T) {
	const workers, commits, tables = 8, 60, 3
	seed := seeds(t, 1)[0]
	t.Logf("STANDIN_SEED=%d", seed)
	m := New(Options{})
	var mu sync.Mutex // of what follows, which is the database behind
	var counters [tables]int
	var sum int
	refused := map[string]int{}
	add := func(r *rand.Rand, pid int) error {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		txn := m.Begin(Session{PID: int32(pid)}, Serializable)
		defer txn.Rollback()
		var seen [tables]int
		target, source := r.IntN(tables), r.IntN(tables)
		see := func() error {
			mu.Lock()
			defer mu.Unlock()
			seen = counters
			return nil
		}
		if r.IntN(2) == 0 {
			if err := txn.Admit(ctx, []TableUse{{Table{1, uint32(source)}, ActionSelect}}, see); err != nil {
				return err
			}
		}
		if err := txn.Admit(ctx, []TableUse{{Table{1, uint32(target)}, ActionModify}}, see); err != nil {
			return err
		}
		return txn.Commit(func() error {
			mu.Lock()
			defer mu.Unlock()
			counters[target] = seen[target] + 1
			sum++
			return nil
		})
	}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(w)))
			for done := 0; done < commits; {
				err := add(r, w)
				var pg *pgconn.PgError
				switch {
				case err == nil:
					done++
				case errors.As(err, &pg) && (pg.Message == "1023" || pg.Code == "40P01"):
					mu.Lock()
					refused[pg.Message]++
					mu.Unlock()
				default:
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	total := 0
	for _, c := range counters {
		total += c
	}
	if sum != workers*commits || total != sum {
		t.Errorf("%d commits counted as %d", sum, total)
	}
	t.Logf("%d commits, refused: %v", sum, refused)
	expectEmpty(t, m)
}

// TestAllEnd lets goroutines lock tables in any order, cancel waits and end each other's transactions: every
// one ends, and nothing is left.
func TestAllEnd(t *testing.T) {
	const workers, rounds, tables = 8, 300, 4
	seed := seeds(t, 1)[0]
	t.Logf("STANDIN_SEED=%d", seed)
	for _, level := range []Level{Snapshot, Serializable} {
		m := New(Options{})
		var mu sync.Mutex
		current := map[int]*Txn{}
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(seed, uint64(w)))
				for range rounds {
					txn := m.Begin(Session{PID: int32(w)}, level)
					mu.Lock()
					current[w] = txn
					victim := current[r.IntN(workers)]
					mu.Unlock()
					ctx, cancel := context.WithTimeout(t.Context(), patience)
					if r.IntN(8) == 0 {
						cancel()
					}
					var err error
					for i := 0; i < 1+r.IntN(4) && err == nil; i++ {
						err = txn.Admit(ctx, []TableUse{{Table{1, uint32(r.IntN(tables))}, Action(r.IntN(int(ActionLock) + 1))}}, nil)
					}
					if victim != nil && r.IntN(8) == 0 {
						victim.Rollback()
					}
					m.Locks()
					m.Transactions()
					if err == nil && r.IntN(2) == 0 {
						err = txn.Commit(nil)
					}
					txn.Rollback()
					cancel()
					if errors.Is(err, context.DeadlineExceeded) {
						t.Error("a wait did not end")
						return
					}
				}
			})
		}
		wg.Wait()
		expectEmpty(t, m)
	}
}

// TestMemory holds that what is kept of committed transactions does not grow, though some run at any time, and
// though each has to come before the one that committed before it.
func TestMemory(t *testing.T) {
	const tables, transactions = 10, 4000
	m := New(Options{})
	var before *Txn
	most := 0
	for i := range transactions {
		txn := m.Begin(Session{PID: 1}, Serializable)
		uses := []TableUse{{Table{1, uint32(i % tables)}, ActionSelect}}
		if err := txn.Admit(t.Context(), uses, nil); err != nil {
			// It would have to come before all that the tables have a place for.
			txn.Rollback()
			txn = m.Begin(Session{PID: 1}, Serializable)
			if err := txn.Admit(t.Context(), uses, nil); err != nil {
				t.Fatal(err)
			}
		}
		if before != nil {
			// It writes what txn has read without it.
			write := []TableUse{{Table{1, uint32(i % tables)}, ActionAppend}}
			if err := before.Admit(t.Context(), write, nil); err != nil {
				before.Rollback()
			} else if err := before.Commit(nil); err != nil {
				t.Fatal(err)
			}
		}
		txn.NoteCreate(Table{1, uint32(1000 + i)})
		before = txn
		most = max(most, len(m.graph.nodes), len(m.catalog.recent))
	}
	before.Rollback()
	t.Logf("at most %d are kept", most)
	if most > 3*tables {
		t.Errorf("%d are kept", most)
	}
	expectEmpty(t, m)
}

// TestEdges holds that beside a transaction that stays open, what is kept grows with the number of commits and
// not with its square.
func TestEdges(t *testing.T) {
	const tables, commits = 5, 300
	m := New(Options{})
	long := m.Begin(Session{PID: 1}, Serializable)
	if err := long.Admit(t.Context(), []TableUse{{Table{1, 0}, ActionSelect}}, nil); err != nil {
		t.Fatal(err)
	}
	for i := range commits {
		txn := m.Begin(Session{PID: 2}, Serializable)
		uses := []TableUse{{Table{1, uint32(i % tables)}, ActionModify}, {Table{1, uint32((i + 1) % tables)}, ActionSelect}}
		if err := errors.Join(txn.Admit(t.Context(), uses, nil), txn.Commit(nil)); err != nil {
			t.Fatal(err)
		}
	}
	edges := 0
	for _, n := range m.graph.nodes {
		edges += len(n.after)
	}
	if len(m.graph.nodes) != commits+1 || edges > 4*commits {
		t.Errorf("%d transactions with %d edges", len(m.graph.nodes), edges)
	}
	long.Rollback()
	expectEmpty(t, m)
}

// BenchmarkBesideLongTransaction is a commit while one transaction stays open, so that all are kept.
func BenchmarkBesideLongTransaction(b *testing.B) {
	m := New(Options{})
	long := m.Begin(Session{PID: 1}, Serializable)
	if err := long.Admit(b.Context(), []TableUse{{Table{1, 1}, ActionSelect}}, nil); err != nil {
		b.Fatal(err)
	}
	for i := range b.N {
		txn := m.Begin(Session{PID: 2}, Serializable)
		if err := txn.Admit(b.Context(), []TableUse{{Table{1, uint32(2 + i%50)}, ActionModify}}, nil); err != nil {
			b.Fatal(err)
		}
		if err := txn.Commit(nil); err != nil {
			b.Fatal(err)
		}
	}
}
