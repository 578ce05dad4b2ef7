package assembly

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/starlift-etl/starlift/jobs/status"
	"github.com/starlift-etl/starlift/jobs/usage"
	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/engine"
	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/pipeline/telemetry"
	"github.com/starlift-etl/starlift/sinks/deadletters"
)

// Pipeline is a pipeline file that was found to be right, built but not opened.
type Pipeline struct {
	Path     string // of the file
	File     *spec.File
	Config   engine.Config
	Recorder *telemetry.Recorder // what observes it
	letters  *deadletters.Store
	Readers  map[string]deadletters.Reader // of dead letters, by source
	FromNow  []string                      // nodes whose content may change for what is read from now on
}

// Load reads, checks and builds a pipeline file. The error holds every mistake.
func Load(path string, set []string) (*Pipeline, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, usage.Wrap(fmt.Errorf("pipeline file: %w", err))
	}
	f, err := spec.Load(path, data, Kinds(), spec.Options{Set: set, Env: os.LookupEnv})
	if f == nil {
		return nil, usage.Wrap(err)
	}
	a := &Pipeline{Path: path, File: f}
	a.build()
	if err := f.Err(); err != nil {
		return nil, usage.Wrap(err)
	}
	return a, nil
}

// build makes the nodes; mistakes go to the file. Nodes that are not sound are
// left out, and whatever hangs on them is not judged.
func (a *Pipeline) build() {
	f := a.File
	log := slog.New(redactingHandler{slog.Default().Handler(), f.Redact})
	a.Recorder = telemetry.New(telemetry.Options{Log: log})
	a.Config = engine.Config{
		Name: f.Name, StateDir: f.State.Dir, StateMemory: int64(f.State.Memory),
		Tombstones: time.Duration(f.State.Tombstones), MaxRatio: f.DeadLetters.MaxRatio,
		Limits: engine.Limits{
			Interval: time.Duration(f.Epoch.Interval), Records: f.Epoch.MaxRecords,
			Bytes: int64(f.Epoch.MaxBytes), CommitTimeout: time.Duration(f.Epoch.CommitTimeout),
		},
		Bounded:  true,
		Observer: a.Recorder,
		Metrics:  a.Recorder.Registry(),
		Redact:   f.Redact,
		Log:      log,
	}
	var sources []graph.SourceDeclaration
	for _, e := range f.Sources {
		d := graph.SourceDeclaration{Name: e.Name}
		if s, ok := buildNode(f, "sources", e.Value, sourceKinds); ok {
			d.Source = s
			a.Config.Bounded = a.Config.Bounded && s.Bounded()
		}
		sources = append(sources, d)
	}
	a.findKeys(sources)
	a.Config.Plan = a.compile(sources)
	if listen := f.HTTP.Listen; listen != "" {
		if _, err := status.ListenAddress(listen); err != nil {
			f.Report("http", "listen", err)
		}
	}
	dead, err := deadletters.New(deadletters.Options{Dir: f.DeadLetters.URL, Retention: time.Duration(f.DeadLetters.Retention), Log: a.Config.Log})
	if err != nil {
		f.Report("dead_letters", "url", err)
		return
	}
	a.Config.DeadLetters, a.letters = dead, dead
	if a.Config.Plan == nil {
		return
	}
	a.setReaders()
	a.setInbox()
}

// findKeys lets the sources that need it find the keys of their items.
func (a *Pipeline) findKeys(sources []graph.SourceDeclaration) {
	for i, s := range sources {
		finder, ok := s.Source.(pipeline.KeyFinder)
		if !ok {
			continue
		}
		var others []pipeline.Format
		for k, o := range sources {
			if r, ok := o.Source.(pipeline.FormatReporter); ok && k != i {
				others = append(others, r.Format())
			}
		}
		err := finder.FindKey(others)
		if err != nil {
			if known := a.knownKeys(); len(known) > 0 && finder.FindKey(append(others, known...)) == nil {
				err = nil
			}
		}
		if err != nil {
			a.File.Report("sources", s.Name, err)
		}
	}
}

// knownKeys returns formats that stand for the tables whose keys the state knows
// from changes that were read; none where there is no state, or it can't be read:
// whoever opens it says why.
func (a *Pipeline) knownKeys() (all []pipeline.Format) {
	if _, err := os.Stat(a.Config.StateDir); err != nil {
		return nil
	}
	kept, err := a.findKept(context.Background())
	if err != nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(kept.Checkpoint.Operators)) {
		for _, t := range kept.Checkpoint.Operators[name].LogicalTables {
			if len(t.Key) > 0 {
				all = append(all, pipeline.Format{Encoding: pipeline.DynamoDBCDC, Table: t.Name, Key: t.Key})
			}
		}
	}
	return all
}

// inboxEvery is how often a pipeline that does not end looks for dead letters to
// read again.
const inboxEvery = time.Second

// setInbox makes the inbox: it is followed where the pipeline has no end.
func (a *Pipeline) setInbox() {
	every := time.Duration(0)
	if !a.Config.Bounded {
		every = inboxEvery
	}
	a.Config.Inbox = a.letters.Inbox(a.Readers, every)
}

// setReaders notes, by source, how the records are written and which transforms
// read them, for those that can be read again.
func (a *Pipeline) setReaders() {
	a.Readers = map[string]deadletters.Reader{}
	for _, s := range a.Config.Sources {
		source, ok := s.Source.(pipeline.FormatReporter)
		if !ok {
			continue
		}
		r := deadletters.Reader{Format: source.Format()}
		for _, t := range a.Config.Changes {
			if slices.Contains(t.Sources, s.Name) {
				r.Transforms = append(r.Transforms, t.Name)
			}
		}
		a.Readers[s.Name] = r
	}
}

// DeadLetters is where the pipeline keeps its dead letters.
func (a *Pipeline) DeadLetters() deadletters.Folder {
	return deadletters.Folder{Dir: a.File.DeadLetters.URL, Pipeline: a.File.Name}
}

// BoundedOnly leaves the named sources, all without names, that end by themselves.
func (a *Pipeline) BoundedOnly(names []string) error {
	var kept []graph.SourceNode
	for _, s := range a.Config.Sources {
		switch named := slices.Contains(names, s.Name); {
		case named && !s.Source.Bounded():
			return usage.Wrap(fmt.Errorf("--source %q: it is followed and has no end: run reads it; backfill reads bounded sources", s.Name))
		case named || len(names) == 0 && s.Source.Bounded():
			kept = append(kept, s)
		}
	}
	for _, n := range names {
		if !slices.ContainsFunc(kept, func(s graph.SourceNode) bool { return s.Name == n }) {
			return usage.Wrap(fmt.Errorf("--source %q: the pipeline file has no such source", n))
		}
	}
	if len(kept) == 0 {
		return usage.Wrap(errors.New("every source is followed and has no end: run reads them; backfill reads bounded sources"))
	}
	plan, err := a.Config.With(func(n *graph.Nodes) { n.Sources = kept })
	if err != nil {
		return err
	}
	a.Config.Plan, a.Config.Bounded = plan, true
	a.setInbox()
	return nil
}
