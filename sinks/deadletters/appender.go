package deadletters

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/starlift-etl/starlift/pipeline/blob"
)

// The size of a file from which on the next epoch begins another one. Where objects can't
// grow, each epoch with letters sends the newest one anew, so they are smaller there: a
// thousand epochs of a letter each still make one object, and few requests list them.
const (
	fileBytesMax    = 8 << 20
	rewriteBytesMax = 1 << 20
)

// appender appends the lines of committed epochs to the newest of the state's files with a
// suffix. An epoch's lines are together in one file, and at its end until the next epoch is
// committed, so that a repeated commit writes the same bytes to the same offset.
type appender struct {
	objects        blob.Store
	prefix, suffix string // prefix = pipeline and state id, as file names begin
	now            func() time.Time

	loaded bool
	fixed  bool   // objects can't grow: the newest is replaced by a longer one
	name   string // of the newest file; empty = there is none
	tag    string // of it, if it is fixed
	size   int64
	epoch  int64     // of the last line; 0 = there is none
	start  int64     // of that epoch's first line
	day    time.Time // of the first line
}

// part is a file with lines of an epoch.
type part struct {
	preparedFile
	from      blob.Store // where it waits
	name      string     // there
	committed bool
}

// add appends the parts of an epoch. Those of older versions are gone when it was done
// before.
func (a *appender) add(ctx context.Context, epoch int64, parts []part) error {
	if err := a.load(ctx); err != nil {
		return err
	}
	err := a.addTo(ctx, epoch, parts)
	if errors.Is(err, blob.ErrChanged) || errors.Is(err, fs.ErrExist) {
		// A try whose answer was lost has added them, or a user has changed the file.
		if err := a.load(ctx); err != nil {
			return err
		}
		err = a.addTo(ctx, epoch, parts)
	}
	return err
}

// addTo appends the parts to the newest file as it was loaded.
func (a *appender) addTo(ctx context.Context, epoch int64, parts []part) error {
	at := a.size
	switch {
	case a.epoch == epoch:
		at = a.start
	case a.name == "" || a.size >= a.sizeMax() || !a.day.Equal(dayOf(a.now())):
		a.name, a.size, a.tag, at = fmt.Sprintf("%s%012d%s", a.prefix, epoch, a.suffix), 0, "", 0
		fallthrough
	default:
		for len(parts) > 0 && parts[0].committed {
			parts = parts[1:] // somebody has removed the lines
		}
	}
	// Until all is well, nobody knows what the file is.
	a.loaded = false
	end, err := at, errors.ErrUnsupported
	if !a.fixed {
		end, err = a.write(ctx, at, parts, epoch)
	}
	if a.fixed = errors.Is(err, errors.ErrUnsupported); a.fixed {
		end, err = a.rewrite(ctx, at, parts, epoch)
	}
	if err != nil {
		return err
	}
	if at == 0 {
		a.day = dayOf(a.now())
	}
	a.size, a.epoch, a.start, a.loaded = end, epoch, at, true
	for _, p := range parts {
		if !p.Spooled {
			if err := p.from.Delete(ctx, p.name); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *appender) sizeMax() int64 {
	if a.fixed {
		return rewriteBytesMax
	}
	return fileBytesMax
}

// write writes the parts into the newest file from an offset on, which is its end then.
func (a *appender) write(ctx context.Context, at int64, parts []part, epoch int64) (end int64, err error) {
	tail, err := a.objects.Append(ctx, a.name)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, tail.Close()) }()
	for _, p := range parts {
		if err := a.copyPart(ctx, io.NewOffsetWriter(tail, at), at, p, epoch); err != nil {
			return 0, err
		}
		at += p.Size
	}
	if err := tail.Truncate(at); err != nil {
		return 0, err
	}
	return at, tail.Finish()
}

// rewrite makes an object of what the newest one has up to an offset, and the parts. It takes
// the place of no other one: what a process that is dead has sent may still be on its way.
func (a *appender) rewrite(ctx context.Context, at int64, parts []part, epoch int64) (end int64, err error) {
	end = at
	for _, p := range parts {
		end += p.Size
	}
	if a.epoch == epoch && end == a.size {
		return end, nil // it has them
	}
	w, err := a.objects.Create(ctx, a.name, blob.CreateOptions{IfAbsent: a.tag == "", IfTag: a.tag})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, w.Abort()) }()
	if at > 0 {
		if err := a.copyBegin(ctx, w, at); err != nil {
			return 0, err
		}
	}
	for _, p := range parts {
		if err := a.copyPart(ctx, w, at, p, epoch); err != nil {
			return 0, err
		}
		at += p.Size
	}
	return end, w.Finish()
}

// copyBegin copies what the newest object has up to an offset.
func (a *appender) copyBegin(ctx context.Context, w io.Writer, end int64) (err error) {
	o, err := a.objects.Open(ctx, a.name)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", blob.ErrChanged, err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	if o.Info().Tag != a.tag {
		return fmt.Errorf("%s: %w", a.objects.URL(a.name), blob.ErrChanged)
	}
	r, err := o.Range(ctx, 0, end)
	if err != nil {
		return err
	}
	n, err := io.Copy(w, r)
	if err == nil && n != end {
		err = fmt.Errorf("%s has %d bytes, want %d: %w", a.objects.URL(a.name), n, end, io.ErrUnexpectedEOF)
	}
	return errors.Join(err, r.Close())
}

// copyPart copies a part to its offset. It may be gone when an earlier try has written it
// there.
func (a *appender) copyPart(ctx context.Context, to io.Writer, at int64, p part, epoch int64) error {
	content, err := blob.OpenRange(ctx, p.from, p.name, 0)
	if errors.Is(err, fs.ErrNotExist) {
		if !a.fixed && at+p.Size <= a.size {
			return nil
		}
		return fmt.Errorf("dead letters of epoch %d: neither is %s there, nor are its %d bytes at byte %d of %s", epoch, p.from.URL(p.name), p.Size, at, a.objects.URL(a.name))
	}
	if err != nil {
		return err
	}
	n, err := io.Copy(to, content)
	if err == nil && n != p.Size {
		err = fmt.Errorf("dead letters of epoch %d: %s has %d bytes, want %d", epoch, p.from.URL(p.name), n, p.Size)
	}
	return errors.Join(err, content.Close())
}

// load looks up the newest file, unless it is as it was left: a user may remove
// or edit it. What a crash left of a line goes.
func (a *appender) load(ctx context.Context) error {
	if a.loaded && a.name != "" {
		if info, err := a.objects.Stat(ctx, a.name); err == nil && info.Size == a.size {
			a.tag = info.Tag
			return nil
		}
	}
	a.loaded, a.name, a.tag, a.size, a.epoch, a.start, a.day = false, "", "", 0, 0, 0, time.Time{}
	found, err := list(ctx, a.objects, "", func(name string) bool { return isOf(name, a.prefix, a.suffix) })
	if err != nil {
		return err
	}
	if len(found) > 0 {
		newest := found[len(found)-1]
		a.name, a.tag = newest.Name, newest.Tag
	}
	if err := a.loadNewest(ctx); err != nil {
		return err
	}
	a.loaded = true
	return nil
}

// loadNewest reads the newest file, and ends it with its last whole line.
func (a *appender) loadNewest(ctx context.Context) error {
	if a.name == "" {
		return nil
	}
	end, err := scan(ctx, a.objects, a.name, 0, false, func(_ int, offset int64, line []byte) error {
		var l struct {
			Time  time.Time `json:"time"`
			Epoch int64     `json:"epoch"`
		}
		if err := decodeLine(line, &l); err != nil {
			return err
		}
		if offset == 0 {
			a.day = dayOf(l.Time)
		}
		if l.Epoch != a.epoch {
			a.epoch, a.start = l.Epoch, offset
		}
		return nil
	})
	if err != nil {
		return err
	}
	a.size = end
	if a.fixed {
		return nil // it ends there when it is replaced
	}
	tail, err := a.objects.Append(ctx, a.name)
	if a.fixed = errors.Is(err, errors.ErrUnsupported); a.fixed {
		return nil
	}
	if err != nil {
		return err
	}
	if err := tail.Truncate(end); err != nil {
		return errors.Join(err, tail.Close())
	}
	return tail.Finish()
}

func dayOf(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }
