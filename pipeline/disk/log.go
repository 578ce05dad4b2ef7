package disk

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Log is a durable list of names in a spool: of what was done already with the files that
// are prepared there, so that it is not done again after a crash.
type Log struct {
	spool Spool
	name  string
	names map[string]bool
	size  int64    // of the lines that are whole
	file  *os.File // nil = nothing was added by this process
}

// CreateLog makes a log, if there is none; its name is durable once the spool is synced. It is made
// before any file is moved out of the spool: a sync of the spool while files are moved may make
// durable that they are gone from it before their new folders are synced, and a power cut would
// take them.
func (s Spool) CreateLog(name string) error {
	if err := MakeDir(s.dir, Private); err != nil {
		return err
	}
	f, err := Open(s.Path(name), Private)
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	return nil
}

// OpenLog reads the log with a name. It is a file of lines; one without its end is one whose
// writing was cut off. The caller closes the log.
func (s Spool) OpenLog(name string) (*Log, error) {
	l := &Log{spool: s, name: name, names: map[string]bool{}}
	text, err := os.ReadFile(s.Path(name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("spool: %w", err)
	}
	l.size = int64(bytes.LastIndexByte(text, '\n') + 1)
	for line := range bytes.Lines(text[:l.size]) {
		l.names[string(bytes.TrimSuffix(line, []byte("\n")))] = true
	}
	return l, nil
}

// Has reports whether a name was there when the log was opened.
func (l *Log) Has(name string) bool { return l.names[name] }

// Add adds names, which have no line breaks, durably, to a log that was created. Where the spool is
// deleted, there is nothing left that could be done again.
func (l *Log) Add(names ...string) error {
	if l.file == nil {
		f, err := os.OpenFile(l.spool.Path(l.name), os.O_WRONLY, 0)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("spool: %w", err)
		}
		l.file = f
		if err := f.Truncate(l.size); err != nil {
			return fmt.Errorf("spool: %w", err)
		}
	}
	var lines []byte
	for _, name := range names {
		lines = append(append(lines, name...), '\n')
	}
	n, err := l.file.WriteAt(lines, l.size)
	l.size += int64(n)
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	if err := l.file.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", l.file.Name(), err)
	}
	return nil
}

// Close closes the log. It may be called twice.
func (l *Log) Close() error {
	if l.file == nil {
		return nil
	}
	f := l.file
	l.file = nil
	return f.Close()
}
