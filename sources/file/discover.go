package file

import (
	"bytes"
	"errors"
	"os"
	"slices"

	"github.com/zeebo/xxh3"

	"github.com/starlift-etl/starlift/pipeline"
)

// identify finds out what a file is that has just been found: one that was read
// before, under this or another name; a copy of such a one; or new. It leaves it
// without a key while there is nothing in it, and while it may be a copy of a
// file that is still read itself.
func (f *follower) identify(t *tail) error {
	if t.info.Size() == 0 {
		return nil
	}
	if ok, err := f.reopened(t); !ok {
		return err
	}
	head, err := part(t.f, 0, headBytes)
	if err != nil || undecided(head) {
		return err
	}
	packed := compression(head) != ""
	if packed && f.now().Sub(t.since) < packedQuiet {
		return nil
	}
	p, wait, err := f.predecessor(t, head, packed)
	if wait || err != nil {
		return err
	}
	if p == nil {
		p, wait, err = f.original(t, head, packed)
	}
	switch {
	case wait || err != nil:
	case p != nil:
		f.goOn(t, p, head, packed)
	default:
		f.replaced(t)
		t.key, t.at = f.newKey(t.id), cursor{Line: 1, Compressed: packed}
		if packed {
			if head, err := contentHead(t.f, headBytes); err == nil { // what is wrong is said when it is read
				t.at.Content, t.at.ContentBytes = xxh3.Hash(head), len(head)
			}
		}
	}
	return err
}

// undecided reports whether so few bytes may be the start of a compressed file
// or not.
func undecided(head []byte) bool {
	return len(head) == 0 || len(head) < 4 && (head[0] == 0x1f || head[0] == 0x28 || head[0]&0xf0 == 0x50)
}

// predecessor returns what was read before of the file, or of that which it is a
// copy of. It has to wait while that one may still be found itself.
func (f *follower) predecessor(t *tail, head []byte, packed bool) (p *past, wait bool, err error) {
	size := t.info.Size()
	for _, copied := range []bool{false, true} {
		for _, p := range f.past {
			same := p.isOf(t)
			replaced := p.at.Path == t.path && !p.cut && p.unread == 0
			switch {
			case copied == same, copied && !replaced && !rotated(t.path, p.at.Path, p.stem):
				continue
			case same && (p.cut || !packed && size < p.at.Offset):
				continue
			}
			if copied && replaced && size < p.at.Offset {
				continue
			}
			if ok, err := p.at.begins(t.f, head, size, packed); ok || err != nil {
				return p, copied && f.mayReturn(p), err
			}
		}
	}
	return nil, false, nil
}

// isOf reports whether it was the same file that was read, as far as the system
// tells: by its name, if it was not followed then.
func (p *past) isOf(t *tail) bool {
	return p.at.ID == t.id || p.at.ID == fileID{} && p.key == t.path
}

// mayReturn reports whether there is a file of which it is not known yet whether
// it is still the one that was read.
func (f *follower) mayReturn(p *past) bool {
	return slices.ContainsFunc(f.files, func(t *tail) bool {
		return t.key == "" && p.isOf(t) && !p.cut && (t.info == nil || t.info.Size() >= p.at.Offset)
	})
}

// goOn makes the file go on where its predecessor was read to.
func (f *follower) goOn(t *tail, p *past, head []byte, packed bool) {
	f.past = slices.DeleteFunc(f.past, func(o *past) bool { return o == p })
	t.moved = t.moved || p.at.Moved || p.at.Path != t.path
	t.key, t.name, t.stem, t.at = p.key, p.at.Path, p.stem, p.at
	if p.at.ID == (fileID{}) {
		// Its name may be another file's one day.
		t.key, t.former = f.newKey(t.id), p.key
	}
	if packed && !p.at.Compressed {
		t.at.Content, t.at.ContentBytes = p.at.Head, p.at.HeadBytes
		t.at.Compressed, t.at.Size, t.at.Head, t.at.HeadBytes = true, 0, xxh3.Hash(head), len(head)
		t.at.Tail, t.at.TailAt, t.at.TailBytes = 0, 0, 0
	}
	if !packed && p.at.Compressed {
		t.at.Head, t.at.HeadBytes, t.at.Content, t.at.ContentBytes = p.at.Content, p.at.ContentBytes, 0, 0
		t.at.Compressed, t.at.Done = false, false
	}
	if !packed && t.at.Offset > t.info.Size() { // a copy that lacks the end of what was read
		t.at.Offset, t.at.Cut = t.info.Size(), false
		t.at.Tail, t.at.TailAt, t.at.TailBytes = 0, 0, 0
	}
	t.read = packed && t.at.Done && t.at.Size == t.info.Size()
}

// original returns what was read of a file that this one replaces: it has taken
// its name and begins with all of it, as after rsync. It has to wait while it may
// be a copy of a file that is still there: if that one is truncated or removed,
// the copy goes on for it.
func (f *follower) original(t *tail, head []byte, packed bool) (p *past, wait bool, err error) {
	for _, o := range f.files {
		if o == t {
			continue
		}
		read := o.key != "" && o.info != nil && (o.at.HeadBytes > 0 || o.at.ContentBytes > 0)
		replaces := read && o.path == t.path && o.away && removed(o.info) && !o.at.Compressed && o.at.Offset == o.info.Size() && t.info.Size() >= o.at.Offset
		var ok bool
		switch {
		case replaces || read && (packed || o.at.Compressed) && rotated(t.path, o.name, o.stem):
			ok, err = o.at.begins(t.f, head, t.info.Size(), packed)
		case rotated(t.path, o.name, o.stem):
			var gone bool
			if ok, gone, err = isPrefixOf(t, o, packed); gone && read && !ok && err == nil {
				ok, err = o.at.begins(t.f, head, t.info.Size(), packed)
			}
		}
		if err != nil || ok && !replaces {
			return nil, ok, err
		}
		if ok {
			f.end(o)
			return f.past[0], false, nil
		}
	}
	return nil, false, nil
}

// isPrefixOf reports whether a file, or its content, is the beginning of another
// one, and whether what was read of that one is gone.
func isPrefixOf(t, o *tail, packed bool) (ok, gone bool, err error) {
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
	if still, err := o.at.isIn(of, info.Size()); err != nil {
		return false, false, err
	} else if !still {
		gone = true
	}
	switch {
	case packed:
		content, err := contentHead(t.f, headBytes)
		if err != nil || len(content) == 0 {
			return false, gone, nil //nolint:nilerr // what is wrong is said when it is read
		}
		other, err := part(of, 0, len(content))
		return bytes.Equal(content, other), gone, err
	case info.Size() >= t.info.Size():
		ok, err = isPrefix(t.f, of, t.info.Size())
	}
	return ok, gone, err
}

// replaced tells of a file whose content is not what it was when starlift ran last.
func (f *follower) replaced(t *tail) {
	for _, p := range f.past {
		if p.saved && p.at.ID == t.id && p.at.Path == t.name {
			p.saved = false
			f.notice(pipeline.Notice{Event: eventTruncated, Message: t.path +
				": the file was truncated, written over or replaced since it was read; it is read from its start"})
			return
		}
	}
}

// adopt gives files that were followed, and are to be read to their end now, the
// partitions of their cursors.
func adopt(inputs []input, cursors map[string][]byte) error {
	type last struct {
		key     string
		ordinal int64
	}
	followed := map[fileID]last{}
	for key, raw := range cursors {
		c, err := parseCursor(key, raw)
		if err != nil {
			return err
		}
		if l, ok := followed[c.ID]; c.ID != (fileID{}) && (!ok || c.Ordinal > l.ordinal) {
			followed[c.ID] = last{key, c.Ordinal}
		}
	}
	if len(followed) == 0 {
		return nil
	}
	for i := range inputs {
		in := &inputs[i]
		info, err := os.Stat(in.path)
		if err != nil {
			return transient(err)
		}
		if l, ok := followed[idOf(info)]; ok {
			in.partition, in.place = l.key, in.path
		}
	}
	return nil
}
