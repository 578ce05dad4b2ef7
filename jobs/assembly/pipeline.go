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
	"github.com/starlift-etl/starlift/pipeline/blob/bloburl"
	"github.com/starlift-etl/starlift/pipeline/disk"
	"github.com/starlift-etl/starlift/pipeline/engine"
	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/pipeline/telemetry"
	"github.com/starlift-etl/starlift/sinks/deadletters"
)

// Pipeline is a valid pipeline file with its nodes, which are built and not opened.
type Pipeline struct {
	Path        string // of the file
	File        *spec.File
	Config      engine.Config       // what engine.Run needs
	Recorder    *telemetry.Recorder // the observer of the engine
	letters     *deadletters.Store
	deadLetters deadletters.Folder
	Readers     map[string]deadletters.Reader // of dead letters, by source
	FromNow     []string                      // nodes whose content may change for what is read from now on
}

// Load reads, checks and builds a pipeline file; set has the values of --set. The error joins
// every mistake, and is a usage.Error.
func Load(path string, set []string) (*Pipeline, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, usage.Wrap(fmt.Errorf("pipeline file: %w", err))
	}
	f, err := spec.Load(path, data, Kinds(), spec.Options{Set: set, Env: os.LookupEnv})
	if f == nil {
		return nil, usage.Wrap(err)
	}
	p := &Pipeline{Path: path, File: f}
	p.build()
	if err := f.Err(); err != nil {
		return nil, usage.Wrap(err)
	}
	return p, nil
}

// build builds the nodes and the plan. Mistakes are reported to the file; see compile.
func (p *Pipeline) build() {
	f := p.File
	log := slog.New(redactingHandler{slog.Default().Handler(), f.Redact})
	p.Recorder = telemetry.New(telemetry.Options{Log: log})
	p.Config = engine.Config{
		Name: f.Name, StateDir: f.State.Dir, StateMemory: int64(f.State.Memory),
		Tombstones: time.Duration(f.State.Tombstones), MaxRatio: f.DeadLetters.MaxRatio,
		Limits: engine.Limits{
			Interval: time.Duration(f.Epoch.Interval), // spec.Auto is by demand
			Records:  f.Epoch.MaxRecords,
			Bytes:    int64(f.Epoch.MaxBytes), CommitTimeout: time.Duration(f.Epoch.CommitTimeout), CommitTimeoutFixed: f.Says("epoch", "commit_timeout"),
		},
		Bounded:  true,
		Observer: p.Recorder,
		Metrics:  p.Recorder.Registry(),
		Redact:   f.Redact,
		Log:      log,
	}
	var sources []graph.SourceDeclaration
	for _, e := range f.Sources {
		d := graph.SourceDeclaration{Name: e.Name}
		if s, ok := buildNode(f, "sources", e.Value, sourceKinds); ok {
			d.Source = s
			p.Config.Bounded = p.Config.Bounded && s.Bounded()
		}
		sources = append(sources, d)
	}
	p.findKeys(sources)
	p.Config.Plan = p.compile(sources)
	if listen := f.HTTP.Listen; listen != "" {
		if _, err := status.ListenAddress(listen); err != nil {
			f.Report("http", "listen", err)
		}
	}
	if !p.buildDeadLetters() || p.Config.Plan == nil {
		return
	}
	p.setReaders()
	p.setInbox()
}

// buildDeadLetters builds the store of dead letters; ok = false where the file has mistakes
// in it.
func (p *Pipeline) buildDeadLetters() (ok bool) {
	settings := &p.File.DeadLetters
	store := settings.Store.(*bloburl.WriterConfig)
	if errs := store.CheckFolder("url", settings.URL); len(errs) > 0 {
		for _, err := range errs {
			p.File.ReportIn("dead_letters", err)
		}
		return false
	}
	env := pipeline.NewEnv()
	env.Log, env.Metrics, env.Redact = p.Config.Log.With("sink", "dead_letters"), p.Config.Metrics, p.Config.Redact
	objects, err := store.Folder(settings.URL, disk.Private, env)
	if err != nil {
		p.File.ReportIn("dead_letters", err)
		return false
	}
	p.letters = deadletters.New(deadletters.Options{Objects: objects, Remote: bloburl.IsRemote(settings.URL), Retention: time.Duration(settings.Retention), Log: p.Config.Log})
	p.Config.DeadLetters = p.letters
	p.deadLetters = deadletters.Folder{Objects: objects, Pipeline: p.File.Name}
	return true
}

// findKeys lets sources find the keys of their items, if the file does not name them: from the
// other sources, or from what the state knows of the tables.
func (p *Pipeline) findKeys(sources []graph.SourceDeclaration) {
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
			if known := p.knownKeys(); len(known) > 0 && finder.FindKey(append(others, known...)) == nil {
				err = nil
			}
		}
		if err != nil && !errors.Is(err, pipeline.ErrKeyAtOpen) {
			p.File.Report("sources", s.Name, err)
		}
	}
}

// knownKeys returns a format for each table whose key the state knows from changes that were
// read. It returns none if there is no state, or if it can't be read: opening it reports why.
func (p *Pipeline) knownKeys() (all []pipeline.Format) {
	if _, err := os.Stat(p.Config.StateDir); err != nil {
		return nil
	}
	kept, err := p.findContents(context.Background())
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

// How often a pipeline that does not end looks for dead letters to read again. Where that is
// a request that is paid for, it does so less often.
const (
	inboxEvery       = time.Second
	inboxEveryRemote = 30 * time.Second
)

// setInbox builds the inbox, the source of the dead letters that are read again. It is polled
// if the pipeline is unbounded.
func (p *Pipeline) setInbox() {
	every := time.Duration(0)
	if !p.Config.Bounded {
		every = inboxEvery
		if bloburl.IsRemote(p.File.DeadLetters.URL) {
			every = inboxEveryRemote
		}
	}
	p.Config.Inbox = p.letters.Inbox(p.Readers, every)
}

// setReaders sets the format and the transforms of each source whose dead letters can be read
// again.
func (p *Pipeline) setReaders() {
	p.Readers = map[string]deadletters.Reader{}
	for _, s := range p.Config.Sources {
		source, ok := s.Source.(pipeline.FormatReporter)
		if !ok {
			continue
		}
		r := deadletters.Reader{Source: source}
		for _, t := range p.Config.Changes {
			if slices.Contains(t.Sources, s.Name) {
				r.Transforms = append(r.Transforms, t.Name)
			}
		}
		p.Readers[s.Name] = r
	}
}

// DeadLetters returns what is kept of the pipeline's dead letters.
func (p *Pipeline) DeadLetters() deadletters.Folder { return p.deadLetters }

// BoundedOnly removes all sources but the named ones, which have to be bounded; without names
// it removes the unbounded ones.
func (p *Pipeline) BoundedOnly(names []string) error {
	var sources []graph.SourceNode
	for _, s := range p.Config.Sources {
		switch named := slices.Contains(names, s.Name); {
		case named && !s.Source.Bounded():
			return usage.Wrap(fmt.Errorf("--source %q: it is followed and has no end: run reads it; backfill reads bounded sources", s.Name))
		case named || len(names) == 0 && s.Source.Bounded():
			sources = append(sources, s)
		}
	}
	for _, n := range names {
		if !slices.ContainsFunc(sources, func(s graph.SourceNode) bool { return s.Name == n }) {
			return usage.Wrap(fmt.Errorf("--source %q: the pipeline file has no such source", n))
		}
	}
	if len(sources) == 0 {
		return usage.Wrap(errors.New("every source is followed and has no end: run reads them; backfill reads bounded sources"))
	}
	return p.only(sources)
}
