package parquet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/blob"
	"github.com/starlift-etl/starlift/pipeline/blob/bloburl"
	"github.com/starlift-etl/starlift/pipeline/disk"
	"github.com/starlift-etl/starlift/sinks/internal/columnar"
)

// Sink writes Parquet files to a place of objects.
type Sink struct {
	name       string
	cfg        Config
	mode       pipeline.Mode
	codec      columnar.Codec
	partitions map[string][]partition
	now        func() time.Time
	target     blob.Store                  // of the url
	remote     bool                        // it is reached over a network
	connected  bool                        // target has the environment of the process
	wrap       func(blob.Store) blob.Store // for tests; nil = nothing is put around the target
	progress   progress                    // of the call of Check, Open or Commit

	options pipeline.SinkOptions
	prefix  string // of the names of this state's files
	pending pendingSegments
	gather  gatherLimits
	kept    map[int64]map[string][]byte // pending segments without files: what those would hold, by epoch and file
}

var _ pipeline.Sink = (*Sink)(nil)

// New returns the sink. Mistakes in cfg are joined *spec.FieldError.
func New(name string, cfg Config) (*Sink, error) {
	cfg.setDefaults()
	parts, err := parsePartitions(&cfg)
	if err := errors.Join(cfg.check(), err); err != nil {
		return nil, err
	}
	s := &Sink{name: name, cfg: cfg, mode: modes[cfg.Mode], codec: codecs[cfg.Compression], partitions: parts, now: time.Now, gather: defaultGather, remote: bloburl.IsRemote(cfg.URL)}
	s.progress.now = func() time.Time { return s.now() }
	return s, s.connect(pipeline.NewEnv())
}

// connect makes the store of the url. It asks nobody yet. The first of a process for its
// environment stays: it has connections.
func (s *Sink) connect(env pipeline.Env) (err error) {
	if s.target, err = s.cfg.Folder(s.cfg.URL, disk.Shared, env); err == nil && s.wrap != nil {
		s.target = s.wrap(s.target)
	}
	return err
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
		"put back the state folder that wrote them, or "+recoveryHint,
		e.URL, e.File, e.Pipeline, e.Found, e.StateID, e.Expected)
}

// Targets names the table's folder.
func (s *Sink) Targets(t *pipeline.Table) (key string, places [][]string) {
	folder, err := s.target.Canonical(escape(t.Name))
	if err != nil {
		folder = s.target.URL(escape(t.Name))
	}
	return "url", [][]string{append([]string{"folder"}, strings.Split(filepath.ToSlash(folder), "/")...)}
}

// Check looks through the folder.
func (s *Sink) Check(ctx context.Context, o pipeline.SinkOptions) (names []string, err error) {
	if err := s.restore(o); err != nil {
		return nil, err
	}
	for _, t := range o.Tables {
		folder, err := s.target.Canonical(escape(t.Name))
		if err != nil {
			return nil, err
		}
		names = append(names, "folder "+folder)
	}
	if err := s.target.Writable(ctx); err != nil {
		return nil, err
	}
	if err := s.checkEpochs(ctx); err != nil {
		return nil, err
	}
	_, err = s.compareFolders(ctx)
	return names, err
}

// Open claims the tables' folders, and removes what a crash left of files that no
// committable names.
func (s *Sink) Open(ctx context.Context, o pipeline.SinkOptions) error {
	if err := s.restore(o); err != nil {
		return err
	}
	if err := s.checkEpochs(ctx); err != nil {
		return err
	}
	free, err := s.compareFolders(ctx)
	if err != nil {
		return err
	}
	for _, table := range free {
		if err := s.claim(ctx, table); err != nil {
			return err
		}
	}
	return s.discardUnfinished(ctx)
}

// restore takes what the checkpoint says.
func (s *Sink) restore(o pipeline.SinkOptions) error {
	s.options, s.pending = o, pendingSegments{}
	s.prefix = prefix(o.Pipeline, s.name, o.StateID)
	if o.SinkState != nil {
		if err := json.Unmarshal(o.SinkState, &s.pending); err != nil {
			return fmt.Errorf("checkpoint of parquet sink %q: %w", s.name, err)
		}
	}
	if err := s.restoreKept(o.Spooled); err != nil {
		return fmt.Errorf("checkpoint of parquet sink %q: %w", s.name, err)
	}
	if !s.connected {
		if err := s.connect(o.Env); err != nil {
			return err
		}
		s.connected = true
	}
	return s.CheckTables(o.Tables)
}

func (s *Sink) spool(epoch int64) disk.Spool { return disk.NewSpool(s.options.Spool(epoch)) }

// checkEpochs looks for files of this state in the tables' folders that are newer than
// the state.
func (s *Sink) checkEpochs(ctx context.Context) error {
	for _, t := range s.options.Tables {
		folder := escape(t.Name) + "/"
		for after, more := "", true; more; more = after != "" {
			var err error
			if after, err = s.checkEpochsAfter(ctx, folder, after); err != nil {
				return fmt.Errorf("folder %s: %w", s.target.URL(escape(t.Name)), err)
			}
		}
	}
	return nil
}

// oldNamesMax is the number of files known to the state, one behind the other in one
// folder, that are listed before the rest of them is passed over: as many as a request
// lists. So a start costs as many requests as there are thousands of files, or, if that
// is less, about as many as there are folders.
const oldNamesMax = 1000

// checkEpochsAfter looks at the names in a table's folder behind one, and returns behind
// which to go on; empty = it has seen all. Within a folder names sort by their first
// epoch, and what was published later than the state knows has a later first epoch, too.
func (s *Sink) checkEpochsAfter(ctx context.Context, folder, after string) (next string, err error) {
	known := s.options.Published
	if p := s.options.Pending; p != nil {
		known = max(known, p.Epoch)
	}
	old, in := 0, ""
	for o, err := range s.target.List(ctx, folder, blob.ListOptions{Recursive: true, After: after}) {
		if err != nil {
			return "", err
		}
		s.progress.moved()
		dir, base := path.Split(o.Name)
		first, last, ok := epochsOf(s.prefix, base)
		if ok && last > known {
			return "", &StaleError{URL: s.cfg.URL, File: s.target.URL(o.Name), Pipeline: s.options.Pipeline, StateID: s.options.StateID, Found: last, Expected: known}
		}
		if !ok || dir != in {
			old, in = 0, dir
		}
		if old++; s.remote && ok && first <= s.options.Published && old > oldNamesMax {
			return dir + s.prefix + epochText(s.options.Published+1), nil
		}
	}
	return "", nil
}

// discardUnfinished removes what a crash left of files of this state and of owner files;
// the folders are ours by now, so nobody else writes one. What an older version has
// prepared and a committable names is still to be published.
func (s *Sink) discardUnfinished(ctx context.Context) error {
	prepared := map[string]bool{}
	if s.options.Pending != nil {
		files, err := parsePayload(s.options.Pending)
		if err != nil {
			return err
		}
		for _, f := range files {
			prepared[f.Path] = f.File == ""
		}
	}
	for _, t := range s.options.Tables {
		for u, err := range s.target.Unfinished(ctx, escape(t.Name)+"/") {
			if err != nil {
				return fmt.Errorf("folder %s: %w", s.target.URL(escape(t.Name)), err)
			}
			base := path.Base(u.Name)
			if prepared[u.Name] || base != ownerFile && !strings.HasPrefix(base, s.prefix) {
				continue
			}
			if err := s.target.Discard(ctx, u); err != nil {
				return err
			}
		}
	}
	return nil
}

// Close does nothing: between epochs the sink holds nothing open.
func (s *Sink) Close() error { return nil }
