package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/starlift-etl/starlift/jobs/internal/notices"
)

// pack makes the archive of a binary: beside it are the documents and the example
// pipelines of its commit, what is new, and the licences of what it links.
func (s *source) pack(ctx context.Context, b build, binary string) (archive, error) {
	files, err := committed(ctx, "LICENSE", "README.md", "configs", "docs")
	if err != nil {
		return archive{}, err
	}
	about, err := s.about(b, binary)
	if err != nil {
		return archive{}, err
	}
	changes, err := notes(s.changelog, s.version)
	if err != nil {
		return archive{}, err
	}
	licences, err := notices.Of(ctx, b.os, b.arch, b.duckdb)
	if err != nil {
		return archive{}, err
	}
	files["README.md"] = append([]byte(about), files["README.md"]...)
	files["RELEASE_NOTES.md"] = []byte(changes)
	files["THIRD_PARTY_NOTICES.txt"] = []byte(licences)
	folder := fmt.Sprintf("starlift_%s_%v", s.version, b)
	a := archive{name: folder + ".tar.gz"}
	target := filepath.Join(dist, a.name)
	if err := write(target, folder, files, binary, s.time); err != nil {
		return archive{}, fmt.Errorf("archive %s: %w", a.name, err)
	}
	a.sum, a.size, err = sumOf(target)
	return a, err
}

// ofBuilding are files for those who have the source.
var ofBuilding = []string{"configs/embed.go", "docs/Dockerfile", "docs/Dockerfile.dockerignore"}

// committed returns files of HEAD by their names, whatever lies beside them.
func committed(ctx context.Context, paths ...string) (map[string][]byte, error) {
	data, err := git(ctx, append([]string{"archive", "--format=tar", "HEAD"}, paths...)...)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for r := tar.NewReader(bytes.NewReader(data)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, fmt.Errorf("files of the commit: %w", err)
		}
		if h.Typeflag != tar.TypeReg || slices.Contains(ofBuilding, h.Name) {
			continue
		}
		if files[h.Name], err = io.ReadAll(r); err != nil {
			return nil, fmt.Errorf("files of the commit: %w", err)
		}
	}
}

// write makes an archive whose bytes depend on nothing but its arguments: no owner, no
// clock, no umask, no order of a folder.
func write(target, folder string, files map[string][]byte, binary string, at time.Time) (err error) {
	f, err := os.Create(target)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	zip := gzip.NewWriter(f)
	out := tar.NewWriter(zip)
	program, err := os.ReadFile(binary)
	if err != nil {
		return err
	}
	add := func(name string, mode int64, content []byte) error {
		h := &tar.Header{Name: path.Join(folder, name), Mode: mode, Size: int64(len(content)), ModTime: at, Format: tar.FormatUSTAR}
		if err := out.WriteHeader(h); err != nil {
			return err
		}
		_, err := out.Write(content)
		return err
	}
	if err := add("starlift", 0o755, program); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := add(name, 0o644, files[name]); err != nil {
			return err
		}
	}
	return errors.Join(out.Close(), zip.Close())
}

// about says at the top of the README what an archive has.
func (s *source) about(b build, binary string) (string, error) {
	var lines []string
	say := func(format string, args ...any) { lines = append(lines, fmt.Sprintf("> "+format, args...)) }
	database := "without DuckDB"
	if b.duckdb {
		database = "with DuckDB"
	}
	say("This archive is starlift %s for %s/%s, **%s**; `./starlift version` says so too.", s.version, b.os, b.arch, database)
	switch {
	case b.duckdb:
		libraries, err := libraries(binary)
		if err != nil {
			return "", fmt.Errorf("libraries of build %v: %w", b, err)
		}
		say("It needs %s of the system. Begin with `./starlift demo`, or with a pipeline of `configs/`.", libraries)
	case b.os == "linux":
		say("It needs no library of the system, and has all but sinks of `type: duckdb` and `starlift demo`. Begin with `./starlift run configs/insurance.yaml`.")
	default:
		say("It has all but sinks of `type: duckdb` and `starlift demo`. Begin with `./starlift run configs/insurance.yaml`.")
	}
	say("[docs/install.md](docs/install.md) says how to install it, [RELEASE_NOTES.md](RELEASE_NOTES.md) what is new.")
	return strings.Join(lines, "\n") + "\n\n", nil
}
