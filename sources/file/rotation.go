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
	name    string // the path
	stem    string // of the name
	id      fileID // of the file that had it; none = it has other content now
	changed int64  // when that was changed last, in ns, as far as is known
	at      cursor // of that
	// doubted is when a number was found to be missing behind it first: names that are
	// shifted one after the other look so for a moment.
	doubted time.Time
}

func rotationOf(p *past) rotation {
	return rotation{name: p.at.Path, stem: p.stem, id: p.at.ID, changed: p.at.Mtime, at: p.at}
}

// rotationOf returns that of a file that is followed, or, if it is not known yet which
// it is, of what was read of it.
func (f *follower) rotationOf(t *tail, name string) rotation {
	if t.key == "" {
		for _, p := range f.past {
			if p.isOf(t) {
				return rotationOf(p)
			}
		}
	}
	return rotation{name: name, stem: t.stem, id: t.id, changed: t.at.Mtime, at: t.cursor()}
}

// lookBetween looks for what came between each name's file that was read and the one that
// has it now, where that is to be found out, and again where it is in doubt.
func (f *follower) lookBetween(matched []*found) {
	rotations := f.rotations
	f.rotations = nil
	for _, r := range rotations {
		f.addBetween(r, matched)
	}
}

// addBetween follows the files that had a name after the one that was read, and before
// the one that has it now: they were rotated between two looks, or while nothing ran,
// to where the path need not match them. Copies of what was read are among them.
// Where one is known to be missing, it is told.
func (f *follower) addBetween(r rotation, matched []*found) {
	all, err := generations(r.name)
	if err != nil {
		f.tell([]error{err})
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
			f.doubt(r, origin.path, hole)
		}
	}
	for _, g := range all {
		if known[g.id] || g.info.Size() == 0 || f.isPast(g) || !g.after(origin, r.changed) {
			continue
		}
		t := &tail{name: r.name, stem: r.stem, path: g.path, id: g.id, moved: true, away: true, between: true, since: f.now()}
		at := slices.IndexFunc(f.files, func(o *tail) bool { return o.path == r.name && o.key == "" })
		if at < 0 {
			at = len(f.files)
		}
		f.files = slices.Insert(f.files, at, t)
		f.standings.note(t)
	}
}

// doubt tells of a missing number behind what was read, if it has been missing for so long
// that names can't be shifted just now; else it is looked for again with the next listing.
func (f *follower) doubt(r rotation, origin, hole string) {
	now := f.now()
	if r.doubted.IsZero() {
		r.doubted = now
	}
	if now.Sub(r.doubted) >= lossAfter {
		f.notice(pipeline.Notice{Event: eventLost, Gap: true, Message: r.at.hole(origin, hole)})
		return
	}
	if !slices.ContainsFunc(f.rotations, func(o rotation) bool { return o.name == r.name && o.id == r.id }) {
		f.rotations = append(f.rotations, r)
	}
}

// isPast reports whether a generation was read as it is, and notes where it is now.
func (f *follower) isPast(g *generation) bool {
	for _, p := range f.past {
		if p.at.untouched(g.info) && p.at.unread() == 0 {
			p.where, p.size = g.path, g.info.Size()
			return true
		}
	}
	return false
}

// awaits reports whether what was rotated before a file has to be read first.
func (f *follower) awaits(t *tail) bool {
	return slices.ContainsFunc(f.files, func(o *tail) bool {
		return o.between && o.key == "" && o != t && o.name == t.path && o.problem == "" && f.now().Sub(o.since) < lossAfter
	})
}

// replaced tells of a file whose content is not what it was when starlift ran last, and
// looks for that content in its copies. It reports whether there are some to look at.
func (f *follower) replaced(t *tail) bool {
	for _, p := range f.past {
		if p.saved && p.newest && p.at.ID == t.id && p.at.Path == t.name {
			p.saved, p.cut = false, true
			f.notice(pipeline.Notice{Event: eventTruncated, Message: t.path +
				": the file was truncated, written over or replaced since it was read; it is read from its start"})
			f.rotations = append(f.rotations, rotation{name: p.at.Path, stem: p.stem, changed: p.at.Mtime, at: p.at})
			f.relist = true
			return true
		}
	}
	return false
}

// rewritten looks for what was read of a file that has other content now, and was
// rotated, among its copies. The new content may be of the log too.
func (f *follower) rewritten(t *tail) {
	for _, p := range f.past {
		if p.isOf(t) {
			r := rotationOf(p)
			r.id, p.cut = fileID{}, true
			f.rotations = append(f.rotations, r)
			f.relist = true
		}
	}
}

// judge tells whether something of a file is lost that nobody goes on with: what it is
// known to have had; and what it may have got while nothing ran, if another file has
// its name now. One that was only removed is taken for one that was done.
func (f *follower) judge(p *past) {
	name := absolute(p.at.Path)
	_, err := os.Stat(name)
	switch {
	case p.newest && err == nil:
		f.gone(p)
	case p.newest:
		f.vacant[name] = p
	case p.unread > 0:
		f.notice(pipeline.Notice{Event: eventLost, Lost: p.unread, Message: fmt.Sprintf(
			"%s: at least %d bytes behind line %d were not read: the file was truncated or removed too early", p.at.Path, p.unread, p.at.Line)})
	}
}

// occupied is told that a file was found under a name that is new.
func (f *follower) occupied(path string) {
	name := absolute(path)
	if p := f.vacant[name]; p != nil {
		delete(f.vacant, name)
		f.gone(p)
	}
}

// gone tells of a file that was rotated away while nothing ran, and can't be found.
func (f *follower) gone(p *past) {
	f.notice(pipeline.Notice{Event: eventLost, Gap: true, Lost: p.unread, Message: p.at.gone(p.at.Path)})
	p.unread = 0
}

// writtenOn follows files again that were rotated and to which a program still writes.
func (f *follower) writtenOn() {
	for _, p := range f.past {
		if p.where == "" {
			continue
		}
		info, err := os.Stat(p.where)
		if err != nil || idOf(info) != p.at.ID || p.cut {
			p.where = ""
			f.rotations = append(f.rotations, rotationOf(p)) // there may be another one behind it
			continue
		}
		p.since = f.now() // it is there: it is not forgotten
		if info.Size() == p.size || slices.ContainsFunc(f.files, func(t *tail) bool { return t.id == p.at.ID }) {
			continue
		}
		p.size = info.Size()
		t := &tail{name: p.at.Path, stem: p.stem, path: p.where, id: p.at.ID, moved: true, away: true, strange: true}
		f.files = append(f.files, t)
		f.standings.note(t)
	}
}
