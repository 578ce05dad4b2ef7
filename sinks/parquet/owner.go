package parquet

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline/disk"
)

// ownerFile says, in a table's folder, who writes it and how. Readers of lakes take
// names that begin with _ for no data.
const ownerFile = "_starlift_owner.json"

// way says how to go on where folders and state do not belong together.
const way = "begin anew: starlift reset FILE shows what that takes, and does it with --yes"

// owner is what an ownerFile holds.
type owner struct {
	Pipeline string `json:"pipeline"`
	StateID  string `json:"state_id"`
	Sink     string `json:"sink"`
	Table    string `json:"table"`
	Mode     string `json:"mode"`
}

// OwnerError says that folders are not the sink's to write.
type OwnerError struct {
	Sink string
	text string
}

// Error says which folders, whose they are, and how to go on.
func (e *OwnerError) Error() string { return e.text }

// readOwner returns the owner of a folder; nil = it has none.
func readOwner(dir string) (*owner, error) {
	path := filepath.Join(dir, ownerFile)
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	o := &owner{}
	if err := json.Unmarshal(raw, o); err != nil || o.Pipeline == "" {
		return nil, fmt.Errorf("%s does not say whose the folder is: delete it if nobody else writes there", path)
	}
	return o, nil
}

// claims compares the folders of a sink's tables with what is there and whose it is.
type claims struct {
	sink    *Sink
	wrong   []string
	others  bool     // something of others is in the way
	renamed string   // the pipeline that has a folder of a sink of this name
	take    []string // tables whose folders are nobody's
}

// add compares a table's folder.
func (c *claims) add(table string) error {
	s, dir := c.sink, c.sink.folder(table)
	differs := func(others bool, format string, args ...any) {
		c.others = c.others || others
		c.wrong = append(c.wrong, fmt.Sprintf("  folder %s: ", dir)+fmt.Sprintf(format, args...))
	}
	found, err := readOwner(dir)
	if err != nil {
		return err
	}
	taken := slices.Contains(s.opening.Taken, table)
	switch want := s.owner(table); {
	case found != nil && found.Pipeline != want.Pipeline:
		if found.Sink == want.Sink {
			c.renamed = found.Pipeline
		}
		differs(true, "it belongs to pipeline %q (its sink %q, state folder %s)", found.Pipeline, found.Sink, found.StateID)
	case found != nil && found.Sink != want.Sink:
		differs(false, "it belongs to sink %q of this pipeline (state folder %s)", found.Sink, found.StateID)
	case found != nil && found.StateID != want.StateID:
		differs(false, "it was written with another state folder (%s), not with this one (%s)", found.StateID, want.StateID)
	case found != nil && found.Mode != want.Mode:
		differs(false, "its files were written in mode %s, and mode is %s now: readers could not tell them apart", found.Mode, want.Mode)
	case found != nil && found.Table != want.Table:
		differs(true, "it is of table %q, and table %q has the same folder", found.Table, want.Table)
	case found != nil:
	case taken:
		differs(false, "this pipeline has written it, and it, or %s in it, is no longer there", ownerFile)
	default:
		return c.addNew(table, dir, differs)
	}
	return nil
}

// addNew looks for data in a folder that is nobody's, and for others around it.
func (c *claims) addNew(table, dir string, differs func(others bool, format string, args ...any)) error {
	file, nested, err := dataIn(dir)
	if err != nil {
		return err
	}
	around, err := ownerAbove(dir)
	switch {
	case err != nil:
		return err
	case around != "":
		differs(true, "it lies in %s, which is the folder of a table itself", around)
	case nested != "":
		differs(true, "%s in it is the folder of a table itself", nested)
	case file != "":
		differs(true, "it has files (%s), and no %s: something else has written them, or an older starlift", file, ownerFile)
	default:
		c.take = append(c.take, table)
	}
	return nil
}

// err says what is wrong with the folders, and how to go on; nil = nothing is.
func (c *claims) err() error {
	if c.wrong == nil {
		return nil
	}
	way := "put back what was there, give the sink another folder (url), or " + way
	if c.others {
		way = "give the sink another folder (url); or, if nobody needs what is there, delete it"
	}
	if c.renamed != "" {
		way = fmt.Sprintf("if this is pipeline %q with a new name, put the name back; otherwise %s", c.renamed, way)
	}
	return &OwnerError{Sink: c.sink.name, text: fmt.Sprintf("sink %q can't take its folders:\n%s\n%s", c.sink.name, strings.Join(c.wrong, "\n"), way)}
}

// hidden reports whether readers of lakes pass a name over.
func hidden(name string) bool { return strings.HasPrefix(name, "_") || strings.HasPrefix(name, ".") }

// dataIn returns a file in a folder that readers would take for data, and a folder
// in it that is owned; empty = there is none.
func dataIn(dir string) (file, nested string, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case d.Name() == ownerFile && filepath.Dir(path) != dir:
			nested = filepath.Dir(path)
			return fs.SkipAll
		case !hidden(d.Name()) && !d.IsDir() && file == "":
			file = path
		}
		return nil
	})
	return file, nested, err
}

// ownerAbove returns the owned folder that a folder lies in; empty = there is none.
func ownerAbove(dir string) (string, error) {
	at, err := disk.Canonical(dir)
	if err != nil {
		return "", err
	}
	for parent := filepath.Dir(at); parent != at; parent = filepath.Dir(at) {
		at = parent
		if _, err := os.Stat(filepath.Join(at, ownerFile)); err == nil {
			return at, nil
		}
	}
	return "", nil
}

// owner is what the sink writes into a table's folder.
func (s *Sink) owner(table string) owner {
	return owner{Pipeline: s.opening.Pipeline, StateID: s.opening.StateID, Sink: s.name, Table: table, Mode: s.cfg.Mode}
}

// claim returns the tables whose folders are to be taken, or why others can't be
// written.
func (s *Sink) claim() ([]string, error) {
	c := &claims{sink: s}
	for _, t := range s.opening.Tables {
		if err := c.add(t.Name); err != nil {
			return nil, err
		}
	}
	return c.take, c.err()
}

// take makes a table's folder and says whose it is, durably, unless somebody else
// was quicker. The file comes whole or not at all: it is linked.
func (s *Sink) take(table string) error {
	dir := s.folder(table)
	if err := disk.MakeDir(dir, disk.Shared); err != nil {
		return err
	}
	text, err := json.Marshal(s.owner(table))
	if err != nil {
		return err
	}
	final := filepath.Join(dir, ownerFile)
	temp := filepath.Join(dir, "."+s.prefix+ownerFile+".tmp")
	if err := writeSynced(temp, append(text, '\n')); err != nil {
		return fmt.Errorf("%s: %w", temp, err)
	}
	err = os.Link(temp, final)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		// A file system without links.
		err = writeNew(final, append(text, '\n'))
	}
	if removeErr := os.Remove(temp); removeErr != nil {
		return errors.Join(err, removeErr)
	}
	if errors.Is(err, fs.ErrExist) {
		return &OwnerError{Sink: s.name, text: fmt.Sprintf("folder %s was taken by another process just now: start again", dir)}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", final, err)
	}
	return disk.SyncDir(dir)
}

func writeSynced(path string, text []byte) error {
	return writeFile(path, text, os.O_TRUNC)
}

func writeNew(path string, text []byte) error {
	return writeFile(path, text, os.O_EXCL)
}

func writeFile(path string, text []byte, how int) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|how, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}
