package parquet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline/blob"
)

// ownerFile says, in a table's folder, who writes it and how. Readers of lakes take
// names that begin with _ for no data.
const ownerFile = "_starlift_owner.json"

// recoveryHint says how to go on where folders and state do not belong together.
const recoveryHint = "begin anew: starlift reset FILE shows what that takes, and does it with --yes"

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
func (s *Sink) readOwner(ctx context.Context, folder string) (*owner, error) {
	name := path.Join(folder, ownerFile)
	raw, err := blob.ReadAll(ctx, s.target, name)
	s.progress.moved()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	o := &owner{}
	if err := json.Unmarshal(raw, o); err != nil || o.Pipeline == "" {
		return nil, fmt.Errorf("%s does not say whose the folder is: delete it if nobody else writes there", s.target.URL(name))
	}
	return o, nil
}

// claims compares the folders of a sink's tables with the files and owners that they have.
type claims struct {
	sink    *Sink
	wrong   []string
	others  bool     // some folders have files of others, or belong to others
	renamed string   // the pipeline that has a folder of a sink of this name
	unowned []string // tables whose folders are nobody's
}

// compare compares a table's folder.
func (c *claims) compare(ctx context.Context, table string) error {
	s, dir := c.sink, c.sink.target.URL(escape(table))
	differs := func(others bool, format string, args ...any) {
		c.others = c.others || others
		c.wrong = append(c.wrong, fmt.Sprintf("  folder %s: ", dir)+fmt.Sprintf(format, args...))
	}
	found, err := s.readOwner(ctx, escape(table))
	if err != nil {
		return err
	}
	taken := slices.Contains(s.options.Taken, table)
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
		return c.compareFree(ctx, table, differs)
	}
	return nil
}

// checkFolder refuses a file that has the name of a folder: it would be found only when
// the owner files of other tables are written.
func (s *Sink) checkFolder(ctx context.Context, folder string) error {
	if s.remote {
		return nil // an object and others that begin with its name may be there at once
	}
	var irregular *blob.IrregularError
	switch _, err := s.target.Stat(ctx, folder); {
	case errors.Is(err, fs.ErrNotExist), errors.As(err, &irregular) && irregular.Info.File().IsDir():
		return nil
	case err == nil, irregular != nil:
		return fmt.Errorf("open %s: not a directory", s.target.URL(path.Join(folder, ownerFile)))
	default:
		return err
	}
}

// compareFree looks for data in a folder that is nobody's, and for others around it.
func (c *claims) compareFree(ctx context.Context, table string, differs func(others bool, format string, args ...any)) error {
	if err := c.sink.checkFolder(ctx, escape(table)); err != nil {
		return err
	}
	file, nested, err := c.sink.dataIn(ctx, escape(table))
	if err != nil {
		return err
	}
	around, err := c.sink.ownerAround(ctx, escape(table))
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
		c.unowned = append(c.unowned, table)
	}
	return nil
}

// err says what is wrong with the folders, and how to go on; nil = nothing is.
func (c *claims) err() error {
	if c.wrong == nil {
		return nil
	}
	way := "put back what was there, give the sink another folder (url), or " + recoveryHint
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

// foreignNamesMax is the number of names, behind the first file of somebody else, that are
// looked through for a better reason to refuse the folder.
const foreignNamesMax = 10_000

// dataIn returns a file in a folder that readers would take for data, and a folder
// in it that is owned; empty = there is none, or, where there is a file, none was found.
func (s *Sink) dataIn(ctx context.Context, folder string) (file, nested string, err error) {
	names := 0
	for o, err := range s.target.List(ctx, folder+"/", blob.ListOptions{Recursive: true}) {
		s.progress.moved()
		if file != "" {
			names++
		}
		switch dir, base := path.Split(o.Name); {
		case err != nil:
			return "", "", err
		case base == ownerFile && dir != folder+"/":
			return file, s.target.URL(path.Clean(dir)), nil
		case !hidden(base) && file == "":
			file = s.target.URL(o.Name)
		case names >= foreignNamesMax:
			return file, "", nil
		}
	}
	return file, "", nil
}

// ownerAround returns the owned folder that a folder lies in; empty = there is none.
func (s *Sink) ownerAround(ctx context.Context, folder string) (string, error) {
	around, err := s.target.Around(folder)
	if err != nil {
		return "", err
	}
	for _, outer := range around {
		switch _, err := outer.Stat(ctx, ownerFile); {
		case err == nil:
			return outer.URL(""), nil
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
			// Who may write below a prefix only has no right to look above it.
		default:
			return "", err
		}
	}
	return "", nil
}

// owner is what the sink writes into a table's folder.
func (s *Sink) owner(table string) owner {
	return owner{Pipeline: s.options.Pipeline, StateID: s.options.StateID, Sink: s.name, Table: table, Mode: s.cfg.Mode}
}

// compareFolders returns the tables whose folders are nobody's yet, or why others can't
// be written.
func (s *Sink) compareFolders(ctx context.Context) ([]string, error) {
	c := &claims{sink: s}
	for _, t := range s.options.Tables {
		if err := c.compare(ctx, t.Name); err != nil {
			return nil, err
		}
	}
	return c.unowned, c.err()
}

// claim says whose a table's folder is, durably, unless somebody else was quicker.
func (s *Sink) claim(ctx context.Context, table string) error {
	text, err := json.Marshal(s.owner(table))
	if err != nil {
		return err
	}
	name := path.Join(escape(table), ownerFile)
	err = blob.WriteAll(ctx, s.target, name, append(text, '\n'), blob.CreateOptions{IfAbsent: true})
	if errors.Is(err, fs.ErrExist) {
		if found, err := s.readOwner(ctx, escape(table)); err == nil && found != nil && *found == s.owner(table) {
			return nil // made by a call before, whose answer was lost
		}
		return &OwnerError{Sink: s.name, text: fmt.Sprintf("folder %s was taken by another process just now: start again", s.target.URL(escape(table)))}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.target.URL(name), err)
	}
	return nil
}
