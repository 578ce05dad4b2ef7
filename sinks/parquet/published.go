package parquet

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/starlift-etl/starlift/pipeline/disk"
)

// publishedFile lists, in an epoch's spool, those of its files that are published, a name
// a line.
const publishedFile = "published"

// publishedLog notes durably which files of an epoch are published, so that a commit
// which is repeated does not make them again: somebody may have deleted one since. What
// can't be known is only what happened between the store's answer and the note.
type publishedLog struct {
	spool disk.Spool
	names map[string]bool // in the spool, of files that were published by an earlier call
	size  int64           // of the lines that are whole

	file *os.File // nil = nothing was noted by this call
}

// readPublished reads an epoch's log. A line without its end is one whose writing was
// cut off.
func readPublished(spool disk.Spool) (*publishedLog, error) {
	l := &publishedLog{spool: spool, names: map[string]bool{}}
	text, err := os.ReadFile(spool.Path(publishedFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("spool: %w", err)
	}
	l.size = int64(bytes.LastIndexByte(text, '\n') + 1)
	for line := range bytes.Lines(text[:l.size]) {
		l.names[string(bytes.TrimSuffix(line, []byte("\n")))] = true
	}
	return l, nil
}

// run notes the names that come, until there are no more. Those that come while others
// are synced share the next sync.
func (l *publishedLog) run(names <-chan string) (err error) {
	defer func() { err = errors.Join(err, l.close()) }()
	for name := range names {
		lines := append([]byte(name), '\n')
		for more := true; more; {
			select {
			case name, more = <-names:
				if more {
					lines = append(append(lines, name...), '\n')
				}
			default:
				more = false
			}
		}
		if err := l.write(lines); err != nil {
			return fmt.Errorf("spool: %w", err)
		}
	}
	return nil
}

func (l *publishedLog) write(lines []byte) error {
	if l.file == nil {
		f, err := disk.Open(l.spool.Path(publishedFile), disk.Private)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // the spool is deleted, so this was done before
		}
		if err != nil {
			return err
		}
		l.file = f
		if err := f.Truncate(l.size); err != nil {
			return err
		}
		if err := l.spool.Sync(); err != nil {
			return err
		}
	}
	n, err := l.file.WriteAt(lines, l.size)
	l.size += int64(n)
	if err != nil {
		return err
	}
	return l.file.Sync()
}

func (l *publishedLog) close() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}
