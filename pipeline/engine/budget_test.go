package engine

import (
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// TestBudgetAddGood: records without dead letters are counted as one by one.
func TestBudgetAddGood(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		many, single := &budget{max: 1}, &budget{max: 1}
		for range 40 {
			if r.IntN(2) == 0 {
				for range r.IntN(20) {
					many.add(true)
					single.add(true)
				}
			}
			n := r.Int64N(budgetWindowRecords)
			many.addGood(n)
			for range n {
				single.add(false)
			}
			if r.IntN(3) == 0 {
				many.mark()
				single.mark()
			}
			if many.n != single.n || many.bad != single.bad || many.ring != single.ring {
				t.Fatalf("%d records with %d dead letters, want %d with %d", many.n, many.bad, single.n, single.bad)
			}
		}
	})
}
