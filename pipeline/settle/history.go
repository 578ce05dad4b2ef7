package settle

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// historyEntry is a change of an item's history.
type historyEntry struct {
	pipeline.Contender
	rows []keptRow // sorted by key; none = the change yields no row of the table
	gap  bool      // the changes right before those of its time are not kept
}

func entryContender(e *historyEntry) *pipeline.Contender { return &e.Contender }

// row returns the packed row of a key; nil = the change does not yield it.
func (e *historyEntry) row(key pipeline.Hash) []byte {
	i, ok := slices.BinarySearchFunc(e.rows, key, func(r keptRow, k pipeline.Hash) int { return r.key.Compare(k) })
	if !ok {
		return nil
	}
	return e.rows[i].row
}

// history is what a Merger keeps of an item: those of its changes that can still
// be seen in rows, or would be if another one came late. The newest is first.
type history struct {
	key     []byte // of the item
	entries []historyEntry
}

func (h *history) append(b []byte) []byte {
	b = packed.AppendBytes(b, h.key)
	b = binary.AppendUvarint(b, uint64(len(h.entries)))
	for i := range h.entries {
		e := &h.entries[i]
		b = binary.LittleEndian.AppendUint64(b, uint64(e.Time))
		b = packed.AppendContender(b, &e.Contender)
		gap := uint64(0)
		if e.gap {
			gap = 1
		}
		b = binary.AppendUvarint(b, uint64(len(e.rows))<<1|gap)
		for _, r := range e.rows {
			b = packed.AppendBytes(packed.AppendHash(b, r.key), r.row)
		}
	}
	return b
}

// decodeHistory reads what append wrote; the result shares b.
func decodeHistory(b []byte) history {
	c := packed.Cursor{B: b}
	h := history{key: c.Bytes(), entries: make([]historyEntry, c.Uvarint())}
	for i := range h.entries {
		e := &h.entries[i]
		e.Contender = c.Contender(int64(c.U64()))
		n := c.Uvarint()
		if e.gap = n&1 == 1; n > 1 {
			e.rows = make([]keptRow, n>>1)
		}
		for k := range e.rows {
			e.rows[k] = keptRow{key: c.Hash(), row: c.Bytes()}
		}
	}
	return h
}

// has reports whether the change of the version is there.
func (h *history) has(v *pipeline.Version) bool {
	return slices.ContainsFunc(h.entries, func(e historyEntry) bool { return e.Same(v) })
}

// sort puts the newest first.
func (h *history) sort() {
	slices.SortStableFunc(h.entries, func(a, b historyEntry) int { return cmp.Compare(b.Time, a.Time) })
	for to := len(h.entries); to > 0; {
		from := to - 1
		for from > 0 && h.entries[from-1].Time == h.entries[from].Time {
			from--
		}
		if group := h.entries[from:to]; len(group) > 1 {
			pipeline.Sort(group, entryContender, h.before(from, to))
		}
		to = from
	}
}

// before returns the image before the changes from … to-1, which are those of one time.
func (h *history) before(from, to int) pipeline.Image {
	if to == len(h.entries) || slices.ContainsFunc(h.entries[from:to], func(e historyEntry) bool { return e.gap }) {
		return pipeline.Image{}
	}
	return pipeline.Image{Hash: h.entries[to].New, Known: true}
}

// contested reports whether another change of their time may change the order of
// some.
func contested(group []historyEntry) bool {
	return !slices.ContainsFunc(group, func(e historyEntry) bool { return e.Imageless() })
}

// groupEnd returns the end of the entries that have the time of entry i.
func (h *history) groupEnd(i int) int {
	end := i + 1
	for end < len(h.entries) && h.entries[end].Time == h.entries[i].Time {
		end++
	}
	return end
}

// maxHistory is the number of an item's newest changes among which it is told
// when a row was deleted, and the last values of rows that are gone are found.
// What a change says of such rows that comes later than so many newer ones of
// its item may depend on when it comes.
const maxHistory = 32

// kept says what is kept of a change.
type kept uint8

const (
	gone kept = iota
	// bare: its version, and which rows it yields, but not what is in them. It may
	// turn out to be the one that took a row away, or that hides older values of one
	// that is gone, or tell where the order of others begins.
	bare
	whole
)

// prune drops the changes that cannot be seen any more, however late others
// come.
func (h *history) prune(m *mergeRules) {
	keep := make([]kept, len(h.entries))
	h.keep(keep, 0)
	for _, r := range h.entries[0].rows {
		h.walk(m, 0, r.key, func(i int) { h.keep(keep, i) })
	}
	if m.retains {
		h.eachDead(maxHistory, func(at int, key pipeline.Hash) {
			h.keep(keep, at)
			h.walk(m, at, key, func(i int) { h.keep(keep, i) })
		})
		for i := range keep[:min(len(keep), maxHistory)] {
			keep[i] = max(keep[i], bare)
		}
	}
	h.keepPredecessors(keep)
	left := h.entries[:0]
	for i, e := range h.entries {
		if keep[i] == gone {
			if last := len(left) - 1; left[last].Time > e.Time {
				left[last].gap = true
			}
			continue
		}
		if keep[i] == bare {
			for k := range e.rows {
				e.rows[k].row = []byte{}
			}
		}
		left = append(left, e)
	}
	h.entries = left
}

// keepPredecessors keeps what tells where the order of others begins that are kept: of
// the changes of the newest time, and of any of which there are several.
func (h *history) keepPredecessors(keep []kept) {
	for from := 0; from < len(h.entries); {
		to := h.groupEnd(from)
		if to < len(h.entries) && keep[from] != gone && (from == 0 || to-from > 1) && contested(h.entries[from:to]) {
			keep[to] = max(keep[to], bare)
		}
		from = to
	}
}

// keep marks entry i, with those that contend with it: a later one may change their
// order, or be one of them that is delivered again.
func (h *history) keep(keep []kept, i int) {
	keep[i] = whole
	from := i
	for from > 0 && h.entries[from-1].Time == h.entries[i].Time {
		from--
	}
	group := h.entries[from:h.groupEnd(i)]
	if !contested(group) {
		return
	}
	for k := range group {
		if k < maxHistory {
			keep[from+k] = whole
		}
		keep[from+k] = max(keep[from+k], bare)
	}
}

// eachDead calls f for each key that some of the newest changes have yielded and
// the newest one does not, with the place of the last change that did.
func (h *history) eachDead(newest int, f func(at int, key pipeline.Hash)) {
	var seen []pipeline.Hash
	for i := 1; i < min(len(h.entries), newest); i++ {
		for _, r := range h.entries[i].rows {
			if h.entries[0].row(r.key) == nil && !slices.Contains(seen, r.key) {
				seen = append(seen, r.key)
				f(i, r.key)
			}
		}
	}
}

// walk goes back from entry at, which yields the key, over the changes whose
// values show through the nulls of later ones, and calls seen for each, and for
// the one without the row that hides those before it.
func (h *history) walk(m *mergeRules, at int, key pipeline.Hash, seen func(i int)) {
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

// share returns what the item contributes to a key that entry at yields.
func (h *history) share(m *mergeRules, at int, key pipeline.Hash) share {
	s := share{
		time: h.entries[at].Time, itemKey: h.key, dead: at > 0,
		values: make([][]byte, len(m.widths)), times: make([]int64, len(m.widths)),
	}
	if s.dead {
		s.deletedAt = h.entries[at-1].Time
	}
	for i := at; i < len(h.entries); i++ {
		row := h.entries[i].row(key)
		if row == nil {
			break
		}
		r := packed.ReadRow(row)
		for c, w := range m.widths {
			if v := r.Next(w); v != nil && s.values[c] == nil {
				s.values[c], s.times[c] = v, h.entries[i].Time
			}
		}
		if !m.fill {
			break
		}
	}
	return s
}

// shares returns what the item contributes to all keys that it yields, and to
// those that are gone among its newest changes, sorted by key.
func (h *history) shares(m *mergeRules, newest int) []keyedShare {
	if len(h.entries) == 0 {
		return nil
	}
	var all []keyedShare
	for _, r := range h.entries[0].rows {
		all = append(all, keyedShare{r.key, h.share(m, 0, r.key)})
	}
	if m.retains {
		h.eachDead(newest, func(at int, key pipeline.Hash) {
			all = append(all, keyedShare{key, h.share(m, at, key)})
		})
	}
	slices.SortFunc(all, func(a, b keyedShare) int { return a.key.Compare(b.key) })
	return all
}
