package settle

import (
	"encoding/binary"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// past is what is known of an item before a time: the changes of the last time
// before it, and the image before those. It tells where the walk over the
// changes of the time begins. Changes that come late correct it, but those that are
// older than all of its own.
type past struct {
	time    int64
	before  pipeline.Image
	changes []pipeline.Contender // the newest first, once sealed
	sealed  bool                 // no more changes of the time are taken
}

// maxPast is the number of changes that are kept of the last time before an item's
// newest. Of more than that only the image is, and those that come late play no part.
const maxPast = 16

func (p *past) known() bool { return len(p.changes) > 0 }

func (p *past) reset() { *p = past{changes: p.changes[:0]} }

func self(c *pipeline.Contender) *pipeline.Contender { return c }

// image returns the last image.
func (p *past) image() pipeline.Image {
	if !p.known() {
		return pipeline.Image{}
	}
	if !p.sealed {
		p.changes = pipeline.Newest(p.changes, self, p.before)
	}
	return pipeline.Image{Hash: p.changes[0].New, Known: true}
}

// leave makes the item, which a newer change has overtaken, the past.
func (p *past) leave(it *item) {
	p.before, p.time, p.sealed = p.image(), it.time, false
	p.changes = p.changes[:0]
	for i := range it.contenders {
		p.changes = append(p.changes, it.contenders[i].Contender)
	}
}

// add takes a change, unless it is older than those that are there.
func (p *past) add(c *pipeline.Contender) {
	switch {
	case !p.known() || c.Time > p.time:
		*p = past{time: c.Time, before: p.image(), changes: append(p.changes[:0], *c)}
	case c.Time < p.time || p.sealed:
	default:
		p.join(c)
	}
}

// join takes a change of the time. Of a single one, the state has kept the images
// only: it arrived before any that comes.
func (p *past) join(c *pipeline.Contender) {
	if first := &p.changes[0]; first.Ordinal == restored {
		first.Partition, first.Ordinal = c.Partition, 0
	}
	again := func(o pipeline.Contender) bool {
		return o.Event == 0 && o.Seq == "" && o.New == c.New && o.Old == c.Old && o.HasOld == c.HasOld
	}
	if !slices.ContainsFunc(p.changes, again) {
		p.changes, _ = pipeline.Contend(p.changes, self, *c)
	}
}

// bounded seals the past if there is more of it than is kept.
func (p *past) bounded() {
	if image := p.image(); len(p.changes) > maxPast {
		p.changes, p.sealed = append(p.changes[:0], pipeline.Contender{Version: pipeline.Version{Time: p.time, New: image.Hash}}), true
	}
}

// restored is the ordinal of a change of which the state has kept the images only.
const restored = -1

// Flags of the encoding of a past. That of a single change, the usual one, says which
// of its images need no bytes.
const (
	pastMany = 1 << iota
	pastSealed
	pastHasOld  // of the single change
	pastLoose   // its old image is not known, or there was none
	pastFollows // its new image is the old one of the item's newest change
	pastGone    // it has no new image
	pastBefore  // the image before is known
	pastBegins  // and is its old one
)

// append appends the encoding of the past of an item.
func (p *past) append(b []byte, it *item) []byte {
	p.bounded()
	at := len(b)
	b = binary.AppendUvarint(append(b, 0), uint64(it.time-p.time))
	c, w := &p.changes[0], &it.contenders[0]
	flags := byte(0)
	add := func(is bool, flag byte) {
		if is {
			flags |= flag
		}
	}
	add(p.sealed, pastSealed)
	add(p.before.Known, pastBefore)
	if len(p.changes) > 1 {
		b[at] = flags | pastMany
		if p.before.Known {
			b = binary.LittleEndian.AppendUint64(b, p.before.Hash)
		}
		b = binary.AppendUvarint(b, uint64(len(p.changes)))
		for i := range p.changes {
			b = packed.AppendContender(b, &p.changes[i])
		}
		return b
	}
	add(c.HasOld, pastHasOld)
	add(c.HasOld && c.Old == 0 || !c.HasOld && !c.Existed, pastLoose)
	add(w.HasOld && w.Old == c.New, pastFollows)
	add(c.New == 0, pastGone)
	add(p.before.Known && c.HasOld && p.before.Hash == c.Old, pastBegins)
	b[at] = flags
	if flags&(pastFollows|pastGone) == 0 {
		b = binary.LittleEndian.AppendUint64(b, c.New)
	}
	if flags&pastHasOld != 0 && flags&pastLoose == 0 {
		b = binary.LittleEndian.AppendUint64(b, c.Old)
	}
	if p.before.Known && flags&pastBegins == 0 {
		b = binary.LittleEndian.AppendUint64(b, p.before.Hash)
	}
	return b
}

// decode reads what append wrote.
func (p *past) decode(r *packed.Cursor, it *item) {
	flags := r.U8()
	has := func(flag byte) bool { return flags&flag != 0 }
	p.time = it.time - int64(r.Uvarint())
	p.sealed, p.before.Known = has(pastSealed), has(pastBefore)
	if has(pastMany) {
		if p.before.Known {
			p.before.Hash = r.U64()
		}
		for range r.Uvarint() {
			p.changes = append(p.changes, r.Contender(p.time))
		}
		return
	}
	var c pipeline.Contender
	c.Time, c.HasOld, c.Existed = p.time, has(pastHasOld), !has(pastHasOld) && !has(pastLoose)
	c.Ordinal = restored
	switch {
	case has(pastFollows):
		c.New = it.contenders[0].Old
	case !has(pastGone):
		c.New = r.U64()
	}
	if c.HasOld && !has(pastLoose) {
		c.Old = r.U64()
	}
	switch {
	case has(pastBegins):
		p.before.Hash = c.Old
	case p.before.Known:
		p.before.Hash = r.U64()
	}
	p.changes = append(p.changes, c)
}
