package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// removedDB is the name of a database that is being removed: half of one must not be
// taken for a state.
const removedDB = "db.removed"

// Folder is a state folder of any layout, sound or not, that is to be removed. It is
// locked while it is open.
type Folder struct {
	dir  string
	lock *pebble.Lock
	meta Meta
	// Damage says why the state can't be read; nil = it can, or there is none.
	Damage error
	// Tables names, by sink, the tables that the checkpoint says were taken.
	Tables map[string][]string
	// Definition is what the state was built by, as SetDefinition was given it; nil =
	// that is not known.
	Definition []byte
	names      []string // what there is of a state
}

// OpenFolder locks a state folder, and finds out what is in it. It fails when another
// process has it open, and when it belongs to another pipeline.
func OpenFolder(dir, pipeline string) (*Folder, error) {
	f := &Folder{dir: dir}
	if err := f.open(pipeline); err != nil {
		return nil, errors.Join(fmt.Errorf("state folder %s: %w", dir, err), f.Close())
	}
	return f, nil
}

func (f *Folder) open(pipeline string) error {
	entries, err := os.ReadDir(f.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if isOwn(e.Name()) {
			f.names = append(f.names, e.Name())
		}
	}
	s := &Store{dir: f.dir}
	if _, err := os.Stat(s.dbDir()); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := s.takeLock(); err != nil {
		return err
	}
	f.lock = s.lock
	found, err := pebble.Peek(s.dbDir(), vfs.Default)
	switch {
	case err != nil:
		f.Damage = err
	case found.Exists:
		f.Damage = f.read(s)
	default:
		if others, err := os.ReadDir(s.dbDir()); err != nil || len(others) > 1 { // the lock
			return errors.Join(err, errors.New("its db is no database of a state: look at what it is, and remove it yourself"))
		}
	}
	if f.Damage == nil && f.meta.Pipeline != "" && f.meta.Pipeline != pipeline {
		return &OtherPipelineError{Was: f.meta.Pipeline, Is: pipeline}
	}
	return nil
}

// read reads what the state says of itself, whatever its format.
func (f *Folder) read(s *Store) (err error) {
	if err := s.openDB(true); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.db.Close()) }()
	raw, err := s.get(keyMeta)
	if err != nil || raw == nil {
		return err
	}
	if err := json.Unmarshal(raw, &f.meta); err != nil {
		return fmt.Errorf("description of the state: %w", err)
	}
	if f.meta.Version != FormatVersion {
		return nil
	}
	c, err := s.Checkpoint()
	if err != nil {
		return err
	}
	f.Tables = c.Tables
	f.Definition, err = s.Definition()
	return err
}

// isOwn reports whether a name in a state folder is of the state: what else is there is
// left alone.
func isOwn(name string) bool {
	return name == "db" || name == removedDB || name == "spool" || strings.HasPrefix(name, "status.sock") || strings.HasPrefix(name, ".status-") ||
		strings.HasPrefix(name, tablePrefix) && strings.HasSuffix(name, tableSuffix)
}

// Exists reports whether there is anything of a state.
func (f *Folder) Exists() bool { return len(f.names) > 0 }

// ID returns the id of the state; empty = there is none, or it can't be read.
func (f *Folder) ID() string { return f.meta.StateID }

// Remove removes the state, and the folder if nothing else is in it. It is repeated
// after a crash.
func (f *Folder) Remove() error {
	if !f.Exists() {
		return nil
	}
	db := filepath.Join(f.dir, "db")
	removed := filepath.Join(f.dir, removedDB)
	if err := os.RemoveAll(removed); err != nil {
		return fmt.Errorf("state folder: %w", err)
	}
	if err := os.Rename(db, removed); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("state folder: %w", err)
	}
	for _, name := range append(f.names, removedDB) {
		if err := os.RemoveAll(filepath.Join(f.dir, name)); err != nil {
			return fmt.Errorf("state folder: %w", err)
		}
	}
	left, err := os.ReadDir(f.dir)
	if err == nil && len(left) == 0 {
		err = os.Remove(f.dir)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("state folder: %w", err)
	}
	f.names = nil
	return nil
}

// Close lets the folder go. It may be called twice.
func (f *Folder) Close() error {
	if f.lock == nil {
		return nil
	}
	err := f.lock.Close()
	f.lock = nil
	return err
}
