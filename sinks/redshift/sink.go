package redshift

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// Sink is a schema of a Redshift database. It is a pipeline.Sink.
type Sink struct {
	*warehouse.Sink
	cfg     Config
	db      *database
	loader  loader
	options pipeline.SinkOptions
}

var _ pipeline.Sink = (*Sink)(nil)

// New returns a sink. The error joins all mistakes of the configuration; none of
// them shows the DSN.
func New(name string, cfg Config) (*Sink, error) { return newSink(name, cfg, nil) }

// newSink is New with the clock of the flush interval; nil = the wall's.
func newSink(name string, cfg Config, now func() time.Time) (*Sink, error) {
	cfg.Schema = cmp.Or(cfg.Schema, "public")
	server, err := cfg.parse()
	if err != nil {
		return nil, err
	}
	s := &Sink{cfg: cfg, loader: newLoader(name, &cfg)}
	s.db = newDatabase(&s.cfg, server, s.loader)
	s.Sink = warehouse.New(warehouse.Config{Name: name, Schema: cfg.Schema, Dialect: dialect, Database: s.db,
		Validate: warehouse.CheckUTF8, NewWriter: s.loader.newWriter,
		Gather: warehouse.Gather{Interval: time.Duration(cfg.Flush.Interval), Now: now}})
	return s, nil
}

// Targets names the table at each of the hosts that the DSN names.
func (s *Sink) Targets(t *pipeline.Table) (key string, places [][]string) {
	for _, place := range s.db.client.Config.Places() {
		places = append(places, append(append([]string{"redshift"}, place...), s.cfg.Schema, t.Name))
	}
	return "dsn", places
}

// Open implements pipeline.Sink. It removes from the stage what an earlier process has left there.
func (s *Sink) Open(ctx context.Context, o pipeline.SinkOptions) error {
	s.options = o
	if err := s.loader.open(ctx, o); err != nil {
		return fmt.Errorf("stage: %w", err)
	}
	return s.Sink.Open(ctx, o)
}

// Commit implements pipeline.Sink: files are on the stage before the transaction begins, and
// leave it when the token is safe.
func (s *Sink) Commit(ctx context.Context, c *pipeline.Committable) error {
	staged, err := warehouse.ReadStaged(c)
	if err != nil {
		return err
	}
	s.db.epoch = c.Epoch
	if err := s.loader.upload(ctx, s.options.Spool(c.Epoch), c.Epoch, staged); err != nil {
		return fmt.Errorf("stage: %w", err)
	}
	if err := s.Sink.Commit(ctx, c); err != nil {
		return err
	}
	return s.loader.remove(ctx, c.Epoch)
}
