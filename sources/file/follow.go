package file

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
)

// How long things take that a file does not tell.
const (
	listShare   = 20               // one part in so many of the time goes into looking for new files at most
	lastLine    = 5 * time.Second  // without change, until a last line without end may be taken
	packedQuiet = time.Second      // without change, until a compressed file is read
	packedWait  = 5 * time.Second  // until one is read although it changes all the time
	packedRest  = 3                // times as long as reading it took, until it is read again
	cutShort    = time.Minute      // until it is said that one is cut short
	idle        = time.Minute      // without change, until a file is closed
	rememberFor = time.Hour        // what was read of a file is known after it has gone
	lossAfter   = 10 * time.Second // until what a truncation took is given up
	maxOpen     = 512              // files held open without need
)

// Events that are told of.
const (
	eventTruncated  = "truncated"
	eventLost       = pipeline.EventLost
	eventUnreadable = "unreadable"
	eventCutShort   = "cut_short"
	eventWaiting    = "waiting"
)

// follower reads files that grow, one after the other and again and again. One
// goroutine uses it.
type follower struct {
	s     *Source
	now   func() time.Time
	files []*tail // in the order in which they were found: oldest first
	past  []*past
	open  int // of files
	// dropped are the cursors to forget with the next records.
	dropped  []string
	relist   bool // a file is not where it was
	listed   time.Time
	wait     time.Duration   // until the next listing
	problems map[string]bool // why some files could not be listed
	// rotations are names of which the content was seen to be gone, with what was there.
	rotations []rotation
	// vacant are files that went while nothing ran, by their names, which no other file
	// has had since.
	vacant map[string]*past

	standings standings
}

// past is what was read of a file that is gone, has other content now, or was
// not found again yet.
type past struct {
	key    string
	stem   string // of the name, see rotated
	at     cursor
	since  time.Time
	unread int64 // bytes that it is known to have had besides
	cut    bool  // its content was seen to be gone: the file is another one now
	saved  bool  // it comes from the checkpoint
	// newest says that it comes from the checkpoint, and was the last to have its name.
	newest bool
	judged bool // it was decided whether something of it is lost
	// where it was last, if that was not its place, and its size then: a program may
	// write on there.
	where string
	size  int64
}

func (s *Source) newFollower(cursors map[string][]byte) (*follower, error) {
	f := &follower{s: s, now: s.now, problems: map[string]bool{}, vacant: map[string]*past{}, standings: standings{told: -1}}
	for key, raw := range cursors {
		at, err := parseCursor(key, raw)
		if err != nil {
			return nil, err
		}
		at.Path = cmp.Or(at.Path, key)
		f.past = append(f.past, &past{key: key, stem: stemOf(at.Path), at: *at, since: f.now(), saved: true})
	}
	// The newest first: of two that one file may go on from, that is the one.
	slices.SortFunc(f.past, func(a, b *past) int {
		return cmp.Or(cmp.Compare(b.at.Number, a.at.Number), cmp.Compare(a.key, b.key))
	})
	told, named := map[fileID]bool{}, map[string]bool{}
	for _, p := range f.past {
		if !told[p.at.ID] { // what an older content had was told of
			p.unread = p.at.unread()
		}
		told[p.at.ID] = p.at.ID.known()
		name := absolute(p.at.Path)
		p.newest, named[name] = !named[name], true
	}
	f.list()
	f.locatePast()
	for _, t := range f.files {
		f.standings.note(t)
	}
	if len(f.files) == 0 {
		f.notice(pipeline.Notice{Event: eventWaiting, Message: fmt.Sprintf("path %q: no file matches yet: waiting for one (paths are relative to %s)", s.cfg.Path, workingDir())})
	}
	return f, nil
}

// run follows the files until ctx ends or one of them can't be read on.
func (f *follower) run(ctx context.Context) error {
	tick := time.NewTicker(time.Duration(f.s.cfg.Poll))
	defer tick.Stop()
	defer f.close()
	for {
		if err := f.pass(ctx); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// pass reads what there is to read now, and looks for new files if it is time.
// A file that has gone from its place is looked for at once, after what
// is still to be read of it: so a rotated file comes before the one in its place.
func (f *follower) pass(ctx context.Context) error {
	if f.now().Sub(f.listed) >= f.wait {
		f.list()
	}
	for range 2 {
		for _, t := range slices.Clone(f.files) {
			if err := f.visit(ctx, t); err != nil {
				return err
			}
		}
		if !f.relist {
			break
		}
		f.list()
	}
	f.giveUp()
	f.s.waiting.set(f.waits())
	if err := f.tellStandings(ctx); err != nil {
		return err
	}
	return ctx.Err()
}

// tell tells of what can't be listed, once for as long as that is so.
func (f *follower) tell(problems []error) {
	are := map[string]bool{}
	for _, err := range problems {
		text := err.Error()
		if are[text] = true; !f.problems[text] {
			f.notice(pipeline.Notice{Event: eventUnreadable, Message: "some files can't be listed, trying again: " + text})
		}
	}
	f.problems = are
}

// found is a file that the path matches.
type found struct {
	path  string
	info  fs.FileInfo
	id    fileID
	taken bool
}

// list finds out where the files are that are followed, and which are new.
func (f *follower) list() {
	started := f.now()
	f.relist, f.listed = false, started
	all, problems := f.s.stats()
	f.wait = max(time.Duration(f.s.cfg.Poll), listShare*f.now().Sub(started))
	f.tell(problems)
	byPath := make(map[string]*found, len(all))
	for _, at := range all {
		byPath[at.path] = at
	}
	var elsewhere []*tail
	for _, t := range f.files {
		if at := byPath[t.path]; at != nil && at.id == t.id {
			at.taken, t.away, t.strange = true, false, false
		} else {
			elsewhere = append(elsewhere, t)
		}
	}
	slices.SortStableFunc(all, func(a, b *found) int { return a.info.ModTime().Compare(b.info.ModTime()) })
	f.locate(elsewhere, all, folders{})
	f.writtenOn()
	f.lookBetween(all)
	live := map[fileID]*tail{}
	for _, t := range f.files {
		live[t.id] = t
	}
	for _, at := range all {
		if live[at.id] == nil {
			live[at.id] = f.add(at.path, at.id)
			f.occupied(at.path)
		}
	}
}

func (f *follower) add(path string, id fileID) *tail {
	t := &tail{name: path, stem: stemOf(path), path: path, id: id}
	f.files = append(f.files, t)
	f.standings.note(t)
	return t
}

// locate finds the new names of files, also those that the path does not match.
// What is not open may be another file that was given the same identity: its
// content has to tell.
func (f *follower) locate(elsewhere []*tail, all []*found, in folders) {
	for _, t := range elsewhere {
		if info, err := os.Stat(t.path); t.away && err == nil && idOf(info) == t.id {
			continue
		}
		name, path := t.path, in.find(t.id, t.path)
		if t.away {
			name = t.name // and again
		}
		if !t.away || path != "" || t.f == nil {
			f.rotations = append(f.rotations, f.rotationOf(t, name))
		}
		i := slices.IndexFunc(all, func(at *found) bool { return at.id == t.id && !at.taken })
		if t.f == nil {
			f.end(t)
			if i < 0 && path != "" {
				n := f.add(path, t.id)
				n.name, n.stem, n.moved, n.away = name, t.stem, true, true
				// One that the path has matched is ours, if nothing was read of it yet.
				n.between = !t.strange && t.at.Records == 0
				n.strange, n.since = !n.between, f.now()
			}
			continue
		}
		switch {
		case i >= 0:
			all[i].taken = true
			t.path, t.moved, t.away, t.strange, t.ended, t.since = all[i].path, true, false, false, false, f.now()
		case !t.away:
			t.moved, t.away, t.ended, t.since = true, true, false, f.now()
			fallthrough
		default:
			t.path = cmp.Or(path, t.path)
		}
	}
}

// locatePast finds the files of the checkpoint that were renamed to what the
// path does not match. They are older than what came in their place.
func (f *follower) locatePast() {
	live := map[fileID]bool{{}: true}
	for _, t := range f.files {
		live[t.id] = true
	}
	in := folders{}
	var rest []*tail
	for _, p := range f.past {
		if live[p.at.ID] {
			continue
		}
		if path := in.find(p.at.ID, p.at.Path); path != "" {
			live[p.at.ID] = true
			rest = append(rest, &tail{name: p.at.Path, stem: p.stem, path: path, id: p.at.ID, moved: true, away: true, strange: true})
		}
		if p.newest {
			f.rotations = append(f.rotations, rotationOf(p))
		}
	}
	slices.Reverse(rest)
	f.files = append(rest, f.files...)
	all, _ := f.s.stats() // of which list has told
	f.lookBetween(all)
}

// folders holds what is in folders, by the files' identity.
type folders map[string]map[fileID]string

// find returns the name of a file that was at a path and is in its folder still;
// empty = it is not.
func (in folders) find(id fileID, path string) string {
	dir := filepath.Dir(path)
	if in[dir] == nil {
		in[dir] = map[fileID]string{}
		entries, err := os.ReadDir(dir)
		if err != nil {
			return "" // no folder, no file
		}
		for _, e := range entries {
			if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
				in[dir][idOf(info)] = filepath.Join(dir, e.Name())
			}
		}
	}
	return in[dir][id]
}

// giveUp forgets what has been gone for long, and tells what nobody goes on with.
func (f *follower) giveUp() {
	now := f.now()
	f.past = slices.DeleteFunc(f.past, func(p *past) bool {
		gone := now.Sub(p.since)
		if gone >= lossAfter && !p.judged {
			p.judged = true
			f.judge(p)
		}
		if gone >= rememberFor {
			f.dropped = append(f.dropped, p.key)
			delete(f.vacant, absolute(p.at.Path))
			return true
		}
		return false
	})
}

// end stops following a file and remembers what was read of it, first of all.
func (f *follower) end(t *tail) {
	size := int64(0)
	if t.info != nil {
		size = t.info.Size()
	}
	f.stop(t, size, false)
}

// stop ends following a file, of which so many bytes were known.
func (f *follower) stop(t *tail, size int64, cut bool) {
	f.shut(t)
	f.files = slices.DeleteFunc(f.files, func(o *tail) bool { return o == t })
	t.gone = true
	f.standings.note(t)
	if t.key == "" || t.at.Records == 0 {
		return // it has no cursor
	}
	p := &past{key: t.key, stem: t.stem, at: t.cursor(), since: f.now(), cut: cut}
	if !t.at.Compressed {
		p.unread = max(0, size-t.at.Offset)
	}
	if t.away && t.info != nil && !removed(t.info) {
		p.where, p.size = t.path, t.info.Size()
	}
	f.past = slices.Insert(f.past, 0, p)
}

// truncated starts a file again from its beginning, as another one. What may be a
// copy of its old content comes first.
func (f *follower) truncated(t *tail) {
	f.notice(pipeline.Notice{Event: eventTruncated, Message: fmt.Sprintf(
		"%s: the file was truncated or written over after it had been read to line %d; it is read from its start", t.path, t.at.Line)})
	f.stop(t, t.had, true)
	name := t.name
	if !t.away {
		name = t.path
		f.add(t.path, t.id)
	}
	f.rotations = append(f.rotations, rotation{name: name, stem: t.stem, changed: t.at.Mtime, at: t.cursor()})
	f.relist = true
}

// trouble tells of a file that can't be read, once; it may become readable.
func (f *follower) trouble(t *tail, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		f.relist = f.relist || !t.away
		return nil
	}
	if err = transient(err); pipeline.Retryable(err) {
		return err
	}
	if err.Error() != t.problem {
		t.problem = err.Error()
		f.notice(pipeline.Notice{Event: eventUnreadable, Message: "a file can't be read, trying again: " + t.problem})
	}
	return nil
}

func (f *follower) notice(n pipeline.Notice) {
	n.Gap = n.Gap || n.Lost > 0
	if f.s.tell != nil {
		f.s.tell(n)
	}
}

// send hands records over, and with them the cursors to forget.
func (f *follower) send(ctx context.Context, t *tail, r *pipeline.Records) error {
	if t.former != "" {
		f.dropped, t.former = append(f.dropped, t.former), ""
	}
	r.Dropped, f.dropped = f.dropped, nil
	if f.standings.note(t); t.standing == caughtUp {
		f.standings.set(t.key, false) // the records said that it is not
	}
	r.Progress = f.standings.take()
	return f.s.hand(ctx, r)
}

// newKey returns a name for a new cursor: no other file has the number.
func newKey(id fileID, at *cursor) string { return fmt.Sprintf("%s-%x", id, at.Number) }

// close closes the files.
func (f *follower) close() {
	for _, t := range f.files {
		f.shut(t)
	}
}
