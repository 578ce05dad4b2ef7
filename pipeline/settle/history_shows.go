package settle

import (
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// What an item's history shows of the rows: by which change each row is as it is,
// and by which it went.

// ends reports whether change i ends what older changes say of all their rows.
func (h *history) ends(m *mergeRules, i int) bool {
	return m.first && h.entries[i].removal != pipeline.NotRemoved
}

// matters reports whether change i can mean anything to rows.
func (h *history) matters(m *mergeRules, i int) bool {
	e := &h.entries[i]
	return !m.first || len(e.rows)+len(e.dropped) > 0 || e.removal != pipeline.NotRemoved
}

// end returns the change by which the row went that entry at is the newest to
// yield; -1 = it did not go.
func (h *history) end(m *mergeRules, at int) int {
	i := at - 1
	for m.first && i >= 0 && !h.ends(m, i) {
		i--
	}
	return i
}

// eachKey calls f for each row that the item has, and for those that went if some
// may stay, with the newest change that yields it. Of those that went, only rows
// among some of the newest changes are told.
func (h *history) eachKey(m *mergeRules, newest int, f func(at int, key pipeline.Hash)) {
	var seen map[pipeline.Hash]bool
	tell := func(at int, key pipeline.Hash) {
		if !seen[key] {
			f(at, key)
		}
		if seen != nil {
			seen[key] = true
		}
	}
	if m.first || m.retains {
		seen = map[pipeline.Hash]bool{}
	}
	gone, n := false, 0
	for i := range h.entries {
		if gone && (!m.retains || n >= newest) {
			return
		}
		if h.matters(m, i) {
			n++
		}
		for _, r := range h.entries[i].rows {
			tell(i, r.key)
		}
		for _, k := range h.entries[i].dropped {
			tell(i, k)
		}
		gone = gone || !m.first || h.ends(m, i)
	}
}

// walk goes back from entry at, which yields the key, over the changes that show
// in its row, and calls seen for each: those whose values show through the nulls
// of later ones, and the one without the row that hides those before it; or the
// change that the first row is of.
func (h *history) walk(m *mergeRules, at int, key pipeline.Hash, seen func(i int)) {
	if m.first {
		for at >= 0 {
			first := h.first(m, at, key)
			seen(first)
			at = h.older(m, first, key)
		}
		return
	}
	open := len(m.widths)
	filled := make([]bool, open)
	for i := at; i < len(h.entries) && open > 0; i++ {
		row := h.entries[i].row(key)
		if row == nil {
			seen(i)
			return
		}
		supplies := false
		r := packed.ReadRow(row)
		for c, w := range m.widths {
			if v := r.Next(w); v != nil && !filled[c] {
				filled[c], supplies = true, true
				open--
			}
		}
		if supplies || i == at {
			seen(i)
		}
		if !m.fill {
			return
		}
	}
}

// first returns the oldest change that yields the key, of those since the removal
// before entry at.
func (h *history) first(m *mergeRules, at int, key pipeline.Hash) int {
	first := at
	for i := at; i < len(h.entries) && !h.ends(m, i); i++ {
		if h.entries[i].yields(key) {
			first = i
		}
	}
	return first
}

// older returns the newest change that yields the key and tells what becomes of
// its row where the first one, of entry first, was left out: one before the last
// removal, whose row may have stayed. -1 = there is none, or no need of one.
func (h *history) older(m *mergeRules, first int, key pipeline.Hash) int {
	if !m.retains || h.entries[first].row(key) != nil {
		return -1
	}
	for i := first + 1; i < len(h.entries); i++ {
		if h.entries[i].yields(key) {
			return i
		}
	}
	return -1
}

// share returns what the item contributes to a key that entry at is the newest to
// yield.
func (h *history) share(m *mergeRules, at int, key pipeline.Hash) share {
	s := share{itemKey: h.key, table: h.table, values: make([][]byte, len(m.widths)), times: make([]int64, len(m.widths))}
	from := at
	if m.first {
		from = h.first(m, at, key)
		for older := h.older(m, from, key); older >= 0; older = h.older(m, from, key) {
			at, from = older, h.first(m, older, key)
		}
		s.none = h.entries[from].row(key) == nil
	}
	s.time = h.entries[from].Time
	if end := h.end(m, at); end >= 0 {
		s.dead, s.deletedAt, s.fate = true, h.entries[end].Time, m.fate(h.entries[end].removal)
	}
	if !s.none && (!s.dead || s.fate != pipeline.Delete) {
		h.fill(m, &s, from, key)
	}
	return s
}

// fill gives a share the values that entry from and, where they show through its
// nulls, older ones have for the key.
func (h *history) fill(m *mergeRules, s *share, from int, key pipeline.Hash) {
	for i := from; i < len(h.entries); i++ {
		row := h.entries[i].row(key)
		if row == nil {
			return
		}
		r := packed.ReadRow(row)
		for c, w := range m.widths {
			if v := r.Next(w); v != nil && s.values[c] == nil {
				s.values[c], s.times[c] = v, h.entries[i].Time
			}
		}
		if !m.fill {
			return
		}
	}
}

// shares returns what the item contributes to all keys that it yields, and to
// those that are gone among its newest changes, sorted by key.
func (h *history) shares(m *mergeRules, newest int) []keyedShare {
	var all []keyedShare
	h.eachKey(m, newest, func(at int, key pipeline.Hash) {
		all = append(all, keyedShare{key, h.share(m, at, key)})
	})
	slices.SortFunc(all, func(a, b keyedShare) int { return a.key.Compare(b.key) })
	return all
}
