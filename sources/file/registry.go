package file

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/sources/file/listing"
)

// formerFile is what was read of a file that is gone, that has other content now, or that was
// not found yet since the start.
type formerFile struct {
	partition      string
	name           string // the path where it was found first, absolute
	stem           string // of the name, see mayBeCopy
	at             cursor
	goneSince      time.Time
	unreadBytes    int64 // bytes that it is known to have had behind what was read
	overwritten    bool  // its content is known to be gone: the file is another one now
	fromCheckpoint bool  // it was read by an earlier process
	// newestOfName says that it comes from the checkpoint, and was the last to have its name.
	newestOfName bool
	// unverified says that it comes from the checkpoint, and that another file was read
	// under its name before it was decided whether something of it is lost.
	unverified  bool
	lossDecided bool // it was decided whether something of it is lost
	// movedTo is its last path, if the file was renamed, and movedToSize its size there: a
	// program may go on writing to it.
	movedTo     string
	movedToSize int64
}

// isSameFile reports whether a followed file is the one that was read: by its identity, or by
// its name if the identity was not saved.
func (p *formerFile) isSameFile(t *followedFile) bool {
	return p.at.ID == t.id || !p.at.ID.known() && p.partition == t.path
}

// registry is what a follower knows of files that it has read and does not follow now (as the
// registry of Filebeat). It finds the one that a file continues, and decides what of the
// others is lost. It is owned by the goroutine of the follower.
type registry struct {
	now    func() time.Time
	notify func(pipeline.Notice)
	former []*formerFile // those that were read last are first
	// rotations are the rotations whose generations are still to be searched for.
	rotations []rotation
	// vacated are files that went while starlift did not run, by their names, which no other
	// file has had since.
	vacated map[string]*formerFile
	// dropped are the partitions whose cursors are dropped with the next records.
	dropped []string
}

// newRegistry returns a registry of the files of a checkpoint.
func newRegistry(cursors map[string][]byte, now func() time.Time, notify func(pipeline.Notice)) (*registry, error) {
	r := &registry{now: now, notify: notify, vacated: map[string]*formerFile{}}
	for partition, raw := range cursors {
		at, err := parseCursor(partition, raw)
		if err != nil {
			return nil, err
		}
		at.Path = cmp.Or(at.Path, partition)
		r.former = append(r.former, &formerFile{partition: partition, name: listing.Abs(at.Path), stem: stemOf(at.Path), at: *at, goneSince: now(), fromCheckpoint: true})
	}
	// If a file may continue two of them, it continues the one that was read later.
	slices.SortFunc(r.former, func(a, b *formerFile) int {
		return cmp.Or(cmp.Compare(b.at.Number, a.at.Number), cmp.Compare(a.partition, b.partition))
	})
	newer, names := map[fileID]bool{}, nameHistory{}
	for _, p := range r.former {
		p.newestOfName, p.unverified, p.unreadBytes = names.next(p.name, p.partition, &p.at)
		if !newer[p.at.ID] { // the loss of older content was reported when it was overwritten
			p.unreadBytes = max(p.unreadBytes, p.at.unreadBytes())
		}
		p.overwritten = p.unverified && newer[p.at.ID]
		newer[p.at.ID] = p.at.ID.known()
	}
	return r, nil
}

// add adds a file that is no longer followed, in front of the others.
func (r *registry) add(p *formerFile) { r.former = slices.Insert(r.former, 0, p) }

// remove removes a file that is followed again.
func (r *registry) remove(p *formerFile) {
	r.former = slices.DeleteFunc(r.former, func(o *formerFile) bool { return o == p })
}

// takeDropped returns the partitions to drop, each of them once.
func (r *registry) takeDropped() []string {
	dropped := r.dropped
	r.dropped = nil
	return dropped
}

// expire decides what is lost of files that no file has continued within gapAfter, and
// removes those that have been gone for forgetAfter.
func (r *registry) expire() {
	now := r.now()
	r.former = slices.DeleteFunc(r.former, func(p *formerFile) bool {
		gone := now.Sub(p.goneSince)
		if gone >= gapAfter && !p.lossDecided {
			p.lossDecided = true
			r.decideLoss(p)
		}
		if gone >= forgetAfter {
			r.dropped = append(r.dropped, p.partition)
			delete(r.vacated, p.name)
			return true
		}
		return false
	})
}

// decideLoss notifies of what is lost of a file that no other file continues: what it is known
// to have had behind what was read; and, if another file has its name now, what may have been
// written to it while starlift did not run. A file that was only removed, with all of it read,
// is no loss.
func (r *registry) decideLoss(p *formerFile) {
	_, err := os.Stat(p.name)
	switch {
	case p.unverified || p.newestOfName && err == nil:
		r.reportGone(p)
	case p.newestOfName && p.unreadBytes == 0:
		r.vacated[p.name] = p
	case p.unreadBytes > 0:
		r.notify(pipeline.Notice{Event: eventLost, Partition: p.at.Path, Position: p.at.text(), Lost: p.unreadBytes, Message: fmt.Sprintf(
			"%s: at least %d bytes behind line %d were not read: the file was truncated or removed too early", p.at.Path, p.unreadBytes, p.at.Line)})
	}
}

// nameTaken is called when a file is found under a name that no followed file had.
func (r *registry) nameTaken(path string) {
	name := listing.Abs(path)
	if p := r.vacated[name]; p != nil {
		delete(r.vacated, name)
		r.reportGone(p)
	}
}

// reportGone notifies of a file that was rotated while starlift did not run, and can't be found.
func (r *registry) reportGone(p *formerFile) {
	r.notify(pipeline.Notice{Event: eventLost, Partition: p.at.Path, Position: p.at.text(), Gap: true, Lost: p.unreadBytes, Message: p.at.goneText(p.at.Path, p.unreadBytes)})
	p.unreadBytes = 0
}

// unverified returns the Unverified of the cursor of a file with this name: those that had the
// name before, and of which it is not decided what is lost; nil = none.
func (r *registry) unverified(name string) map[string]int64 {
	var all map[string]int64
	add := func(partition string, unread int64) {
		if all == nil {
			all = map[string]int64{}
		}
		all[partition] = unread
	}
	name = listing.Abs(name)
	for _, p := range r.former {
		if !p.lossDecided && (p.newestOfName || p.unverified || p.unreadBytes > 0) && p.name == name {
			add(p.partition, p.unreadBytes)
		}
	}
	for _, o := range r.rotations {
		if !o.suspectSince.IsZero() && o.partition != "" && listing.Abs(o.name) == name {
			add(o.partition, 0)
		}
	}
	return all
}

// predecessor returns what was read before of a file, or of the one that it is a copy of; nil
// = nothing was.
func (r *registry) predecessor(t *followedFile, s *fingerprint) (p *formerFile, isCopy bool, err error) {
	for _, p := range r.former {
		if !p.isSameFile(t) || p.overwritten || !s.compressed && s.size < p.at.Offset {
			continue
		}
		if ok, err := p.at.matchesFingerprint(s); ok || err != nil {
			return p, false, err
		}
	}
	if t.onlyIfKnown {
		return nil, false, nil
	}
	for _, p := range r.former {
		replaces := p.at.Path == t.path && !p.overwritten && p.unreadBytes == 0 && s.mayBeginWith(&p.at)
		if p.isSameFile(t) || !replaces && !mayBeCopy(t.path, p.at.Path, p.stem) {
			continue
		}
		if ok, err := p.at.matchesFingerprint(s); ok || err != nil {
			return p, true, err
		}
	}
	return nil, false, nil
}

// isRead reports whether a generation was read as it is, and notes where it is now.
func (r *registry) isRead(g *generation) bool {
	for _, p := range r.former {
		if p.at.statUnchanged(g.info) && p.at.unreadBytes() == 0 {
			p.movedTo, p.movedToSize = g.path, g.info.Size()
			return true
		}
	}
	return false
}

// reportOverwritten notifies of a file whose content is not what it was when starlift ran last,
// and lets that content be searched for in its copies. It reports whether there is one.
func (r *registry) reportOverwritten(t *followedFile) bool {
	for _, p := range r.former {
		if p.fromCheckpoint && p.newestOfName && p.at.ID == t.id && p.at.Path == t.name {
			p.fromCheckpoint, p.overwritten = false, true
			r.notify(pipeline.Notice{Event: eventTruncated, Message: t.path +
				": the file was truncated, written over or replaced since it was read; it is read from its start"})
			r.rotations = append(r.rotations, rotationOfContent(p))
			return true
		}
	}
	return false
}

// searchCopies lets what was read of a rotated file that has other content now be searched for
// among its copies. It reports whether anything was read of it.
func (r *registry) searchCopies(t *followedFile) (some bool) {
	for _, p := range r.former {
		if p.isSameFile(t) {
			p.overwritten, some = true, true
			r.rotations = append(r.rotations, rotationOfContent(p))
		}
	}
	return some
}

// awaitsSearch reports whether the generations of a file are still to be searched for.
func (r *registry) awaitsSearch(t *followedFile) bool {
	return slices.ContainsFunc(r.rotations, func(o rotation) bool { return o.name == t.path && o.suspectSince.IsZero() })
}

// rotationOf returns the rotation of a file that is followed, or, if it is not identified yet,
// of the former file with its identity.
func (r *registry) rotationOf(t *followedFile, name string) rotation {
	if t.partition == "" {
		for _, p := range r.former {
			if p.isSameFile(t) {
				return rotationOf(p)
			}
		}
	}
	o := rotation{name: name, stem: t.stem, id: t.id, lastChange: t.at.Mtime, at: t.checkpoint(), partition: t.partition}
	if o.unread = t.at.Records == 0; o.unread {
		o.lastChange = t.foundChanged
	}
	return o
}

// suspectHole notifies of a generation that is missing behind what was read, if it has been
// missing for gapAfter, which no rotation takes; else the next listing searches for it again.
func (r *registry) suspectHole(o rotation, origin, hole string) {
	now := r.now()
	if o.suspectSince.IsZero() {
		o.suspectSince = now
	}
	if now.Sub(o.suspectSince) >= gapAfter {
		r.notify(pipeline.Notice{Event: eventLost, Partition: o.at.Path, Position: o.at.text(), Gap: true, Message: o.at.holeText(origin, hole)})
		return
	}
	if !slices.ContainsFunc(r.rotations, func(q rotation) bool { return q.name == o.name && q.id == o.id }) {
		r.rotations = append(r.rotations, o)
	}
}

// nameHistory finds, among the cursors of files with one name, the file that had it last, and
// those before it of which it is not decided whether something is lost. It holds, by the name,
// the undecided ones of the cursors so far.
type nameHistory map[string]map[string]int64

// next is called with the cursors of a name, the newest first. unverified says that all cursors
// that were written since have the file as undecided: the first that does not was written
// after it was decided. unread is the number of bytes that the file is known to have had
// behind what was read.
func (h nameHistory) next(name, partition string, c *cursor) (newest, unverified bool, unread int64) {
	open, seen := h[name]
	if !seen {
		h[name] = c.Unverified
		return true, false, 0
	}
	unread, unverified = open[partition]
	// A plain file is only done when it was read without follow, to its end.
	unverified = unverified && (!c.Done || c.Compressed)
	if len(open) > 0 {
		h[name] = map[string]int64{}
	}
	for p, n := range open {
		if _, still := c.Unverified[p]; still || p == partition {
			h[name][p] = n
		}
	}
	return false, unverified, unread
}
