package state

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/starlift-etl/starlift/pipeline/disk"
)

// Open opens the folder, making it when it is missing: Inspect and Create.
func Open(dir string, o Options) (*Store, error) {
	s, err := Inspect(dir, o)
	if err != nil {
		return nil, err
	}
	if err := s.Create(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Inspect opens the folder to be read, and locks it where it is there; nothing is
// made or changed before Create. It fails when another process has the folder open,
// when it belongs to another pipeline, and when a starlift with another layout
// wrote it. A folder that is missing looks empty, with the id that Create gives it.
func Inspect(dir string, o Options) (*Store, error) {
	s := &Store{dir: dir, pipeline: o.Pipeline, memory: o.Memory, ingestBytesMin: ingestBytesMin, compactionBytesMin: compactionBytesMin,
		runs: runs{tablesMax: runTablesMax}, tableFiles: vfs.Default}
	if err := s.inspect(); err != nil {
		return nil, errors.Join(s.withFolder(err), s.Close())
	}
	return s, nil
}

func (s *Store) inspect() error {
	if _, err := os.Stat(s.dbDir()); errors.Is(err, fs.ErrNotExist) {
		return s.inspectEmpty()
	}
	if err := s.takeLock(); err != nil {
		return err
	}
	found, err := pebble.Peek(s.dbDir(), vfs.Default)
	if err != nil {
		return err
	}
	if !found.Exists {
		return s.inspectEmpty()
	}
	// Opened for writing, the database would change its files.
	if err := s.openDB(true); err != nil {
		return err
	}
	raw, err := s.get(keyMeta)
	if err != nil || raw == nil {
		return errors.Join(err, s.newMeta())
	}
	if err := json.Unmarshal(raw, &s.meta); err != nil {
		return fmt.Errorf("description of the state: %w", err)
	}
	return s.meta.check(s.pipeline)
}

// inspectEmpty shows what a folder that is not there would hold.
func (s *Store) inspectEmpty() (err error) {
	if s.db, err = pebble.Open("", &pebble.Options{FS: vfs.NewMem(), Logger: quietLogger{s.dir}}); err != nil {
		return err
	}
	return s.newMeta()
}

// newMeta makes the description of a folder that Create will make.
func (s *Store) newMeta() error {
	id := make([]byte, 8)
	if _, err := rand.Read(id); err != nil {
		return err
	}
	s.meta, s.fresh = Meta{Version: FormatVersion, Pipeline: s.pipeline, StateID: hex.EncodeToString(id)}, true
	return nil
}

// New reports whether the folder has no state yet: Create makes it.
func (s *Store) New() bool { return s.fresh }

// Create opens what Inspect has looked at for writing, and makes the folder when it is
// missing. What was read stays as it is, and Keyspaces stay good. After an error
// only Close is of use.
func (s *Store) Create() error {
	if err := s.create(); err != nil {
		return s.withFolder(err)
	}
	return nil
}

func (s *Store) create() error {
	if s.lock == nil {
		if err := disk.MakeDir(s.dir, disk.Private); err != nil {
			return err
		}
		if err := disk.MakeDir(s.dbDir(), disk.Private); err != nil {
			return err
		}
		if err := s.takeLock(); err != nil {
			return err
		}
		if err := os.Chmod(filepath.Join(s.dbDir(), "LOCK"), disk.PrivateFile); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(filepath.Join(s.dir, removedDB)); err != nil {
		return err
	}
	inspected := s.db
	s.db = nil
	if err := inspected.Close(); err != nil {
		return err
	}
	if err := s.openDB(false); err != nil {
		return err
	}
	if err := errors.Join(s.removeTables(), s.readSpooledKeys()); err != nil || !s.fresh {
		return err
	}
	switch raw, err := s.get(keyMeta); {
	case err != nil:
		return err
	case raw != nil:
		return errors.New("another process has made it just now: start again")
	}
	raw, err := json.Marshal(s.meta)
	if err != nil {
		return err
	}
	s.fresh, s.runs.complete = false, true
	return s.db.Set(keyMeta, raw, pebble.Sync)
}

func (s *Store) openDB(readOnly bool) error {
	cache := pebble.NewCache(cacheBytes)
	defer cache.Unref() // the database holds a reference of its own
	options := dbOptions(s.dir, cache)
	options.EnsureDefaults()
	options.Lock, options.ReadOnly = s.lock, readOnly
	db, err := pebble.Open(s.dbDir(), options)
	if err != nil {
		return err
	}
	s.db, s.options = db, options
	return nil
}

func (s *Store) dbDir() string { return filepath.Join(s.dir, "db") }

// withFolder adds the folder to an error.
func (s *Store) withFolder(err error) error { return fmt.Errorf("state folder %s: %w", s.dir, err) }

// takeLock keeps other processes from the folder.
func (s *Store) takeLock() error {
	lock, err := pebble.LockDirectory(s.dbDir(), vfs.Default)
	var unopened *fs.PathError
	switch {
	case errors.As(err, &unopened): // nobody asked for the lock yet
		return err
	case err != nil:
		return fmt.Errorf("%w; stop that one, or give this pipeline a folder of its own (state.dir): %w", ErrLocked, err)
	}
	s.lock = lock
	return nil
}
