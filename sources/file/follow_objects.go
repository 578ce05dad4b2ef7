package file

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/blob"
	"github.com/starlift-etl/starlift/sources/file/listing"
)

// objectFollower reads objects as they come, one after the other. An object appears when it is
// whole, and does not grow, but may be replaced or removed. So there is less to find out than
// of files on a disk: each is read once, and again only if its tag is another one and its
// content does not begin with what was read. One goroutine uses it.
type objectFollower struct {
	source *Source
	finder *objectFinder
	known  map[string]*knownObject // by path
	index  objectIndex
	// partitions are those of known objects.
	partitions map[string]bool
	// queue are the objects that are to be read, in order.
	queue []foundObject
	// dropped are the partitions whose cursors are dropped with the next records.
	dropped []string

	toldUnread int      // the length of queue, as it was told last; -1 = it was not
	caughtUp   []string // partitions that are read to their end, not told yet
	readError  string   // why an object could not be read at the last look
}

// knownObject is what was read of an object, and whether it is still there.
type knownObject struct {
	partition string
	path      string // where it was found last
	at        cursor
	seen      int // the last listing of all names that had it
	// missed counts the listings of all names since then: an object that is renamed while
	// names are listed may be in none of two places.
	missed    int
	goneSince time.Time // zero = it is there

	beginning objectHead // by which the index has it,
	slot      int        // and at which place
}

// newObjectFollower lists the objects, so that what keeps them from being listed is said
// before anything is read.
func (s *Source) newObjectFollower(ctx context.Context, cursors map[string][]byte) (f *objectFollower, err error) {
	f = &objectFollower{source: s, known: map[string]*knownObject{}, index: objectIndex{}, partitions: map[string]bool{}, toldUnread: -1}
	if f.finder, err = s.newObjectFinder(ctx); err != nil {
		return nil, transient(err)
	}
	if err := f.restore(cursors); err != nil {
		return nil, err
	}
	l := f.finder.lookAtAll(ctx)
	if l.err != nil {
		return nil, fmt.Errorf("path %q: %w", s.cfg.Path, l.err)
	}
	if f.take(&l); len(f.queue) == 0 && len(f.known) == 0 {
		s.notify(eventWaiting, fmt.Sprintf("path %q: no object matches yet: waiting for one", s.cfg.Path))
	}
	return f, nil
}

// restore takes the objects of a checkpoint. Of several contents of one path the newest counts.
func (f *objectFollower) restore(cursors map[string][]byte) error {
	var all []*knownObject
	for partition, raw := range cursors {
		at, err := parseCursor(partition, raw)
		if err != nil {
			return err
		}
		all = append(all, &knownObject{partition: partition, path: cmp.Or(at.Path, partition), at: *at})
	}
	slices.SortFunc(all, func(a, b *knownObject) int {
		return cmp.Or(cmp.Compare(b.at.Number, a.at.Number), cmp.Compare(b.partition, a.partition))
	})
	for _, k := range all {
		if f.known[k.path] != nil {
			f.dropped = append(f.dropped, k.partition)
			continue
		}
		f.add(k)
		if k.at.Done {
			f.caughtUp = append(f.caughtUp, k.partition)
		}
	}
	return nil
}

func (f *objectFollower) add(k *knownObject) {
	f.known[k.path], f.partitions[k.partition] = k, true
	f.index.add(k)
}

func (f *objectFollower) remove(k *knownObject) {
	if f.known[k.path] == k {
		delete(f.known, k.path)
	}
	delete(f.partitions, k.partition)
	f.index.remove(k)
}

// run follows the objects until ctx ends or one of them can't be read.
func (f *objectFollower) run(ctx context.Context) error {
	tick := time.NewTicker(time.Duration(f.source.cfg.Poll))
	defer tick.Stop()
	for {
		if err := f.read(ctx); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		l := f.finder.look(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		f.take(&l)
	}
}

// take notes what a look shows: which objects are to be read, behind those that are waited
// for and the oldest of them first, and which are gone.
func (f *objectFollower) take(l *look) {
	waiting := map[string]bool{}
	for _, o := range f.queue {
		waiting[o.path] = true
	}
	var found []foundObject
	for _, o := range l.found {
		if k := f.known[o.path]; k != nil {
			k.seen, k.missed, k.goneSince = f.finder.listings, 0, time.Time{}
			if k.at.Done && k.at.statUnchanged(o.info) {
				continue
			}
		}
		if o.info.Size() > 0 && !waiting[o.path] {
			found = append(found, o)
		}
	}
	if l.all && l.err == nil {
		f.noteGone()
	}
	// Of one second, what has a new name comes before what has another's: it may be that one, renamed.
	slices.SortStableFunc(found, func(a, b foundObject) int {
		return cmp.Or(a.info.ModTime().Compare(b.info.ModTime()), cmp.Compare(f.contentsOf(a.path), f.contentsOf(b.path)))
	})
	f.queue = append(f.queue, found...)
}

// contentsOf returns the number of contents that are known of a path.
func (f *objectFollower) contentsOf(path string) int {
	if f.known[path] == nil {
		return 0
	}
	return 1
}

// noteGone notes which objects the last listing of all names did not have. What was not read
// of one is lost when another listing does not have it either, under any name; what is known
// of one is forgotten after forgetAfter.
func (f *objectFollower) noteGone() {
	now := f.source.now()
	for _, k := range f.known {
		if k.seen == f.finder.listings {
			continue
		}
		if k.missed++; k.missed == 1 {
			k.goneSince = now
		}
		if k.missed == 2 && !k.at.Done && k.at.Tag != "" { // without one it is a file that was read before
			f.reportLost(k.path, k.at.text(), k.at.unreadBytes(), fmt.Sprintf("it was removed after it had been read to line %d", k.at.Line))
		}
		if k.missed >= 2 && now.Sub(k.goneSince) >= forgetAfter {
			f.dropped = append(f.dropped, k.partition)
			f.remove(k)
		}
	}
	slices.Sort(f.dropped)
}

// reportLost notifies of an object that was not read to its end, and can't be.
func (f *objectFollower) reportLost(path, position string, lost int64, how string) {
	f.source.env.Notify(pipeline.Notice{Event: eventLost, Partition: path, Position: position, Lost: lost, Gap: true,
		Message: path + ": " + how + ": the records behind that are missing: put them into an object of another name, or begin anew with a new state folder"})
}

// read reads the objects that were found, one after the other. What may pass by itself, as of a
// server that is down, is no error: the object is read on at the next look.
func (f *objectFollower) read(ctx context.Context) (err error) {
	paths := make([]string, len(f.queue))
	for i, o := range f.queue {
		paths[i] = o.path
	}
	ahead := newOpenAhead(ctx, f.source.files, paths)
	defer func() { err = errors.Join(err, ahead.close()) }()
	for len(f.queue) > 0 {
		o := f.queue[0]
		object, err := ahead.next()()
		f.queue = f.queue[1:]
		switch {
		case errors.Is(err, fs.ErrNotExist):
			if k := f.known[o.path]; k == nil { // else a listing shows it
				f.reportLost(o.path, "", o.info.Size(), fmt.Sprintf("it was removed before it was read, with %d bytes", o.info.Size()))
			}
			continue
		case err == nil:
			err = errors.Join(f.readOpen(ctx, object, o.path), object.Close())
		}
		if err = transient(err); pipeline.Retryable(err) && ctx.Err() == nil {
			f.queue = slices.Insert(f.queue, 0, o)
			f.reportUnreadable(err)
			break
		}
		if err != nil {
			return err
		}
		f.readError = ""
	}
	return f.sendProgress(ctx)
}

// reportUnreadable notifies of an object that can't be read for now, once for each error.
func (f *objectFollower) reportUnreadable(err error) {
	text := "an object can't be read, trying again: " + err.Error()
	if f.readError == "" {
		f.source.notify(eventUnreadable, text)
	}
	f.readError = text
	f.source.waiting.set([]string{text})
}

// readOpen reads what is new in an object.
func (f *objectFollower) readOpen(ctx context.Context, object blob.Object, path string) error {
	info := listing.InfoOf(object.Info())
	k, skip, err := f.identify(ctx, object, info, path)
	if err != nil {
		return transient(err)
	}
	if skip {
		at := k.at
		return f.send(ctx, &pipeline.Records{Positions: map[string][]byte{k.partition: at.encode()}})
	}
	r := f.source.newReader(&input{partition: k.partition, display: path, path: path, info: info, items: -1}, &k.at)
	r.send = func(ctx context.Context, records *pipeline.Records, b *block) error {
		if b != nil && b.last {
			f.caughtUp = append(f.caughtUp, records.Partition)
		}
		return f.send(ctx, records)
	}
	err = r.readOpen(ctx, object)
	f.remove(k)
	k.at = r.at
	k.at.Size, k.at.Done = info.Size(), err == nil
	f.add(k)
	return err
}

// identify finds out what an object is that was opened, and notes it: one that was read
// before, under this or another name, or a new one. skip says that nothing in it is new.
func (f *objectFollower) identify(ctx context.Context, object blob.Object, info fs.FileInfo, path string) (k *knownObject, skip bool, err error) {
	was := f.known[path]
	if k, err = f.predecessor(ctx, object, info, path); err != nil {
		return nil, false, err
	}
	if k != nil {
		at := k.at
		skip, err := at.resume(ctx, object, info, path, f.source.now(), true)
		if err == nil {
			at.Done, at.Unended, at.Path = skip, skip && k.at.Unended, path
			f.remove(k)
			k.at, k.path, k.missed, k.goneSince = at, path, 0, time.Time{}
			f.add(k)
			return k, skip, nil
		}
		if isSystem(err) || ctx.Err() != nil || pipeline.Retryable(err) {
			return nil, false, err
		}
		// The last record that was read goes on: the content is another one.
	}
	n := &knownObject{partition: f.newPartition(path), path: path, at: cursor{Line: 1, Size: info.Size()}, seen: f.finder.listings}
	if was != nil {
		f.replaced(was)
	}
	f.add(n)
	return n, false, nil
}

// replaced notes that an object has another content, and is read from its start.
func (f *objectFollower) replaced(was *knownObject) {
	f.source.notify(eventTruncated, fmt.Sprintf("%s: the object was replaced after it had been read to line %d, by one that does not begin with what was read; it is read from its start",
		was.path, was.at.Line))
	if !was.at.Done {
		f.reportLost(was.path, was.at.text(), was.at.unreadBytes(), fmt.Sprintf("it was replaced after it had been read to line %d", was.at.Line))
	}
	f.dropped = append(f.dropped, was.partition)
	f.remove(was)
}

// renamedCandidatesMax bounds the objects of one beginning of which it is asked whether they are
// where they were.
const renamedCandidatesMax = 8

// predecessor returns what was read before of an object: of the one that has its path, or of
// one that has its size and first bytes, and is no longer where it was; nil = nothing was.
func (f *objectFollower) predecessor(ctx context.Context, object blob.Object, info fs.FileInfo, path string) (*knownObject, error) {
	var candidates, there []*knownObject
	if own := f.known[path]; own != nil {
		candidates = append(candidates, own)
	}
	head, err := part(object, 0, headBytes)
	if err != nil {
		return nil, err
	}
	for _, k := range f.index.alike(info.Size(), head) {
		switch {
		case k.path == path:
		case k.goneSince.IsZero():
			there = append(there, k)
		default:
			candidates = append(candidates, k)
		}
	}
	newestFirst := func(a, b *knownObject) int {
		return cmp.Or(cmp.Compare(b.at.Number, a.at.Number), cmp.Compare(a.partition, b.partition))
	}
	slices.SortFunc(candidates[min(len(candidates), f.contentsOf(path)):], newestFirst)
	for _, k := range candidates {
		if same, err := k.at.isContinuedBy(ctx, object, info); same || err != nil {
			return k, err
		}
	}
	slices.SortFunc(there, newestFirst)
	for _, k := range there[:min(len(there), renamedCandidatesMax)] {
		if moved, err := f.isMoved(ctx, k, object, info); moved || err != nil {
			return k, err
		}
	}
	return nil, nil
}

// isMoved reports whether an object is a known one, renamed, that has not been missed yet: its old
// name is gone, or has what does not begin with what was read. A copy of what is still there is
// another object.
func (f *objectFollower) isMoved(ctx context.Context, k *knownObject, object blob.Object, info fs.FileInfo) (bool, error) {
	at, err := f.source.files.Stat(ctx, k.path)
	gone := errors.Is(err, fs.ErrNotExist) || err == nil && at.Info.IsDir()
	if !gone && (err != nil || k.at.statUnchanged(at.Info)) {
		return false, err
	}
	if same, err := k.at.isContinuedBy(ctx, object, info); !same || err != nil || gone {
		return same, err
	}
	now, err := openFile(ctx, f.source.files, k.path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	stays, err := k.at.isContinuedBy(ctx, now, listing.InfoOf(now.Info()))
	return !stays, errors.Join(err, now.Close())
}

// isContinuedBy reports whether an open object begins with all that was read.
func (c *cursor) isContinuedBy(ctx context.Context, object blob.Object, info fs.FileInfo) (bool, error) {
	if c.statUnchanged(info) {
		return true, nil
	}
	if n, _ := c.readExtent(); !c.Compressed && info.Size() < n {
		head, err := part(object, 0, 4)
		if err != nil || compression(head) == "" {
			return false, err
		}
	}
	same, _, err := c.matchesContent(ctx, object)
	return same, err
}

// newPartition returns a name for the partition of a new object, which no cursor has.
func (f *objectFollower) newPartition(path string) string {
	if f.partitions[path] || slices.Contains(f.dropped, path) {
		return fmt.Sprintf("%s#%d", path, f.source.numbers+1)
	}
	return path
}

// send hands records over, with the partitions whose cursors are to be dropped and with how
// far the objects are read.
func (f *objectFollower) send(ctx context.Context, r *pipeline.Records) error {
	r.Source, r.Format = f.source.name, &f.source.format
	r.Dropped, f.dropped = f.dropped, nil
	if len(f.caughtUp) > 0 || len(f.queue) != f.toldUnread {
		r.Progress = &pipeline.Progress{CaughtUp: f.caughtUp, Unread: len(f.queue)}
		f.caughtUp, f.toldUnread = nil, len(f.queue)
	}
	return f.source.enqueue(ctx, r)
}

// sendProgress hands over what no records have carried.
func (f *objectFollower) sendProgress(ctx context.Context) error {
	if len(f.dropped) == 0 && len(f.caughtUp) == 0 && len(f.queue) == f.toldUnread {
		return nil
	}
	return f.send(ctx, &pipeline.Records{})
}
