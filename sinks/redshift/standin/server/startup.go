package server

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/faults"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/settings"
)

// startupTimeout is how long a client has to say who it is.
const startupTimeout = time.Minute

// ignored are parameters of a start-up message that say something about the client.
var ignored = map[string]bool{
	"driver_version": true, "os_version": true, "client_protocol_version": true, "driver_discovery_version": true,
	"plugin_name": true, "idp_type": true, "provider_name": true,
}

// reported is the order in which a cluster tells its parameters.
var reported = []string{
	"application_name", "case_sensitive", "client_encoding", "datestyle", "integer_datetimes", "is_superuser",
	"server_encoding", "server_version", "session_authorization", "TimeZone", "timezone_abbreviations",
	"padb_version", "padb_revision", "max_numeric_precision", "max_varchar_size", "datashare_enabled",
}

// errCancelRequest ends a connection that was only made to cancel a statement.
var errCancelRequest = errors.New("a cancel request was served")

// wire makes the session speak by a connection.
func (s *session) wire(conn net.Conn) {
	if s.raw == nil {
		s.raw = conn
	}
	s.conn, s.in = conn, &input{conn: conn}
	s.client = pgproto3.NewBackend(s.in, conn)
	s.client.SetMaxBodyLen(maxMessage)
}

// start greets the client, up to the first ReadyForQuery.
func (s *session) start() error {
	if err := s.conn.SetReadDeadline(time.Now().Add(startupTimeout)); err != nil {
		return err
	}
	startup, err := s.negotiate()
	if err != nil {
		return err
	}
	s.in.Start(s.lost)
	if err := s.authenticate(startup); err != nil {
		return s.refuse(err)
	}
	if err := s.conn.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	if s.ctx.Err() != nil {
		s.hangUp() // the deadline was taken back
	}
	s.client.Send(&pgproto3.AuthenticationOk{})
	s.report()
	for _, p := range []pgproto3.ParameterStatus{
		{Name: "session_id", Value: strconv.Itoa(int(s.pid))},
		// 0 says that a RowDescription has nothing besides PostgreSQL's fields.
		{Name: "server_protocol_version", Value: "0"},
	} {
		s.client.Send(&p)
	}
	s.client.Send(&pgproto3.BackendKeyData{ProcessID: uint32(s.pid), SecretKey: s.secret})
	s.ready()
	return s.client.Flush()
}

// negotiate answers what may come before a start-up message.
func (s *session) negotiate() (*pgproto3.StartupMessage, error) {
	for {
		message, err := s.client.ReceiveStartupMessage()
		if err != nil {
			return nil, err
		}
		switch m := message.(type) {
		case *pgproto3.StartupMessage:
			return m, nil
		case *pgproto3.CancelRequest:
			if other := s.server.session(int32(m.ProcessID)); other != nil && subtle.ConstantTimeCompare(other.secret, m.SecretKey) == 1 {
				other.cancelStatement()
			}
			return nil, errCancelRequest
		case *pgproto3.SSLRequest:
			if s.server.options.TLS == nil {
				_, err = io.WriteString(s.conn, "N")
			} else if _, err = io.WriteString(s.conn, "S"); err == nil {
				s.wire(tls.Server(s.conn, s.server.options.TLS))
			}
		default:
			_, err = io.WriteString(s.conn, "N") // no encryption by GSS
		}
		if err != nil {
			return nil, err
		}
	}
}

// authenticate lets the client in, with a connection to its database. What it refuses is a
// *pgconn.PgError.
func (s *session) authenticate(startup *pgproto3.StartupMessage) error {
	user := startup.Parameters["user"]
	if user == "" {
		return fatal("28000", "no user name specified in startup packet")
	}
	if err := s.loginFault(user); err != nil {
		return err
	}
	if err := s.askPassword(user); err != nil {
		return err
	}
	database := startup.Parameters["database"]
	if database == "" {
		database = user
	}
	if err := s.connect(database, user); err != nil {
		return err
	}
	return s.startupParameters(startup.Parameters)
}

func (s *session) loginFault(user string) error {
	rule, ok := s.server.faults.Login(user)
	if !ok {
		return nil
	}
	switch rule.Kind {
	case faults.Throttle:
		return fatal("53300", "connection limit exceeded for non-bootstrap users")
	case faults.Expired:
		return fatal("28000", "IAM Authentication token has expired")
	default:
		return s.server.options.Wait(s.ctx, rule.Delay)
	}
}

// askPassword asks for the password as a cluster does, and checks it if it is known.
func (s *session) askPassword(user string) error {
	var salt [4]byte
	if _, err := rand.Read(salt[:]); err != nil {
		return err
	}
	if err := s.client.SetAuthType(pgproto3.AuthTypeMD5Password); err != nil {
		return err
	}
	s.client.Send(&pgproto3.AuthenticationMD5Password{Salt: salt})
	if err := s.client.Flush(); err != nil {
		return err
	}
	message, err := s.client.Receive()
	if err != nil {
		return err
	}
	answer, ok := message.(*pgproto3.PasswordMessage)
	if !ok {
		return fatal("08P01", fmt.Sprintf("expected password response, got message type %T", message))
	}
	want, checked := s.server.options.Passwords[user]
	if !checked || subtle.ConstantTimeCompare([]byte(answer.Password), []byte(md5Password(user, want, salt))) == 1 {
		return nil
	}
	return fatal("28000", fmt.Sprintf("password authentication failed for user %q", user))
}

func md5Password(user, password string, salt [4]byte) string {
	inner := md5.Sum([]byte(password + user))
	outer := md5.Sum(append([]byte(hex.EncodeToString(inner[:])), salt[:]...))
	return "md5" + hex.EncodeToString(outer[:])
}

// connect opens the session's connection to PostgreSQL, and makes the session known.
func (s *session) connect(database, login string) error {
	candidates, create := candidates(login)
	if create != "" {
		if err := s.server.cluster.CreateUser(s.ctx, create, false); err != nil {
			return err
		}
	}
	var user string
	var err error
	for _, user = range candidates {
		s.pg, err = s.server.cluster.Connect(s.ctx, database, user)
		if e := (*pgconn.PgError)(nil); !errors.As(err, &e) || e.Code != "28000" {
			break
		}
	}
	if err != nil {
		return err
	}
	s.user, s.sessionUser, s.database, s.pid = user, user, database, int32(s.pg.PID())
	s.log = s.log.With("pid", s.pid, "user", user, "database", database)
	s.started = s.server.options.Now()
	s.secret = make([]byte, 4)
	if _, err := rand.Read(s.secret); err != nil {
		return err
	}
	if err := s.lookUp(); err != nil {
		return err
	}
	return s.server.register(s)
}

// candidates are the database's users that a name at a login may mean, the first that there
// is, and the name of one who is made if need be. The names that AWS gives for temporary
// credentials have prefixes: IAMA before a user who is made, and before its groups, which
// are not joined here; IAM before one who is there; IAMR is a part of the name of a role's
// user, who is made.
func candidates(login string) (users []string, create string) {
	switch prefix, rest, _ := strings.Cut(login, ":"); prefix {
	case "IAMA":
		user, _, _ := strings.Cut(rest, ":")
		return []string{user}, user
	case "IAM":
		return []string{login, rest}, ""
	case "IAMR":
		return []string{login}, login
	}
	return []string{login}, ""
}

// startupParameters sets what the start-up message asks for.
func (s *session) startupParameters(parameters map[string]string) error {
	s.values = settings.NewValues(map[string]string{
		"application_name": "unset", "session_authorization": s.user, "is_superuser": onOff(s.superuser),
	})
	for name, value := range parameters {
		switch folded := strings.ToLower(name); {
		case folded == "user" || folded == "database" || ignored[folded]:
		case folded == "options":
			if err := s.startupOptions(value); err != nil {
				return err
			}
		default:
			if err := s.values.Default(name, value); err != nil {
				return asFatal(err)
			}
		}
	}
	if len(s.values.Backend()) == 0 {
		return nil
	}
	// What PostgreSQL refuses, such as an unknown time zone, is refused now.
	s.begin(implicit)
	defer s.rollback()
	return asFatal(s.openBackend(s.ctx))
}

// startupOptions reads options of the form -c name=value --name=value.
func (s *session) startupOptions(options string) error {
	fields := strings.Fields(options)
	for i := 0; i < len(fields); i++ {
		assignment, ok := strings.CutPrefix(fields[i], "--")
		if !ok {
			assignment, ok = strings.CutPrefix(fields[i], "-c")
		}
		if ok && assignment == "" && i+1 < len(fields) {
			i++
			assignment = fields[i]
		}
		name, value, assigned := strings.Cut(assignment, "=")
		if !ok || !assigned {
			return fatal("42601", fmt.Sprintf("invalid command-line arguments for server process: %q", fields[i]))
		}
		if err := s.values.Default(strings.ReplaceAll(name, "-", "_"), value); err != nil {
			return asFatal(err)
		}
	}
	return nil
}

// refuse tells the client why it is not let in.
func (s *session) refuse(err error) error {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return err
	}
	s.send(e)
	return errors.Join(err, s.client.Flush())
}

func fatal(code, message string) error {
	return &pgconn.PgError{Severity: "FATAL", Code: code, Message: message}
}

// asFatal is a refusal that ends the session.
func asFatal(err error) error {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return err
	}
	out := *e
	out.Severity = "FATAL"
	return &out
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}
