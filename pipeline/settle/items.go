package settle

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/exchange"
	"github.com/starlift-etl/starlift/pipeline/overflow"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// itemPhase finds the newest change of each item of a part, of the state and the epoch, and
// what that does to row keys. It rejects changes that come too late.
type itemPhase struct {
	*common
	long     overflow.Values
	policies []policyItems
	out      *exchange.Sender // to row keys
	part     *epochPart

	// scratch
	hashes    []pipeline.Hash // of the items
	ends      []int           // of the changes of each, in the messages
	values    [][]byte
	members   []change // of one item
	encoded   []byte
	rows      []packedRow
	item      item
	older     []pipeline.Candidate
	readAhead int // what prefetch has read; the compiler leaves out reads whose result is not used
}

func newItemPhase(c *common) itemPhase {
	p := itemPhase{common: c, long: c.values(c.state.Items)}
	p.item.past.inputs = c.severalInputs
	for _, policy := range c.policies {
		p.policies = append(p.policies, newPolicyItems(policy))
	}
	return p
}

// prefetchItems is the number of items whose changes are prefetched at once.
const prefetchItems = 32

// run settles the items of a part, by last-writer-wins first and then by each policy, since
// the policies have to know which changes came too late.
func (p *itemPhase) run(messages []pipeline.Message) error {
	if len(messages) == 0 {
		return nil
	}
	p.hashes, p.ends = groups(messages, p.hashes, p.ends)
	p.values = slices.Grow(p.values[:0], len(p.hashes))[:len(p.hashes)]
	if err := p.state.Items.Lookup(p.hashes, p.values); err != nil {
		return err
	}
	for i := range p.policies {
		if err := p.policies[i].lookup(p.hashes); err != nil {
			return err
		}
	}
	from := 0
	for g, end := range p.ends {
		if g%prefetchItems == 0 {
			last := min(g+prefetchItems, len(p.ends))
			p.prefetch(messages[from:p.ends[last-1]])
			p.state.Items.Prefetch(p.hashes[g:last])
		}
		p.decode(messages[from:end])
		if err := p.settle(p.values[g]); err != nil {
			return err
		}
		for i := range p.policies {
			if err := p.policies[i].settle(p.members, g); err != nil {
				return err
			}
		}
		from = end
	}
	return nil
}

// groups returns the hashes that sorted messages are sent to, and where those to each end.
func groups(messages []pipeline.Message, hashes []pipeline.Hash, ends []int) ([]pipeline.Hash, []int) {
	hashes, ends = hashes[:0], ends[:0]
	for i := range messages {
		if n := len(hashes); n > 0 && hashes[n-1] == messages[i].To {
			ends[n-1]++
			continue
		}
		hashes, ends = append(hashes, messages[i].To), append(ends, i+1)
	}
	return hashes, ends
}

// decode reads the changes of one item.
func (p *itemPhase) decode(messages []pipeline.Message) {
	p.members = slices.Grow(p.members[:0], len(messages))[:len(messages)]
	for i := range messages {
		p.members[i].decode(messages[i])
		if len(p.members[i].rows) == 0 {
			p.part.deletions[0]++
		}
	}
}

// cacheLineBytes is the number of bytes that processors read at once.
const cacheLineBytes = 64

// prefetch reads the messages of some items in one go, so that the waits for the memory
// overlap.
func (p *itemPhase) prefetch(messages []pipeline.Message) {
	n := 0
	for i := range messages {
		body := messages[i].Body
		for at := 0; at < len(body); at += cacheLineBytes {
			n += int(body[at])
		}
	}
	p.readAhead += n
}

// settle finds the newest change of an item, of its state and the epoch, and sends what
// that does to row keys.
func (p *itemPhase) settle(entry []byte) error {
	p.rows = p.rows[:0]
	it := &p.item
	known := entry != nil
	value, err := p.long.Whole(p.members[0].item, entry)
	if err != nil {
		return err
	}
	if known {
		it.decode(value, &p.rows)
		known = !p.expired(it)
	}
	if !known {
		it.candidates = it.candidates[:0]
		it.past.reset()
		if tooLate(p.members) {
			p.part.rejectAll(p.members)
			return nil
		}
	}
	return p.findNewest(entry, value, known)
}

// expired reports whether the state is a tombstone from before the time for
// which they are kept.
func (p *itemPhase) expired(it *item) bool {
	return it.tombstone() && p.tables.forgotten(it.table, it.time)
}

// tooLate reports whether all changes of an item without state are late. If one is in time, none
// is rejected: had the epoch ended after that one, the item would have a state.
func tooLate(members []change) bool {
	for i := range members {
		if !members[i].late {
			return false
		}
	}
	return true
}

// findNewest finds the item's newest change, among the epoch's changes of the newest time
// and the state's candidates if they are of that time. Older changes go into the item's
// past. It fails if a full export shows that the changes are of several items.
func (p *itemPhase) findNewest(entry, value []byte, known bool) error {
	it := &p.item
	at, older := p.newestTime(known)
	var old []packedRow
	var won pipeline.Version
	if known {
		old, won = it.candidates[0].rows, it.candidates[0].Version
	}
	was := it.time
	moved := older && p.addToPast(at, known)
	if known && it.time < at {
		if !older {
			it.past.push(it)
		}
		it.candidates = it.candidates[:0]
	}
	for i := range p.members {
		if p.members[i].version.Time == at {
			moved = p.addCandidate(int32(i)) || moved
		}
	}
	if !moved {
		return nil // duplicates, and what is too old to matter
	}
	last := &p.members[len(p.members)-1]
	before := pipeline.Image{}
	if len(it.candidates) > 1 {
		if err := p.contradiction(last.key); err != nil {
			return err
		}
		before = it.past.image()
	}
	it.candidates = pipeline.Newest(it.candidates, candidateOf, before)
	it.time, it.key, it.table = at, last.key, last.table
	winner := &it.candidates[0]
	if winner.ByArrival || winner.Imageless() && !p.severalInputs {
		it.past.reset() // nobody asks for the image before
	}
	p.part.tombstones = p.part.tombstones || it.tombstone()
	p.encoded = it.append(p.encoded[:0])
	if bytes.Equal(p.encoded, value) {
		return nil
	}
	if err := p.long.Put(last.item, entry, p.encoded); err != nil {
		return err
	}
	if !known || !winner.Same(&won) {
		p.sendKeyChanges(was, old)
	}
	return nil
}

// contradiction is the error about candidates that can't be of one item.
func (p *itemPhase) contradiction(key []byte) error {
	var one *candidate
	for i := range p.item.candidates {
		c := &p.item.candidates[i]
		if one != nil && c.Contradicts(&one.Version) {
			return fmt.Errorf("node %s: a full export has two items with different content that are one by the source's key: %s. "+
				"Set `key:` of the source to all attributes of the table's key; what was written by the wrong one before has to begin anew: starlift reset FILE",
				p.node, p.showKey(key))
		}
		if c.Snapshot {
			one = c
		}
	}
	return nil
}

// newestTime returns that of the item, and whether a change of the epoch is older.
func (p *itemPhase) newestTime(known bool) (at int64, older bool) {
	at = p.members[0].version.Time
	for i := range p.members[1:] {
		t := p.members[1+i].version.Time
		older = older || t != at
		at = max(at, t)
	}
	if known && p.item.time > at {
		return p.item.time, true
	}
	return at, older
}

// addToPast takes changes that are older than the newest into the item's past, and
// reports whether any of them may have changed it.
func (p *itemPhase) addToPast(at int64, known bool) bool {
	it := &p.item
	p.older = p.older[:0]
	for i := range p.members {
		if v := &p.members[i].version; v.Time < at && v.Time >= it.past.since() {
			p.older = append(p.older, pipeline.Candidate{Version: *v})
		}
	}
	if known && it.time < at {
		for i := range it.candidates {
			p.older = append(p.older, it.candidates[i].Candidate)
		}
	}
	slices.SortStableFunc(p.older, func(a, b pipeline.Candidate) int { return cmp.Compare(a.Time, b.Time) })
	older := p.older
	if !it.past.inputs {
		older = older[pastStart(older):]
	}
	if len(older) < len(p.older) && it.past.known() && it.past.instants[0].time < older[0].Time {
		it.past.reset()
	}
	if it.past.known() {
		older = p.older
	}
	for i := range older {
		it.past.add(&older[i])
	}
	return len(older) > 0
}

// pastStart returns the index of the oldest change that the past needs, of changes that are
// sorted by time: the last but one of those that are the only change of their time and follow
// from what was before.
func pastStart(older []pipeline.Candidate) int {
	alone := 0
	for i := len(older) - 1; i >= 0; i-- {
		if (i == 0 || older[i-1].Time < older[i].Time) && (i == len(older)-1 || older[i+1].Time > older[i].Time) {
			if !follows(older, i) {
				continue
			}
			if alone++; alone == 2 {
				return i
			}
		}
	}
	return 0
}

// follows reports whether a change that is the only one of its time may follow from those of the
// time before. If not, some between them are missing, and may come late.
func follows(older []pipeline.Candidate, i int) bool {
	if i == 0 || !older[i].HasOld {
		return true
	}
	for k := i - 1; k >= 0 && older[k].Time == older[i-1].Time; k-- {
		if older[k].New == older[i].Old {
			return true
		}
	}
	return false
}

// addCandidate adds one of the changes, and reports whether that moved anything.
func (p *itemPhase) addCandidate(order int32) (moved bool) {
	from := len(p.rows)
	p.rows = readRows(p.rows, p.members[order].rows)
	n := candidate{
		Candidate: pipeline.Candidate{Version: p.members[order].version}, order: order, rows: p.rows[from:len(p.rows):len(p.rows)],
	}
	p.item.candidates, moved = pipeline.AddCandidate(p.item.candidates, candidateOf, n)
	if !moved {
		p.rows = p.rows[:from]
	}
	return moved
}

// sendKeyChanges compares the rows of the item's new image with those of its old one, which
// had the time was; both are sorted by key.
func (p *itemPhase) sendKeyChanges(was int64, old []packedRow) {
	w := &p.item.candidates[0]
	last := p.members[len(p.members)-1]
	ordinal := last.ordinal // where a candidate of the state won because of a change of this epoch
	if w.order >= 0 {
		ordinal = p.members[w.order].ordinal
	}
	send := func(r packedRow, before []byte, remove bool) {
		p.encoded = appendKeyChange(p.encoded[:0], ordinal, last.item, r.table, r.row, before, remove)
		if before != nil {
			p.encoded = binary.LittleEndian.AppendUint64(p.encoded, uint64(was))
		}
		p.encoded = appendCause(packed.AppendBytes(p.encoded, p.item.key), &w.Version)
		p.out.Send(r.key, p.encoded)
	}
	for _, r := range w.rows {
		for len(old) > 0 && old[0].key.Less(r.key) {
			send(old[0], old[0].row, true)
			old = old[1:]
		}
		var before []byte
		if len(old) > 0 && old[0].key == r.key {
			before = old[0].row
			old = old[1:]
		}
		send(r, before, false)
	}
	for _, r := range old {
		send(r, r.row, true)
	}
}
