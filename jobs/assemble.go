package jobs

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/starlift-etl/starlift/jobs/status"
	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/engine"
	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/pipeline/telemetry"
	"github.com/starlift-etl/starlift/sinks/deadletters"
)

// assembly is a pipeline file that was found to be right, built but not opened.
type assembly struct {
	path     string // of the file
	file     *spec.File
	config   engine.Config
	recorder *telemetry.Recorder // what observes it
	letters  *deadletters.Store
	readers  map[string]deadletters.Reader // of dead letters, by source
	fromNow  []string                      // nodes whose content may change for what is read from now on
}

// load reads, checks and builds a pipeline file. The error holds every mistake.
func load(path string, set []string) (*assembly, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, usage(fmt.Errorf("pipeline file: %w", err))
	}
	f, err := spec.Load(path, data, kinds(), spec.Options{Set: set, Env: os.LookupEnv})
	if f == nil {
		return nil, usage(err)
	}
	a := &assembly{path: path, file: f}
	a.build()
	if err := f.Err(); err != nil {
		return nil, usage(err)
	}
	return a, nil
}

// build makes the nodes; mistakes go to the file. Nodes that are not sound are
// left out, and whatever hangs on them is not judged.
func (a *assembly) build() {
	f := a.file
	log := slog.New(redactingHandler{slog.Default().Handler(), f.Redact})
	a.recorder = telemetry.New(telemetry.Options{Log: log})
	a.config = engine.Config{
		Name: f.Name, StateDir: f.State.Dir, StateMemory: int64(f.State.Memory),
		Tombstones: time.Duration(f.State.Tombstones), MaxRatio: f.DeadLetters.MaxRatio,
		Limits: engine.Limits{
			Interval: time.Duration(f.Epoch.Interval), Records: f.Epoch.MaxRecords,
			Bytes: int64(f.Epoch.MaxBytes), CommitTimeout: time.Duration(f.Epoch.CommitTimeout),
		},
		Bounded:  true,
		Observer: a.recorder,
		Metrics:  a.recorder.Registry(),
		Redact:   f.Redact,
		Log:      log,
	}
	var sources []graph.SourceDeclaration
	for _, e := range f.Sources {
		d := graph.SourceDeclaration{Name: e.Name}
		if s, ok := buildNode(f, "sources", e.Value, sourceKinds); ok {
			d.Source = s
			a.config.Bounded = a.config.Bounded && s.Bounded()
		}
		sources = append(sources, d)
	}
	a.findKeys(sources)
	a.config.Plan = a.compile(sources)
	if listen := f.HTTP.Listen; listen != "" {
		if _, err := status.ListenAddress(listen); err != nil {
			f.Report("http", "listen", err)
		}
	}
	dead, err := deadletters.New(deadletters.Options{Dir: f.DeadLetters.URL, Retention: time.Duration(f.DeadLetters.Retention), Log: a.config.Log})
	if err != nil {
		f.Report("dead_letters", "url", err)
		return
	}
	a.config.DeadLetters, a.letters = dead, dead
	if a.config.Plan == nil {
		return
	}
	a.setReaders()
	a.setInbox()
}

// findKeys lets the sources that need it find the keys of their items.
func (a *assembly) findKeys(sources []graph.SourceDeclaration) {
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
			a.file.Report("sources", s.Name, err)
		}
	}
}

// knownKeys returns formats that stand for the tables whose keys the state knows
// from changes that were read; none where there is no state, or it can't be read:
// whoever opens it says why.
func (a *assembly) knownKeys() (all []pipeline.Format) {
	if _, err := os.Stat(a.config.StateDir); err != nil {
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
func (a *assembly) setInbox() {
	every := time.Duration(0)
	if !a.config.Bounded {
		every = inboxEvery
	}
	a.config.Inbox = a.letters.Inbox(a.readers, every)
}

// setReaders notes, by source, how the records are written and which transforms
// read them, for those that can be read again.
func (a *assembly) setReaders() {
	a.readers = map[string]deadletters.Reader{}
	for _, s := range a.config.Sources {
		source, ok := s.Source.(pipeline.FormatReporter)
		if !ok {
			continue
		}
		r := deadletters.Reader{Format: source.Format()}
		for _, t := range a.config.Changes {
			if slices.Contains(t.Sources, s.Name) {
				r.Transforms = append(r.Transforms, t.Name)
			}
		}
		a.readers[s.Name] = r
	}
}
