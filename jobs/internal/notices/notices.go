// Package notices collects the licences and notices of what a build of starlift has
// from others: of Go, of each module it links, and with DuckDB of the libraries
// within it. Archives and images carry them (Of).
//
// A package takes the texts of its own folder and of all above it in its module, so
// that what a module has from others is named too. A module without any is an error.
package notices

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const head = `starlift has software of others in it, under the licences below. Each text comes
once, below the names of all that have it.

`

// Of returns the notices of a build for an operating system and an architecture,
// as Go names them. It asks the go command, in a folder of starlift's module.
func Of(ctx context.Context, goos, arch string, duckdb bool) (string, error) {
	packages, root, err := linked(ctx, goos, arch, duckdb)
	if err != nil {
		return "", err
	}
	seen := map[string]bool{}
	texts, err := in(root, root, "Go", seen)
	if err != nil {
		return "", err
	}
	if len(texts) == 0 {
		return "", fmt.Errorf("%s has no licence of Go: take a Go of go.dev", root)
	}
	var problems []error
	found := map[string]bool{} // modules
	for _, p := range packages {
		name := p.module + " " + p.version
		more, err := in(p.root, p.dir, name, seen)
		problems = append(problems, err)
		texts = append(texts, more...)
		found[name] = found[name] || len(more) > 0
	}
	for name, ok := range found {
		if !ok {
			problems = append(problems, fmt.Errorf("module %s has no licence that is found by its name", name))
		}
	}
	database := ""
	if i := slices.IndexFunc(packages, func(p folder) bool { return p.module == bindings }); i >= 0 {
		database, err = duckDBText(packages[i].version)
		problems = append(problems, err)
	}
	if err := errors.Join(problems...); err != nil {
		return "", err
	}
	return head + printed(texts) + database, nil
}

// text is one file.
type text struct{ name, content string }

var isText = regexp.MustCompile(`(?i)^(licen[cs]e|copying|copyright|notice|patent)s?([._-].*)?$`)

// in returns the texts in a folder and in those above it, up to root, but for folders
// that were seen, which have been read with all above them.
func in(root, dir, name string, seen map[string]bool) ([]text, error) {
	var texts []text
	for {
		if seen[dir] {
			return texts, nil
		}
		seen[dir] = true
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, fmt.Errorf("texts of %s: %w", name, err)
		}
		for _, e := range entries {
			if !e.Type().IsRegular() || !isText.MatchString(e.Name()) || filepath.Ext(e.Name()) == ".go" {
				continue
			}
			file := filepath.Join(dir, e.Name())
			content, err := os.ReadFile(file)
			if err != nil {
				return nil, fmt.Errorf("texts of %s: %w", name, err)
			}
			where, err := filepath.Rel(root, file)
			if err != nil {
				return nil, fmt.Errorf("texts of %s: %w", name, err)
			}
			texts = append(texts, text{name + ", " + filepath.ToSlash(where), string(content)})
		}
		parent := filepath.Dir(dir)
		if dir == root || parent == dir {
			return texts, nil
		}
		dir = parent
	}
}

// printed returns texts by their names, equal ones once.
func printed(texts []text) string {
	slices.SortFunc(texts, func(a, b text) int { return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.content, b.content)) })
	texts = slices.Compact(texts)
	names := map[string][]string{} // by content
	for _, t := range texts {
		names[t.content] = append(names[t.content], t.name)
	}
	var b strings.Builder
	for _, t := range texts {
		if names[t.content] == nil {
			continue
		}
		fmt.Fprintf(&b, "%s\n%s\n%s\n\n%s\n\n", strings.Repeat("=", 80), strings.Join(names[t.content], "\n"), strings.Repeat("-", 80), strings.TrimRight(t.content, "\n"))
		names[t.content] = nil
	}
	return b.String()
}
