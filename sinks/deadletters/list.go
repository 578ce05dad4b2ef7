package deadletters

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/starlift-etl/starlift/pipeline/blob"
)

// Status says what has become of a letter.
type Status string

// The statuses.
const (
	Open     Status = "open"     // nothing
	Waiting  Status = "waiting"  // it is to be read again
	Replayed Status = "replayed" // it was read again
	Outdated Status = "outdated" // it is of another state folder, which the tables no longer belong to
)

// Found is a letter in the folder, and what has become of it.
type Found struct {
	ID      string
	StateID string
	Status  Status
	// ReplayedAt is when it was read again, and ReplayedIn the epoch.
	ReplayedAt time.Time
	ReplayedIn int64
	*Letter
}

// Folder is what is kept of a pipeline's dead letters.
type Folder struct {
	Objects  blob.Store
	Pipeline string
}

// Each calls f for every letter of the pipeline, oldest file first. Those of
// another state than stateID are outdated; empty = none is. All have their record, also
// those of rows. It ends early with f's error.
func (d Folder) Each(ctx context.Context, stateID string, f func(*Found) error) error {
	found, err := files(ctx, d.Objects, d.Pipeline, suffix)
	if err != nil {
		return err
	}
	return d.each(ctx, namesOf(found), stateID, f)
}

// Find is Each for the letters with these ids, as far as they are there.
func (d Folder) Find(ctx context.Context, stateID string, ids []string, f func(*Found) error) error {
	wanted, in := map[string]bool{}, map[string]bool{}
	for _, id := range ids {
		wanted[id], in[fileOf(id)] = true, true
	}
	found, err := files(ctx, d.Objects, d.Pipeline, suffix)
	if err != nil {
		return err
	}
	found = slices.DeleteFunc(found, func(f blob.Info) bool { return !in[f.Name] })
	return d.each(ctx, namesOf(found), stateID, func(l *Found) error {
		if !wanted[l.ID] {
			return nil
		}
		return f(l)
	})
}

func (d Folder) each(ctx context.Context, names []string, stateID string, f func(*Found) error) error {
	// A request is removed after its letters were marked: what does not wait any
	// more when it is asked first is marked when it is asked then.
	waiting, err := d.waiting(ctx)
	if err != nil {
		return err
	}
	marks, err := d.marks(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		_, of, _ := owner(name)
		var first *Letter // of the rows of a record
		_, err := scanLive(ctx, d.Objects, name, 0, func(n int, line []byte) error {
			found := &Found{ID: name + ":" + strconv.Itoa(n), StateID: of, Status: Open, Letter: &Letter{}}
			if err := decodeLine(line, found.Letter); err != nil {
				return err
			}
			if found.Row != nil {
				if first != nil && found.isOfRecord(first) {
					found.Record, found.Binary = first.Record, first.Binary
				} else {
					first = found.Letter
				}
			}
			if m, ok := marks[found.ID]; ok {
				found.Status, found.ReplayedAt, found.ReplayedIn = Replayed, m.Time, m.Epoch
			} else if waiting[found.ID] {
				found.Status = Waiting
			} else if stateID != "" && of != stateID {
				found.Status = Outdated
			}
			return f(found)
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // retention removed it just now
			return err
		}
	}
	return nil
}

// LastState returns the state id of the file that was written last; empty = there
// is none.
func (d Folder) LastState(ctx context.Context) (id string, err error) {
	found, err := files(ctx, d.Objects, d.Pipeline, suffix)
	if err != nil {
		return "", err
	}
	var newest time.Time
	for _, f := range found {
		if f.Modified.After(newest) {
			newest = f.Modified
			_, id, _ = owner(f.Name)
		}
	}
	return id, nil
}

// marks returns the letters that were read again, by id.
func (d Folder) marks(ctx context.Context) (map[string]mark, error) {
	all := map[string]mark{}
	found, err := files(ctx, d.Objects, d.Pipeline, markSuffix)
	if err != nil {
		return nil, err
	}
	for _, f := range found {
		if err := eachMark(ctx, d.Objects, f.Name, func(m mark) { all[m.ID] = m }); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func eachMark(ctx context.Context, s blob.Store, name string, f func(mark)) error {
	_, err := scanLive(ctx, s, name, 0, func(_ int, line []byte) error {
		var m mark
		if err := decodeLine(line, &m); err != nil {
			return err
		}
		f(m)
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) { // retention removed it just now
		return nil
	}
	return err
}

// waiting returns the ids in requests; some of them may have been read already.
func (d Folder) waiting(ctx context.Context) (map[string]bool, error) {
	all := map[string]bool{}
	found, err := requests(ctx, d.Objects, d.Pipeline)
	if err != nil {
		return nil, err
	}
	for _, f := range found {
		err := eachLine(ctx, d.Objects, f.Name, func(_ int, line []byte) error {
			var r requestLine
			if err := decodeLine(line, &r); err != nil {
				return err
			}
			all[r.ID] = true
			return nil
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // it was read just now
			return nil, err
		}
	}
	return all, nil
}

// eachLine calls f for the lines of a file that nobody is writing, which are
// numbered from 1.
func eachLine(ctx context.Context, s blob.Store, name string, f func(n int, line []byte) error) error {
	_, err := scan(ctx, s, name, 0, true, func(n int, _ int64, line []byte) error { return f(n, line) })
	return err
}

// liveTriesMax is how often in a row a file may be replaced between two requests of a reader
// before it has read one more line.
const liveTriesMax = 10

// scanLive is scan of a file that its pipeline may be adding to. Where objects can't grow it is
// replaced by a longer one then, in which the lines behind those that were read follow at the
// same offset. The numbers of lines count on.
func scanLive(ctx context.Context, s blob.Store, name string, from int64, f func(n int, line []byte) error) (end int64, err error) {
	read, end := 0, from
	for tries := 1; ; tries++ {
		before := read
		end, err = scan(ctx, s, name, end, false, func(_ int, _ int64, line []byte) error {
			read++
			return f(read, line)
		})
		if read > before {
			tries = 1
		}
		if !errors.Is(err, blob.ErrChanged) || tries == liveTriesMax {
			return end, err
		}
	}
}

// decodeLine decodes a line of a file that this package has written.
func decodeLine(line []byte, v any) error {
	if err := json.Unmarshal(line, v); err != nil {
		return fmt.Errorf("the line was changed or damaged: mend it, or move the file away: %w", err)
	}
	return nil
}

// buffers are used again, since a folder may have many small files.
var buffers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 1<<16) }}

// scan calls f for the lines of a file from an offset on, with the number of each
// from there, its offset, and its bytes, which are good until f returns. It
// returns where they end. One without its end is being written, and none yet,
// unless it is said to be a whole one.
func scan(ctx context.Context, s blob.Store, name string, from int64, whole bool, f func(n int, offset int64, line []byte) error) (end int64, err error) {
	content, err := blob.OpenRange(ctx, s, name, from)
	if err != nil {
		return from, err
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	r := buffers.Get().(*bufio.Reader)
	defer buffers.Put(r)
	r.Reset(content)
	var long []byte // a line that the reader can't hold
	end = from
	for n := 1; ; n++ {
		long = long[:0]
		line, err := r.ReadSlice('\n')
		for errors.Is(err, bufio.ErrBufferFull) {
			long = append(long, line...)
			line, err = r.ReadSlice('\n')
		}
		if len(long) > 0 {
			long = append(long, line...)
			line = long
		}
		if errors.Is(err, io.EOF) && (!whole || len(line) == 0) {
			return end, nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return end, err
		}
		if err := f(n, end, line); err != nil {
			return end, fmt.Errorf("%s:%d: %w", s.URL(name), n, err)
		}
		end += int64(len(line))
	}
}
