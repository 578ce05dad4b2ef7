package star

import (
	"encoding/binary"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/exchange"
	"github.com/starlift-etl/starlift/pipeline/overflow"
	"github.com/starlift-etl/starlift/pipeline/packed"
	"github.com/starlift-etl/starlift/pipeline/reuse"
	"github.com/starlift-etl/starlift/transforms/internal/expression"
)

// part is what one goroutine works on in each phase of an epoch: a range of key groups with
// what the epoch has of their members, tracked rows, rows of lookup tables and facts. Its
// memory is used again by the part of that number in the next epoch.
type part struct {
	groups  pipeline.KeyGroupRange
	log     logPart
	members memberPart
	tracked trackedPart
	lookups lookupPart
	facts   factPart
	out     output

	values [][]byte
}

func newPart(o *operator) *part {
	s, p := o.star, &part{}
	members := o.options.Keyspaces[membersSpace]
	long := overflow.Values{State: members, InlineBytes: overflow.DefaultInlineBytes}
	p.members = memberPart{star: s, state: members, long: long, added: make([]int64, len(s.dimensions)), inferred: make([]int64, len(s.dimensions))}
	p.tracked = trackedPart{star: s, state: members, long: long, seeds: o.options.KeySeeds}
	p.lookups = lookupPart{state: o.options.Keyspaces[rowsSpace], backlog: o.backlog}
	p.facts = factPart{state: o.options.Keyspaces[factsSpace], facts: s.byNumber(), seeds: o.options.KeySeeds, expressions: map[*measure]*expression.Expression{}}
	p.out = output{builders: map[*pipeline.Table]*builder{}, unknownRefs: make([]int64, len(s.dimensions))}
	return p
}

// begin makes the part one of some key groups.
func (p *part) begin(groups pipeline.KeyGroupRange, cacheSlotsMax int) {
	p.groups, p.facts.group, p.facts.keyCache.max = groups, groups.First, cacheSlotsMax
}

// setScratch gives the part what the goroutine needs that runs a phase on it; nil = the phase is over.
func (p *part) setScratch(w *scratch) {
	p.log.work, p.members.work, p.tracked.work, p.lookups.work, p.facts.work = w, w, w, w, w
}

// inbox returns the memory in which the goroutine that runs a phase receives messages.
func (p *part) inbox() *exchange.Inbox { return &p.members.work.inbox }

// to returns what the goroutine that runs a phase sends messages by.
func (p *part) to(x *exchange.Exchange) func(to pipeline.Hash, body []byte) {
	w := p.members.work
	return x.Sender(w.sender, &w.messages).Send
}

// free lets the goroutine that runs a phase send in the memory of the messages that the part has
// received, of which nothing may be used any more.
func (p *part) free(x *exchange.Exchange, part int) { x.Free(part, &p.members.work.messages) }

// reset ends the epoch: nothing of it is kept but memory, and not much more of that than
// it took.
func (p *part) reset() {
	m := &p.members
	m.changes, m.encoded, m.pages, m.requests = truncated(m.changes), truncated(m.encoded), emptied(m.pages), truncated(m.requests)
	clear(m.added)
	clear(m.inferred)
	t := &p.tracked
	t.index.Clear()
	t.entries, t.changes, t.ends, t.updates = emptied(t.entries), emptied(t.changes), emptied(t.ends), emptied(t.updates)
	l := &p.lookups
	l.index.Clear()
	l.entries, l.loaded, l.changes = emptied(l.entries), 0, emptied(l.changes)
	l.dirty, l.picked = emptied(l.dirty), emptied(l.picked)
	f := &p.facts
	f.entries, f.lookups, f.members = emptied(f.entries), truncated(f.lookups), truncated(f.members)
	f.counted, f.rows, f.wanted = truncated(f.counted), emptied(f.rows), truncated(f.wanted)
	f.versions.reset()
	f.deferred = 0
	f.keyCache.endEpoch()
	clear(p.out.unknownRefs)
}

// usualElements is the number of elements whose memory a part always keeps.
const usualElements = 1 << 10

// emptied returns a slice for the next epoch: the memory of this one, unless it has much more
// than this one needed.
func emptied[T any](s []T) []T {
	clear(s)
	return truncated(s)
}

// truncated is emptied for elements without pointers: nothing is kept alive by them.
func truncated[T any](s []T) []T {
	if cap(s) > 4*max(len(s), usualElements) {
		return nil
	}
	return s[:0]
}

// resized returns a slice of n elements, whatever they are, in the memory of another.
func resized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/4)
	}
	return s[:n]
}

// copier copies what is to stay until the epoch ends.
type copier struct {
	arena    reuse.Arena
	selected [][]byte
	scratch  []byte
}

func (c *copier) copy(b []byte) []byte { return c.arena.Copy(b) }

// project packs the projection's columns of a row with these values.
func (c *copier) project(p *projection, at []int, values [][]byte) []byte {
	c.selected = c.selected[:0]
	for _, column := range p.columns {
		if column < 0 {
			c.selected = append(c.selected, nil)
			continue
		}
		c.selected = append(c.selected, values[at[column]])
	}
	c.scratch = packed.JoinRow(c.scratch[:0], c.selected)
	return c.copy(c.scratch)
}

// keyBytes returns a surrogate key as an answer has it, in memory that the next one uses again.
func (p *memberPart) keyBytes(key int64) []byte {
	b := p.work.key[:]
	binary.LittleEndian.PutUint64(b, uint64(key))
	return b
}

// slab gives small slices out of a large one, which is used again.
type slab[T any] struct {
	all  []T
	used int
}

const slabElements = 256

// take returns a slice of n elements, all zero; appending to it moves it.
func (s *slab[T]) take(n int) []T {
	if s.used+n > len(s.all) {
		s.all, s.used = make([]T, max(slabElements, n, 2*len(s.all))), 0
	}
	s.used += n
	return s.all[s.used-n : s.used : s.used]
}

// reset takes all slices back.
func (s *slab[T]) reset() {
	if len(s.all) > 4*max(s.used, usualElements) {
		s.all = nil
	}
	clear(s.all[:min(s.used, len(s.all))])
	s.used = 0
}
