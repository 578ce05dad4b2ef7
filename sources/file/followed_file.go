package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"
)

// followedFile is one file that is followed: where it is, how far it is read, and what
// the system said of it when it was looked at last. It reads what comes (followed_read.go),
// and leaves it to the follower what becomes of files that are gone or have other content.
type followedFile struct {
	env       *followEnv
	partition string // of its cursor; empty = what the file is is not known yet
	// formerPartition is the name of the cursor that the first records replace.
	formerPartition string
	name            string // the path where it, or what it is a copy of, was found first
	stem            string // of the name, see mayBeCopy
	path            string // where it was found last
	id              fileID
	at              cursor // of the next byte that is not in a block
	file            *os.File
	// moved says that it was renamed or removed after it had been found: nobody
	// writes on at its last line for long.
	moved       bool
	outsidePath bool // it is not where the path matches
	// onlyIfKnown says that the path never matched it under this identity: it is
	// followed only if it is one that was read before.
	onlyIfKnown bool
	// unseenGeneration says that it was rotated while it was not looked at: the path need not
	// match it, and it was never read.
	unseenGeneration bool

	info           fs.FileInfo // as it was looked at last; nil = it is not there
	changedAt      time.Time   // when it was changed last, as far as is known
	priorSize      int64       // its size before that
	emptyAt        int64       // when it was changed last, in ns, as it was seen without content; 0 = it was not
	drained        bool        // what can be read of it without waiting was read
	lastLineTried  bool        // a last line without end was looked at as well
	nextBlockBytes int         // of the next block, if a usual one is not enough
	identifyAfter  time.Time   // when it may be looked at again to find out what it is
	state          readState   // as it was noted last
	awaitsOriginal bool        // it is a copy, perhaps, and waits for its original to go
	unfollowed     bool        // it is not followed any longer
	readError      string      // why it could not be read

	// Of a compressed file: since when it has not been read, when it may be read again
	// while it grows, whether blocks of it are being handed over, and whether it was told
	// that it is cut short.
	compressedSince, compressedNotBefore time.Time
	streaming, cutShortTold              bool
}

// checkpoint returns the place up to which the file was read, with what the file is.
func (t *followedFile) checkpoint() cursor {
	c := t.at
	c.ID, c.Path, c.Moved = t.id, t.name, t.moved
	return c
}

func (t *followedFile) input() *input {
	return &input{partition: t.partition, display: t.path, path: t.path, items: -1}
}

// stat notes what the system says of the file. It has no info if it is not at
// its path and not open. moved says that it is not at its path.
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
		t.changedAt = now.Add(-age) // which a clock that is set back does not change
	}
	return moved, nil
}

// openError is why a file that is to be read can't be opened. It may be possible later.
type openError struct{ error }

func (e *openError) Unwrap() error { return e.error }

// errReplaced says that another file is at the path.
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

// quiet returns for how long nobody has written to the file, as far as is known.
func (t *followedFile) quiet() time.Duration { return t.env.now().Sub(t.changedAt) }

// isBeingWritten reports whether somebody has just written to a compressed file.
func (t *followedFile) isBeingWritten() bool { return t.quiet() < compressedQuiet }

// waitedLongEnough reports whether a compressed file was waited for so long that it is read while
// it is written to.
func (t *followedFile) waitedLongEnough() bool {
	now := t.env.now()
	if t.compressedSince.IsZero() {
		t.compressedSince = now
	}
	return now.Sub(t.compressedSince) >= compressedWaitMax
}

// atEnd reports whether all was read that the file had when it was looked at.
func (t *followedFile) atEnd() bool {
	if t.at.Compressed {
		return t.at.Done && t.at.Size == t.info.Size()
	}
	return t.at.Offset == t.info.Size()
}

// followedFiles are the files of a follower, in the order in which they were found: the
// oldest first.
type followedFiles []*followedFile

// mayReturn reports whether there is a file of which it is not known yet whether
// it is still the one that was read.
func (files followedFiles) mayReturn(p *formerFile) bool {
	return slices.ContainsFunc(files, func(t *followedFile) bool {
		return t.partition == "" && p.isSameFile(t) && !p.overwritten && (t.info == nil || t.info.Size() >= p.at.Offset)
	})
}

// awaitsGenerations reports whether what was rotated before a file has to be read first.
func (files followedFiles) awaitsGenerations(t *followedFile) bool {
	return slices.ContainsFunc(files, func(o *followedFile) bool {
		return o.unseenGeneration && o.partition == "" && o != t && o.name == t.path && o.readError == "" && t.env.now().Sub(o.changedAt) < gapAfter
	})
}

// original returns the file that this one replaces: it has taken its name and begins
// with all of it, as after rsync. It has to wait while it may be a copy of a file that is
// still there: if that one is truncated or removed, the copy goes on for it.
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

// waitTexts lists the compressed files that are cut short as they are, and what can't be
// read or listed.
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
