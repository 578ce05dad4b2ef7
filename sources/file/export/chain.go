package export

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
)

// Span is a time without a hole, from Since on and before Until; zero = none.
type Span struct{ Since, Until time.Time }

// Entry is an export to read, and what has been read without a hole before it and
// once it is finished.
type Entry struct {
	*Export
	Before, After Span
}

// Plan is the exports to read, in order, and what to tell of them.
type Plan struct {
	Entries []Entry
	// LeftOut are exports that are not needed or come too late; why is in words.
	LeftOut []string
	// Notices are what users should know of the result.
	Notices []string
}

// chain is exports that follow each other without a hole.
type chain struct {
	span    Span
	full    bool // one of them is a full export
	read    bool // it holds the time that was read before
	exports []*Export
}

// Arrange puts the exports of one table in the order of time. read is what was
// read of the source before; begun reports whether an export has been read, in
// part or to its end. A hole before incremental exports is a pipeline.ErrGap,
// unless a later full export makes an end to it.
func Arrange(exports []*Export, read Span, begun func(*Export) bool) (*Plan, error) {
	if len(exports) == 1 && exports[0].From.IsZero() {
		return &Plan{Entries: []Entry{{Export: exports[0]}}}, nil
	}
	chains, err := chainsOf(exports, read)
	if err != nil {
		return nil, err
	}
	last := len(chains) - 1
	first := last
	if i := slices.IndexFunc(chains, func(c *chain) bool { return c.read }); i >= 0 {
		first = i
	}
	if !chains[last].full && !chains[last].read && last > 0 {
		return nil, gap(chains[last-1], chains[last])
	}
	p := &Plan{}
	if !chains[last].full && read == (Span{}) {
		p.Notices = append(p.Notices, fmt.Sprintf("there is no full export before %s: items that have not changed since %s are not known",
			chains[last].exports[0], text(chains[last].span.Since)))
	}
	var todo []*Export
	for i, c := range chains {
		needed := c.needed(read, begun)
		for _, e := range c.exports {
			switch {
			case i < first && !begun(e):
				p.LeftOut = append(p.LeftOut, fmt.Sprintf("%s: it ends at %s, and what is read begins at %s", e, text(e.To), text(chains[first].span.Since)))
			case i >= first && !needed(e):
				p.LeftOut = append(p.LeftOut, fmt.Sprintf("%s: the others have all changes from %s to %s without it, and what it has of items that were made and deleted "+
					"within one of them would stay", e, text(c.span.Since), text(c.span.Until)))
			default:
				todo = append(todo, e)
			}
		}
		if i > first {
			p.Notices = append(p.Notices, fmt.Sprintf("none of the exports has the changes from %s to %s: items that were deleted then stay, "+
				"unless another source has the deletions: copy the incremental exports of that time there, or begin anew with %s and a new state folder",
				text(chains[i-1].span.Until), text(c.span.Since), c.exports[0]))
		}
	}
	p.addOverlaps(todo, read, begun)
	p.addEntries(todo, Span{chains[first].span.Since, read.Until})
	return p, nil
}

// addEntries adds the exports in their order, each with the span that is read without a
// hole before and after it. An export without items is read as soon as the one before it.
func (p *Plan) addEntries(todo []*Export, reached Span) {
	for _, e := range todo {
		s := Entry{Export: e, Before: reached}
		if e.To.After(reached.Until) {
			reached.Until = e.To
		}
		s.After = reached
		p.Entries = append(p.Entries, s)
	}
	for i := len(p.Entries) - 2; i >= 0; i-- {
		if p.Entries[i+1].items() == 0 {
			p.Entries[i].After = p.Entries[i+1].After
		}
	}
}

// chainsOf sorts the exports by time and parts them at the holes. What was read
// before is like one more export.
func chainsOf(exports []*Export, read Span) ([]*chain, error) {
	sorted := slices.SortedFunc(slices.Values(exports), func(a, b *Export) int {
		return cmp.Or(a.From.Compare(b.From), compareBool(a.Incremental, b.Incremental), a.To.Compare(b.To), cmp.Compare(a.ID, b.ID))
	})
	var chains []*chain
	take := func(from, to time.Time) *chain {
		if n := len(chains); n == 0 || from.After(chains[n-1].span.Until) {
			chains = append(chains, &chain{span: Span{from, to}})
		}
		c := chains[len(chains)-1]
		if to.After(c.span.Until) {
			c.span.Until = to
		}
		return c
	}
	pending := read != Span{}
	for _, e := range sorted {
		if e.From.IsZero() {
			return nil, fmt.Errorf("%s: exportFromTime and exportToTime are missing, so its place among the other exports is not known", e)
		}
		if pending && !e.From.Before(read.Since) {
			take(read.Since, read.Until).read, pending = true, false
		}
		c := take(e.From, e.To)
		c.full = c.full || !e.Incremental
		c.exports = append(c.exports, e)
	}
	if pending {
		take(read.Since, read.Until).read = true
	}
	return chains, nil
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// gap is the error about the hole between two chains.
func gap(before, after *chain) error {
	return fmt.Errorf("%w: %s begins at %s, and what comes before it ends at %s: none of the exports has the changes of the time between. "+
		"Copy the incremental exports of that time there as well, or make a full export and begin with it and a new state folder",
		pipeline.ErrGap, after.exports[0], text(after.span.Since), text(before.span.Until))
}

// text writes a time as manifests do.
func text(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
