package parquet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/disk"
)

// Reset implements pipeline.Resettable. The files of the pipeline in the folders that
// its owner files name go, whatever tables the sink writes now, and then the owner
// files, and folders that are empty.
func (s *Sink) Reset(ctx context.Context, r pipeline.Reset) (all []pipeline.TargetObject, err error) {
	entries, err := os.ReadDir(s.cfg.URL)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		dir := filepath.Join(s.cfg.URL, e.Name())
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		some, err := s.resetFolder(dir, &r)
		if err != nil {
			return nil, fmt.Errorf("folder %s: %w", dir, err)
		}
		all = append(all, some...)
	}
	return all, nil
}

func (s *Sink) resetFolder(dir string, r *pipeline.Reset) ([]pipeline.TargetObject, error) {
	found, err := readOwner(dir)
	name := "folder " + dir
	switch {
	case err != nil:
		return []pipeline.TargetObject{{Name: name, KeptBecause: err.Error()}}, nil
	case found == nil && slices.ContainsFunc(r.Tables, func(t *pipeline.Table) bool { return escape(t.Name) == filepath.Base(dir) }):
		file, nested, err := dataIn(dir)
		if err != nil || file == "" && nested == "" {
			return nil, err
		}
		return []pipeline.TargetObject{{Name: name, KeptBecause: "it has files and no " + ownerFile + ": something else has written them, or an older starlift; delete it yourself if nobody needs it"}}, nil
	case found == nil:
		return nil, nil
	case found.Pipeline != r.Pipeline:
		return []pipeline.TargetObject{{Name: name, KeptBecause: fmt.Sprintf("it belongs to pipeline %q", found.Pipeline)}}, nil
	case !r.Owns(s.name, found.Pipeline, found.Sink):
		return nil, nil
	}
	ours, others, err := s.filesOf(dir, r)
	if err != nil {
		return nil, err
	}
	all := []pipeline.TargetObject{{Name: fmt.Sprintf("%s: %d files%s", name, len(ours), r.OfState(found.StateID))}}
	if len(others) > 0 {
		all = append(all, pipeline.TargetObject{Name: fmt.Sprintf("%s: %d files (%s …)", name, len(others), others[0]), KeptBecause: "this pipeline's sink did not write them; delete them yourself if nobody needs them"})
	}
	if !r.Do {
		return all, nil
	}
	for _, path := range ours {
		if err := remove(path); err != nil {
			return nil, err
		}
	}
	if err := removeEmpty(dir); err != nil {
		return nil, err
	}
	// Last: until then the rest is known for ours.
	if err := remove(filepath.Join(dir, ownerFile)); err != nil {
		return nil, err
	}
	return all, errors.Join(removeEmpty(dir), disk.SyncDir(s.cfg.URL))
}

var dataFile = regexp.MustCompile(`^(.+)-([A-Za-z][A-Za-z0-9_]*)-[^-]+-\d{10,}-\d{10,}-\d{3,}\.parquet$`)

// filesOf lists the files in a folder that are to be given back, whatever state
// folder they were written with, and others that readers would take for data.
func (s *Sink) filesOf(dir string, r *pipeline.Reset) (ours, others []string, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path == filepath.Join(dir, ownerFile) {
			return err
		}
		name := d.Name()
		if final, ok := finalName(name); ok {
			name = final
		}
		m := dataFile.FindStringSubmatch(name)
		switch {
		case m != nil && m[1] == escape(r.Pipeline) && r.Owns(s.name, r.Pipeline, m[2]), s.ownTemporary(r, name):
			ours = append(ours, path)
		case !hidden(d.Name()):
			others = append(others, path)
		}
		return nil
	})
	return ours, others, err
}

// ownTemporary reports whether a file is what a crash left of an owner file.
func (s *Sink) ownTemporary(r *pipeline.Reset, name string) bool {
	return strings.HasPrefix(name, "."+escape(r.Pipeline)+"-"+escape(s.name)+"-") && strings.HasSuffix(name, ownerFile+".tmp")
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// removeEmpty removes a folder and those in it, as far as there is nothing in them.
func removeEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	left := len(entries)
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		sub := filepath.Join(dir, e.Name())
		if err := removeEmpty(sub); err != nil {
			return err
		}
		if _, err := os.Stat(sub); errors.Is(err, fs.ErrNotExist) {
			left--
		}
	}
	if left > 0 {
		return nil
	}
	return remove(dir)
}
