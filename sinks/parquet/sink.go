package parquet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/disk"
	"github.com/starlift-etl/starlift/sinks/internal/columnar"
)

// Sink writes Parquet files to a local folder.
type Sink struct {
	name       string
	cfg        Config
	mode       pipeline.Mode
	codec      columnar.Codec
	partitions map[string][]partition
	now        func() time.Time
	hook       func(step string) error // tests fail here; nil = none

	opening pipeline.SinkOptions
	prefix  string
	carry   carry
}

var _ pipeline.Sink = (*Sink)(nil)

// New returns the sink. Mistakes in cfg are joined *spec.FieldError.
func New(name string, cfg Config) (*Sink, error) {
	cfg.fill()
	parts, err := parsePartitions(&cfg)
	if err := errors.Join(cfg.check(), err); err != nil {
		return nil, err
	}
	return &Sink{name: name, cfg: cfg, mode: modes[cfg.Mode], codec: codecs[cfg.Compression], partitions: parts, now: time.Now}, nil
}

// Mode says which rows the sink takes.
func (s *Sink) Mode() pipeline.Mode { return s.mode }

// StaleError says that a folder holds files of this state that the state does
// not know: it is older than they are.
type StaleError struct {
	URL, File       string
	Pipeline        string
	StateID         string
	Found, Expected int64 // epochs
}

// Error tells what was found, why, and how to go on.
func (e *StaleError) Error() string {
	return fmt.Sprintf("%s holds %s, written by pipeline %q in epoch %d, but its state %s has published only up to epoch %d: "+
		"the state folder is older than the files (restored from a backup, or copied and then run elsewhere). "+
		"put back the state folder that wrote them, or "+way,
		e.URL, e.File, e.Pipeline, e.Found, e.StateID, e.Expected)
}

// carry is the sink's memory between epochs: what is gathered.
type carry struct {
	Segments []segment `json:"segments,omitempty"`
	// Since is when the first gathered epoch began.
	Since time.Time `json:"since,omitzero"`
}

// publication is what Commit has to do.
type publication struct {
	Files []published `json:"files"`
}

// published is a finished file: under its temporary name until it is committed.
type published struct {
	Path string `json:"path"` // below the url, with slashes
	Size int64  `json:"size"`
}

// Targets names the table's folder.
func (s *Sink) Targets(t *pipeline.Table) (key string, places [][]string) {
	dir, err := disk.Canonical(s.folder(t.Name))
	if err != nil {
		dir = s.folder(t.Name)
	}
	return "url", [][]string{append([]string{"folder"}, strings.Split(filepath.ToSlash(dir), "/")...)}
}

// Check looks through the folder.
func (s *Sink) Check(_ context.Context, o pipeline.SinkOptions) (names []string, err error) {
	if err := s.begin(o); err != nil {
		return nil, err
	}
	for _, t := range o.Tables {
		dir, err := disk.Canonical(s.folder(t.Name))
		if err != nil {
			return nil, err
		}
		names = append(names, "folder "+dir)
	}
	if err := disk.CanMake(s.cfg.URL); err != nil {
		return nil, err
	}
	if _, err := s.inspectAll(); err != nil {
		return nil, err
	}
	_, err = s.claim()
	return names, err
}

// Open takes the tables' folders, and removes temporary files that no committable names.
func (s *Sink) Open(_ context.Context, o pipeline.SinkOptions) error {
	if err := s.begin(o); err != nil {
		return err
	}
	if err := disk.MakeDir(s.cfg.URL, disk.Shared); err != nil {
		return err
	}
	left, err := s.inspectAll()
	if err != nil {
		return err
	}
	take, err := s.claim()
	if err != nil {
		return err
	}
	for _, table := range take {
		if err := s.take(table); err != nil {
			return err
		}
	}
	for _, path := range left {
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("temporary file: %w", err)
		}
	}
	return nil
}

// begin takes what the checkpoint says.
func (s *Sink) begin(o pipeline.SinkOptions) error {
	s.opening, s.carry = o, carry{}
	s.prefix = prefix(o.Pipeline, s.name, o.StateID)
	if o.SinkState != nil {
		if err := json.Unmarshal(o.SinkState, &s.carry); err != nil {
			return fmt.Errorf("checkpoint of parquet sink %q: %w", s.name, err)
		}
	}
	return s.CheckTables(o.Tables)
}

// folder returns a table's folder.
func (s *Sink) folder(table string) string { return filepath.Join(s.cfg.URL, escape(table)) }

// inspectAll looks through the tables' folders, and returns the temporary files
// that no committable names.
func (s *Sink) inspectAll() (left []string, err error) {
	o := &s.opening
	known := o.Published
	pending := map[string]bool{}
	if o.Pending != nil {
		known = max(known, o.Pending.Epoch)
		files, err := parsePublication(o.Pending)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			pending[f.Path] = true
		}
	}
	for _, t := range o.Tables {
		more, err := s.inspect(s.folder(t.Name), known, pending)
		if err != nil {
			return nil, err
		}
		left = append(left, more...)
	}
	return left, nil
}

// inspect looks through a table's folder for files of this state, and returns the
// temporary ones that are not pending.
func (s *Sink) inspect(dir string, known int64, pending map[string]bool) (left []string, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		if last, ok := lastEpoch(s.prefix, d.Name()); ok && last > known {
			return &StaleError{URL: s.cfg.URL, File: path, Pipeline: s.opening.Pipeline, StateID: s.opening.StateID, Found: last, Expected: known}
		}
		final, ok := finalName(d.Name())
		if !ok || !strings.HasPrefix(final, s.prefix) {
			return nil
		}
		rel, err := filepath.Rel(s.cfg.URL, filepath.Join(filepath.Dir(path), final))
		if err != nil || pending[filepath.ToSlash(rel)] {
			return err
		}
		left = append(left, path)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("folder %s: %w", dir, err)
	}
	return left, nil
}

func parsePublication(r *pipeline.Committable) ([]published, error) {
	if r.Payload == nil {
		return nil, nil
	}
	var p publication
	if err := json.Unmarshal(r.Payload, &p); err != nil {
		return nil, fmt.Errorf("committable of epoch %d: %w", r.Epoch, err)
	}
	return p.Files, nil
}

// Commit gives the files of the committable their final names.
func (s *Sink) Commit(ctx context.Context, r *pipeline.Committable) error {
	files, err := parsePublication(r)
	if err != nil {
		return err
	}
	dirs := map[string]bool{}
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("commit of epoch %d: %w", r.Epoch, err)
		}
		path := filepath.Join(s.cfg.URL, filepath.FromSlash(f.Path))
		if err := s.step("rename"); err != nil {
			return err
		}
		if err := publish(path, f.Size); err != nil {
			return fmt.Errorf("commit of epoch %d: %w", r.Epoch, err)
		}
		dirs[filepath.Dir(path)] = true
	}
	for dir := range dirs {
		if err := s.step("sync"); err != nil {
			return err
		}
		if err := disk.SyncDir(dir); err != nil {
			return fmt.Errorf("commit of epoch %d: %w", r.Epoch, err)
		}
	}
	return nil
}

// publish renames one file unless that is done already (I5).
func publish(path string, size int64) error {
	temp := temporary(path)
	found, err := sizeOf(path)
	if err != nil {
		return err
	}
	if found >= 0 && found != size {
		return fmt.Errorf("file %s has %d bytes, and %d were prepared under this name: it was changed, or written by another process", path, found, size)
	}
	waiting, err := sizeOf(temp)
	switch {
	case err != nil:
		return err
	case waiting < 0 && found < 0:
		return fmt.Errorf("prepared file %s is lost, and %s is not there either: put it back, or %s", temp, path, way)
	case waiting < 0:
		return nil
	case waiting != size:
		return fmt.Errorf("prepared file %s has %d bytes, want %d: it was changed", temp, waiting, size)
	}
	if err := os.Rename(temp, path); err != nil {
		return fmt.Errorf("final name: %w", err)
	}
	return nil
}

// sizeOf returns the size of a file, -1 = there is none.
func sizeOf(path string) (int64, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return -1, nil
	case err != nil:
		return 0, fmt.Errorf("file: %w", err)
	}
	return info.Size(), nil
}

// step lets tests stop between two steps.
func (s *Sink) step(name string) error {
	if s.hook == nil {
		return nil
	}
	return s.hook(name)
}

// Close does nothing: between epochs the sink holds nothing open.
func (s *Sink) Close() error { return nil }
