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
	pipeline.Candidate
	removal pipeline.Removal
	rows    []packedRow // sorted by key; none = the change yields no row of the table
	// dropped are the keys, sorted, of rows that the change yields and transforms
	// behind the table left out. They are known of first rows only.
	dropped []pipeline.Hash
	was     pipeline.Image // the item before the changes of its time
	gap     bool           // the changes right before those are not stored: only was is known
	ended   int64          // with a gap: the time of the last change that is not stored
}

func entryCandidate(e *historyEntry) *pipeline.Candidate { return &e.Candidate }

// row returns the packed row of a key; nil = the change does not yield it.
func (e *historyEntry) row(key pipeline.Hash) []byte {
	i, ok := slices.BinarySearchFunc(e.rows, key, func(r packedRow, k pipeline.Hash) int { return r.key.Compare(k) })
	if !ok {
		return nil
	}
	return e.rows[i].row
}

// yields reports whether the change yields a row of the key, left out or not.
func (e *historyEntry) yields(key pipeline.Hash) bool {
	if e.row(key) != nil {
		return true
	}
	_, ok := slices.BinarySearchFunc(e.dropped, key, pipeline.Hash.Compare)
	return ok
}

// history is what a policy keeps of an item: those of its changes that can still
// be seen in rows, or would be if another one came late. The newest is first.
type history struct {
	key     []byte // of the item
	table   uint16 // of LogicalTables
	several bool   // as common.severalInputs; not stored
	entries []historyEntry
}

// Flags beside the number of an entry's rows.
const (
	entryGap = 1 << iota
	entryWas
)

func (h *history) append(b []byte) []byte {
	b = append(b, itemEntry)
	b = binary.AppendUvarint(packed.AppendBytes(b, h.key), uint64(h.table))
	b = binary.AppendUvarint(b, uint64(len(h.entries)))
	for i := range h.entries {
		e := &h.entries[i]
		b = binary.LittleEndian.AppendUint64(b, uint64(e.Time))
		b = append(packed.AppendCandidate(b, &e.Candidate), byte(e.removal))
		n := uint64(len(e.rows)) << 2
		if e.gap {
			n |= entryGap
		}
		if e.gap && e.was.Known {
			n |= entryWas
		}
		if b = binary.AppendUvarint(b, n); e.gap {
			b = binary.AppendUvarint(b, uint64(e.Time-e.ended))
		}
		if n&entryWas != 0 {
			b = binary.LittleEndian.AppendUint64(b, e.was.Hash)
		}
		for _, r := range e.rows {
			b = packed.AppendBytes(packed.AppendHash(b, r.key), r.row)
		}
		b = binary.AppendUvarint(b, uint64(len(e.dropped)))
		for _, k := range e.dropped {
			b = packed.AppendHash(b, k)
		}
	}
	return b
}

// decodeHistory reads what append wrote; the result shares b.
func decodeHistory(b []byte) history {
	c := packed.Cursor{B: b[1:]}
	h := history{key: c.Bytes(), table: uint16(c.Uvarint()), entries: make([]historyEntry, c.Uvarint())}
	for i := range h.entries {
		e := &h.entries[i]
		e.Candidate = c.Candidate(int64(c.U64()))
		e.removal = pipeline.Removal(c.U8())
		n := c.Uvarint()
		if e.gap = n&entryGap != 0; e.gap {
			e.ended = e.Time - int64(c.Uvarint())
		}
		if n&entryWas != 0 {
			e.was = pipeline.Image{Hash: c.U64(), Known: true}
		}
		if n >>= 2; n > 0 {
			e.rows = make([]packedRow, n)
		}
		for k := range e.rows {
			e.rows[k] = packedRow{key: c.Hash(), row: c.Bytes()}
		}
		for range c.Uvarint() {
			e.dropped = append(e.dropped, c.Hash())
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
	h.lowerGaps()
	before := pipeline.Image{Inputs: h.several}
	for to := len(h.entries); to > 0; {
		from := to - 1
		for from > 0 && h.entries[from-1].Time == h.entries[from].Time {
			from--
		}
		group := h.entries[from:to]
		if i := slices.IndexFunc(group, func(e historyEntry) bool { return e.gap }); i >= 0 {
			before = group[i].was
			before.Inputs = h.several
		}
		for i := range group {
			group[i].was = before
		}
		if len(group) > 1 {
			pipeline.Sort(group, entryCandidate, before)
		}
		before = pipeline.After(group, entryCandidate, before)
		to = from
	}
}

// lowerGaps moves gaps to changes that have come late, between those that are kept
// and those that are not.
func (h *history) lowerGaps() {
	for i := range h.entries {
		e := &h.entries[i]
		if !e.gap {
			continue
		}
		next := h.groupEnd(i)
		if next == len(h.entries) || h.entries[next].Time <= e.ended {
			continue
		}
		if late := &h.entries[next]; !late.gap || late.ended < e.ended {
			late.gap, late.was, late.ended = true, e.was, e.ended
		}
		e.gap = false
	}
}

// contested reports whether another change of their time may change the order of
// some. It does not where all are told without images, and no others come: then it only comes between them.
func (h *history) contested(group []historyEntry) bool {
	one := &group[0]
	return h.several && !one.ByArrival || slices.ContainsFunc(group, func(e historyEntry) bool {
		return !e.Imageless() || e.ByArrival != one.ByArrival || e.ByArrival && e.Partition != one.Partition
	})
}

// groupEnd returns the end of the entries that have the time of entry i.
func (h *history) groupEnd(i int) int {
	end := i + 1
	for end < len(h.entries) && h.entries[end].Time == h.entries[i].Time {
		end++
	}
	return end
}

// historyChangesMax is the number of an item's newest changes among which it is told
// when a row was deleted, the last values of rows that are gone are found, and the
// first row is found after a removal that comes late. What a change says of such
// rows that comes later than so many newer ones of its item may depend on when it
// comes. To first rows, only changes count that bring or remove some.
const historyChangesMax = 32

// contestedChangesMax is that of the changes of one time that are stored whole where several inputs may bring others
// of that time, which change their order: more than they bring of an item in a second.
const contestedChangesMax = 512

// detail says what is stored of a change.
type detail uint8

const (
	detailNone detail = iota
	// detailVersion is its version, and which rows it yields, but not what is in them. It may
	// turn out to be the one that took a row away, or that hides older values of one
	// that is gone, or tell where the order of others begins.
	detailVersion
	detailFull
)

// prune drops the changes that cannot be seen any more, however late others
// come.
func (h *history) prune(rules *policyRules) {
	details := make([]detail, len(h.entries))
	h.markFull(details, 0)
	h.eachKey(rules, historyChangesMax, func(at int, key pipeline.Hash) {
		h.markFull(details, at)
		h.walk(rules, at, key, func(i int) { h.markFull(details, i) })
	})
	switch {
	case rules.first:
		h.markFirst(rules, details)
	case rules.keepsDeleted:
		for i := range details[:min(len(details), historyChangesMax)] {
			details[i] = max(details[i], detailVersion)
		}
	}
	h.markPredecessors(details)
	left := h.entries[:0]
	for i, e := range h.entries {
		if details[i] == detailNone {
			if last := &left[len(left)-1]; last.Time > e.Time && (!last.gap || last.ended < e.Time) {
				last.gap, last.ended = true, e.Time
			}
			continue
		}
		if details[i] == detailVersion {
			e.strip(rules)
		}
		left = append(left, e)
	}
	h.entries = left
}

// strip takes what is in the rows out; of first rows, which one might become
// without it, all of them.
func (e *historyEntry) strip(rules *policyRules) {
	if rules.first {
		e.rows, e.dropped = nil, nil
	}
	for k := range e.rows {
		e.rows[k].row = []byte{}
	}
}

// markFirst keeps the newest changes, one of which gives the first row if a removal
// before it comes late, and the last removal: what was before it is over.
func (h *history) markFirst(rules *policyRules, details []detail) {
	n := 0
	for i := range h.entries {
		removes := h.ends(rules, i)
		if h.matters(rules, i) {
			if n < historyChangesMax || removes {
				h.markFull(details, i)
			}
			n++
		}
		if removes && (!rules.keepsDeleted || n >= historyChangesMax) {
			return
		}
	}
}

// markPredecessors keeps what tells where the order of others begins that are kept: of
// the changes of the newest time, and of any of which there are several.
func (h *history) markPredecessors(details []detail) {
	for from := 0; from < len(h.entries); {
		to := h.groupEnd(from)
		if to < len(h.entries) && details[from] != detailNone && (from == 0 || to-from > 1 || len(h.entries[from].was.Others) > 0) && h.contested(h.entries[from:to]) {
			for i := to; i < h.groupEnd(to); i++ {
				details[i] = max(details[i], detailVersion)
			}
		}
		from = to
	}
}

// markFull marks entry i, with those of its time: a later one may change their
// order, or be one of them that is delivered again.
func (h *history) markFull(details []detail, i int) {
	details[i] = detailFull
	from := i
	for from > 0 && h.entries[from-1].Time == h.entries[i].Time {
		from--
	}
	group := h.entries[from:h.groupEnd(i)]
	if !h.contested(group) {
		return
	}
	for k := range group {
		if k < historyChangesMax || h.several && k < contestedChangesMax {
			details[from+k] = detailFull
		}
		details[from+k] = max(details[from+k], detailVersion)
	}
}
