package deadletters

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/starlift-etl/starlift/pipeline/blob"
)

// fileBytesMax is the size of a file from which on the next epoch begins another one.
const fileBytesMax = 8 << 20

// appender appends the lines of committed epochs to the newest of the state's files with a
// suffix. An epoch's lines are together in one file, and at its end until the next epoch is
// committed, so that a repeated commit writes the same bytes to the same offset.
type appender struct {
	objects        blob.Store
	prefix, suffix string // prefix = pipeline and state id, as file names begin
	now            func() time.Time

	loaded bool
	name   string // of the newest file; empty = there is none
	size   int64
	epoch  int64     // of the last line; 0 = there is none
	start  int64     // of that epoch's first line
	day    time.Time // of the first line
}

// add appends the parts of an epoch, each of a temporary file of its own, which
// are gone when it was done before.
func (a *appender) add(ctx context.Context, epoch int64, parts []preparedFile) (err error) {
	if err := a.load(ctx); err != nil {
		return err
	}
	at := a.size
	if a.epoch == epoch {
		at = a.start
	} else if a.name == "" || a.size >= fileBytesMax || !a.day.Equal(dayOf(a.now())) {
		a.name, a.size, at = fmt.Sprintf("%s%012d%s", a.prefix, epoch, a.suffix), 0, 0
	}
	start := at
	tail, err := a.objects.Append(ctx, a.name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tail.Close()) }()
	for _, p := range parts {
		if err := a.write(ctx, tail, at, p, epoch); err != nil {
			return err
		}
		at += p.Size
	}
	if err := tail.Truncate(at); err != nil {
		return err
	}
	if err := tail.Finish(); err != nil {
		return err
	}
	if start == 0 {
		a.day = dayOf(a.now())
	}
	a.size, a.epoch, a.start = at, epoch, start
	var prepared []string
	for _, p := range parts {
		prepared = append(prepared, p.Name+tempSuffix)
	}
	return a.objects.Delete(ctx, prepared...)
}

// write writes a part at an offset. The part is gone when an earlier try has written it there.
func (a *appender) write(ctx context.Context, tail blob.Tail, at int64, p preparedFile, epoch int64) error {
	prepared := p.Name + tempSuffix
	content, err := blob.OpenRange(ctx, a.objects, prepared, 0)
	if errors.Is(err, fs.ErrNotExist) {
		if at+p.Size <= a.size {
			return nil
		}
		return fmt.Errorf("dead letters of epoch %d: neither is %s there, nor are its %d bytes at byte %d of %s", epoch, a.objects.URL(prepared), p.Size, at, a.objects.URL(a.name))
	}
	if err != nil {
		return err
	}
	n, err := io.Copy(io.NewOffsetWriter(tail, at), content)
	if err == nil && n != p.Size {
		err = fmt.Errorf("dead letters of epoch %d: %s has %d bytes, want %d", epoch, a.objects.URL(prepared), n, p.Size)
	}
	return errors.Join(err, content.Close())
}

// load looks up the newest file, unless it is as it was left: a user may remove
// or edit it. What a crash left of a line goes.
func (a *appender) load(ctx context.Context) error {
	if a.loaded && a.name != "" {
		if info, err := a.objects.Stat(ctx, a.name); err == nil && info.Size == a.size {
			return nil
		}
	}
	a.loaded, a.name, a.size, a.epoch, a.start, a.day = true, "", 0, 0, 0, time.Time{}
	found, err := list(ctx, a.objects, "", func(name string) bool { return isOf(name, a.prefix, a.suffix) })
	if err != nil || len(found) == 0 {
		return err
	}
	a.name = found[len(found)-1].Name
	end, err := scan(ctx, a.objects, a.name, 0, false, func(_ int, offset int64, line []byte) error {
		var l struct {
			Time  time.Time `json:"time"`
			Epoch int64     `json:"epoch"`
		}
		if err := json.Unmarshal(line, &l); err != nil {
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
	tail, err := a.objects.Append(ctx, a.name)
	if err != nil {
		return err
	}
	if err := tail.Truncate(end); err != nil {
		return errors.Join(err, tail.Close())
	}
	return tail.Finish()
}

func dayOf(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }
