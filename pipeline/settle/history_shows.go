package settle

import (
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// What an item's history shows of the rows: by which change each row is as it is,
// and by which it went.

// ends reports whether change i ends what older changes say of all their rows.
func (h *history) ends(rules *policyRules, i int) bool {
	return rules.first && h.entries[i].removal != pipeline.NotRemoved
}

// matters reports whether change i can mean anything to rows.
func (h *history) matters(rules *policyRules, i int) bool {
	e := &h.entries[i]
	return !rules.first || len(e.rows)+len(e.dropped) > 0 || e.removal != pipeline.NotRemoved
}

// end returns the change by which the row went that entry at is the newest to
// yield; -1 = it did not go.
func (h *history) end(rules *policyRules, at int) int {
	i := at - 1
	for rules.first && i >= 0 && !h.ends(rules, i) {
		i--
	}
	return i
}

// eachKey calls f for each row that the item has, and for those that went if some
// may stay, with the newest change that yields it. Of those that went, only rows
// among some of the newest changes are told.
func (h *history) eachKey(rules *policyRules, newest int, f func(at int, key pipeline.Hash)) {
	var seen map[pipeline.Hash]bool
	tell := func(at int, key pipeline.Hash) {
		if !seen[key] {
			f(at, key)
		}
		if seen != nil {
			seen[key] = true
		}
	}
	if rules.first || rules.keepsDeleted {
		seen = map[pipeline.Hash]bool{}
	}
	gone, n := false, 0
	for i := range h.entries {
		if gone && (!rules.keepsDeleted || n >= newest) {
			return
		}
		if h.matters(rules, i) {
			n++
		}
		for _, r := range h.entries[i].rows {
			tell(i, r.key)
		}
		for _, k := range h.entries[i].dropped {
			tell(i, k)
		}
		gone = gone || !rules.first || h.ends(rules, i)
	}
}

// walk goes back from entry at, which yields the key, over the changes that show
// in its row, and calls seen for each: those whose values show through the nulls
// of later ones, and the one without the row that hides those before it; or the
// change that the first row is of.
func (h *history) walk(rules *policyRules, at int, key pipeline.Hash, seen func(i int)) {
	if rules.first {
		for at >= 0 {
			first := h.first(rules, at, key)
			seen(first)
			at = h.older(rules, first, key)
		}
		return
	}
	open := len(rules.widths)
	filled := make([]bool, open)
	for i := at; i < len(h.entries) && open > 0; i++ {
		row := h.entries[i].row(key)
		if row == nil {
			seen(i)
			return
		}
		supplies := false
		r := packed.ReadRow(row)
		for c, w := range rules.widths {
			if v := r.Next(w); v != nil && !filled[c] {
				filled[c], supplies = true, true
				open--
			}
		}
		if supplies || i == at {
			seen(i)
		}
		if !rules.fillsNulls {
			return
		}
	}
}

// first returns the oldest change that yields the key, of those since the removal
// before entry at.
func (h *history) first(rules *policyRules, at int, key pipeline.Hash) int {
	first := at
	for i := at; i < len(h.entries) && !h.ends(rules, i); i++ {
		if h.entries[i].yields(key) {
			first = i
		}
	}
	return first
}

// older returns the newest change that yields the key and tells what becomes of
// its row where the first one, of entry first, was left out: one before the last
// removal, whose row may have stayed. -1 = there is none, or no need of one.
func (h *history) older(rules *policyRules, first int, key pipeline.Hash) int {
	if !rules.keepsDeleted || h.entries[first].row(key) != nil {
		return -1
	}
	for i := first + 1; i < len(h.entries); i++ {
		if h.entries[i].yields(key) {
			return i
		}
	}
	return -1
}

// contribution returns what the item contributes to a key that entry at is the newest to
// yield.
func (h *history) contribution(rules *policyRules, at int, key pipeline.Hash) contribution {
	s := contribution{itemKey: h.key, table: h.table, values: make([][]byte, len(rules.widths)), times: make([]int64, len(rules.widths))}
	from := at
	if rules.first {
		from = h.first(rules, at, key)
		for older := h.older(rules, from, key); older >= 0; older = h.older(rules, from, key) {
			at, from = older, h.first(rules, older, key)
		}
		s.none = h.entries[from].row(key) == nil
	}
	s.time = h.entries[from].Time
	if end := h.end(rules, at); end >= 0 {
		s.dead, s.deletedAt, s.fate = true, h.entries[end].Time, rules.fate(h.entries[end].removal)
	}
	if !s.none && (!s.dead || s.fate != pipeline.Delete) {
		h.fill(rules, &s, from, key)
	}
	return s
}

// fill gives a contribution the values that entry from and, where they show through its
// nulls, older ones have for the key.
func (h *history) fill(rules *policyRules, s *contribution, from int, key pipeline.Hash) {
	for i := from; i < len(h.entries); i++ {
		row := h.entries[i].row(key)
		if row == nil {
			return
		}
		r := packed.ReadRow(row)
		for c, w := range rules.widths {
			if v := r.Next(w); v != nil && s.values[c] == nil {
				s.values[c], s.times[c] = v, h.entries[i].Time
			}
		}
		if !rules.fillsNulls {
			return
		}
	}
}

// contributions returns what the item contributes to all keys that it yields, and to
// those that are gone among its newest changes, sorted by key.
func (h *history) contributions(rules *policyRules, newest int) []keyContribution {
	var all []keyContribution
	h.eachKey(rules, newest, func(at int, key pipeline.Hash) {
		all = append(all, keyContribution{key, h.contribution(rules, at, key)})
	})
	slices.SortFunc(all, func(a, b keyContribution) int { return a.key.Compare(b.key) })
	return all
}
