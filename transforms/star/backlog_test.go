package star

import (
	"fmt"
	"strings"
	"testing"
)

// newBacklogHarness returns a star with a row that n facts refer to, and makes some of them in an epoch.
func newBacklogHarness(t *testing.T, n, factsPerEpoch int) (*shop, *harness) {
	s := newShop(t)
	h := newHarness(t, s.compile(t), false)
	events := []event{s.addOrder(1, "o1", "ann", "2023-01-01")}
	for i := range n {
		events = append(events, s.addLine(int64(i), "o1", fmt.Sprintf("p%05d", i), "Pen", 5))
	}
	h.epoch(false, events...)
	h.factsPerEpoch = factsPerEpoch
	h.restart()
	return s, h
}

// TestRowThatChangesEachEpoch: the facts of a row that changes again before all of them are made
// are made in turn: none has what the row had very long ago.
func TestRowThatChangesEachEpoch(t *testing.T) {
	s, h := newBacklogHarness(t, 2000, 500)
	for i := range 12 {
		h.feed([]event{s.addOrder(int64(10000+i), "o1", "ann", fmt.Sprintf("2023-01-%02d", 2+i%2))})
		if h.finish(false); i%3 == 0 {
			h.restart()
		}
	}
	for _, line := range h.view.Lines("fact") {
		if strings.Contains(line, "|20230101|") {
			t.Fatalf("a fact was not made again: %s", line)
		}
	}
	h.epoch(false)
	for _, line := range h.view.Lines("fact") {
		if !strings.Contains(line, "|20230103|") {
			t.Fatalf("a fact does not have what the row has: %s", line)
		}
	}
}

// TestRowThatGetsFacts: a row that many more facts refer to, while those that it had are made
// again, takes few epochs more.
func TestRowThatGetsFacts(t *testing.T) {
	s, h := newBacklogHarness(t, 4000, 1000)
	h.feed([]event{s.addOrder(10000, "o1", "ann", "2023-01-02")})
	h.finish(false)
	var events []event
	for i := range 1500 {
		events = append(events, s.addLine(int64(i), "o1", fmt.Sprintf("q%05d", i), "Pen", 5))
	}
	h.epoch(false, events...)
	if h.furtherEpochs > 6 {
		t.Errorf("%d further epochs of 1,000 facts for 3,000 and 1,500 new ones", h.furtherEpochs)
	}
}

// TestDeferredFactsBesideABacklog: facts that were deferred are made when that ends, though facts of
// a row that changes in each epoch are left to make all the time.
func TestDeferredFactsBesideABacklog(t *testing.T) {
	s := newShop(t)
	h := newHarness(t, s.compile(t), true)
	events := []event{s.addOrder(1, "o1", "ann", "2023-01-01"), s.addCustomer(1, "ann", "Ann", "NL", "1011")}
	for i := range 2000 {
		events = append(events, s.addLine(int64(i), "o1", fmt.Sprintf("p%05d", i), "Pen", 5))
	}
	const deferred = 600
	for i := range deferred {
		events = append(events, s.addLine(int64(i), "o2", fmt.Sprintf("p%05d", i), "Pen", 5))
	}
	h.epoch(false, events...)
	h.open.Bounded, h.factsPerEpoch = false, 500
	h.restart()
	for i := range 4 {
		h.feed([]event{s.addOrder(int64(10000+i), "o1", "ann", fmt.Sprintf("2023-01-%02d", 2+i%2))})
		h.finish(false)
	}
	n := 0
	for _, line := range h.view.Lines("fact") {
		if strings.HasPrefix(line, "o2|") {
			n++
		}
	}
	if n != deferred {
		t.Errorf("%d of %d facts that were deferred are made", n, deferred)
	}
}

// TestRowsBesideOneThatChangesEachEpoch: a row whose facts take whole epochs takes turns with the
// others.
func TestRowsBesideOneThatChangesEachEpoch(t *testing.T) {
	s, h := newBacklogHarness(t, 2000, 500)
	const others = 10
	for i := range others {
		order := fmt.Sprint("other", i)
		h.feed([]event{s.addLine(1, order, "p", "Pen", 5), s.addOrder(1, order, "ann", "2023-01-01")})
		h.finish(false)
	}
	for i := range 5 {
		events := []event{s.addOrder(int64(10000+i), "o1", "ann", fmt.Sprintf("2023-01-%02d", 2+i%2))}
		for k := range others {
			if i == 1 {
				events = append(events, s.addOrder(20000, fmt.Sprint("other", k), "ann", "2023-01-02"))
			}
		}
		h.feed(events)
		h.finish(false)
	}
	for _, line := range h.view.Lines("fact") {
		if strings.HasPrefix(line, "other") && !strings.Contains(line, "|20230102|") {
			t.Errorf("a fact was not made again: %s", line)
		}
	}
}
