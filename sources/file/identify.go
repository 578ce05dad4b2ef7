package file

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"slices"

	"github.com/zeebo/xxh3"
)

// identify finds out what a file is that has just been found: one that was read
// before, under this or another name; a copy of such a one; or new. It leaves it
// without a key while there is nothing in it, and while it may be a copy of a
// file that is still read itself.
func (f *follower) identify(ctx context.Context, t *followedFile) error {
	if t.info.Size() == 0 && !t.onlyIfKnown {
		if changed := t.info.ModTime().UnixNano(); !f.reportOverwritten(t) && t.emptyAt != changed {
			if t.emptyAt != 0 { // it may have been written, copied and truncated since
				f.rotations = append(f.rotations, rotation{name: t.path, stem: t.stem, lastChange: t.emptyAt})
				f.listSoon = true
			}
			t.emptyAt = changed
		}
		return nil
	}
	if f.now().Before(t.identifyAfter) {
		return nil
	}
	started := f.now()
	if ok, err := f.ensureOpen(t); !ok {
		return err
	}
	s, err := takeFingerprint(ctx, t.file, t.info)
	if err != nil || mayBeCompressed(s.head) && !t.onlyIfKnown {
		return err
	}
	if s.compressed && f.isBeingWritten(t) && (len(s.content) < headBytes || !f.waitedLongEnough(t)) {
		return nil
	}
	p, wait, err := f.predecessor(t, s)
	if t.awaitsOriginal = wait; wait || err != nil {
		return err
	}
	if p == nil && t.onlyIfKnown {
		f.unfollow(t) // nobody asked for it
		f.searchCopies(t)
		return nil
	}
	if p == nil {
		p, wait, err = f.original(t, s)
		t.awaitsOriginal = wait
	}
	switch {
	case wait || err != nil:
		// It may have taken long to compare it.
		t.identifyAfter = f.now().Add(listTimeShare * f.now().Sub(started))
	case p != nil:
		err = f.resume(t, p, s)
	case f.reportOverwritten(t) || f.awaitsGenerations(t) || f.awaitsSearch(t):
	default:
		t.at = cursor{Line: 1, Compressed: s.compressed}
		f.s.assignNumber(&t.at)
		t.partition = newKey(t.id, &t.at)
		if s.compressed {
			t.at.Content, t.at.ContentBytes = xxh3.Hash(s.content), len(s.content)
		}
	}
	return err
}

// mayBeCompressed reports whether so few bytes may be the start of a compressed file
// or not.
func mayBeCompressed(head []byte) bool {
	return len(head) == 0 || len(head) < 4 && (head[0] == 0x1f || head[0] == 0x28 || head[0] == 'B' || head[0]&0xf0 == 0x50)
}

// predecessor returns what was read before of the file, or of that which it is a
// copy of. It has to wait while that one may still be found itself.
func (f *follower) predecessor(t *followedFile, s *fingerprint) (p *formerFile, wait bool, err error) {
	for _, p := range f.former {
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
	for _, p := range f.former {
		replaced := p.at.Path == t.path && !p.overwritten && p.unreadBytes == 0 && s.mayBeginWith(&p.at)
		if p.isSameFile(t) || !replaced && !rotated(t.path, p.at.Path, p.stem) {
			continue
		}
		if ok, err := p.at.matchesFingerprint(s); ok || err != nil {
			return p, f.mayReturn(p), err
		}
	}
	return nil, false, nil
}

// isSameFile reports whether it was the same file that was read, as far as the system
// tells: by its name, if it was not followed then.
func (p *formerFile) isSameFile(t *followedFile) bool {
	return p.at.ID == t.id || !p.at.ID.known() && p.partition == t.path
}

// mayReturn reports whether there is a file of which it is not known yet whether
// it is still the one that was read.
func (f *follower) mayReturn(p *formerFile) bool {
	return slices.ContainsFunc(f.files, func(t *followedFile) bool {
		return t.partition == "" && p.isSameFile(t) && !p.overwritten && (t.info == nil || t.info.Size() >= p.at.Offset)
	})
}

// resume makes the file go on where its predecessor was read to.
func (f *follower) resume(t *followedFile, p *formerFile, s *fingerprint) (err error) {
	f.former = slices.DeleteFunc(f.former, func(o *formerFile) bool { return o == p })
	t.moved = t.moved || p.at.Moved || p.at.Path != t.path
	t.partition, t.name, t.stem, t.at = p.partition, p.at.Path, p.stem, p.at
	if p.partition == p.at.Path {
		// Its name may be another file's one day.
		t.partition, t.formerPartition = newKey(t.id, &t.at), p.partition
	}
	if s.compressed && !p.at.Compressed {
		t.at.Content, t.at.ContentBytes = p.at.Head, p.at.HeadBytes
		t.at.Compressed, t.at.Size, t.at.Head, t.at.HeadBytes = true, 0, xxh3.Hash(s.head), len(s.head)
		t.at.Tail, t.at.TailAt, t.at.TailBytes = 0, 0, 0
	}
	if s.compressed && p.at.Compressed && !p.at.matchesHead(s.head) { // the same content, compressed anew
		t.at.Size, t.at.Done, t.at.Head, t.at.HeadBytes = 0, false, xxh3.Hash(s.head), len(s.head)
	}
	if !s.compressed && p.at.Compressed {
		t.at.Head, t.at.HeadBytes, t.at.Content, t.at.ContentBytes = p.at.Content, p.at.ContentBytes, 0, 0
		t.at.Compressed, t.at.Done = false, false
	}
	if !s.compressed && t.at.Offset > s.size { // a copy that lacks the end of what was read
		t.at.Offset, t.at.Unended = s.size, false
		t.at.Tail, t.at.TailAt, t.at.TailBytes = 0, 0, 0
		if t.at.Hash, _, err = digestOf(io.NewSectionReader(s.f, 0, s.size), s.size); err != nil {
			return err
		}
	}
	t.drained = s.compressed && t.at.Done && t.at.Size == s.size
	return nil
}

// mayBeginWith reports whether a file is long enough to begin with what was read; if one of
// them is compressed, that does not show.
func (s *fingerprint) mayBeginWith(c *cursor) bool {
	return s.compressed || c.Compressed || s.size >= c.Offset
}

// atEnd reports whether all was read that the file had when it was looked at.
func (t *followedFile) atEnd() bool {
	if t.at.Compressed {
		return t.at.Done && t.at.Size == t.info.Size()
	}
	return t.at.Offset == t.info.Size()
}

// original returns what was read of a file that this one replaces: it has taken
// its name and begins with all of it, as after rsync. It has to wait while it may
// be a copy of a file that is still there: if that one is truncated or removed,
// the copy goes on for it.
func (f *follower) original(t *followedFile, s *fingerprint) (p *formerFile, wait bool, err error) {
	for _, o := range f.files {
		if o == t {
			continue
		}
		if o.partition != "" && o.info != nil && o.path == t.path && o.outsidePath && removed(o.info) && o.atEnd() && s.mayBeginWith(&o.at) {
			if ok, err := o.at.matchesFingerprint(s); !ok || err != nil {
				continue
			}
			f.unfollow(o)
			return f.former[0], false, nil
		}
		if !rotated(t.path, o.name, o.stem) {
			continue
		}
		if copied, err := copyOf(s, o); copied || err != nil {
			return nil, copied, err
		}
	}
	return nil, false, nil
}

// copyOf reports whether a file is a copy of another one: of what is in it now,
// or, if that is no longer what was read of it, of that.
func copyOf(s *fingerprint, o *followedFile) (bool, error) {
	read := o.partition != "" && o.info != nil
	if read && (s.compressed || o.at.Compressed) {
		if ok, err := o.at.matchesFingerprint(s); ok || err != nil {
			return ok, err
		}
	}
	ok, gone, err := isPrefixOf(s, o)
	if ok || err != nil || !gone || !read {
		return ok, err
	}
	return o.at.matchesFingerprint(s)
}

// isPrefixOf reports whether a file, or its content, is the beginning of another
// one, and whether what was read of that one is gone.
func isPrefixOf(s *fingerprint, o *followedFile) (ok, gone bool, err error) {
	of := o.file
	if of == nil {
		if of, err = os.Open(o.path); err != nil {
			return false, true, nil //nolint:nilerr // why is found out at the next look
		}
		defer func() { err = errors.Join(err, of.Close()) }()
	}
	info, err := of.Stat()
	if err != nil || idOf(info) != o.id {
		return false, true, err
	}
	still := o.at.Compressed
	if !still {
		if still, err = o.at.matchesPlain(of, info.Size()); err != nil {
			return false, false, err
		}
	}
	switch {
	case s.compressed && len(s.content) > 0:
		var other []byte
		other, err = part(of, 0, len(s.content))
		ok = bytes.Equal(s.content, other)
	case !s.compressed && info.Size() >= s.size:
		ok, err = isPrefix(s.f, of, s.size)
	}
	return ok, !still, err
}
