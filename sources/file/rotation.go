package file

import (
	"context"
	"os"
	"slices"
	"time"
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
// to names that the path need not match. Copies of what was read are among them. It notifies
// of one that is known to be missing.
func (f *follower) followGenerations(r rotation, matched []*matchedFile) {
	all, err := generations(context.Background(), f.source.files, r.name)
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
			f.registry.suspectHole(r, origin.path, hole)
		}
	}
	for _, g := range all {
		if known[g.id] || g.info.Size() == 0 || f.registry.isRead(g) || !g.isNewerThan(origin, r.lastChange) {
			continue
		}
		t := &followedFile{env: &f.env, name: r.name, stem: r.stem, path: g.path, id: g.id,
			moved: true, outsidePath: true, unseenGeneration: true, changedAt: f.env.now()}
		at := slices.IndexFunc(f.files, func(o *followedFile) bool { return o.path == r.name && o.partition == "" })
		if at < 0 {
			at = len(f.files)
		}
		f.files = slices.Insert(f.files, at, t)
		f.progress.update(t)
	}
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
		t := f.outside(p, p.movedTo)
		f.files = append(f.files, t)
		f.progress.update(t)
	}
}

// outside returns a followed file for what is at a path that need not match, to be followed
// only if it is the former file.
func (f *follower) outside(p *formerFile, path string) *followedFile {
	return &followedFile{env: &f.env, name: p.at.Path, stem: p.stem, path: path, id: p.at.ID, moved: true, outsidePath: true, onlyIfKnown: true}
}
