package file

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"
)

// followedFile is one file that is followed: its path, how far it is read, and its stat at the
// last poll. It reads what is appended (followed_read.go). What becomes of a file that is gone
// or has other content, the follower decides.
type followedFile struct {
	env       *followEnv
	partition string // of its cursor; empty = the file is not identified yet
	// formerPartition is the name of the cursor that the first records replace.
	formerPartition string
	name            string // the path where it, or what it is a copy of, was found first
	stem            string // of the name, see mayBeCopy
	path            string // where it was found last
	id              fileID
	at              cursor // of the next byte that is not in a block
	file            *os.File
	// moved says that it was renamed or removed after it had been found: no program goes on
	// writing its last line for long.
	moved       bool
	outsidePath bool // it is not where the path matches
	// onlyIfKnown says that the path never matched it under this identity: it is
	// followed only if it is one that was read before.
	onlyIfKnown bool
	// unseenGeneration says that it was rotated between two polls: the path need not match it,
	// and it was never read.
	unseenGeneration bool

	foundChanged   int64  // the time of its last change when it was found, in ns
	foundHead      uint64 // a hash of its first foundHeadBytes bytes, if it had changed by when it was looked at
	foundHeadBytes int
	hasOlder       bool        // older files of its name are read before it
	turnAt         time.Time   // of a file outside of the path, when nothing older kept it from being read first
	info           fs.FileInfo // at the last poll; nil = the file was not there
	changedAt      time.Time   // when it was changed last, as far as is known
	priorSize      int64       // its size before that change
	emptyAt        int64       // the time of its last change, in ns, when it was found empty; 0 = it was not
	drained        bool        // all that can be read of it without waiting was read
	lastLineTried  bool        // a last line without end was tried as well
	nextBlockBytes int         // the size of the next block, if the default is too small
	identifyAfter  time.Time   // it is not identified again before
	state          readState   // as it was reported last
	awaitsOriginal bool        // it may be a copy, and waits for its original to go
	unfollowed     bool        // it is not followed any longer
	readError      string      // why it could not be read

	// Of a compressed file: since when it has not been read, when it may be read again
	// while it grows, whether its blocks are being handed over, and whether it was reported
	// as cut short.
	compressedSince, compressedNotBefore time.Time
	streaming, cutShortTold              bool
}

// checkpoint returns the cursor of the file as it is saved.
func (t *followedFile) checkpoint() cursor {
	c := t.at
	c.ID, c.Path, c.Moved = t.id, t.name, t.moved
	return c
}

func (t *followedFile) input() *input {
	return &input{partition: t.partition, display: t.path, path: t.path, items: -1}
}

// stat updates the file's info, which is nil if the file is neither at its path nor open.
// moved says that it is not at its path.
func (t *followedFile) stat() (moved bool, err error) {
	info, err := os.Stat(t.path)
	if moved = err == nil && idOf(info) != t.id || errors.Is(err, fs.ErrNotExist); moved {
		if t.file == nil {
			t.info = nil
			return true, nil
		}
		info, err = t.file.Stat()
	}
	if err != nil {
		return moved, err
	}
	was, now := t.info, t.env.now()
	t.info = info
	if was != nil && was.Size() == info.Size() && was.ModTime().Equal(info.ModTime()) {
		return moved, nil
	}
	t.changedAt, t.priorSize, t.drained, t.lastLineTried = now, 0, false, false
	if was != nil {
		t.priorSize = was.Size()
	} else if age := now.Sub(info.ModTime()); age > 0 {
		t.changedAt = now.Add(-age) // on the monotonic clock, so that setting the clock does not matter
	}
	return moved, nil
}

// openError says why a file can't be opened. It may be possible later.
type openError struct{ error }

func (e *openError) Unwrap() error { return e.error }

// errReplaced is the error of opening a file whose path another file has.
var errReplaced = errors.New("another file is at the path")

// open opens the file, if it is not open. Errors are *openError.
func (t *followedFile) open() error {
	if t.file != nil {
		return nil
	}
	file, err := os.Open(t.path)
	if err != nil {
		return &openError{err}
	}
	info, err := file.Stat()
	if err == nil && idOf(info) != t.id {
		err = errReplaced
	}
	if err != nil {
		return &openError{errors.Join(err, file.Close())}
	}
	t.file = file
	t.env.openFiles++
	return nil
}

// close closes the file, if it is open.
func (t *followedFile) close() {
	if t.file != nil {
		_ = t.file.Close() // it was only read
		t.file = nil
		t.env.openFiles--
	}
}

// quiet returns for how long the file has not changed, as far as is known.
func (t *followedFile) quiet() time.Duration { return t.env.now().Sub(t.changedAt) }

// isBeingWritten reports whether a compressed file has changed just now.
func (t *followedFile) isBeingWritten() bool { return t.quiet() < compressedQuiet }

// waitedLongEnough reports whether a compressed file has changed all the time for so long that
// it is read even so.
func (t *followedFile) waitedLongEnough() bool {
	now := t.env.now()
	if t.compressedSince.IsZero() {
		t.compressedSince = now
	}
	return now.Sub(t.compressedSince) >= compressedWaitMax
}

// hasBegun reports whether the file was read, as far as it can be without waiting, or at least
// begun. A compressed one may be known and not be read yet.
func (t *followedFile) hasBegun() bool {
	return t.partition != "" && (!t.at.Compressed || t.at.Records > 0 || t.drained)
}

// atEnd reports whether all was read that the file had at the last poll.
func (t *followedFile) atEnd() bool {
	if t.at.Compressed {
		return t.at.Done && t.at.Size == t.info.Size()
	}
	return t.at.Offset == t.info.Size()
}

// followedFiles are the files of a follower, in the order in which they were found: the
// oldest first.
type followedFiles []*followedFile

// mayReturn reports whether a file that is not identified yet may be the former one.
func (files followedFiles) mayReturn(p *formerFile) bool {
	return slices.ContainsFunc(files, func(t *followedFile) bool {
		return t.partition == "" && p.isSameFile(t) && !p.overwritten && (t.info == nil || t.info.Size() >= p.at.Offset)
	})
}

// noteOlder notes of the files that are not read yet whether there are older ones of their names,
// which are read before them.
func (files followedFiles) noteOlder() {
	names := map[string]bool{}
	for _, t := range files {
		if t.outsidePath {
			names[t.name] = true
		}
	}
	for _, t := range files {
		t.hasOlder = t.hasOlder || t.partition == "" && names[t.path]
	}
}

// awaitsGenerations reports whether generations of a name have to be read before a file: all
// before the one that has the name now, the older ones before a generation. One that can't be
// read for gapAfter though it is its turn is not waited for any longer.
func (files followedFiles) awaitsGenerations(t *followedFile) bool {
	name := t.path
	if t.outsidePath {
		name = t.name
	}
	for _, o := range files {
		if o == t && t.outsidePath {
			break
		}
		if o != t && o.outsidePath && o.name == name && !o.hasBegun() && o.readError == "" && (o.turnAt.IsZero() || t.env.now().Sub(o.turnAt) < gapAfter) {
			return true
		}
	}
	return false
}

// sortUnread puts generations of a name that are not read yet in the order of their age, in their
// places among the others: one that is not open may have got the inode of another one.
func (files followedFiles) sortUnread(name string, age map[fileID]int) {
	var places []int
	var unread followedFiles
	for i, t := range files {
		if _, is := age[t.id]; is && t.outsidePath && t.name == name && !t.hasBegun() {
			places, unread = append(places, i), append(unread, t)
		}
	}
	slices.SortStableFunc(unread, func(a, b *followedFile) int { return cmp.Compare(age[a.id], age[b.id]) })
	for i, at := range places {
		files[at] = unread[i]
	}
}

// original returns the file that this one replaces: it has its name now and begins with all of
// its content, as after rsync. wait says that it may be a copy of a file that is still there:
// if that one is truncated or removed, the copy is read on in its stead.
func (files followedFiles) original(t *followedFile, s *fingerprint) (of *followedFile, wait bool, err error) {
	for _, o := range files {
		if o == t {
			continue
		}
		if o.partition != "" && o.info != nil && o.path == t.path && o.outsidePath && removed(o.info) && o.atEnd() && s.mayBeginWith(&o.at) {
			if ok, err := o.at.matchesFingerprint(s); !ok || err != nil {
				continue
			}
			return o, false, nil
		}
		if !mayBeCopy(t.path, o.name, o.stem) {
			continue
		}
		if copied, err := copyOf(s, o); copied || err != nil {
			return nil, copied, err
		}
	}
	return nil, false, nil
}

// waitTexts lists for people what the follower waits for: the rest of compressed files that
// are cut short, and files and folders that can't be read.
func (files followedFiles) waitTexts(listErrors map[string]bool) []string {
	var texts []string
	for _, t := range files {
		switch {
		case t.readError != "":
			texts = append(texts, "a file can't be read: "+t.readError)
		case t.partition != "" && t.at.Compressed && t.drained && !t.at.Done:
			texts = append(texts, fmt.Sprintf("%s: the compressed file ends in line %d, before its end: the rest of it is awaited", t.path, t.at.Line))
		}
	}
	for problem := range listErrors {
		texts = append(texts, "some files can't be listed: "+problem)
	}
	slices.Sort(texts)
	if more := len(texts) - errorsListedMax; more > 0 {
		texts = append(texts[:errorsListedMax], fmt.Sprintf("and %d more", more))
	}
	return texts
}
