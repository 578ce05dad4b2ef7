package settle

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// past is what is known of an item before a time: the changes of the last times before it,
// and the image before those. The walk over the changes of the time begins at its last
// image. Changes that come late correct it, unless they are as old as what it has forgotten.
// The image after a single change does not depend on what was before, so the past goes back
// to the last time that has a single change, if nothing is missing before that (see certain).
type past struct {
	instants []instant // the newest first
	before   pipeline.Image
	inputs   bool                  // as Image.Inputs
	ended    int64                 // the time of the last change that is forgotten, after which before is the image
	room     [1]pipeline.Candidate // of the usual single change
}

// instant is the changes of one time.
type instant struct {
	time    int64
	changes []pipeline.Candidate
	sealed  bool // no more changes of the time are taken
}

const (
	// pastInstantsMax is the number of times that a past goes back at most.
	pastInstantsMax = 4
	// instantChangesMax is the number of changes that are kept of one. Of more than that only
	// the image is, and those that come late play no part.
	instantChangesMax = 16
	// inputsChangesMax is that where there are several inputs: more than they bring of an item in a second.
	inputsChangesMax = 128
)

func (p *past) known() bool { return len(p.instants) > 0 }

func (p *past) reset() { p.instants, p.before, p.ended = p.instants[:0], pipeline.Image{}, 0 }

// since returns the time of the oldest changes that matter.
func (p *past) since() int64 {
	if !p.known() || !p.before.Known {
		return math.MinInt64
	}
	return p.ended + 1
}

func self(c *pipeline.Candidate) *pipeline.Candidate { return c }

// image returns the last image.
func (p *past) image() pipeline.Image { return p.after(0) }

// after returns the image after an instant.
func (p *past) after(i int) pipeline.Image {
	image := p.before
	image.Inputs = p.inputs
	for at := len(p.instants) - 1; at >= i; at-- {
		image = pipeline.After(p.instants[at].changes, self, image)
	}
	return image
}

// push makes the item, which a newer change has overtaken, the newest instant.
func (p *past) push(it *item) {
	single := len(it.candidates) == 1
	var image pipeline.Image
	if single && len(p.instants) == 1 && len(p.instants[0].changes) == 1 {
		image = p.image()
	}
	if single && (!p.known() || image.Known && p.certain(image, &it.candidates[0].Candidate)) { // as usual
		if p.known() {
			p.before, p.ended = image, p.instants[0].time
		}
		p.room[0] = it.candidates[0].Candidate
		p.instants = append(p.instants[:0], instant{time: it.time, changes: p.room[:1:1]})
		return
	}
	m := p.insert(0, it.time)
	for i := range it.candidates {
		m.changes = append(m.changes, it.candidates[i].Candidate)
	}
	p.forgetBefore(pastInstantsMax - 1)
}

// add takes a change, unless it is one of those, or older, that are forgotten.
func (p *past) add(c *pipeline.Candidate) {
	i := slices.IndexFunc(p.instants, func(m instant) bool { return m.time <= c.Time })
	switch {
	case i < 0 && p.before.Known && c.Time <= p.ended:
		return
	case i < 0:
		i = len(p.instants)
		p.insert(i, c.Time)
	case p.instants[i].time < c.Time:
		p.insert(i, c.Time)
	}
	p.instants[i].add(c)
	p.forgetBefore(pastInstantsMax - 1)
}

// insert makes an instant.
func (p *past) insert(i int, time int64) *instant {
	p.instants = slices.Insert(p.instants, i, instant{time: time})
	return &p.instants[i]
}

// forgetBefore forgets what was before an instant.
func (p *past) forgetBefore(i int) {
	if i < len(p.instants)-1 {
		p.before, p.ended = p.after(i+1), p.instants[i+1].time
		p.before.Others = nil
		clear(p.instants[i+1:])
		p.instants = p.instants[:i+1]
	}
}

// certain reports whether the image before a single change is that which is found by the
// changes before. It is another where the change does not follow from it: some are missing, and
// may come late. Where several inputs bring changes, whose times are cut to the coarser one's,
// there are many of one time, and one input may bring the last of them before the other brings the
// first.
func (p *past) certain(image pipeline.Image, single *pipeline.Candidate) bool {
	return !p.inputs && len(image.Others) == 0 && (!single.HasOld || single.Old == image.Hash)
}

// trim forgets what was before a time with a single change, if the image before that change
// is certain: otherwise a change that comes late may make it matter again.
func (p *past) trim() {
	image := p.before
	image.Inputs = p.inputs
	for i := len(p.instants) - 1; i > 0; i-- {
		image = pipeline.After(p.instants[i].changes, self, image)
		if m := &p.instants[i-1]; len(m.changes) == 1 && p.certain(image, &m.changes[0]) {
			p.forgetBefore(i - 1)
		}
	}
}

// add adds a change of the time.
func (m *instant) add(c *pipeline.Candidate) {
	if !m.sealed {
		m.changes, _ = pipeline.AddCandidate(m.changes, self, *c)
	}
}

// seal leaves of very many changes their image only.
func (p *past) seal() {
	changesMax := instantChangesMax
	if p.inputs {
		changesMax = inputsChangesMax
	}
	for i := range p.instants {
		if m := &p.instants[i]; len(m.changes) > changesMax {
			image := p.after(i)
			*m = instant{time: m.time, sealed: true, changes: []pipeline.Candidate{{Version: pipeline.Version{Time: m.time, New: image.Hash}}}}
		}
	}
	p.trim()
}

// Flags of the encoding of a past. Most are of a single change.
const (
	pastMany = 1 << iota
	pastSealed
	pastBefore  // the image before is known
	pastBegins  // and is the old one of the change
	pastFollows // the new image of the change is the old one of the item's newest
)

// append appends the encoding of the past of an item.
func (p *past) append(b []byte, it *item) []byte {
	p.seal()
	at, flags := len(b), byte(0)
	b = append(b, 0)
	add := func(is bool, flag byte) {
		if is {
			flags |= flag
		}
	}
	add(p.before.Known, pastBefore)
	if len(p.instants) > 1 || len(p.instants[0].changes) > 1 {
		b[at] = flags | pastMany
		return p.appendMany(b, it.time)
	}
	b = binary.AppendUvarint(b, uint64(it.time-p.instants[0].time))
	c, newest := p.instants[0].changes[0], &it.candidates[0]
	add(p.instants[0].sealed, pastSealed)
	add(p.before.Known && c.HasOld && p.before.Hash == c.Old, pastBegins)
	if newest.HasOld && newest.Old == c.New {
		flags |= pastFollows
		c.New = 0
	}
	b[at] = flags
	b = packed.AppendCandidate(b, &c)
	if !p.before.Known {
		return b
	}
	if flags&pastBegins == 0 {
		b = binary.LittleEndian.AppendUint64(b, p.before.Hash)
	}
	return binary.AppendUvarint(b, uint64(c.Time-p.ended))
}

func (p *past) appendMany(b []byte, time int64) []byte {
	if p.before.Known {
		b = binary.LittleEndian.AppendUint64(b, p.before.Hash)
		b = binary.AppendUvarint(b, uint64(time-p.ended))
	}
	b = binary.AppendUvarint(b, uint64(len(p.instants)))
	for i := range p.instants {
		m := &p.instants[i]
		b = binary.AppendUvarint(b, uint64(time-m.time))
		time = m.time
		n := uint64(len(m.changes)) << 1
		if m.sealed {
			n++
		}
		b = binary.AppendUvarint(b, n)
		for k := range m.changes {
			b = packed.AppendCandidate(b, &m.changes[k])
		}
	}
	return b
}

// decode reads what append wrote.
func (p *past) decode(r *packed.Cursor, it *item) {
	flags := r.U8()
	has := func(flag byte) bool { return flags&flag != 0 }
	p.before.Known = has(pastBefore)
	if has(pastMany) {
		p.decodeMany(r, it.time)
		return
	}
	c := r.Candidate(it.time - int64(r.Uvarint()))
	if has(pastFollows) {
		c.New = it.candidates[0].Old
	}
	switch {
	case has(pastBegins):
		p.before.Hash = c.Old
	case p.before.Known:
		p.before.Hash = r.U64()
	}
	if p.before.Known {
		p.ended = c.Time - int64(r.Uvarint())
	}
	m := p.insert(0, c.Time)
	m.sealed, m.changes = has(pastSealed), append(p.room[:0], c)
}

func (p *past) decodeMany(r *packed.Cursor, time int64) {
	if p.before.Known {
		p.before.Hash, p.ended = r.U64(), time-int64(r.Uvarint())
	}
	for range r.Uvarint() {
		time -= int64(r.Uvarint())
		n := r.Uvarint()
		m := p.insert(len(p.instants), time)
		m.sealed = n&1 == 1
		for range n >> 1 {
			m.changes = append(m.changes, r.Candidate(time))
		}
	}
}
