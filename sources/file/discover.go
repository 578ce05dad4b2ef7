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
func (f *follower) identify(ctx context.Context, t *tail) error {
	if t.info.Size() == 0 && !t.strange {
		if changed := t.info.ModTime().UnixNano(); !f.replaced(t) && t.empty != changed {
			if t.empty != 0 { // it may have been written, copied and truncated since
				f.rotations = append(f.rotations, rotation{name: t.path, stem: t.stem, changed: t.empty})
				f.relist = true
			}
			t.empty = changed
		}
		return nil
	}
	if f.now().Before(t.again) {
		return nil
	}
	started := f.now()
	if ok, err := f.reopened(t); !ok {
		return err
	}
	s, err := sightOf(ctx, t.f, t.info)
	if err != nil || undecided(s.head) && !t.strange {
		return err
	}
	if s.packed && f.unsettled(t) && (len(s.content) < headBytes || !f.overdue(t)) {
		return nil
	}
	p, wait, err := f.predecessor(t, s)
	if t.waits = wait; wait || err != nil {
		return err
	}
	if p == nil && t.strange {
		f.end(t) // nobody asked for it
		f.rewritten(t)
		return nil
	}
	if p == nil {
		p, wait, err = f.original(t, s)
		t.waits = wait
	}
	switch {
	case wait || err != nil:
		// It may have taken long to compare it.
		t.again = f.now().Add(listShare * f.now().Sub(started))
	case p != nil:
		err = f.goOn(t, p, s)
	case f.replaced(t) || f.awaits(t):
	default:
		t.at = cursor{Line: 1, Compressed: s.packed}
		f.s.number(&t.at)
		t.key = newKey(t.id, &t.at)
		if s.packed {
			t.at.Content, t.at.ContentBytes = xxh3.Hash(s.content), len(s.content)
		}
	}
	return err
}

// undecided reports whether so few bytes may be the start of a compressed file
// or not.
func undecided(head []byte) bool {
	return len(head) == 0 || len(head) < 4 && (head[0] == 0x1f || head[0] == 0x28 || head[0] == 'B' || head[0]&0xf0 == 0x50)
}

// predecessor returns what was read before of the file, or of that which it is a
// copy of. It has to wait while that one may still be found itself.
func (f *follower) predecessor(t *tail, s *sight) (p *past, wait bool, err error) {
	for _, p := range f.past {
		if !p.isOf(t) || p.cut || !s.packed && s.size < p.at.Offset {
			continue
		}
		if ok, err := p.at.begins(s); ok || err != nil {
			return p, false, err
		}
	}
	if t.strange {
		return nil, false, nil
	}
	for _, p := range f.past {
		replaced := p.at.Path == t.path && !p.cut && p.unread == 0 && s.mayBegin(&p.at)
		if p.isOf(t) || !replaced && !rotated(t.path, p.at.Path, p.stem) {
			continue
		}
		if ok, err := p.at.begins(s); ok || err != nil {
			return p, f.mayReturn(p), err
		}
	}
	return nil, false, nil
}

// isOf reports whether it was the same file that was read, as far as the system
// tells: by its name, if it was not followed then.
func (p *past) isOf(t *tail) bool {
	return p.at.ID == t.id || !p.at.ID.known() && p.key == t.path
}

// mayReturn reports whether there is a file of which it is not known yet whether
// it is still the one that was read.
func (f *follower) mayReturn(p *past) bool {
	return slices.ContainsFunc(f.files, func(t *tail) bool {
		return t.key == "" && p.isOf(t) && !p.cut && (t.info == nil || t.info.Size() >= p.at.Offset)
	})
}

// goOn makes the file go on where its predecessor was read to.
func (f *follower) goOn(t *tail, p *past, s *sight) (err error) {
	f.past = slices.DeleteFunc(f.past, func(o *past) bool { return o == p })
	t.moved = t.moved || p.at.Moved || p.at.Path != t.path
	t.key, t.name, t.stem, t.at = p.key, p.at.Path, p.stem, p.at
	if p.key == p.at.Path {
		// Its name may be another file's one day.
		t.key, t.former = newKey(t.id, &t.at), p.key
	}
	if s.packed && !p.at.Compressed {
		t.at.Content, t.at.ContentBytes = p.at.Head, p.at.HeadBytes
		t.at.Compressed, t.at.Size, t.at.Head, t.at.HeadBytes = true, 0, xxh3.Hash(s.head), len(s.head)
		t.at.Tail, t.at.TailAt, t.at.TailBytes = 0, 0, 0
	}
	if s.packed && p.at.Compressed && !p.at.heads(s.head) { // the same content, compressed anew
		t.at.Size, t.at.Done, t.at.Head, t.at.HeadBytes = 0, false, xxh3.Hash(s.head), len(s.head)
	}
	if !s.packed && p.at.Compressed {
		t.at.Head, t.at.HeadBytes, t.at.Content, t.at.ContentBytes = p.at.Content, p.at.ContentBytes, 0, 0
		t.at.Compressed, t.at.Done = false, false
	}
	if !s.packed && t.at.Offset > s.size { // a copy that lacks the end of what was read
		t.at.Offset, t.at.Cut = s.size, false
		t.at.Tail, t.at.TailAt, t.at.TailBytes = 0, 0, 0
		if t.at.Hash, _, err = digestOf(io.NewSectionReader(s.f, 0, s.size), s.size); err != nil {
			return err
		}
	}
	t.read = s.packed && t.at.Done && t.at.Size == s.size
	return nil
}

// mayBegin reports whether a file is long enough to begin with what was read; if one of
// them is compressed, that does not show.
func (s *sight) mayBegin(c *cursor) bool { return s.packed || c.Compressed || s.size >= c.Offset }

// atEnd reports whether all was read that the file had when it was looked at.
func (t *tail) atEnd() bool {
	if t.at.Compressed {
		return t.at.Done && t.at.Size == t.info.Size()
	}
	return t.at.Offset == t.info.Size()
}

// original returns what was read of a file that this one replaces: it has taken
// its name and begins with all of it, as after rsync. It has to wait while it may
// be a copy of a file that is still there: if that one is truncated or removed,
// the copy goes on for it.
func (f *follower) original(t *tail, s *sight) (p *past, wait bool, err error) {
	for _, o := range f.files {
		if o == t {
			continue
		}
		if o.key != "" && o.info != nil && o.path == t.path && o.away && removed(o.info) && o.atEnd() && s.mayBegin(&o.at) {
			if ok, err := o.at.begins(s); !ok || err != nil {
				continue
			}
			f.end(o)
			return f.past[0], false, nil
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
func copyOf(s *sight, o *tail) (bool, error) {
	read := o.key != "" && o.info != nil
	if read && (s.packed || o.at.Compressed) {
		if ok, err := o.at.begins(s); ok || err != nil {
			return ok, err
		}
	}
	ok, gone, err := isPrefixOf(s, o)
	if ok || err != nil || !gone || !read {
		return ok, err
	}
	return o.at.begins(s)
}

// isPrefixOf reports whether a file, or its content, is the beginning of another
// one, and whether what was read of that one is gone.
func isPrefixOf(s *sight, o *tail) (ok, gone bool, err error) {
	of := o.f
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
		if still, err = o.at.isIn(of, info.Size()); err != nil {
			return false, false, err
		}
	}
	switch {
	case s.packed && len(s.content) > 0:
		var other []byte
		other, err = part(of, 0, len(s.content))
		ok = bytes.Equal(s.content, other)
	case !s.packed && info.Size() >= s.size:
		ok, err = isPrefix(s.f, of, s.size)
	}
	return ok, !still, err
}
