package awsapi

import (
	"math/rand/v2"
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
		c.Used(c.Reserve(now), tt.units, tt.items)
		if got := c.Limit(c.Reserve(now)); got != tt.want {
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
	for range 300 {
		perSecond := 1 + r.IntN(2000)
		itemUnits := []float64{0.01, 0.25, 3, 100}[r.IntN(4)]
		c := NewReadCapacity(perSecond)
		began := time.Unix(1_700_000_000, 0)
		now := began
		scans := make([]ReservedPage, 1+r.IntN(12))
		type use struct {
			at    time.Time
			units float64
		}
		var uses []use
		var total, largest float64
		for range 400 {
			next := 0
			for i := range scans {
				if scans[i].Units == 0 {
					scans[i] = c.Reserve(now)
				}
				if scans[i].From.Before(scans[next].From) {
					next = i
				}
			}
			if scans[next].From.After(now) {
				now = scans[next].From
			}
			items := c.Limit(scans[next])
			units := itemUnits * float64(items)
			c.Used(scans[next], units, items)
			scans[next] = ReservedPage{}
			uses = append(uses, use{now, units})
			total, largest = total+units, max(largest, units)
		}
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
		if spare > float64(len(scans)+1)*pageUnitsMax {
			t.Fatalf("%d units a second, %d scans, items of %v units: %v of %v units were not used", perSecond, len(scans), itemUnits, spare, spare+total)
		}
	}
}

// TestReadCapacityPays: a page that used more than was thought is paid for by those behind it, and time that
// passes idly allows no burst.
func TestReadCapacityPays(t *testing.T) {
	c, now := NewReadCapacity(10), time.Unix(1000, 0)
	first := c.Reserve(now)
	if !first.From.Equal(now) {
		t.Errorf("the first page waits until %v", first.From)
	}
	c.Used(first, 300, 3)
	if next := c.Reserve(now); next.From.Sub(now) != 30*time.Second || next.Units != 100 {
		t.Errorf("behind 300 units: %+v", next)
	}
	later := now.Add(time.Hour)
	if a, b := c.Reserve(later), c.Reserve(later); !a.From.Equal(later) || b.From.Sub(later) != 10*time.Second {
		t.Errorf("after an hour: %v, %v", a.From, b.From)
	}
}
