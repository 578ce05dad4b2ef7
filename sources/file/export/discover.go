package export

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/starlift-etl/starlift/sources/file/listing"
)

// listed bounds what one message names.
const listed = 10

// Found is what lies below a path.
type Found struct {
	Exports []*Export
	// Unfinished are folders of exports that have no summary.
	Unfinished []string
}

// Find returns the exports below a path: a folder, at any depth, or a pattern of
// folders (*, ?, [a-z], {a,b}, ** for folders at any depth). It fails if there are
// none, or if one can't be read.
func Find(ctx context.Context, files *listing.Tree, path string) (*Found, error) {
	found, err := Look(ctx, files, path)
	switch {
	case err != nil:
		return nil, err
	case len(found.Exports) > 0:
		return found, nil
	case len(found.Unfinished) > 0:
		return nil, fmt.Errorf("export %s: %s", path, Unfinished(found.Unfinished))
	}
	return nil, fmt.Errorf("export %s: no %s.json there, nor in a folder below: the export is not finished, was not copied whole, "+
		"or the path is not its folder", path, summaryName)
}

// Look is Find where there may be none yet below a folder that is there.
func Look(ctx context.Context, files *listing.Tree, path string) (*Found, error) {
	roots, err := rootsOf(ctx, files, path)
	if err != nil {
		return nil, err
	}
	w := &walker{files: files, seen: map[string]bool{}, folders: map[string]string{}}
	for _, root := range roots {
		if _, err := w.walk(ctx, root, root); err != nil {
			return nil, fmt.Errorf("export %s: %w", path, err)
		}
	}
	found := &Found{Unfinished: w.unfinished}
	var errs []error
	for _, folder := range w.found {
		e, err := read(ctx, files, folder, w.folders[folder])
		if err == nil {
			err = found.add(e)
		}
		if err != nil && len(errs) < listed {
			errs = append(errs, err)
		}
	}
	return found, errors.Join(errs...)
}

// Unfinished says what to do about folders of exports that are not finished.
func Unfinished(folders []string) string {
	return fmt.Sprintf("no %s.json there, which DynamoDB writes last (%s): the export is not finished, or was not copied whole: "+
		"wait until `aws dynamodb describe-export` says COMPLETED, and copy all of it again; if it says FAILED, remove the folder and export again",
		summaryName, few(folders))
}

// few names the first of many.
func few(names []string) string {
	text := strings.Join(names[:min(len(names), listed)], ", ")
	if more := len(names) - listed; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// add adds an export, unless it is a copy of one that is there.
func (f *Found) add(e *Export) error {
	i := slices.IndexFunc(f.Exports, func(o *Export) bool { return o.ID == e.ID })
	switch {
	case i < 0:
		f.Exports = append(f.Exports, e)
	case !bytes.Equal(f.Exports[i].summary, e.summary):
		return fmt.Errorf("%s and %s are both the export %s, and differ: remove one of them", f.Exports[i].Folder, e.Folder, e.ID)
	}
	return nil
}

// OfTable returns the exports of one table: of the table so named where there are
// several, or, of one table, all.
func (f *Found) OfTable(name string) ([]*Export, error) {
	byARN := map[string][]*Export{}
	var arns, named, names []string
	for _, e := range f.Exports {
		if byARN[e.TableARN] == nil {
			arns = append(arns, e.TableARN)
			names = append(names, e.Table())
			if e.Table() == name {
				named = append(named, e.TableARN)
			}
		}
		byARN[e.TableARN] = append(byARN[e.TableARN], e)
	}
	switch {
	case len(arns) == 1:
		return f.Exports, nil
	case len(named) == 1:
		return byARN[named[0]], nil
	case len(named) > 1:
		return nil, fmt.Errorf("the path holds exports of several tables named %s: %s: give a path for each, and a source", name, few(named))
	}
	slices.Sort(names)
	return nil, fmt.Errorf("the path holds exports of several tables: %s: say by `table:` which of them is read, and make a source for each", few(names))
}

// rootsOf returns the folders that a path matches.
func rootsOf(ctx context.Context, files *listing.Tree, path string) ([]string, error) {
	at, err := files.Stat(ctx, path)
	switch {
	case err == nil && at.Info.IsDir():
		return []string{path}, nil
	case err == nil && filepath.Base(path) == summaryName+".json":
		return []string{folderOf(files, path)}, nil
	case err == nil:
		return nil, fmt.Errorf("export %s: not a folder: give the folder that holds %s.json", path, summaryName)
	case !strings.ContainsAny(path, "*?[{") && errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("export %s: nothing is there: give the folder, or prefix, below which exports are: %w", path, err)
	case !strings.ContainsAny(path, "*?[{"):
		return nil, fmt.Errorf("export: %w", err)
	case !doublestar.ValidatePathPattern(path):
		return nil, fmt.Errorf("export %s: there is no such folder, and it is not a glob: a [ or { is not closed, or it ends with a backslash", path)
	}
	found, problems := files.Match(ctx, path)
	if len(problems) > 0 {
		return nil, fmt.Errorf("export %s: %w", path, problems[0])
	}
	var roots []string
	for _, e := range found {
		switch {
		case e.Err != nil:
			return nil, fmt.Errorf("export %s: %w", path, e.Err)
		case e.Info.IsDir():
			roots = append(roots, e.Path)
		case filepath.Base(e.Path) == summaryName+".json":
			roots = append(roots, folderOf(files, e.Path))
		}
	}
	if len(roots) == 0 {
		return nil, fmt.Errorf("export %s: no folder matches", path)
	}
	return roots, nil
}

// folderOf returns the folder that a file is in.
func folderOf(files *listing.Tree, file string) string {
	folder, _ := files.Parent(file)
	return folder
}

// walker looks for exports in folders, into each once.
type walker struct {
	files      *listing.Tree
	seen       map[string]bool // by the path without links
	folders    map[string]string
	found      []string
	unfinished []string
}

// exportID is how DynamoDB names exports: the milliseconds of its start and a
// random number.
var exportID = regexp.MustCompile(`^\d{14}-[0-9a-f]{8}$`)

// walk looks for exports in a folder and below, and reports whether there are
// any, finished or not.
func (w *walker) walk(ctx context.Context, dir, root string) (has bool, err error) {
	where, err := w.files.Canonical(dir)
	if err != nil || w.seen[where] {
		return false, err
	}
	w.seen[where] = true
	entries, err := w.files.ReadDir(ctx, dir)
	if err != nil {
		return false, err
	}
	begun := exportID.MatchString(filepath.Base(where))
	for _, e := range entries {
		switch name := filepath.Base(e.Path); {
		case name == summaryName+".json":
			w.found, w.folders[dir] = append(w.found, dir), root
			has = true
		case name == "_started" || strings.HasPrefix(name, filesName+".") || strings.HasPrefix(name, summaryName+"."):
			begun = true
		}
	}
	for _, e := range entries {
		if name := filepath.Base(e.Path); name[0] == '.' || has && name == "data" || !e.Info.IsDir() {
			continue
		}
		below, err := w.walk(ctx, e.Path, root)
		if err != nil {
			return false, err
		}
		has = has || below
	}
	if !has && begun {
		w.unfinished = append(w.unfinished, dir)
		has = true
	}
	return has, nil
}
