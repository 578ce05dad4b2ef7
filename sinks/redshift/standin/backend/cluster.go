package backend

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/starlift-etl/starlift/pipeline/pgconn/pgserver"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/names"
)

// Options say how a cluster is made.
type Options struct {
	// Postgres is the connection string of a superuser of a server (13 or newer) that is
	// there. Empty = one is made of the machine's PostgreSQL, and ends with this process.
	Postgres string
	// User is the superuser's name; empty = awsuser.
	User string
}

// Isolation is a database's isolation level.
type Isolation string

// The isolation levels (CREATE DATABASE, "ISOLATION LEVEL").
const (
	Snapshot     Isolation = "snapshot"
	Serializable Isolation = "serializable"
)

// oldest and newest are the versions of PostgreSQL that this is made for.
const (
	oldest = 13
	newest = 17
)

// closeTimeout is how long a connection has to say good-bye.
const closeTimeout = 2 * time.Second

// Cluster is a PostgreSQL server with databases that look like Redshift's. Its methods may
// be called at the same time.
type Cluster struct {
	server   *pgserver.Server // nil = somebody else's
	config   *pgconn.Config
	user     string
	prefix   string // of the databases' names; empty in a server of our own
	template string

	mu    sync.Mutex
	admin *pgconn.PgConn // guarded by mu
	full  fullNames
}

// Open makes a cluster without databases.
func Open(ctx context.Context, o Options) (*Cluster, error) {
	c := &Cluster{user: cmp.Or(o.User, "awsuser")}
	dsn := o.Postgres
	if dsn == "" {
		server, err := pgserver.Start(pgserver.Options{User: "rdsdb", Settings: "-c max_connections=400 -c max_locks_per_transaction=256 -c wal_level=minimal -c max_wal_senders=0 -c synchronous_commit=off -c full_page_writes=off"})
		if err != nil {
			return nil, fmt.Errorf("a PostgreSQL behind the stand-in: %w", err)
		}
		c.server, dsn = server, server.DSN
	} else {
		// Others may have clusters in the same server, from machines where processes have
		// the same numbers.
		c.prefix = "standin_" + strings.ToLower(rand.Text()[:8]) + "_"
	}
	c.template = c.prefix + "rs_template"
	if err := c.open(ctx, dsn); err != nil {
		return nil, errors.Join(err, c.Close(context.WithoutCancel(ctx)))
	}
	return c, nil
}

func (c *Cluster) open(ctx context.Context, dsn string) error {
	config, err := pgconn.ParseConfig(dsn)
	if err != nil {
		return fmt.Errorf("the connection string of PostgreSQL: %w", err)
	}
	c.config = config
	if c.admin, err = pgconn.ConnectConfig(ctx, config); err != nil {
		return err
	}
	if err := checkVersion(c.admin.ParameterStatus("server_version")); err != nil {
		return err
	}
	if err := c.CreateUser(ctx, c.user, true); err != nil {
		return err
	}
	return c.makeTemplate(ctx)
}

// checkVersion refuses a server that is too old. One that is newer than the newest that
// this was made for is tried.
func checkVersion(text string) error {
	digits := strings.FieldsFunc(text, func(r rune) bool { return r < '0' || r > '9' })
	if len(digits) > 0 {
		if major, err := strconv.Atoi(digits[0]); err == nil && major >= oldest {
			return nil
		}
	}
	return fmt.Errorf("the stand-in needs PostgreSQL %d to %d, and this is %q", oldest, newest, text)
}

// CreateUser makes a user, if there is none of that name.
func (c *Cluster) CreateUser(ctx context.Context, name string, super bool) error {
	sql := "CREATE ROLE " + quote(names.Short(name)) + " LOGIN"
	if super {
		sql += " SUPERUSER"
	}
	err := c.exec(ctx, sql)
	if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) && pg.Code == "42710" {
		return nil
	}
	return err
}

// CreateDatabase makes an empty database, owned by a user.
func (c *Cluster) CreateDatabase(ctx context.Context, name, owner string, level Isolation) error {
	c.keepName(name)
	if err := c.exec(ctx, "CREATE DATABASE "+quote(c.databaseName(name))+" TEMPLATE "+quote(c.template)+" OWNER "+quote(names.Short(cmp.Or(owner, c.user)))); err != nil {
		return err
	}
	return c.SetIsolation(ctx, name, level)
}

// SetIsolation sets a database's isolation level.
func (c *Cluster) SetIsolation(ctx context.Context, name string, level Isolation) error {
	// A comment on a database is seen from all databases, and goes when it goes.
	return c.exec(ctx, "COMMENT ON DATABASE "+quote(c.databaseName(name))+" IS "+literal(string(level)))
}

// RenameDatabase gives a database another name. It fails while a session uses it.
func (c *Cluster) RenameDatabase(ctx context.Context, name, to string) error {
	return c.exec(ctx, "ALTER DATABASE "+quote(c.prefix+name)+" RENAME TO "+quote(c.prefix+to))
}

// SetOwner makes a database another user's.
func (c *Cluster) SetOwner(ctx context.Context, name, owner string) error {
	return c.exec(ctx, "ALTER DATABASE "+quote(c.prefix+name)+" OWNER TO "+quote(owner))
}

// LimitConnections sets how many connections users other than superusers may have to a
// database; -1 = any number.
func (c *Cluster) LimitConnections(ctx context.Context, name string, most int) error {
	return c.exec(ctx, "ALTER DATABASE "+quote(c.prefix+name)+" CONNECTION LIMIT "+strconv.Itoa(most))
}

// DropDatabase drops a database. It fails while a session uses it.
func (c *Cluster) DropDatabase(ctx context.Context, name string) error {
	return c.exec(ctx, "DROP DATABASE "+quote(c.databaseName(name)))
}

// Database is one of a cluster.
type Database struct {
	Name      string
	OID       uint32
	Owner     string
	Isolation Isolation
}

// Databases returns the databases by name.
func (c *Cluster) Databases(ctx context.Context) ([]Database, error) {
	rows, err := c.query(ctx, `SELECT substr(datname, length($1) + 1), oid, pg_get_userbyid(datdba), shobj_description(oid, 'pg_database')
		FROM pg_database WHERE NOT datistemplate AND starts_with(datname, $1)
		AND shobj_description(oid, 'pg_database') IN ('snapshot', 'serializable') ORDER BY 1`, c.prefix)
	if err != nil {
		return nil, err
	}
	databases := make([]Database, len(rows))
	for i, r := range rows {
		oid, err := strconv.ParseUint(r[1].Text, 10, 32)
		if err != nil {
			return nil, err
		}
		databases[i] = Database{Name: c.fullName(r[0].Text), OID: uint32(oid), Owner: r[2].Text, Isolation: Isolation(r[3].Text)}
	}
	return databases, nil
}

// databaseName is a database's name in PostgreSQL.
func (c *Cluster) databaseName(name string) string { return c.prefix + names.Short(name) }

// User returns the superuser's name.
func (c *Cluster) User() string { return c.user }

// Close ends the cluster: a server of its own, or its databases in somebody else's. The
// sessions have to be closed before.
func (c *Cluster) Close(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	if c.server == nil && c.admin != nil {
		errs = append(errs, c.dropAll(ctx))
	}
	if c.admin != nil {
		ctx, cancel := context.WithTimeout(ctx, closeTimeout)
		defer cancel()
		errs = append(errs, c.admin.Close(ctx))
		c.admin = nil
	}
	if c.server != nil {
		errs = append(errs, c.server.Close())
		c.server = nil
	}
	return errors.Join(errs...)
}

// dropAll drops what this cluster made in a server of somebody else. Users stay: they
// belong to the server, and may own what is not ours.
func (c *Cluster) dropAll(ctx context.Context) error {
	rows, err := queryConn(ctx, c.admin, `SELECT datname, datistemplate FROM pg_database WHERE starts_with(datname, $1)`, c.prefix)
	if err != nil {
		return err
	}
	var errs []error
	for _, r := range rows {
		if r[1].Text == "t" {
			errs = append(errs, execConn(ctx, c.admin, "ALTER DATABASE "+quote(r[0].Text)+" IS_TEMPLATE false"))
		}
		errs = append(errs, execConn(ctx, c.admin, "DROP DATABASE "+quote(r[0].Text)+" WITH (FORCE)"))
	}
	return errors.Join(errs...)
}

// exec runs a statement of the cluster's own, outside of every session.
func (c *Cluster) exec(ctx context.Context, sql string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.reconnect(ctx); err != nil {
		return err
	}
	return execConn(ctx, c.admin, sql)
}

func (c *Cluster) query(ctx context.Context, sql string, args ...string) ([][]Value, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.reconnect(ctx); err != nil {
		return nil, err
	}
	return queryConn(ctx, c.admin, sql, args...)
}

// reconnect makes the cluster's own connection again if a context that ended has closed it.
func (c *Cluster) reconnect(ctx context.Context) error {
	if c.admin != nil && !c.admin.IsClosed() {
		return nil
	}
	if c.config == nil {
		return errors.New("the cluster is not open")
	}
	admin, err := pgconn.ConnectConfig(ctx, c.config)
	if err == nil {
		c.admin = admin
	}
	return err
}

func execConn(ctx context.Context, conn *pgconn.PgConn, sql string) error {
	return conn.Exec(ctx, sql).Close()
}

func queryConn(ctx context.Context, conn *pgconn.PgConn, sql string, args ...string) ([][]Value, error) {
	values := make([][]byte, len(args))
	for i, a := range args {
		values[i] = []byte(a)
	}
	result := conn.ExecParams(ctx, sql, values, nil, nil, nil).Read()
	rows := make([][]Value, len(result.Rows))
	for i, r := range result.Rows {
		rows[i] = make([]Value, len(r))
		for j, v := range r {
			rows[i][j] = Value{Text: string(v), Null: v == nil}
		}
	}
	return rows, result.Err
}

// quote and literal write a name and a text as PostgreSQL reads them.
func quote(name string) string   { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
func literal(text string) string { return `'` + strings.ReplaceAll(text, `'`, `''`) + `'` }
