package file

import (
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
)

// rotation is a name that another file has now, or other content.
type rotation struct {
	name       string // the path
	stem       string // of the name
	id         fileID // of the file that had it; none = it has other content now
	lastChange int64  // when that was changed last, in ns, as far as is known
	at         cursor // of that
	partition  string // of that cursor; empty = it has none
	// suspectSince is when a number was found to be missing behind it first: names that are
	// shifted one after the other look so for a moment.
	suspectSince time.Time
}

func rotationOf(p *formerFile) rotation {
	return rotation{name: p.at.Path, stem: p.stem, id: p.at.ID, lastChange: p.at.Mtime, at: p.at, partition: p.partition}
}

// rewriteOf is rotationOf a file that has other content now: what was read of it can only
// be in a copy.
func rewriteOf(p *formerFile) rotation {
	r := rotationOf(p)
	r.id = fileID{}
	return r
}

// nameHistory find out of cursors which files had a name last, and of which of those before
// it is not decided yet whether something is lost. By the names, it holds what is open so far.
type nameHistory map[string]map[string]int64

// next takes the cursors of a name, the newest first. unverified says that those which were
// written since all leave it open what became of the file: the first that does not was
// written after it was decided. unread is what the file is known to have had besides.
func (s nameHistory) next(name, partition string, c *cursor) (newest, unverified bool, unread int64) {
	open, seen := s[name]
	if !seen {
		s[name] = c.Unverified
		return true, false, 0
	}
	unread, unverified = open[partition]
	// A plain file is only done when it was read without follow, to its end.
	unverified = unverified && (!c.Done || c.Compressed)
	if len(open) > 0 {
		s[name] = map[string]int64{}
	}
	for p, n := range open {
		if _, still := c.Unverified[p]; still || p == partition {
			s[name][p] = n
		}
	}
	return false, unverified, unread
}

// unverified returns what a cursor of a file with this name says of those that had the
// name before; nil = nothing is in doubt.
func (f *follower) unverified(name string) map[string]int64 {
	var all map[string]int64
	add := func(key string, unread int64) {
		if all == nil {
			all = map[string]int64{}
		}
		all[key] = unread
	}
	name = absolute(name)
	for _, p := range f.former {
		if !p.lossDecided && (p.newestOfName || p.unverified || p.unreadBytes > 0) && p.name == name {
			add(p.partition, p.unreadBytes)
		}
	}
	for _, r := range f.rotations {
		if !r.suspectSince.IsZero() && r.partition != "" && absolute(r.name) == name {
			add(r.partition, 0)
		}
	}
	return all
}

// rotationOf returns that of a file that is followed, or, if it is not known yet which
// it is, of what was read of it.
func (f *follower) rotationOf(t *followedFile, name string) rotation {
	if t.partition == "" {
		for _, p := range f.former {
			if p.isSameFile(t) {
				return rotationOf(p)
			}
		}
	}
	return rotation{name: name, stem: t.stem, id: t.id, lastChange: t.at.Mtime, at: t.checkpoint(), partition: t.partition}
}

// searchRotations looks for what came between each name's file that was read and the one that
// has it now, where that is to be found out, and again where it is in doubt.
func (f *follower) searchRotations(matched []*matchedFile) {
	rotations := f.rotations
	f.rotations = nil
	for _, r := range rotations {
		f.followGenerations(r, matched)
	}
}

// followGenerations follows the files that had a name after the one that was read, and before
// the one that has it now: they were rotated between two looks, or while nothing ran,
// to where the path need not match them. Copies of what was read are among them.
// Where one is known to be missing, it is told.
func (f *follower) followGenerations(r rotation, matched []*matchedFile) {
	all, err := generations(r.name)
	if err != nil {
		f.reportListErrors([]error{err})
		return
	}
	known := map[fileID]bool{}
	for _, t := range f.files {
		known[t.id] = true
	}
	for _, at := range matched {
		known[at.id] = true
	}
	var origin *generation
	if r.id.known() {
		if i := slices.IndexFunc(all, func(g *generation) bool { return g.id == r.id }); i >= 0 {
			origin = all[i]
		}
	}
	if origin != nil {
		if hole := holeBefore(r.name, origin, all); hole != "" {
			f.suspectHole(r, origin.path, hole)
		}
	}
	for _, g := range all {
		if known[g.id] || g.info.Size() == 0 || f.isRead(g) || !g.isNewerThan(origin, r.lastChange) {
			continue
		}
		t := &followedFile{name: r.name, stem: r.stem, path: g.path, id: g.id, moved: true, outsidePath: true, unseenGeneration: true, changedAt: f.now()}
		at := slices.IndexFunc(f.files, func(o *followedFile) bool { return o.path == r.name && o.partition == "" })
		if at < 0 {
			at = len(f.files)
		}
		f.files = slices.Insert(f.files, at, t)
		f.progress.update(t)
	}
}

// suspectHole tells of a missing number behind what was read, if it has been missing for so long
// that names can't be shifted just now; else it is looked for again with the next listing.
func (f *follower) suspectHole(r rotation, origin, hole string) {
	now := f.now()
	if r.suspectSince.IsZero() {
		r.suspectSince = now
	}
	if now.Sub(r.suspectSince) >= gapAfter {
		f.notify(pipeline.Notice{Event: eventLost, Gap: true, Message: r.at.holeText(origin, hole)})
		return
	}
	if !slices.ContainsFunc(f.rotations, func(o rotation) bool { return o.name == r.name && o.id == r.id }) {
		f.rotations = append(f.rotations, r)
	}
}

// isRead reports whether a generation was read as it is, and notes where it is now.
func (f *follower) isRead(g *generation) bool {
	for _, p := range f.former {
		if p.at.statUnchanged(g.info) && p.at.unreadBytes() == 0 {
			p.movedTo, p.movedToSize = g.path, g.info.Size()
			return true
		}
	}
	return false
}

// awaitsGenerations reports whether what was rotated before a file has to be read first.
func (f *follower) awaitsGenerations(t *followedFile) bool {
	return slices.ContainsFunc(f.files, func(o *followedFile) bool {
		return o.unseenGeneration && o.partition == "" && o != t && o.name == t.path && o.readError == "" && f.now().Sub(o.changedAt) < gapAfter
	})
}

// awaitsSearch reports whether it is still to be looked for what had the name of a file before.
func (f *follower) awaitsSearch(t *followedFile) bool {
	return slices.ContainsFunc(f.rotations, func(r rotation) bool { return r.name == t.path && r.suspectSince.IsZero() })
}

// reportOverwritten tells of a file whose content is not what it was when starlift ran last, and
// looks for that content in its copies. It reports whether there are some to look at.
func (f *follower) reportOverwritten(t *followedFile) bool {
	for _, p := range f.former {
		if p.fromCheckpoint && p.newestOfName && p.at.ID == t.id && p.at.Path == t.name {
			p.fromCheckpoint, p.overwritten = false, true
			f.notify(pipeline.Notice{Event: eventTruncated, Message: t.path +
				": the file was truncated, written over or replaced since it was read; it is read from its start"})
			f.rotations = append(f.rotations, rewriteOf(p))
			f.listSoon = true
			return true
		}
	}
	return false
}

// searchCopies looks for what was read of a file that has other content now, and was
// rotated, among its copies. The new content may be of the log too.
func (f *follower) searchCopies(t *followedFile) {
	for _, p := range f.former {
		if p.isSameFile(t) {
			p.overwritten = true
			f.rotations = append(f.rotations, rewriteOf(p))
			f.listSoon = true
		}
	}
}

// decideLoss tells whether something of a file is lost that nobody goes on with: what it is
// known to have had; and what it may have got while nothing ran, if another file has
// its name now. One that was only removed is taken for one that was done.
func (f *follower) decideLoss(p *formerFile) {
	_, err := os.Stat(p.name)
	switch {
	case p.unverified || p.newestOfName && err == nil:
		f.reportGone(p)
	case p.newestOfName && p.unreadBytes == 0:
		f.vacated[p.name] = p
	case p.unreadBytes > 0:
		f.notify(pipeline.Notice{Event: eventLost, Lost: p.unreadBytes, Message: fmt.Sprintf(
			"%s: at least %d bytes behind line %d were not read: the file was truncated or removed too early", p.at.Path, p.unreadBytes, p.at.Line)})
	}
}

// nameTaken is told that a file was found under a name that is new.
func (f *follower) nameTaken(path string) {
	name := absolute(path)
	if p := f.vacated[name]; p != nil {
		delete(f.vacated, name)
		f.reportGone(p)
	}
}

// reportGone tells of a file that was rotated away while nothing ran, and can't be found.
func (f *follower) reportGone(p *formerFile) {
	f.notify(pipeline.Notice{Event: eventLost, Gap: true, Lost: p.unreadBytes, Message: p.at.goneText(p.at.Path, p.unreadBytes)})
	p.unreadBytes = 0
}

// followLateWriters follows files again that were rotated and to which a program still writes.
func (f *follower) followLateWriters() {
	for _, p := range f.former {
		if p.movedTo == "" {
			continue
		}
		info, err := os.Stat(p.movedTo)
		if err != nil || idOf(info) != p.at.ID || p.overwritten {
			p.movedTo = ""
			f.rotations = append(f.rotations, rotationOf(p)) // there may be another one behind it
			continue
		}
		p.goneSince = f.now() // it is there: it is not forgotten
		if info.Size() == p.movedToSize || slices.ContainsFunc(f.files, func(t *followedFile) bool { return t.id == p.at.ID }) {
			continue
		}
		p.movedToSize = info.Size()
		t := &followedFile{name: p.at.Path, stem: p.stem, path: p.movedTo, id: p.at.ID, moved: true, outsidePath: true, onlyIfKnown: true}
		f.files = append(f.files, t)
		f.progress.update(t)
	}
}
