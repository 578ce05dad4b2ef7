package postgres

import (
	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/sinks/internal/values"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// Sink is a schema of a PostgreSQL database. It is a pipeline.Sink.
type Sink struct {
	*warehouse.Sink
	db       *database
	stripNUL bool // U+0000 is taken out of texts
}

var _ pipeline.Sink = (*Sink)(nil)

// New returns a sink. The error joins all mistakes of the configuration; none of
// them shows the DSN.
func New(name string, cfg Config) (*Sink, error) { return newSink(name, cfg, sparedMax) }

// newSink is New with another bound of what goes without files.
func newSink(name string, cfg Config, spared int) (*Sink, error) {
	if cfg.Schema == "" {
		cfg.Schema = "public"
	}
	server, err := cfg.parse()
	if err != nil {
		return nil, err
	}
	s := &Sink{db: newDatabase(cfg.Schema, server), stripNUL: cfg.NUL == "strip"}
	c := warehouse.Config{Name: name, Schema: cfg.Schema, Dialect: dialect, Database: s.db, NewWriter: newWriter, Spares: true, SparedMax: spared,
		Validate: func(rows *pipeline.Rows) error { return validate(rows, s.stripNUL) }}
	if s.stripNUL {
		c.Adapt = func(rows *pipeline.Rows) (*pipeline.Rows, func()) { return values.AdaptTexts(rows, values.StripNULs) }
	}
	s.Sink = warehouse.New(c)
	return s, nil
}

// Targets names the table at each of the hosts that the DSN names.
func (s *Sink) Targets(t *pipeline.Table) (key string, places [][]string) {
	for _, place := range s.db.client.Config.Places() {
		places = append(places, append(append([]string{"postgres"}, place...), s.db.schema, t.Name))
	}
	return "dsn", places
}
