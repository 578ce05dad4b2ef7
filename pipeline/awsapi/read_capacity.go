package awsapi

import (
	"sync"
	"time"
)

const (
	// pageUnitsMax is what a page of a scan uses at most: a consistent read takes a unit for each
	// 4 KB, and a page ends at 1 MB (API reference of DynamoDB, Scan).
	pageUnitsMax = 256
	// firstPageItems is how many items a page has at most while nobody knows how large they are.
	firstPageItems = 100
	// pageItemsMax bounds pages of small items; DynamoDB ends a page at 1 MB itself.
	pageItemsMax = 10_000
)

// ReadCapacity is a budget of read capacity units a second, which all scans of a table share that one
// node makes. What a page uses its answer tells, so a page is paid for in advance by what it is thought to
// use; what it used beyond that, the pages behind it wait for. What is not used is not saved up.
//
// So pages that were begun within any span of time use the budget of that span and one page more, as long
// as items are about as large as those before them. It may be used from several goroutines.
type ReadCapacity struct {
	perSecond float64

	mu        sync.Mutex
	paid      time.Time // from when on there is capacity for another page
	itemUnits float64   // that an item takes; 0 = not known yet
}

// NewReadCapacity returns a budget of so many units a second, at least one.
func NewReadCapacity(perSecond int) *ReadCapacity {
	return &ReadCapacity{perSecond: float64(max(perSecond, 1))}
}

// ReservedPage is the right to read a page.
type ReservedPage struct {
	From  time.Time // when it may be asked for
	Units float64   // that it should not use more than; 0 = nothing is reserved
}

// Reserve reserves capacity for the next page: what a second allows, so that pages are few and regular,
// but for an item at least. As long as nobody knows how large items are it is what any page may use.
func (c *ReadCapacity) Reserve(now time.Time) ReservedPage {
	c.mu.Lock()
	defer c.mu.Unlock()
	page := ReservedPage{From: now, Units: pageUnitsMax}
	if c.itemUnits > 0 {
		page.Units = c.itemUnits * float64(c.items(min(c.perSecond, pageUnitsMax)))
	}
	if c.paid.After(now) {
		page.From = c.paid
	}
	c.paid = page.From.Add(c.duration(page.Units))
	return page
}

// Limit returns how many items the page may have, as far as those before tell. It is asked when the page
// is asked for, since others may have been read meanwhile.
func (c *ReadCapacity) Limit(page ReservedPage) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.items(page.Units)
}

// items returns how many use so many units.
func (c *ReadCapacity) items(units float64) int {
	if c.itemUnits <= 0 {
		return firstPageItems
	}
	return int(min(max(1, units/c.itemUnits+1e-9), pageItemsMax))
}

// Used says what a page has used that had been reserved, with so many items. A page that was refused
// has used nothing, and is asked for again by what was reserved for it.
func (c *ReadCapacity) Used(page ReservedPage, units float64, items int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	// What others have reserved behind the page begins no sooner: with what one before them left it
	// would be more than the budget, later on.
	if units > page.Units || c.paid.Equal(page.From.Add(c.duration(page.Units))) {
		c.paid = c.paid.Add(c.duration(units - page.Units))
	}
	if units > 0 && items > 0 {
		mean := units / float64(items)
		c.itemUnits = max(mean, (c.itemUnits+3*mean)/4) // large ones are remembered for longer
	}
}

// duration is how long the budget takes for so many units.
func (c *ReadCapacity) duration(units float64) time.Duration {
	return time.Duration(units / c.perSecond * float64(time.Second))
}
