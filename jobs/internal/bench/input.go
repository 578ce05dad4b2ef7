package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// inputPath is the case's input file, or the folder that an export is in.
func (b *bench) inputPath(c benchCase) string {
	name := fmt.Sprintf("%s-%d.ndjson", c.kind, b.records*c.times)
	if c.export {
		name = fmt.Sprintf("%s-export-%d", c.kind, b.records*c.times)
	}
	return filepath.Join(b.dir, name)
}

// findInput returns what both read: the file, or the folder with the manifests.
// An export that is not complete has none, and counts as missing.
func (b *bench) findInput(c benchCase) (string, error) {
	path := b.inputPath(c)
	if !c.export {
		if _, err := os.Stat(path); err != nil {
			return "", fmt.Errorf("input: %w", err)
		}
		return path, nil
	}
	manifests, err := filepath.Glob(filepath.Join(path, "AWSDynamoDB", "*", "manifest-summary.json"))
	if err != nil {
		return "", fmt.Errorf("input: %w", err)
	}
	if len(manifests) != 1 {
		return "", fmt.Errorf("input: %d exports in %s: %w", len(manifests), path, fs.ErrNotExist)
	}
	return filepath.Dir(manifests[0]), nil
}

// makeInput makes the case's input unless it is there.
func (b *bench) makeInput(ctx context.Context, c benchCase) error {
	for _, kind := range c.beside {
		if _, err := b.start(ctx, b.threads, b.starlift, "generate", kind, "--records", "250", "--out", filepath.Join(b.dir, kind+".ndjson")); err != nil {
			return err
		}
	}
	if _, err := b.findInput(c); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	path := b.inputPath(c)
	b.say("making %s", path)
	if err := os.RemoveAll(path); err != nil {
		return fmt.Errorf("input: %w", err)
	}
	args := []string{"generate", c.kind, "--records", fmt.Sprint(b.records * c.times), "--out", path}
	if c.export {
		args = append(args, "--form", "export")
	}
	_, err := b.start(ctx, b.threads, b.starlift, args...)
	return err
}

// inputSize is the bytes of a file, or of the data files of an export.
func inputSize(path string) (size int64, err error) {
	err = filepath.WalkDir(path, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("input: %w", err)
	}
	return size, nil
}
