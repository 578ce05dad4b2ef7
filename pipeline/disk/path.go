package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Canonical returns the one absolute path of a place, which need not exist: links
// are followed as far as there is something.
func Canonical(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("path: %w", err)
	}
	rest := ""
	for at := path; ; at = filepath.Dir(at) {
		real, err := filepath.EvalSymlinks(at)
		if err == nil {
			return filepath.Join(real, rest), nil
		}
		if target, linkErr := os.Readlink(at); linkErr == nil && errors.Is(err, fs.ErrNotExist) {
			if !filepath.IsAbs(target) {
				target = filepath.Join(filepath.Dir(at), target)
			}
			// What it leads to is not there, and is what a writer would make.
			return Canonical(filepath.Join(target, rest))
		}
		if !errors.Is(err, fs.ErrNotExist) || filepath.Dir(at) == at {
			return path, nil // who opens it will say what is wrong
		}
		rest = filepath.Join(filepath.Base(at), rest)
	}
}

// Within reports whether the canonical path is dir or below it.
func Within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, string(filepath.Separator))+string(filepath.Separator))
}

// CanMake returns why a folder could not be made, or, where it is there, why no
// file could be made in it; nil = as far as can be seen, it could.
func CanMake(dir string) error {
	for at := dir; ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		switch {
		case err == nil && !info.IsDir():
			return fmt.Errorf("folder %s can't be made: %s is a file", dir, at)
		case err == nil:
			if err := writable(at); err != nil {
				return fmt.Errorf("no file can be made in %s: %w", at, err)
			}
			return nil
		case !errors.Is(err, fs.ErrNotExist) || filepath.Dir(at) == at:
			return fmt.Errorf("folder: %w", err)
		}
	}
}
