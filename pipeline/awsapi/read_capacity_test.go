package awsapi

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestReadCapacityLimit: a page uses about the capacity of a second.
func TestReadCapacityLimit(t *testing.T) {
	for _, tt := range []struct {
		units       float64
		items, want int
	}{{256, 100, 39}, {86, 1, 1}, {900, 3, 1}, {1, 100, 10_000}, {0.5, 1000, 10_000}, {50, 25, 50}, {0, 0, firstPageItems}, {0, 10, firstPageItems}} {
		c, now := NewReadCapacity(100), time.Unix(0, 0)
		page, _ := c.Reserve(now)
		c.Used(page, tt.units, tt.items, now)
		page, wait := c.Reserve(now.Add(time.Hour))
		if got := c.Limit(page); got != tt.want || wait != 0 {
			t.Errorf("%v units of %d items: %d, want %d", tt.units, tt.items, got, tt.want)
		}
	}
}

// TestReadCapacity: scans that share a budget, of items of any size, in each span of time use no more
// than it allows and one page, once items are known; and they use it up.
func TestReadCapacity(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 60 {
		perSecond := 1 + r.IntN(2000)
		itemUnits := []float64{0.01, 0.25, 3, 100}[r.IntN(4)]
		c := NewReadCapacity(perSecond)
		began := time.Unix(1_700_000_000, 0)
		now := began
		type use struct {
			at    time.Time
			units float64
		}
		type scan struct {
			page  ReservedPage
			until time.Time // when it asks again, or its answer comes
		}
		scans := make([]scan, 1+r.IntN(12))
		latency := time.Duration(r.IntN(3)) * 40 * time.Millisecond
		var uses []use
		var total, largest float64
		for len(uses) < 400 {
			next := &scans[0]
			for i := range scans {
				if scans[i].until.Before(next.until) {
					next = &scans[i]
				}
			}
			if next.until.After(now) {
				now = next.until
			}
			if next.page.Units > 0 { // the answer has come
				items := c.Limit(next.page)
				units := itemUnits * float64(items)
				c.Used(next.page, units, items, now)
				uses = append(uses, use{now.Add(-latency), units})
				total, largest = total+units, max(largest, units)
				next.page = ReservedPage{}
			}
			page, wait := c.Reserve(now)
			if next.page, next.until = page, now.Add(wait); wait == 0 {
				next.until = now.Add(latency)
			}
		}
		slices.SortFunc(uses, func(a, b use) int { return a.at.Compare(b.at) })
		for i := range uses {
			var sum float64
			for k := i; k < len(uses) && uses[k].at.Before(uses[i].at.Add(5*time.Second)); k++ {
				sum += uses[k].units
			}
			if most := 5*float64(perSecond) + largest; sum > most+1e-3 {
				t.Fatalf("%d units a second, %d scans, items of %v units: %v units within 5 s", perSecond, len(scans), itemUnits, sum)
			}
		}
		// What was reserved before items were known is not used for a while.
		spare := now.Sub(began).Seconds()*float64(perSecond) - total
		if latency == 0 && spare > 2*pageUnitsMax {
			t.Fatalf("%d units a second, %d scans, items of %v units: %v of %v units were not used", perSecond, len(scans), itemUnits, spare, spare+total)
		}
	}
}

// TestReadCapacityPays: a page that used more than was thought is paid for by those behind it, and time that
// passes idly allows no burst.
func TestReadCapacityPays(t *testing.T) {
	c, now := NewReadCapacity(10), time.Unix(1000, 0)
	first, wait := c.Reserve(now)
	if wait != 0 || first.Units != pageUnitsMax {
		t.Errorf("the first page waits for %v", wait)
	}
	if _, wait := c.Reserve(now); wait != 25600*time.Millisecond {
		t.Errorf("beside the first page: %v", wait)
	}
	c.Used(first, 300, 3, now)
	if _, wait := c.Reserve(now); wait != 30*time.Second {
		t.Errorf("behind 300 units: %v", wait)
	}
	later := now.Add(time.Hour)
	second, wait := c.Reserve(later)
	if wait != 0 || second.Units != 100 {
		t.Errorf("after an hour: %+v, %v", second, wait)
	}
	// What was not used is given back, but for the time that has passed.
	answered := later.Add(4 * time.Second)
	c.Used(second, 10, 1, answered)
	if _, wait := c.Reserve(answered); wait != 0 {
		t.Errorf("behind a page that used little: %v", wait)
	}
	if _, wait := c.Reserve(answered); wait != 3250*time.Millisecond { // large items are remembered
		t.Errorf("and then: %v", wait)
	}
}
