package file

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"

	"github.com/zeebo/xxh3"
)

// identify finds out what a file is that was found: one that was read before, under this or
// another name; a copy of such a one; or a new one. The file has no partition while it is
// empty, and while it may be a copy of a file that is still read itself.
func (f *follower) identify(ctx context.Context, t *followedFile) error {
	if t.info.Size() == 0 && !t.onlyIfKnown {
		changed := t.info.ModTime().UnixNano()
		switch {
		case f.registry.reportOverwritten(t):
			f.listSoon = true
		case t.emptyAt != changed:
			if t.emptyAt != 0 { // it may have been written, copied and truncated between two polls
				f.registry.rotations = append(f.registry.rotations, rotation{name: t.path, stem: t.stem, lastChange: t.emptyAt})
				f.listSoon = true
			}
			t.emptyAt = changed
		}
		return nil
	}
	if f.env.now().Before(t.identifyAfter) {
		return nil
	}
	started := f.env.now()
	if err := t.open(); err != nil {
		return err
	}
	s, err := takeFingerprint(ctx, t.file, t.info)
	if err != nil || mayBeCompressed(s.head) && !t.onlyIfKnown {
		return err
	}
	if s.compressed && t.isBeingWritten() && (len(s.content) < headBytes || !t.waitedLongEnough()) {
		return nil
	}
	p, isCopy, err := f.registry.predecessor(t, s)
	if t.awaitsOriginal = isCopy && err == nil && f.files.mayReturn(p); t.awaitsOriginal || err != nil {
		return err
	}
	if p == nil && t.onlyIfKnown {
		f.unfollow(t) // the path does not match it, and it is none that was read
		f.listSoon = f.registry.searchCopies(t) || f.listSoon
		return nil
	}
	if p == nil {
		var original *followedFile
		if original, t.awaitsOriginal, err = f.files.original(t, s); original != nil {
			p = f.unfollow(original)
		}
	}
	switch {
	case t.awaitsOriginal || err != nil:
		// The comparison may have taken long, and must not take all the time.
		t.identifyAfter = f.env.now().Add(listTimeShare * f.env.now().Sub(started))
	case p != nil:
		err = f.resume(t, p, s)
	case f.registry.reportOverwritten(t):
		f.listSoon = true
	case f.files.awaitsGenerations(t) || f.registry.awaitsSearch(t):
	default:
		f.listSoon = t.unseenGeneration && f.registry.searchCopies(t) || f.listSoon
		t.at = cursor{Line: 1, Compressed: s.compressed}
		f.source.assignNumber(&t.at)
		t.partition = newPartition(t.id, &t.at)
		if s.compressed {
			t.at.Content, t.at.ContentBytes = xxh3.Hash(s.content), len(s.content)
		}
	}
	return err
}

// mayBeCompressed reports whether the head is too short to tell whether the file is compressed.
func mayBeCompressed(head []byte) bool {
	return len(head) == 0 || len(head) < 4 && (head[0] == 0x1f || head[0] == 0x28 || head[0] == 'B' || head[0]&0xf0 == 0x50)
}

// resume makes the file continue where its predecessor was read to.
func (f *follower) resume(t *followedFile, p *formerFile, s *fingerprint) (err error) {
	f.registry.remove(p)
	t.moved = t.moved || p.at.Moved || p.at.Path != t.path
	t.partition, t.name, t.stem, t.at = p.partition, p.at.Path, p.stem, p.at
	if p.partition == p.at.Path {
		// The partition was named by the path, which another file may have one day.
		t.partition, t.formerPartition = newPartition(t.id, &t.at), p.partition
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

// mayBeginWith reports whether a file is long enough to begin with what was read. If one of
// them is compressed, the sizes do not tell.
func (s *fingerprint) mayBeginWith(c *cursor) bool {
	return s.compressed || c.Compressed || s.size >= c.Offset
}

// copyOf reports whether a file is a copy of another one: of its present content, or, if that
// is not what was read of it, of what was read.
func copyOf(s *fingerprint, o *followedFile) (bool, error) {
	read := o.partition != ""
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
			return false, true, nil //nolint:nilerr // the next poll of that file reports it
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
