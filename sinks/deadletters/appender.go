package deadletters

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/starlift-etl/starlift/pipeline/disk"
)

// rollSize is how large a file gets before the next epoch begins another.
const rollSize = 8 << 20

// appender puts the lines of committed epochs to the end of the newest of the
// state's files with a suffix. An epoch's lines stand together in one file, at the
// end until the next epoch is committed, so that a commit is repeated by writing
// the same bytes to the same place.
type appender struct {
	dir, prefix, suffix string // prefix = pipeline and state id, as file names begin
	now                 func() time.Time

	loaded bool
	path   string // of the newest file; empty = there is none
	size   int64
	epoch  int64     // of the last line; 0 = there is none
	start  int64     // of that epoch's first line
	day    time.Time // of the first line
}

// add appends the parts of an epoch, each of a temporary file of its own, which
// are gone when it was done before.
func (a *appender) add(epoch int64, parts []file) error {
	if err := a.load(); err != nil {
		return err
	}
	at := a.size
	if a.epoch == epoch {
		at = a.start
	} else if a.path == "" || a.size >= rollSize || !a.day.Equal(dayOf(a.now())) {
		a.path, a.size, at = filepath.Join(a.dir, fmt.Sprintf("%s%012d%s", a.prefix, epoch, a.suffix)), 0, 0
	}
	start := at
	f, err := os.OpenFile(a.path, os.O_CREATE|os.O_WRONLY, disk.PrivateFile)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if err := a.write(f, at, p, epoch); err != nil {
			return errors.Join(err, f.Close())
		}
		at += p.Size
	}
	if err := errors.Join(f.Truncate(at), f.Sync(), f.Close()); err != nil {
		return err
	}
	if start == 0 {
		a.day = dayOf(a.now())
	}
	a.size, a.epoch, a.start = at, epoch, start
	if err := disk.SyncDir(a.dir); err != nil {
		return err
	}
	for _, p := range parts {
		if err := os.Remove(a.temp(p)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (a *appender) temp(p file) string { return filepath.Join(a.dir, p.Name+tempSuffix) }

// write writes a part to its place, where it may stand already.
func (a *appender) write(f *os.File, at int64, p file, epoch int64) error {
	from, err := os.Open(a.temp(p))
	if errors.Is(err, fs.ErrNotExist) {
		if at+p.Size <= a.size {
			return nil
		}
		return fmt.Errorf("dead letters of epoch %d: neither is %s there, nor are its %d bytes at byte %d of %s", epoch, a.temp(p), p.Size, at, a.path)
	}
	if err != nil {
		return err
	}
	defer from.Close()
	n, err := io.Copy(io.NewOffsetWriter(f, at), from)
	if err == nil && n != p.Size {
		err = fmt.Errorf("dead letters of epoch %d: %s has %d bytes, want %d", epoch, a.temp(p), n, p.Size)
	}
	return err
}

// load looks up the newest file, unless it is as it was left: a user may remove
// or edit it. What a crash left of a line goes.
func (a *appender) load() error {
	if a.loaded && a.path != "" {
		if info, err := os.Stat(a.path); err == nil && info.Size() == a.size {
			return nil
		}
	}
	a.loaded, a.path, a.size, a.epoch, a.start, a.day = true, "", 0, 0, 0, time.Time{}
	names, err := list(a.dir, func(name string) bool { return isOf(name, a.prefix, a.suffix) })
	if err != nil || len(names) == 0 {
		return err
	}
	a.path = names[len(names)-1]
	end, err := scan(a.path, 0, false, func(_ int, offset int64, line []byte) error {
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
	return os.Truncate(a.path, end)
}

func dayOf(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }
