package pgconn

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	pgx "github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"

	"github.com/starlift-etl/starlift/pipeline/disk"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

const (
	// dialTimeout is how long a host has to take a connection.
	dialTimeout = 10 * time.Second
	// cancelTimeout is how long a stop waits for the server to cancel what it is at.
	cancelTimeout = 2 * time.Second
)

// Config is a server and how to connect to it.
type Config struct {
	*pgx.Config
	// Login gives the user and the password of each connection; nil = they are those of the
	// connection string.
	Login Login
	given map[string]bool // keywords of the connection string
}

// Login gives the credentials that connections are made with, where they last for a while only.
// Several goroutines may use it.
type Login interface {
	// Credentials returns a user and a password; it is called before each connection.
	Credentials(ctx context.Context) (user, password string, err error)
	// Discard is told of a password that the server has refused: it is not returned again.
	Discard(password string)
}

// Parse reads a connection string. The error is a *spec.FieldError of dsn, and does
// not show the string.
func Parse(dsn string) (Config, error) { return ParseWith(dsn, Defaults{}) }

// ParseWith is Parse with other defaults than libpq's.
func ParseWith(dsn string, d Defaults) (Config, error) {
	example := "postgres://user@host:" + cmp.Or(d.Port, "5432") + "/database"
	wrong := func(message string) (Config, error) {
		return Config{}, &spec.FieldError{Path: []string{"dsn"}, Message: message}
	}
	if dsn == "" {
		return wrong("dsn is missing: give the database, as in " + example)
	}
	cfg, err := pgx.ParseConfig(dsn)
	if err == nil {
		cfg, err = pgx.ParseConfig(d.apply(dsn))
	}
	if err != nil {
		return wrong("dsn is not a connection string: " + parseProblem(err) + "; give a URL, as in " + example + ", or keywords, as in host=… dbname=…")
	}
	if strings.Contains(cfg.Host, "@") {
		// The rest of a password: it is not shown, and nobody is asked for such a host.
		return wrong("the user or the password in dsn has an @, at which a URL ends them: write %40 for it")
	}
	dial := cmp.Or(cfg.ConnectTimeout, dialTimeout)
	cfg.ConnectTimeout = cmp.Or(cfg.ConnectTimeout, d.ConnectTimeout, dialTimeout)
	cfg.RuntimeParams["application_name"] = cmp.Or(cfg.RuntimeParams["application_name"], "starlift")
	cfg.RuntimeParams["client_encoding"] = "UTF8"
	// A peer that is gone without a word is noticed after 75 s.
	dialer := &net.Dialer{Timeout: dial, KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: 15 * time.Second, Interval: 10 * time.Second, Count: 6}}
	cfg.DialFunc = dialer.DialContext
	cfg.BuildContextWatcherHandler = func(conn *pgx.PgConn) ctxwatch.Handler {
		return &pgx.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: cancelTimeout}
	}
	return Config{Config: cfg, given: keysOf(dsn)}, nil
}

// Names reports whether the connection string itself has a keyword of libpq's, such as password.
func (c Config) Names(keyword string) bool { return c.given[keyword] }

// Encrypted reports whether no connection is made without TLS, as sslmode=require and stronger
// ones have it.
func (c Config) Encrypted() bool {
	plain := c.TLSConfig == nil
	for _, other := range c.Fallbacks {
		plain = plain || other.TLSConfig == nil
	}
	return !plain
}

// IsLocal reports whether all servers are on this machine.
func (c Config) IsLocal() bool {
	for _, place := range c.Places() {
		if host := place[0]; host != "localhost" && !strings.HasPrefix(host, "/") {
			return false
		}
	}
	return true
}

// connect makes a connection as server says, with the credentials of the login. Those that the
// server refuses are asked for anew, once: they may have been withdrawn before they expired.
func (c Config) connect(ctx context.Context, server *pgx.Config) (*pgx.PgConn, error) {
	if c.Login == nil {
		return pgx.ConnectConfig(ctx, server)
	}
	for again := false; ; again = true {
		var err error
		if server.User, server.Password, err = c.Login.Credentials(ctx); err != nil {
			return nil, err
		}
		pg, err := pgx.ConnectConfig(ctx, server)
		if err == nil || !InClass(err, "28") { // invalid authorization specification
			return pg, err
		}
		c.Login.Discard(server.Password)
		if again {
			return nil, err
		}
	}
}

// parseProblem returns what is wrong with a connection string without the string
// itself, which may hold a password that nobody knows for one. What the parser
// says of a string that it cannot take apart may quote a part of it.
func parseProblem(err error) string {
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

// database returns the name of the database: that of the user, if none is given.
func (c Config) database() string { return cmp.Or(c.Database, c.User) }

// Canonical names the servers and the database, whoever connects to them and however.
func (c Config) Canonical() string {
	servers := []string{fmt.Sprintf("%s:%d", strings.ToLower(c.Host), c.Port)}
	for _, other := range c.Fallbacks { // of one server there are several, by how it is connected to
		if s := fmt.Sprintf("%s:%d", strings.ToLower(other.Host), other.Port); !slices.Contains(servers, s) {
			servers = append(servers, s)
		}
	}
	return strings.Join(servers, ",") + "/" + c.database()
}

// Places returns host, port and database of each server that may be connected to.
// A server may be there several times.
func (c Config) Places() (places [][]string) {
	add := func(host string, port uint16) {
		places = append(places, []string{hostName(host), strconv.Itoa(int(port)), c.database()})
	}
	add(c.Host, c.Port)
	for _, f := range c.Fallbacks { // the same host with other TLS settings among them
		add(f.Host, f.Port)
	}
	return places
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

// Address names the server for people.
func (c Config) Address() string {
	if strings.HasPrefix(c.Host, "/") {
		return c.Host
	}
	return net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port)))
}
