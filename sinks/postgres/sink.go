package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/disk"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// Sink is a schema of a PostgreSQL database. It is a pipeline.Sink.
type Sink struct {
	name    string
	schema  string
	server  *pgconn.Config
	strip   bool // U+0000 is taken out of texts
	opening pipeline.SinkOptions
	// conn is nil before Open, after Close, and after an error.
	conn *conn
	sight
}

var _ pipeline.Sink = (*Sink)(nil)

// New returns a sink. The error joins all mistakes of the configuration; none of
// them shows the DSN.
func New(name string, cfg Config) (*Sink, error) {
	if cfg.Schema == "" {
		cfg.Schema = "public"
	}
	server, err := cfg.parse()
	if err != nil {
		return nil, err
	}
	return &Sink{name: name, schema: cfg.Schema, server: server, strip: cfg.NUL == "strip"}, nil
}

// Mode is Settled: tables hold the current row of each key.
func (s *Sink) Mode() pipeline.Mode { return pipeline.Settled }

// DDL returns the statements that make the tables.
func (s *Sink) DDL(tables []*pipeline.Table) string { return dialect.DDL(s.schema, tables) }

// CheckTables refuses names that are taken, and those that PostgreSQL does not take
// or would cut. The error joins *spec.FieldError.
func (s *Sink) CheckTables(tables []*pipeline.Table) error { return dialect.CheckNames(tables) }

// Targets names the table at each of the hosts that the DSN names.
func (s *Sink) Targets(t *pipeline.Table) (key string, places [][]string) {
	database := cmp.Or(s.server.Database, s.server.User)
	at := func(host string, port uint16) {
		places = append(places, []string{"postgres", hostName(host), strconv.Itoa(int(port)), database, s.schema, t.Name})
	}
	at(s.server.Host, s.server.Port)
	for _, f := range s.server.Fallbacks { // the same host with other TLS settings among them
		at(f.Host, f.Port)
	}
	return "dsn", places
}

// hostName returns one name of a host, as far as that shows without asking anybody.
func hostName(host string) string {
	if strings.HasPrefix(host, "/") {
		if dir, err := disk.Canonical(host); err == nil {
			return dir
		}
		return host
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && (ip.IsLoopback() || ip.IsUnspecified()) {
		return "localhost"
	} else if ip != nil {
		return ip.String()
	}
	return host
}

// Check does what Open does in a transaction that is rolled back.
func (s *Sink) Check(ctx context.Context, o pipeline.SinkOptions) (names []string, err error) {
	if err := s.begin(o); err != nil {
		return nil, err
	}
	err = s.try(ctx, func(ctx context.Context, c *conn) error {
		if names, err = s.names(ctx, c); err != nil {
			return err
		}
		if err := c.begin(ctx); err != nil {
			return err
		}
		if err := s.arrange(ctx, c); err != nil {
			return err
		}
		return c.exec(ctx, "ROLLBACK")
	})
	return names, errors.Join(err, s.Close())
}

// names returns what names the tables, whatever the server is called in a DSN.
func (s *Sink) names(ctx context.Context, c *conn) (names []string, err error) {
	rows, err := c.query(ctx, "SELECT current_database(), pg_catalog.pg_postmaster_start_time()")
	if err != nil {
		return nil, err
	}
	for _, t := range s.opening.Tables {
		names = append(names, fmt.Sprintf("table %s of database %q, of the server started at %s", warehouse.In(s.schema, t.Name), rows[0][0], rows[0][1]))
	}
	return names, nil
}

// Open connects, compares the token with the checkpoint, and makes or checks the
// tables.
func (s *Sink) Open(ctx context.Context, o pipeline.SinkOptions) error {
	if err := s.begin(o); err != nil {
		return err
	}
	return s.try(ctx, func(ctx context.Context, c *conn) error {
		return c.inTx(ctx, func(ctx context.Context) error { return s.arrange(ctx, c) })
	})
}

// begin leaves what an earlier opening had.
func (s *Sink) begin(o pipeline.SinkOptions) error {
	if err := s.Close(); err != nil {
		return err
	}
	s.opening = o
	return s.CheckTables(o.Tables)
}

// try runs f on the connection, which it makes where there is none and drops
// after an error: a new one has nothing left of what went wrong.
func (s *Sink) try(ctx context.Context, f func(context.Context, *conn) error) (err error) {
	defer s.at.Store(nil)
	if s.conn == nil {
		if s.conn, err = dial(ctx, s.server); err != nil {
			return classify(ctx, err)
		}
		s.at.Store(s.conn)
		if err = s.endLost(ctx, s.conn); err != nil {
			return s.drop(ctx, err)
		}
	}
	s.at.Store(s.conn)
	if err := f(ctx, s.conn); err != nil {
		return s.drop(ctx, err)
	}
	return nil
}

// drop drops the connection after an error.
func (s *Sink) drop(ctx context.Context, err error) error {
	s.lost = s.conn.tx.Load()
	s.conn.close()
	s.conn = nil
	return classify(ctx, err)
}

// token returns the last epoch of this pipeline, state folder and sink, 0 = none,
// and whether there is a table of refused rows.
func (s *Sink) token(ctx context.Context, c *conn) (epoch int64, remembers bool, err error) {
	rows, err := c.query(ctx, fmt.Sprintf(`SELECT coalesce(max("epoch"), 0), to_regclass($4) IS NOT NULL FROM %s WHERE "pipeline" = $1 AND "state_id" = $2 AND "sink" = $3`,
		warehouse.In(s.schema, warehouse.EpochsTable)), s.opening.Pipeline, s.opening.StateID, s.name, s.refusedTable())
	if err == nil {
		_, err = fmt.Sscan(rows[0][0], &epoch)
	}
	if err != nil {
		return 0, false, fmt.Errorf("reading the token: %w", err)
	}
	return epoch, rows[0][1] == "t", nil
}

func (s *Sink) checkToken(ctx context.Context, c *conn) error {
	found, _, err := s.token(ctx, c)
	if err != nil {
		return err
	}
	rows, err := c.query(ctx, fmt.Sprintf(`SELECT "state_id", "epoch" FROM %s WHERE "pipeline" = $1 AND "state_id" <> $2 AND "sink" = $3 ORDER BY "ended_at" DESC LIMIT 1`,
		warehouse.In(s.schema, warehouse.EpochsTable)), s.opening.Pipeline, s.opening.StateID, s.name)
	if err != nil {
		return fmt.Errorf("reading the token: %w", err)
	}
	other, epoch := "", int64(0)
	if len(rows) > 0 {
		other = rows[0][0]
		if _, err := fmt.Sscan(rows[0][1], &epoch); err != nil {
			return fmt.Errorf("reading the token: %w", err)
		}
	}
	return warehouse.Judge(s.name, &s.opening, found, other, epoch)
}

// Begin starts an epoch's spool.
func (s *Sink) Begin(number int64) (pipeline.EpochWriter, error) {
	return warehouse.NewSpool(s.opening.Spool(number), number, s.newWriter)
}

// Commit applies the epoch in one transaction, unless the token says that it
// was applied (I5). When the server refuses rows, they are found and told.
func (s *Sink) Commit(ctx context.Context, r *pipeline.Committable) error {
	all, err := warehouse.ReadCommittable(r)
	if err != nil {
		return err
	}
	without, err := readWithout(r)
	if err != nil {
		return err
	}
	err = s.try(ctx, func(ctx context.Context, c *conn) error {
		return c.inTx(ctx, func(ctx context.Context) error { return s.publish(ctx, c, r, all, without) })
	})
	if !refuses(err) {
		return err
	}
	refused, findErr := s.findRefused(ctx, r, all, without)
	switch {
	case findErr != nil:
		return findErr
	case refused == nil:
		return fmt.Errorf("the rows of the epoch are refused together, and none of them alone: %w", err)
	}
	return refused
}

// due locks the token, and reports whether the epoch is to be applied, and whether
// there is a table of refused rows.
func (s *Sink) due(ctx context.Context, c *conn, r *pipeline.Committable) (due, remembers bool, err error) {
	// A transaction of which nobody knows what became of it may still run on the
	// server: the token is right once it has ended.
	if err := s.lock(ctx, c); err != nil {
		return false, false, err
	}
	found, remembers, err := s.token(ctx, c)
	if err != nil {
		return false, false, err
	}
	due, err = warehouse.Due(s.name, &s.opening, r, found)
	return due, remembers, err
}

// publish is what a commit does in its transaction.
func (s *Sink) publish(ctx context.Context, c *conn, r *pipeline.Committable, all []warehouse.Staged, without []leftOut) error {
	due, remembers, err := s.due(ctx, c, r)
	if err != nil || !due {
		return err
	}
	var careful []string // tables
	if remembers {
		if careful, err = s.excepted(ctx, c); err != nil {
			return err
		}
	}
	if len(without) > 0 && !remembers {
		if err := s.makeRefused(ctx, c); err != nil {
			return err
		}
	}
	for _, out := range without {
		careful = append(careful, out.Table)
	}
	rows := -int64(len(without))
	for i := range all {
		if slices.Contains(careful, all[i].Table) {
			err = s.applyCarefully(ctx, c, r.Epoch, &all[i], without, remembers)
		} else {
			err = s.apply(ctx, c, r.Epoch, &all[i])
		}
		if err != nil {
			return fmt.Errorf("table %q: %w", all[i].Table, err)
		}
		rows += all[i].Rows()
	}
	_, err = c.run(ctx, fmt.Sprintf(`INSERT INTO %s (%s) VALUES ($1, 'committed', $2, $3, $4, $5, $6, $7, $8)`,
		warehouse.In(s.schema, warehouse.EpochsTable), warehouse.Quoted(warehouse.EpochColumns)),
		s.opening.Pipeline+"."+s.name, timeText(r.Started), timeText(time.Now()), fmt.Sprint(rows), s.opening.Pipeline, s.opening.StateID, s.name, fmt.Sprint(r.Epoch))
	if err != nil {
		return fmt.Errorf("writing the token: %w", err)
	}
	return nil
}

// lock makes the transaction the only one that writes this pipeline's tokens.
func (s *Sink) lock(ctx context.Context, c *conn) error {
	_, err := c.query(ctx, "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", "starlift\n"+s.schema+"\n"+s.opening.Pipeline+"\n"+s.name)
	if err != nil {
		return fmt.Errorf("waiting for the token: %w", err)
	}
	return nil
}

func timeText(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000000") }

// Close drops the connection. It may be called twice.
func (s *Sink) Close() error {
	if s.conn != nil {
		s.conn.close()
		s.conn = nil
	}
	return nil
}
