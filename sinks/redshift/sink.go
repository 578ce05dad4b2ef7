package redshift

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pgconn"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// Sink is a schema of a Redshift database. It is a pipeline.Sink.
type Sink struct {
	*warehouse.Sink
	name    string
	cfg     Config
	db      *database
	loader  loader
	rules   valueRules
	options pipeline.SinkOptions
	// loaded is the epoch whose token is safe, and whose files may still be on the stage; 0 = there
	// is none.
	loaded int64

	lockTimeout time.Duration // of CheckConnection; 0 = lockTimeout
}

var (
	_ pipeline.Sink         = (*Sink)(nil)
	_ pipeline.TableChecker = (*Sink)(nil)
	_ pipeline.LoadWriter   = (*Sink)(nil)
)

// New returns a sink. The error joins all mistakes of the configuration; none of
// them shows the DSN.
func New(name string, cfg Config) (*Sink, error) { return newSink(name, cfg, nil) }

// newSink is New with the clock of the flush interval; nil = the wall's.
func newSink(name string, cfg Config, now func() time.Time) (*Sink, error) {
	return newGathering(name, cfg, warehouse.Gather{Interval: time.Duration(cfg.Flush.Interval), Now: now})
}

func newGathering(name string, cfg Config, gather warehouse.Gather) (*Sink, error) {
	cfg.Schema = cmp.Or(cfg.Schema, "public")
	server, err := cfg.parse()
	if err != nil {
		return nil, err
	}
	s := &Sink{name: name, cfg: cfg, loader: newLoader(name, &cfg), rules: cfg.valueRules()}
	s.db = newDatabase(&s.cfg, server, s.loader)
	s.Sink = warehouse.New(warehouse.Config{Name: name, Schema: cfg.Schema, Dialect: s.db.dialect, Database: s.db,
		Validate: s.rules.validate, Adapt: s.rules.adapt, NewWriter: s.newWriter, Gather: gather})
	return s, nil
}

// newWriter is the loader's writer. A merge goes by the types of columns, whatever has become of the
// pipeline file since.
func (s *Sink) newWriter(dir string, t *pipeline.Table, staged *warehouse.StagedTable) (warehouse.Writer, error) {
	for _, c := range t.Columns {
		staged.Types = append(staged.Types, c.Type.String())
	}
	return s.loader.newWriter(dir, t, staged)
}

// Targets names the table at each of the hosts that the DSN names.
func (s *Sink) Targets(t *pipeline.Table) (key string, places [][]string) {
	for _, place := range s.db.client.Config.Places() {
		places = append(places, append(append([]string{"redshift"}, place...), warehouse.FoldASCII(s.cfg.Schema), warehouse.FoldASCII(t.Name)))
	}
	return "dsn", places
}

// CheckTables implements pipeline.TableChecker.
func (s *Sink) CheckTables(tables []*pipeline.Table) error {
	return errors.Join(s.Sink.CheckTables(tables), s.cfg.checkTables(tables))
}

// Check implements pipeline.Target.
func (s *Sink) Check(ctx context.Context, o pipeline.SinkOptions) (names []string, err error) {
	s.begin(o)
	names, err = s.Sink.Check(ctx, o)
	return names, withRights(err)
}

// withRights says where to find out which right of the user is missing: Redshift names the object only.
func withRights(err error) error {
	if pgconn.Code(err) != "42501" { // insufficient_privilege
		return err
	}
	return fmt.Errorf("%w: starlift validate --connect FILE shows the rights that are missing, with the GRANT for each", err)
}

func (s *Sink) begin(o pipeline.SinkOptions) {
	s.options, s.loaded = o, 0
	s.db.owner = warehouse.Owner{Pipeline: o.Pipeline, StateID: o.StateID, Sink: s.name}
}

// Open implements pipeline.Sink. It removes from the stage what an earlier process has left there.
func (s *Sink) Open(ctx context.Context, o pipeline.SinkOptions) error {
	s.begin(o)
	if err := s.db.watch.onStage(func() error { return s.loader.open(ctx, o) }); err != nil {
		return fmt.Errorf("stage: %w", err)
	}
	if err := s.Sink.Open(ctx, o); err != nil {
		return withRights(err)
	}
	return s.reportLayouts(ctx)
}

// reportLayouts tells what would lay out the tables as the pipeline file says. A table that is there
// is left as it is: to redistribute a big one is not for an opening to decide.
func (s *Sink) reportLayouts(ctx context.Context) error {
	return s.db.client.Do(ctx, func(ctx context.Context, c *pgconn.Conn) error {
		statements, err := s.db.tx(c, opening).layoutChanges(ctx, s.options.Tables)
		for _, statement := range statements {
			s.options.Env.Log.Warn("a table is laid out otherwise than the pipeline file says; to change it, run the statement while nobody is at the table", "statement", statement)
		}
		return err
	})
}

// Commit implements pipeline.Sink: files are on the stage before the transaction begins, and
// leave it when the token is safe. A try that comes after one that has got so far has only to
// remove them.
func (s *Sink) Commit(ctx context.Context, c *pipeline.Committable) error {
	if s.loaded != c.Epoch {
		if err := s.load(ctx, c); err != nil {
			return err
		}
		s.loaded = c.Epoch
	}
	if err := s.db.watch.onStage(func() error { return s.loader.remove(ctx, c.Epoch) }); err != nil {
		return err
	}
	s.loaded = 0
	return nil
}

// load is Commit up to the token.
func (s *Sink) load(ctx context.Context, c *pipeline.Committable) error {
	staged, err := warehouse.ReadStaged(c)
	if err != nil {
		return err
	}
	s.db.epoch = c.Epoch
	err = s.db.watch.onStage(func() error { return s.loader.upload(ctx, s.options.Spool(c.Epoch), c.Epoch, staged) })
	if err != nil {
		return fmt.Errorf("stage: %w", err)
	}
	if err := s.Sink.Commit(ctx, c); err != nil {
		return s.lookUpLoadError(ctx, err)
	}
	s.analyze(ctx, staged)
	return nil
}

// stageResetter is a loader that leaves files elsewhere than in the spool.
type stageResetter interface {
	// reset lists what the stage has of a sink in all states, and removes it if r.Do.
	reset(ctx context.Context, r *pipeline.Reset) ([]pipeline.TargetObject, error)
}

// Reset implements pipeline.Resettable.
func (s *Sink) Reset(ctx context.Context, r pipeline.Reset) ([]pipeline.TargetObject, error) {
	s.begin(pipeline.SinkOptions{Pipeline: r.Pipeline, StateID: r.StateID})
	all, err := s.Sink.Reset(ctx, r)
	if stage, ok := s.loader.(stageResetter); ok && err == nil {
		var files []pipeline.TargetObject
		files, err = stage.reset(ctx, &r)
		all = append(all, files...)
	}
	if err != nil {
		return nil, err
	}
	return all, nil
}

// analyze updates the planner's statistics of tables of which many rows have changed. What comes of it
// changes no row: an error is told, and nothing is tried again.
func (s *Sink) analyze(ctx context.Context, staged []warehouse.StagedTable) {
	for i := range staged {
		if s.cfg.AnalyzeRows <= 0 || staged[i].Rows() < s.cfg.AnalyzeRows {
			continue
		}
		err := s.db.client.Do(ctx, func(ctx context.Context, c *pgconn.Conn) error {
			_, err := c.Exec(ctx, "ANALYZE "+warehouse.QualifiedName(s.cfg.Schema, staged[i].Table))
			return err
		})
		if err != nil {
			s.options.Env.Log.Warn("the statistics of a table could not be updated", "table", staged[i].Table, "error", err)
		}
	}
}
