package file

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/sources/file/listing"
)

// Nothing tells the follower that a program has finished writing a file, or that a file
// will not come back: it waits for these times.
const (
	lastLineQuiet     = 5 * time.Second  // without a change, before a last line without end is read
	compressedQuiet   = time.Second      // without a change, before a compressed file is read
	compressedWaitMax = 5 * time.Second  // before a compressed file that changes all the time is read
	cutShortAfter     = time.Minute      // without a change, before a compressed file is reported as cut short
	closeIdleAfter    = time.Minute      // without a change, before a file is closed
	gapAfter          = 10 * time.Second // after a file has gone, before what was unread of it is lost
	forgetAfter       = time.Hour        // after a file has gone, before its cursor is dropped
)

const (
	// listTimeShare bounds the time that goes into listing files: one part in so many.
	listTimeShare = 20
	// nextLookMin is how soon files are looked at again where something came: who writes to a
	// file mostly goes on. lookTimeShare bounds the time that goes into that, as above.
	nextLookMin   = 10 * time.Millisecond
	lookTimeShare = 20
	// lookTimeMin is the least that a look counts for.
	lookTimeMin = 100 * time.Microsecond
	// compressedPauseFactor is how many times as long as reading a compressed file took
	// passes before it is read again.
	compressedPauseFactor = 3
	// openFilesMax is the number of files that are held open though nothing is read of them.
	openFilesMax = 512
)

// The events of notices.
const (
	eventTruncated  = "truncated"
	eventLost       = pipeline.EventLost
	eventUnreadable = "unreadable"
	eventCutShort   = "cut_short"
	eventWaiting    = "waiting"
)

// follower reads files as they grow: it polls them, one after the other. It finds the files
// and decides what each of them is; a followedFile reads one, and the registry knows what was
// read before. One goroutine uses it.
type follower struct {
	env      followEnv
	source   *Source // matches the path, and takes the records
	files    followedFiles
	registry *registry
	progress progressTracker

	listSoon     bool // a file is not where it was: the next poll lists the files
	listedAt     time.Time
	listInterval time.Duration   // until the next listing
	vacantUntil  time.Time       // a name has lost its file, and the next one is expected: who rotates goes on soon
	listErrors   map[string]bool // why some files could not be listed
}

// followEnv is what the files that are followed share.
type followEnv struct {
	source     *Source // makes readers, and counts what is read
	now        func() time.Time
	notify     func(pipeline.Notice)
	send       func(context.Context, *followedFile, *pipeline.Records) error
	unverified func(name string) map[string]int64 // see registry
	openFiles  int
}

func (s *Source) newFollower(cursors map[string][]byte) (*follower, error) {
	f := &follower{source: s, listErrors: map[string]bool{}, progress: progressTracker{toldUnread: -1}}
	var err error
	if f.registry, err = newRegistry(cursors, s.now, f.notify); err != nil {
		return nil, err
	}
	f.env = followEnv{source: s, now: s.now, notify: f.notify, send: f.send, unverified: f.registry.unverified}
	f.list()
	f.findFormer()
	for _, t := range f.files {
		f.progress.update(t)
	}
	if len(f.files) == 0 {
		f.notify(pipeline.Notice{Event: eventWaiting, Message: fmt.Sprintf("path %q: no file matches yet: waiting for one (paths are relative to %s)", s.cfg.Path, workingDir())})
	}
	return f, nil
}

// run follows the files until ctx ends or one of them can't be read on.
func (f *follower) run(ctx context.Context) error {
	next := time.NewTimer(0)
	defer next.Stop()
	defer f.close()
	pause, took := time.Duration(f.source.cfg.Poll), lookTimeMin
	for {
		select {
		case <-next.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		started, before, vacant := f.env.now(), f.source.read.Load(), f.vacantUntil
		if err := f.poll(ctx); err != nil {
			return err
		}
		took = usualTime(took, f.env.now().Sub(started))
		pause = nextPause(pause, time.Duration(f.source.cfg.Poll), took, f.source.read.Load() > before || f.vacantUntil.After(vacant))
		next.Reset(pause)
	}
}

// usualTime returns what a look counts for that took some time, after others that counted for
// usual: one that waited for who takes the records, or that found a rotation, says little of the next.
func usualTime(usual, took time.Duration) time.Duration {
	return max(lookTimeMin, min(took, 2*usual))
}

// nextPause returns how long to wait for the next look, after one that took some time and has found
// something or not: soon where something came, then longer and longer, up to the time that the
// user gave. Where a look itself takes long, since there are many files, that is the share of
// the time that it may take.
func nextPause(last, most, took time.Duration, found bool) time.Duration {
	if found {
		last = nextLookMin / 2
	}
	return min(most, max(2*last, lookTimeShare*took))
}

// poll reads what the files have got since the last poll, and lists files when their interval
// is over. When a file is no longer at its path, it lists them at once, after what is still to
// be read of that file: so a rotated file is read before the one that has its name now.
func (f *follower) poll(ctx context.Context) error {
	if f.env.now().Sub(f.listedAt) >= f.listInterval {
		f.list()
	}
	for range 2 {
		for _, t := range slices.Clone(f.files) {
			if err := f.visit(ctx, t); err != nil {
				return err
			}
		}
		if !f.listSoon {
			break
		}
		f.list()
	}
	f.registry.expire()
	f.source.waiting.set(f.files.waitTexts(f.listErrors))
	if err := f.sendProgress(ctx); err != nil {
		return err
	}
	return ctx.Err()
}

// visit identifies a file if it is not known yet, and reads what it has got since.
func (f *follower) visit(ctx context.Context, t *followedFile) error {
	defer f.progress.update(t)
	moved, err := t.stat()
	f.listSoon = f.listSoon || moved && !t.outsidePath
	if err == nil && t.info != nil && t.partition == "" {
		var wait bool
		if wait, err = f.searchIfChanged(t); !wait && err == nil {
			err = f.identify(ctx, t)
		}
	}
	if t.outsidePath && t.turnAt.IsZero() && !f.files.awaitsGenerations(t) {
		t.turnAt = f.env.now()
	}
	if err != nil {
		return f.reportReadError(t, err)
	}
	t.readError = ""
	if t.info == nil || t.partition == "" {
		return nil
	}
	overwritten, err := t.readNew(ctx)
	if open := (*openError)(nil); errors.As(err, &open) {
		return f.reportReadError(t, err)
	}
	if err != nil {
		return err
	}
	if overwritten {
		f.restartTruncated(t)
	}
	f.closeIdle(t)
	return nil
}

// closeIdle stops following a file outside of the path to which no program writes any more, and
// closes a file that need not be open.
func (f *follower) closeIdle(t *followedFile) {
	quiet := t.quiet()
	switch {
	case t.file == nil || t.info == nil:
	case t.outsidePath && (removed(t.info) && quiet > lastLineQuiet || quiet > closeIdleAfter):
		f.unfollow(t)
	case quiet > closeIdleAfter || f.env.openFiles > openFilesMax:
		t.close()
	}
}

// reportListErrors notifies of folders that can't be listed, once for as long as that is so.
func (f *follower) reportListErrors(problems []error) {
	are := map[string]bool{}
	for _, err := range problems {
		text := err.Error()
		if are[text] = true; !f.listErrors[text] {
			f.notify(pipeline.Notice{Event: eventUnreadable, Message: "some files can't be listed, trying again: " + text})
		}
	}
	f.listErrors = are
}

// list finds the paths of the files that are followed, and follows new ones.
func (f *follower) list() {
	started := f.env.now()
	f.listSoon, f.listedAt = false, started
	all, problems := f.source.matchedFiles()
	f.listInterval = listTimeShare * f.env.now().Sub(started)
	f.reportListErrors(problems)
	byPath := make(map[string]*matchedFile, len(all))
	for _, at := range all {
		byPath[at.path] = at
	}
	var elsewhere []*followedFile
	for _, t := range f.files {
		if at := byPath[t.path]; at != nil && at.id == t.id {
			at.claimed, t.outsidePath, t.onlyIfKnown = true, false, false
		} else {
			elsewhere = append(elsewhere, t)
			if at == nil && !t.outsidePath {
				f.vacantUntil = started.Add(time.Duration(f.source.cfg.Poll))
			}
		}
	}
	slices.SortStableFunc(all, func(a, b *matchedFile) int { return a.info.ModTime().Compare(b.info.ModTime()) })
	f.findRenamed(elsewhere, all, newInodeIndex(f.source.files))
	f.followLateWriters()
	f.searchRotations(all)
	live := map[fileID]*followedFile{}
	for _, t := range f.files {
		live[t.id] = t
	}
	for _, at := range all {
		if live[at.id] == nil {
			live[at.id] = f.newFile(at.path, at.id, at.info)
			f.follow(live[at.id], len(f.files))
			f.registry.nameTaken(at.path)
			f.vacantUntil = time.Time{}
		}
	}
	f.files.noteOlder()
	if !started.Before(f.vacantUntil) {
		f.listInterval = max(f.listInterval, time.Duration(f.source.cfg.Poll))
	}
}

func (f *follower) newFile(path string, id fileID, info fs.FileInfo) *followedFile {
	return &followedFile{env: &f.env, name: path, stem: stemOf(path), path: path, id: id, foundChanged: info.ModTime().UnixNano()}
}

// follow follows a file, at a place among the others.
func (f *follower) follow(t *followedFile, at int) {
	f.files = slices.Insert(f.files, at, t)
	f.progress.update(t)
}

// findRenamed finds the new names of files, also names that the path does not match. A file
// that is not open may be another one with the same inode: it is followed anew, in its place
// among the others, and identify compares its content.
func (f *follower) findRenamed(elsewhere []*followedFile, all []*matchedFile, in *inodeIndex) {
	for _, t := range elsewhere {
		if info, err := os.Stat(t.path); t.outsidePath && err == nil && idOf(info) == t.id {
			continue
		}
		name, path := t.path, in.find(context.Background(), t.id, t.path)
		if t.outsidePath {
			name = t.name // and again
		}
		if !t.outsidePath || path != "" || t.file == nil {
			f.registry.rotations = append(f.registry.rotations, f.registry.rotationOf(t, name))
		}
		i := slices.IndexFunc(all, func(at *matchedFile) bool { return at.id == t.id && !at.claimed })
		if t.file == nil {
			at := slices.Index(f.files, t)
			f.unfollow(t)
			switch {
			case i >= 0:
				all[i].claimed = true
				f.follow(f.newFile(all[i].path, t.id, all[i].info), at)
				f.registry.nameTaken(all[i].path)
			case path != "":
				// One that the path has matched is ours, if nothing was read of it yet.
				unseen := !t.onlyIfKnown && t.at.Records == 0
				f.follow(&followedFile{env: &f.env, name: name, stem: t.stem, path: path, id: t.id, foundChanged: t.foundChanged, turnAt: t.turnAt,
					moved: true, outsidePath: true, unseenGeneration: unseen, onlyIfKnown: !unseen, changedAt: f.env.now()}, at)
			}
			continue
		}
		switch {
		case i >= 0:
			all[i].claimed = true
			t.path, t.moved, t.outsidePath, t.onlyIfKnown, t.lastLineTried, t.changedAt = all[i].path, true, false, false, false, f.env.now()
		case !t.outsidePath:
			t.moved, t.outsidePath, t.lastLineTried, t.changedAt = true, true, false, f.env.now()
			fallthrough
		default:
			t.path = cmp.Or(path, t.path)
		}
	}
}

// findFormer follows the files of the checkpoint that were renamed to names which the path
// does not match. They come first, being older than the files that have their names now.
func (f *follower) findFormer() {
	live := map[fileID]bool{{}: true}
	for _, t := range f.files {
		live[t.id] = true
	}
	in := newInodeIndex(f.source.files)
	var older []*followedFile
	for _, p := range f.registry.former {
		if p.unverified && p.overwritten {
			f.registry.rotations = append(f.registry.rotations, rotationOfContent(p))
		}
		if live[p.at.ID] {
			continue
		}
		if path := in.find(context.Background(), p.at.ID, p.at.Path); path != "" {
			live[p.at.ID] = true
			older = append(older, f.outside(p, path))
		}
		if p.newestOfName || p.unverified && !p.overwritten {
			f.registry.rotations = append(f.registry.rotations, rotationOf(p))
		}
	}
	slices.Reverse(older)
	f.files = append(older, f.files...)
	all, _ := f.source.matchedFiles() // list has reported the errors
	f.searchRotations(all)
	f.files.noteOlder()
}

// unfollow stops following a file, and returns what was read of it; nil = nothing was.
func (f *follower) unfollow(t *followedFile) *formerFile {
	size := int64(0)
	if t.info != nil {
		size = t.info.Size()
	}
	return f.retire(t, size, false)
}

// retire is unfollow for a file that was known to have a size, and whose content may have
// been overwritten.
func (f *follower) retire(t *followedFile, size int64, overwritten bool) *formerFile {
	t.close()
	f.files = slices.DeleteFunc(f.files, func(o *followedFile) bool { return o == t })
	t.unfollowed = true
	f.progress.update(t)
	if t.partition == "" || t.at.Records == 0 {
		return nil // it has no cursor
	}
	p := &formerFile{partition: t.partition, name: listing.Abs(t.name), stem: t.stem, at: t.checkpoint(), goneSince: f.env.now(), overwritten: overwritten}
	if !t.at.Compressed {
		p.unreadBytes = max(0, size-t.at.Offset)
	}
	if t.outsidePath && t.info != nil && !removed(t.info) {
		p.movedTo, p.movedToSize = t.path, t.info.Size()
	}
	f.registry.add(p)
	return p
}

// restartTruncated follows a truncated file as a new one, from its start. What may be a copy
// of its old content is searched for, and read before it.
func (f *follower) restartTruncated(t *followedFile) {
	f.notify(pipeline.Notice{Event: eventTruncated, Message: fmt.Sprintf(
		"%s: the file was truncated or written over after it had been read to line %d; it is read from its start", t.path, t.at.Line)})
	f.retire(t, t.priorSize, true)
	name := t.name
	if !t.outsidePath {
		name = t.path
		f.follow(f.newFile(t.path, t.id, t.info), len(f.files))
	}
	f.registry.rotations = append(f.registry.rotations, rotation{name: name, stem: t.stem, lastChange: t.at.Mtime, at: t.checkpoint()})
	f.listSoon = true
}

// reportReadError notifies of a file that can't be read, once for each error: it may become
// readable again. Errors that the engine retries are returned.
func (f *follower) reportReadError(t *followedFile, err error) error {
	var open *openError
	if errors.As(err, &open) {
		err = open.error
	}
	switch {
	case errors.Is(err, errReplaced):
		f.listSoon = true
		return nil
	case errors.Is(err, fs.ErrNotExist):
		f.listSoon = f.listSoon || !t.outsidePath
		return nil
	}
	if err = transient(err); pipeline.Retryable(err) {
		return err
	}
	if err.Error() != t.readError {
		t.readError = err.Error()
		f.notify(pipeline.Notice{Event: eventUnreadable, Message: "a file can't be read, trying again: " + t.readError})
	}
	return nil
}

func (f *follower) notify(n pipeline.Notice) {
	n.Gap = n.Gap || n.Lost > 0
	f.source.env.Notify(n)
}

// send hands records over, with the partitions whose cursors are to be dropped and with how
// far the files are read.
func (f *follower) send(ctx context.Context, t *followedFile, r *pipeline.Records) error {
	r.Dropped = f.registry.takeDropped()
	if t.formerPartition != "" {
		r.Dropped, t.formerPartition = append(r.Dropped, t.formerPartition), ""
	}
	if f.progress.update(t); t.state == stateCaughtUp {
		f.progress.set(t.partition, false) // an earlier report said that it was behind
	}
	r.Progress = f.progress.changes()
	return f.source.enqueue(ctx, r)
}

// newPartition returns a name for the partition of a new file: no other file has the number.
func newPartition(id fileID, at *cursor) string { return fmt.Sprintf("%s-%x", id, at.Number) }

// close closes the files.
func (f *follower) close() {
	for _, t := range f.files {
		t.close()
	}
}
