package postgres

import (
	"errors"
	"fmt"
	"strings"

	"github.com/starlift-etl/starlift/pipeline/pgconn"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// Config is a postgres sink in a pipeline file.
type Config struct {
	DSN    string `yaml:"dsn" required:"true" secret:"connection" change:"identity" desc:"The database, as a URL (postgres://user:password@host:5432/database) or as libpq's keywords and values. What is left out comes from libpq's variables (PGHOST, PGPASSWORD, …) and ~/.pgpass."`
	Schema string `yaml:"schema" default:"public" change:"identity" desc:"The schema of the tables. It is made when it is missing."`
	NUL    string `yaml:"nul" default:"dead_letter" enum:"dead_letter,strip" change:"content" desc:"What becomes of the character U+0000 in texts and JSON, which PostgreSQL cannot store: dead_letter treats the value as on_error of its column says, strip takes the character out. In keys, and natural keys of dimensions, it is never taken out."`
}

// parse reads the DSN, or returns all mistakes of the configuration.
func (c *Config) parse() (pgconn.Config, error) {
	server, err := pgconn.Parse(c.DSN)
	return server, errors.Join(checkSchema(c.Schema), err)
}

// checkSchema refuses schemas that tables can't be made in, or in which they would
// not last.
func checkSchema(schema string) error {
	if strings.HasPrefix(schema, ownSchemas) {
		return &spec.FieldError{Path: []string{"schema"}, Message: fmt.Sprintf("schema %q: names that begin with %s are PostgreSQL's own: give the tables another one", schema, ownSchemas)}
	}
	return dialect.CheckSchema(schema)
}

var _ spec.Canonical = Config{}

// Canonical implements spec.Canonical: dsn is the database, whoever connects to it
// and however.
func (c Config) Canonical(string) any {
	server, err := c.parse()
	if err != nil {
		return c
	}
	c.DSN = server.Canonical()
	return c
}
