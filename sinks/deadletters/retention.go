package deadletters

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	cleanEvery = time.Hour
	// leftoverAfter is how old the temporary file of a request has to be to be one
	// that nobody is writing any more.
	leftoverAfter = 24 * time.Hour
)

// clean removes the pipeline's letters that are older than the retention.
func (s *Store) clean() error {
	s.cleaned = s.o.Now()
	if err := s.cleanInbox(); err != nil || s.o.Retention == 0 {
		return err
	}
	d := Folder{s.dir, s.opening.Pipeline}
	waiting, err := d.waiting()
	if err != nil {
		return err
	}
	kept := map[string]bool{}
	for id := range waiting {
		kept[fileOf(id)] = true
	}
	names, err := files(s.dir, d.Pipeline, suffix)
	if err != nil {
		return err
	}
	removed := 0
	for _, name := range names {
		old, err := s.old(name, s.o.Retention)
		if err != nil {
			return err
		}
		if !old || kept[filepath.Base(name)] {
			continue
		}
		if err := os.Remove(name); err != nil {
			return err
		}
		removed++
	}
	if removed > 0 && s.o.Log != nil {
		s.o.Log.Info("old dead letters removed", "files", removed, slog.Duration("older_than", s.o.Retention))
	}
	return s.cleanMarks(d)
}

// cleanMarks removes the names of letters whose files are gone.
func (s *Store) cleanMarks(d Folder) error {
	names, err := files(s.dir, d.Pipeline, markSuffix)
	if err != nil {
		return err
	}
	for _, name := range names {
		old, err := s.old(name, s.o.Retention)
		if err != nil {
			return err
		}
		needed := !old
		if old {
			if err := eachMark(name, func(m mark) {
				_, err := os.Stat(filepath.Join(s.dir, fileOf(m.ID)))
				needed = needed || !errors.Is(err, fs.ErrNotExist)
			}); err != nil {
				return err
			}
		}
		if needed {
			continue
		}
		if err := os.Remove(name); err != nil {
			return err
		}
	}
	return nil
}

// cleanInbox removes what is left of requests that were not finished.
func (s *Store) cleanInbox() error {
	names, err := list(inboxOf(s.dir, s.opening.Pipeline), func(name string) bool { return strings.HasSuffix(name, tempSuffix) })
	if err != nil {
		return err
	}
	for _, name := range names {
		old, err := s.old(name, leftoverAfter)
		if err != nil {
			return err
		}
		if !old {
			continue
		}
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// old reports whether a file was written longer ago than that.
func (s *Store) old(name string, than time.Duration) (bool, error) {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && s.o.Now().Sub(info.ModTime()) > than, err
}
