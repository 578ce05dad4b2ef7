package deadletters

import (
	"context"
	"errors"
	"io/fs"
	"path"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/blob"
)

// Counter counts a pipeline's letters. It reads each line once: files only grow.
type Counter struct {
	folder Folder

	busy  chan struct{}          // holds one thing while Left counts
	files map[string]*fileCounts // by name
}

// fileCounts are the letters of a file up to the size that was read.
type fileCounts struct {
	counts
	size int64
}

// counts are those of one file: of letters, or of letters that were read again,
// by the name of the file that has them.
type counts map[string]map[pipeline.Reason]int64

// NewCounter returns a counter of the folder.
func NewCounter(d Folder) *Counter {
	return &Counter{folder: d, busy: make(chan struct{}, 1), files: map[string]*fileCounts{}}
}

// Left returns how many letters there are that were not read again, by reason. What it has counted
// when the context ends is not counted again by the next call.
func (c *Counter) Left(ctx context.Context) (map[pipeline.Reason]int64, error) {
	select {
	case c.busy <- struct{}{}:
		defer func() { <-c.busy }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	found, err := files(ctx, c.folder.Objects, c.folder.Pipeline, "")
	if err != nil {
		return nil, err
	}
	marks, err := c.read(ctx, found, markSuffix)
	if err != nil {
		return nil, err
	}
	letters, err := c.read(ctx, found, suffix)
	if err != nil {
		return nil, err
	}
	left := map[pipeline.Reason]int64{}
	for name, n := range letters {
		for reason, count := range n {
			if count -= marks[name][reason]; count > 0 {
				left[reason] += count
			}
		}
	}
	return left, nil
}

// read sums up those files that have a suffix, and forgets those that are gone.
func (c *Counter) read(ctx context.Context, found []blob.Info, suffix string) (counts, error) {
	sum, there := counts{}, map[string]bool{}
	for _, f := range found {
		if path.Ext(f.Name) != suffix {
			continue
		}
		n, err := c.count(ctx, f)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed just now
		}
		if err != nil {
			return nil, err
		}
		there[f.Name] = true
		for name, reasons := range n.counts {
			for reason, count := range reasons {
				sum.add(name, reason, count)
			}
		}
	}
	for name := range c.files {
		if path.Ext(name) == suffix && !there[name] {
			delete(c.files, name)
		}
	}
	return sum, nil
}

func (c counts) add(file string, reason pipeline.Reason, n int64) {
	if c[file] == nil {
		c[file] = map[pipeline.Reason]int64{}
	}
	c[file][reason] += n
}

// count reads on in a file where it was read to.
func (c *Counter) count(ctx context.Context, f blob.Info) (*fileCounts, error) {
	n := c.files[f.Name]
	if n == nil || f.Size < n.size {
		n = &fileCounts{counts: counts{}}
		c.files[f.Name] = n
	}
	if f.Size == n.size {
		return n, nil
	}
	end, err := scanLive(ctx, c.folder.Objects, f.Name, n.size, func(_ int, line []byte) error {
		var l struct {
			ID     string          `json:"id"` // of a letter that was read again
			Reason pipeline.Reason `json:"reason"`
		}
		if err := decodeLine(line, &l); err != nil {
			return err
		}
		name := f.Name
		if l.ID != "" {
			name = fileOf(l.ID)
		}
		n.add(name, l.Reason, 1)
		return nil
	})
	if err != nil {
		delete(c.files, f.Name) // it may be counted in part
		return nil, err
	}
	n.size = end
	return n, nil
}
