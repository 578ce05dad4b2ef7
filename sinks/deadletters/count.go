package deadletters

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/starlift-etl/starlift/pipeline"
)

// Counter counts a pipeline's letters. It reads each line once: files only grow.
type Counter struct {
	folder Folder

	mu    sync.Mutex
	files map[string]*counted // by path
}

// counted is what was read of a file.
type counted struct {
	counts
	size int64
}

// counts are those of one file: of letters, or of letters that were read again,
// by the name of the file that has them.
type counts map[string]map[pipeline.Reason]int64

// NewCounter returns a counter of the folder.
func NewCounter(d Folder) *Counter { return &Counter{folder: d, files: map[string]*counted{}} }

// Left returns how many letters there are that were not read again, by reason.
func (c *Counter) Left() (map[pipeline.Reason]int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	marks, err := c.read(markSuffix)
	if err != nil {
		return nil, err
	}
	letters, err := c.read(suffix)
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

// read sums up the files with a suffix, and forgets those that are gone.
func (c *Counter) read(suffix string) (counts, error) {
	paths, err := files(c.folder.Dir, c.folder.Pipeline, suffix)
	if err != nil {
		return nil, err
	}
	sum, there := counts{}, map[string]bool{}
	for _, path := range paths {
		n, err := c.count(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed just now
		}
		if err != nil {
			return nil, err
		}
		there[path] = true
		for name, reasons := range n.counts {
			for reason, count := range reasons {
				sum.add(name, reason, count)
			}
		}
	}
	for path := range c.files {
		if filepath.Ext(path) == suffix && !there[path] {
			delete(c.files, path)
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
func (c *Counter) count(path string) (*counted, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	n := c.files[path]
	if n == nil || info.Size() < n.size {
		n = &counted{counts: counts{}}
		c.files[path] = n
	}
	if info.Size() == n.size {
		return n, nil
	}
	base := filepath.Base(path)
	end, err := scan(path, n.size, false, func(_ int, _ int64, line []byte) error {
		var l struct {
			ID     string          `json:"id"` // of a letter that was read again
			Reason pipeline.Reason `json:"reason"`
		}
		if err := json.Unmarshal(line, &l); err != nil {
			return err
		}
		name := base
		if l.ID != "" {
			name = fileOf(l.ID)
		}
		n.add(name, l.Reason, 1)
		return nil
	})
	if err != nil {
		delete(c.files, path) // it may be counted in part
		return nil, err
	}
	n.size = end
	return n, nil
}
