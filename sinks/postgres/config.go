package postgres

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"

	"github.com/starlift-etl/starlift/pipeline/spec"
)

// Config is a postgres sink in a pipeline file.
type Config struct {
	DSN    string `yaml:"dsn" required:"true" secret:"connection" change:"identity" desc:"The database, as a URL (postgres://user:password@host:5432/database) or as libpq's keywords and values. What is left out comes from libpq's variables (PGHOST, PGPASSWORD, …) and ~/.pgpass."`
	Schema string `yaml:"schema" default:"public" change:"identity" desc:"The schema of the tables. It is made when it is missing."`
	NUL    string `yaml:"nul" default:"dead_letter" enum:"dead_letter,strip" change:"content" desc:"What becomes of the character U+0000 in texts and JSON, which PostgreSQL cannot store: dead_letter treats the value as on_error of its column says, strip takes the character out. In keys, and natural keys of dimensions, it is never taken out."`
}

const (
	connectTimeout = 10 * time.Second
	// cancelWait is how long a stop waits for the server to cancel what it is at.
	cancelWait = 2 * time.Second
)

// parse reads the DSN, or returns all mistakes of the configuration.
func (c *Config) parse() (*pgconn.Config, error) {
	var errs []error
	wrong := func(path, message string) {
		errs = append(errs, &spec.FieldError{Path: []string{path}, Message: message})
	}
	if err := checkSchema(c.Schema); err != nil {
		errs = append(errs, err)
	}
	if c.DSN == "" {
		wrong("dsn", "dsn is missing: give the database, as in postgres://user@host:5432/database")
		return nil, errors.Join(errs...)
	}
	cfg, err := pgconn.ParseConfig(c.DSN)
	if err != nil {
		wrong("dsn", "dsn is not a connection string: "+reason(err)+"; give a URL, as in postgres://user@host:5432/database, or keywords, as in host=… dbname=…")
		return nil, errors.Join(errs...)
	}
	if strings.Contains(cfg.Host, "@") {
		// The rest of a password: it is not shown, and nobody is asked for such a host.
		wrong("dsn", "the user or the password in dsn has an @, at which a URL ends them: write %40 for it")
	}
	if errs != nil {
		return nil, errors.Join(errs...)
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = connectTimeout
	}
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = "starlift"
	}
	cfg.RuntimeParams["client_encoding"] = "UTF8"
	// A peer that is gone without a word is noticed after 75 s.
	dialer := &net.Dialer{Timeout: cfg.ConnectTimeout, KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: 15 * time.Second, Interval: 10 * time.Second, Count: 6}}
	cfg.DialFunc = dialer.DialContext
	cfg.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: cancelWait}
	}
	return cfg, nil
}

// checkSchema refuses schemas that tables can't be made in, or in which they would
// not last.
func checkSchema(schema string) error {
	if strings.HasPrefix(schema, ownSchemas) {
		return &spec.FieldError{Path: []string{"schema"}, Message: fmt.Sprintf("schema %q: names that begin with %s are PostgreSQL's own: give the tables another one", schema, ownSchemas)}
	}
	return dialect.CheckSchema(schema)
}

// reason returns what is wrong with a connection string without the string
// itself, which may hold a password that nobody knows for one. What the parser
// says of a string that it cannot take apart may quote a part of it.
func reason(err error) string {
	text := err.Error()
	for _, broken := range []string{"failed to parse as URL", "failed to parse as keyword/value"} {
		if strings.Contains(text, "`: "+broken) {
			return broken
		}
	}
	if i := strings.LastIndex(text, "`: "); i >= 0 {
		return text[i+len("`: "):]
	}
	return "it cannot be read"
}

var _ spec.Canonical = Config{}

// Canonical implements spec.Canonical: dsn is the database, whoever connects to it
// and however.
func (c Config) Canonical(string) any {
	cfg, err := c.parse()
	if err != nil {
		return c
	}
	servers := []string{fmt.Sprintf("%s:%d", strings.ToLower(cfg.Host), cfg.Port)}
	for _, other := range cfg.Fallbacks { // of one server there are several, by how it is connected to
		if s := fmt.Sprintf("%s:%d", strings.ToLower(other.Host), other.Port); !slices.Contains(servers, s) {
			servers = append(servers, s)
		}
	}
	database := cfg.Database
	if database == "" {
		database = cfg.User
	}
	c.DSN = strings.Join(servers, ",") + "/" + database
	return c
}
