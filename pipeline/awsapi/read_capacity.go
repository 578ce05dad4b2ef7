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
// use, and the difference is made up for by the pages behind it. Time that passes unused is not saved up.
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
	Units float64 // that it should not use more than; 0 = nothing is reserved

	begins, ends time.Time // when the budget of the page is spent
}

// Reserve reserves capacity for a page that is asked for now: what a second allows, so that pages are few and
// regular, but for an item at least. As long as nobody knows how large items are it is what any page may
// use. Where there is none yet it returns how long to wait before asking again, since others may be quicker.
func (c *ReadCapacity) Reserve(now time.Time) (page ReservedPage, wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.paid.After(now) {
		return page, c.paid.Sub(now)
	}
	units := float64(pageUnitsMax)
	if c.itemUnits > 0 {
		units = c.itemUnits * float64(c.items(min(c.perSecond, pageUnitsMax)))
	}
	c.paid = now.Add(c.duration(units))
	return ReservedPage{Units: units, begins: now, ends: c.paid}, 0
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

// Used says what a page has used, by now, that had been reserved, with so many items. A page that was
// refused has used nothing, and is asked for again by what was reserved for it.
func (c *ReadCapacity) Used(page ReservedPage, units float64, items int, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ends := page.begins.Add(c.duration(units))
	if ends.Before(now) && ends.Before(page.ends) { // time that has passed is not given back
		ends = now
		if page.ends.Before(now) {
			ends = page.ends
		}
	}
	c.paid = c.paid.Add(ends.Sub(page.ends))
	if units > 0 && items > 0 {
		mean := units / float64(items)
		c.itemUnits = max(mean, (c.itemUnits+3*mean)/4) // large ones are remembered for longer
	}
}

// duration is how long the budget takes for so many units.
func (c *ReadCapacity) duration(units float64) time.Duration {
	return time.Duration(units / c.perSecond * float64(time.Second))
}
