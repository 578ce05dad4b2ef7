package corpus

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/faults"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/server"
)

// words are entries that are told in words, or need a server of their own: each returns
// what the last statement, or the login, ends with.
var words = map[string]func(context.Context, *testing.T, *worker, *entry) error{
	"rs-concurrency-001": writeSkew,
	"rs-concurrency-003": dropBeside,
	"rs-concurrency-005": resize,

	"rs-protocol-004": startUp("IntervalStyle", "iso_8601"),
	"rs-protocol-005": startUp("extra_float_digits", "3"),
	"rs-protocol-007": startUp("driver_version", "Redshift JDBC Driver 2.3.0", "os_version", "Linux", "client_protocol_version", "3",
		"driver_discovery_version", "1", "plugin_name", "none"),
	"rs-protocol-008": unknownParameter,
	"rs-protocol-012": login(func(c *pgconn.Config) { c.Database = "nope" }),
	"rs-protocol-013": login(func(c *pgconn.Config) { c.User, c.Password = "guarded", "Wrong1234" }),

	"rs-copy-runtime-013": copyOn(func(o *server.Options) { o.Load.RefusedRoles = []string{"arn:aws:iam::123456789012:role/copy"} }),
	"rs-copy-runtime-014": copyOn(func(o *server.Options) { o.Load.DeniedBuckets = []string{"b"} }),
}

// login connects with something that is wrong, or not.
func login(change func(*pgconn.Config)) func(context.Context, *testing.T, *worker, *entry) error {
	return func(ctx context.Context, _ *testing.T, w *worker, _ *entry) error {
		config, err := pgconn.ParseConfig(w.server.DSN("dev"))
		if err != nil {
			return err
		}
		change(config)
		db, err := pgconn.ConnectConfig(ctx, config)
		if err != nil {
			return err
		}
		_, err = db.Exec(ctx, "select 1").ReadAll()
		return errors.Join(err, db.Close(ctx))
	}
}

// startUp connects with parameters: names and values.
func startUp(parameters ...string) func(context.Context, *testing.T, *worker, *entry) error {
	return login(func(c *pgconn.Config) {
		for i := 0; i < len(parameters); i += 2 {
			c.RuntimeParams[parameters[i]] = parameters[i+1]
		}
	})
}

// unknownParameter parses with a parameter of type unknown, as Amazon's Python driver does.
func unknownParameter(ctx context.Context, _ *testing.T, w *worker, _ *entry) error {
	db, err := w.dial(ctx)
	if err != nil {
		return err
	}
	defer db.Close(ctx)
	for _, sql := range []string{"select $1", "select 1 where 'a' = $1", "select $1::varchar(10)"} {
		result := db.ExecParams(ctx, sql, [][]byte{[]byte("a")}, []uint32{705}, nil, nil).Read()
		if result.Err != nil {
			return fmt.Errorf("%s: %w", sql, result.Err)
		}
		if len(result.Rows) != 1 {
			return fmt.Errorf("%s: %d rows", sql, len(result.Rows))
		}
	}
	return nil
}

// sessions opens two sessions in a database, in which the entry's setup was done.
func (w *worker) sessions(ctx context.Context, t *testing.T, e *entry, database string) (a, b *pgconn.PgConn, err error) {
	var list [2]*pgconn.PgConn
	for i := range list {
		if list[i], err = pgconn.Connect(ctx, w.server.DSN(database)); err != nil {
			return nil, nil, err
		}
		t.Cleanup(func() { _ = list[i].Close(context.Background()) })
	}
	for _, sql := range e.Setup {
		if err := run(ctx, list[0], sql); err != nil {
			return nil, nil, err
		}
	}
	return list[0], list[1], nil
}

type step struct {
	session *pgconn.PgConn
	sql     string
}

// steps runs statements of several sessions in their order. Errors before the last one are
// no part of the case.
func steps(ctx context.Context, list []step) error {
	for i, s := range list {
		if err := run(ctx, s.session, s.sql); err != nil {
			if i < len(list)-2 {
				return fmt.Errorf("too early, at %q: %v", s.sql, err)
			}
			return err
		}
	}
	return nil
}

// writeSkew is the entry's own text.
func writeSkew(ctx context.Context, t *testing.T, w *worker, e *entry) error {
	if err := run(ctx, w.admin, "create database skew isolation level serializable"); err != nil {
		return fmt.Errorf("a serializable database: %v", err)
	}
	a, b, err := w.sessions(ctx, t, e, "skew")
	if err != nil {
		return err
	}
	defer a.Close(ctx)
	defer b.Close(ctx)
	list := []step{
		{a, "begin"}, {b, "begin"}, {a, "select * from tab1"}, {a, "insert into tab2 values (1)"}, {b, "insert into tab1 values (1)"},
		{b, "select * from tab2"}, {a, "commit"}, {b, "commit"},
	}
	// Which of the last ones is refused is not told: only that both can't be committed.
	var last error
	for i, s := range list {
		if err := run(ctx, s.session, s.sql); err != nil {
			if i < 4 {
				return fmt.Errorf("too early, at %q: %v", s.sql, err)
			}
			last = err
			break
		}
	}
	return last
}

// dropBeside uses a table that another transaction has dropped since this one's snapshot.
func dropBeside(ctx context.Context, t *testing.T, w *worker, e *entry) error {
	a, b, err := w.sessions(ctx, t, e, "dev")
	if err != nil {
		return err
	}
	defer a.Close(ctx)
	defer b.Close(ctx)
	return steps(ctx, []step{{a, "begin"}, {a, "select * from tab2"}, {b, "drop table tab1"}, {a, "drop table tab1"}})
}

func resize(ctx context.Context, _ *testing.T, w *worker, e *entry) error {
	db, err := w.dial(ctx)
	if err != nil {
		return err
	}
	defer db.Close(ctx)
	for _, sql := range e.Setup {
		if err := run(ctx, db, sql); err != nil {
			return err
		}
	}
	if err := w.server.Inject(faults.Rule{Kind: faults.Resize, Pattern: "^insert"}); err != nil {
		return err
	}
	err = run(ctx, db, "insert into tab1 values (1)")
	if again := run(ctx, db, "insert into tab1 values (1)"); again != nil {
		return fmt.Errorf("after the resize: %v", again)
	}
	return err
}

// copyOn runs a COPY on a server of its own.
func copyOn(change func(*server.Options)) func(context.Context, *testing.T, *worker, *entry) error {
	return func(ctx context.Context, t *testing.T, _ *worker, e *entry) error {
		w := start(t, change)
		if err := w.objects.put("b/p", []byte("1,a,1.50,2024-01-02 03:04:05,1\n")); err != nil {
			return err
		}
		db, err := w.prepare(ctx, e)
		if err != nil {
			return err
		}
		defer db.Close(ctx)
		return run(ctx, db, e.SQL)
	}
}
