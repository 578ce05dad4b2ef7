package file

import (
	"context"
	"os"
	"slices"
	"time"

	"github.com/zeebo/xxh3"
)

// rotation is the event that a name got another file, or its file other content: the old
// content has to be searched for among the generations of the name.
type rotation struct {
	name       string // the path
	stem       string // of the name
	id         fileID // of the file that had it; none = it has other content now
	lastChange int64  // of that file, in ns, as far as is known
	at         cursor // of that file
	partition  string // of that cursor; empty = it has none
	unread     bool   // nothing was read of that file: it is searched for as well
	// suspectSince is when a number was first found missing behind it: during a rotation,
	// which renames one file after the other, one is missing for a moment.
	suspectSince time.Time
}

func rotationOf(p *formerFile) rotation {
	return rotation{name: p.at.Path, stem: p.stem, id: p.at.ID, lastChange: p.at.Mtime, at: p.at, partition: p.partition}
}

// rotationOfContent is rotationOf for a file that has other content now: what was read of it
// can only be in a copy.
func rotationOfContent(p *formerFile) rotation {
	r := rotationOf(p)
	r.id = fileID{}
	return r
}

// isOf reports whether a generation with the inode of the file is that: its inode may have been
// given to another one. Of a file of which nothing was read, the time of its change tells.
func (r *rotation) isOf(g *generation) bool {
	if r.unread {
		return g.info.ModTime().UnixNano() == r.lastChange
	}
	if r.at.statUnchanged(g.info) {
		return true
	}
	f, err := os.Open(g.path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }() // it was only read
	s, err := takeFingerprint(context.Background(), f, g.info)
	return err == nil && r.at.matchesBeginning(s)
}

// searchRotations follows the generations of all rotations that are to be searched for. Those
// that stay in doubt are searched for again.
func (f *follower) searchRotations(matched []*matchedFile) {
	rotations := f.registry.rotations
	f.registry.rotations = nil
	for _, r := range rotations {
		f.followGenerations(r, matched)
	}
}

// followGenerations follows the files that had a name after the one that was read and before
// the one that has it now: they were rotated between two polls, or while starlift did not run,
// to names that the path need not match. Copies of what was read are among them. The older are
// read first, so that what a checkpoint says of the newest file of a name holds for those before
// it. It notifies of one that is known to be missing.
func (f *follower) followGenerations(r rotation, matched []*matchedFile) {
	all, err := generations(context.Background(), f.source.files, r.name)
	if err != nil {
		f.reportListErrors([]error{err})
		return
	}
	followed := map[fileID]*followedFile{}
	for _, t := range f.files {
		followed[t.id] = t
	}
	isMatched := map[fileID]bool{}
	for _, at := range matched {
		isMatched[at.id] = true
	}
	age := map[fileID]int{} // the oldest has 0
	var origin *generation
	for i, g := range all {
		if age[g.id] = i; r.id.known() && g.id == r.id && r.isOf(g) {
			origin = g
		}
	}
	if origin != nil {
		if hole := holeBefore(r.name, origin, all); hole != "" {
			f.registry.suspectHole(r, origin.path, hole)
		}
	}
	for _, g := range all {
		isSearched := g.isNewerThan(origin, r.lastChange) || r.unread && g == origin
		t := followed[g.id]
		switch {
		case isMatched[g.id] || g.info.Size() == 0 || t != nil && !t.onlyIfKnown || t == nil && f.registry.isRead(g) || !isSearched:
		case t != nil: // a former file, or its inode is this one's now
			t.name, t.stem, t.onlyIfKnown, t.unseenGeneration, t.foundChanged = r.name, r.stem, false, true, g.info.ModTime().UnixNano()
		default:
			f.followGeneration(r, g)
		}
	}
	f.files.sortUnread(r.name, age)
}

// followGeneration follows a generation that was rotated between two polls, before the file that
// has the name now.
func (f *follower) followGeneration(r rotation, g *generation) {
	at := slices.IndexFunc(f.files, func(o *followedFile) bool { return o.path == r.name && !o.outsidePath })
	if at < 0 {
		at = len(f.files)
	}
	f.follow(&followedFile{env: &f.env, name: r.name, stem: r.stem, path: g.path, id: g.id, foundChanged: g.info.ModTime().UnixNano(),
		moved: true, outsidePath: true, unseenGeneration: true, changedAt: f.env.now()}, at)
}

// searchIfChanged lets the generations of a name be searched for again if one of its files, which
// waited while others were read before it, is not what was found: it may have been rotated meanwhile,
// copied and truncated, or removed and its inode given to another one. wait says that the file is
// looked at again behind them.
func (f *follower) searchIfChanged(t *followedFile) (wait bool, err error) {
	changed := t.info.ModTime().UnixNano()
	if t.onlyIfKnown || changed == t.foundChanged || !t.outsidePath && !t.hasOlder {
		return false, nil
	}
	if err := t.open(); err != nil {
		return false, err
	}
	head, err := part(t.file, 0, headBytes)
	if err != nil {
		return false, err
	}
	if n := t.foundHeadBytes; n > 0 && len(head) >= n && xxh3.Hash(head[:n]) == t.foundHead {
		return false, nil // it has grown
	}
	name := t.path
	if t.outsidePath {
		name = t.name
	}
	f.registry.rotations = append(f.registry.rotations, rotation{name: name, stem: t.stem, lastChange: t.foundChanged})
	t.foundHead, t.foundHeadBytes = xxh3.Hash(head), len(head)
	t.foundChanged, f.listSoon = changed, true
	return true, nil
}

// followLateWriters follows files again that were rotated and to which a program still writes.
func (f *follower) followLateWriters() {
	for _, p := range f.registry.former {
		if p.movedTo == "" {
			continue
		}
		info, err := os.Stat(p.movedTo)
		if err != nil || idOf(info) != p.at.ID || p.overwritten {
			p.movedTo = ""
			f.registry.rotations = append(f.registry.rotations, rotationOf(p)) // there may be another one behind it
			continue
		}
		p.goneSince = f.env.now() // it is there: it is not forgotten
		if info.Size() == p.movedToSize || slices.ContainsFunc(f.files, func(t *followedFile) bool { return t.id == p.at.ID }) {
			continue
		}
		p.movedToSize = info.Size()
		f.follow(f.outside(p, p.movedTo), len(f.files))
	}
}

// outside returns a followed file for what is at a path that need not match, to be followed
// only if it is the former file.
func (f *follower) outside(p *formerFile, path string) *followedFile {
	return &followedFile{env: &f.env, name: p.at.Path, stem: p.stem, path: path, id: p.at.ID, foundChanged: p.at.Mtime, moved: true, outsidePath: true, onlyIfKnown: true}
}
