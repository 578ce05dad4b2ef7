package server

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"sync"
	"time"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/activity"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/backend"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/faults"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/locks"
)

// Options say how a server is. The zero value is a provisioned cluster on a free port of
// loopback, with the database dev and the superuser awsuser, under SNAPSHOT isolation.
type Options struct {
	// Listen is the address; empty = 127.0.0.1:0.
	Listen string
	// Databases are made at the start; none = dev. The first is that of DSN("").
	Databases []string
	// Isolation is that of Databases, and of those that are made without saying one.
	Isolation backend.Isolation
	// User is the superuser; empty = awsuser.
	User string
	// Passwords are those that are checked, by user. Any password does for other users.
	Passwords map[string]string
	// Postgres is the connection string of a superuser of a PostgreSQL server (13 or newer).
	// Empty = a private one of the machine's packages.
	Postgres string
	// Load says where S3 is, and what of it is denied.
	Load load.Options
	// TLS is served to clients that ask for it; SelfSigned makes a certificate if it is nil.
	TLS        *tls.Config
	SelfSigned bool
	// Serverless has errors of COPY name the tables that a workgroup has.
	Serverless bool
	// Faults are there from the start; Inject adds others.
	Faults []faults.Rule
	// Log gets a line for each session and statement; nil = none.
	Log *slog.Logger
	// Now and Wait are the clock, also that of faults that wait; nil = the system's. Wait
	// returns early, with the context's cause, if the context ends.
	Now  func() time.Time
	Wait func(ctx context.Context, d time.Duration) error
	// OnLockWait is called when a session begins to wait for a lock of another; nil = nothing.
	OnLockWait func(pid int32, table uint32)
	// OnStatement is called by a session's goroutine before each statement that was understood
	// runs, or fails by a fault; nil = nothing.
	OnStatement func(Request)
}

// Request is a statement that a session sends, without the keys and passwords that may be in it.
type Request struct {
	Database, User string
	Application    string // application_name
	PID            int32
	SQL            string
	Parameters     []string // as texts; NULL and what is binary as "?"
}

// Server is a stand-in that serves. Its methods may be called at the same time.
type Server struct {
	options  Options
	cluster  *backend.Cluster
	listener net.Listener
	locks    *locks.Manager
	loader   *load.Loader
	faults   faults.Set
	activity *activity.Log
	log      *slog.Logger

	ctx    context.Context // ends with the server
	cancel context.CancelCauseFunc
	group  sync.WaitGroup // the goroutines of the listener and of sessions

	mu       sync.Mutex
	sessions map[int32]*session // guarded by mu; by process
	closed   bool               // guarded by mu
}

// errShutdown ends sessions when the server closes.
var errShutdown = errors.New("the server shuts down")

// Start starts a server. It serves until Close; ctx is only that of the start.
func Start(ctx context.Context, options Options) (*Server, error) {
	options.Listen = cmp.Or(options.Listen, "127.0.0.1:0")
	options.User = cmp.Or(options.User, "awsuser")
	options.Isolation = cmp.Or(options.Isolation, backend.Snapshot)
	options.Load.Serverless = options.Load.Serverless || options.Serverless
	if err := options.Load.Check(); err != nil {
		return nil, err
	}
	if len(options.Databases) == 0 {
		options.Databases = []string{"dev"}
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Wait == nil {
		options.Wait = wait
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	if options.TLS == nil && options.SelfSigned {
		config, err := selfSigned(options.Now())
		if err != nil {
			return nil, err
		}
		options.TLS = config
	}
	s := &Server{options: options, log: options.Log, loader: load.New(options.Load), sessions: map[int32]*session{}}
	for _, rule := range options.Faults {
		if err := s.faults.Add(rule); err != nil {
			return nil, err
		}
	}
	s.locks = locks.New(locks.Options{Now: options.Now, OnWait: s.waits})
	s.activity = activity.New(options.Now, source{s})
	if err := s.open(ctx); err != nil {
		return nil, err
	}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	s.group.Go(s.accept)
	return s, nil
}

func (s *Server) open(ctx context.Context) error {
	cluster, err := backend.Open(ctx, backend.Options{Postgres: s.options.Postgres, User: s.options.User})
	if err != nil {
		return err
	}
	s.cluster = cluster
	for _, name := range s.options.Databases {
		if err := cluster.CreateDatabase(ctx, name, "", s.options.Isolation); err != nil {
			return errors.Join(fmt.Errorf("database %s: %w", name, err), cluster.Close(context.WithoutCancel(ctx)))
		}
	}
	s.listener, err = net.Listen("tcp", s.options.Listen)
	if err != nil {
		return errors.Join(err, cluster.Close(context.WithoutCancel(ctx)))
	}
	return nil
}

// waits is called by a session's goroutine before it waits for a lock.
func (s *Server) waits(who locks.Session, table locks.Table, _ locks.Mode) {
	if session := s.session(who.PID); session != nil {
		session.lockWaits++
	}
	if s.options.OnLockWait != nil {
		s.options.OnLockWait(who.PID, table.OID)
	}
}

// wait waits for a time by the system's clock.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Addr is the address that the server listens on.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// DSN is the connection string of a database for the superuser; an empty name is the first
// database.
func (s *Server) DSN(database string) string {
	return s.UserDSN(database, s.options.User)
}

// UserDSN is the connection string of a database for a user.
func (s *Server) UserDSN(database, user string) string {
	mode := "disable"
	if s.options.TLS != nil {
		mode = "require"
	}
	password := cmp.Or(s.options.Passwords[user], "any")
	dsn := url.URL{
		Scheme: "postgres", User: url.UserPassword(user, password), Host: s.Addr().String(),
		Path: "/" + cmp.Or(database, s.options.Databases[0]), RawQuery: "sslmode=" + mode,
	}
	return dsn.String()
}

// CreateDatabase makes an empty database, as CREATE DATABASE does.
func (s *Server) CreateDatabase(ctx context.Context, name string, level backend.Isolation) error {
	return s.cluster.CreateDatabase(ctx, name, "", cmp.Or(level, s.options.Isolation))
}

// DropDatabase ends the sessions of a database, and drops it.
func (s *Server) DropDatabase(ctx context.Context, name string) error {
	s.mu.Lock()
	for _, session := range s.sessions {
		if session.database == name {
			session.terminate()
		}
	}
	s.mu.Unlock()
	return s.cluster.DropDatabase(ctx, name) // PostgreSQL waits for those that are about to end
}

// Inject adds faults.
func (s *Server) Inject(rules ...faults.Rule) error {
	for _, rule := range rules {
		if err := s.faults.Add(rule); err != nil {
			return err
		}
	}
	return nil
}

// Faults are the server's, to see which are left and to clear them.
func (s *Server) Faults() *faults.Set { return &s.faults }

// Close ends all sessions, and then the server. It may be called again.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	err := s.listener.Close()
	s.cancel(errShutdown)
	s.group.Wait()
	s.loader.Close()
	return errors.Join(err, s.cluster.Close(context.Background()))
}
