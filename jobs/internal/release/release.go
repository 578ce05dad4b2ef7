package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

const dist = "dist"

// archive is what one build became.
type archive struct {
	name string // starlift_v1.2.3_linux_amd64_with-duckdb.tar.gz
	sum  string // SHA-256
	size int64
	said string // how it was started, or why not
}

// release makes dist/ of the builds that can be made here, or leaves none. An archive
// is packed and started beside the compilation of the next.
func release(ctx context.Context, builds []build, tagged bool, out io.Writer) (err error) {
	s, err := sourceOf(ctx, tagged)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "starlift-release-")
	if err != nil {
		return fmt.Errorf("working folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	if err := errors.Join(os.RemoveAll(dist), os.Mkdir(dist, 0o755)); err != nil {
		return fmt.Errorf("folder %s: %w", dist, err)
	}
	archives, left, err := s.archives(ctx, builds, work)
	if err != nil {
		return errors.Join(err, os.RemoveAll(dist))
	}
	var sums, report strings.Builder
	for _, a := range archives {
		fmt.Fprintf(&sums, "%s  %s\n", a.sum, a.name)
		fmt.Fprintf(&report, "%s/%s  %.1f MB, %s\n", dist, a.name, float64(a.size)/1e6, a.said)
	}
	for _, reason := range left {
		fmt.Fprintf(&report, "LEFT OUT: %v\n", reason)
	}
	if len(archives) == 0 {
		return fmt.Errorf("nothing was made:\n%s", report.String())
	}
	if err := os.WriteFile(filepath.Join(dist, "SHA256SUMS"), []byte(sums.String()), 0o644); err != nil {
		return fmt.Errorf("checksums: %w", err)
	}
	return printTo(out, report.String())
}

// archives makes one of each build, in their order; left are those that have no
// compiler here.
func (s *source) archives(ctx context.Context, builds []build, work string) (made []archive, left []error, err error) {
	g, ctx := errgroup.WithContext(ctx)
	defer func() { err = errors.Join(err, g.Wait()) }()
	slots := make([]archive, len(builds))
	for i, b := range builds {
		file := filepath.Join(work, b.String(), "starlift")
		version, err := b.make(ctx, file)
		if errors.Is(err, errNoCompiler) {
			left = append(left, fmt.Errorf("%v: %w", b, err))
			continue
		}
		if err == nil {
			err = s.take(version)
		}
		if err != nil {
			return nil, nil, err
		}
		g.Go(func() error {
			var err error
			if slots[i], err = s.pack(ctx, b, file); err != nil {
				return err
			}
			slots[i].said, err = b.start(ctx, slots[i].name, s.version, filepath.Dir(file))
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, nil, err
	}
	return slices.DeleteFunc(slots, func(a archive) bool { return a.name == "" }), left, nil
}

// source is the commit that archives are made of.
type source struct {
	version   string // empty until the first build of a snapshot says it
	time      time.Time
	changelog string
	tagged    bool
}

// sourceOf reads the commit. Of a release it has to be the one that is tagged, and
// the changelog has to have its section.
func sourceOf(ctx context.Context, tagged bool) (*source, error) {
	stamp, err := git(ctx, "log", "-1", "--format=%ct")
	if err != nil {
		return nil, err
	}
	seconds, err := strconv.ParseInt(strings.TrimSpace(string(stamp)), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("time of the commit: %w", err)
	}
	changelog, err := git(ctx, "show", "HEAD:CHANGELOG.md")
	if err != nil {
		return nil, err
	}
	s := &source{time: time.Unix(seconds, 0).UTC(), changelog: string(changelog), tagged: tagged}
	if !tagged {
		return s, nil
	}
	changed, err := git(ctx, "status", "--porcelain")
	if err != nil {
		return nil, err
	}
	if len(changed) > 0 {
		return nil, fmt.Errorf("a release is made of a commit, and the folder has changes:\n%s", changed)
	}
	tags, err := git(ctx, "tag", "--points-at", "HEAD", "v*")
	if err != nil {
		return nil, err
	}
	words := strings.Fields(string(tags))
	if len(words) != 1 {
		return nil, fmt.Errorf("a release is a commit with one tag, vX.Y.Z, and this one has %d %v: tag it, or make a snapshot", len(words), words)
	}
	s.version = words[0]
	return s, checkChangelog(s.changelog, s.version)
}

// take holds the version of a build against those before it.
func (s *source) take(version string) error {
	if s.version == "" {
		s.version = version
	}
	if s.version != version {
		return fmt.Errorf("a build has version %s, and not %s: was the source changed meanwhile?", version, s.version)
	}
	return nil
}

// git runs git, and returns what it prints.
func git(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(said.Bytes()))
	}
	return out, nil
}

// sumOf returns the SHA-256 of a file, and its size.
func sumOf(file string) (sum string, size int64, err error) {
	f, err := os.Open(file)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	hash := sha256.New()
	if size, err = io.Copy(hash, f); err != nil {
		return "", 0, err
	}
	return hex.EncodeToString(hash.Sum(nil)), size, nil
}
