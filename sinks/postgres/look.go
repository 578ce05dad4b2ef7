package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"

	"github.com/starlift-etl/starlift/pipeline"
)

// sight is what is known of the call at work, for Look, and of the transaction
// that was lost with the last connection.
type sight struct {
	at    atomic.Pointer[conn] // nil = none: it is being made, or nothing is at work
	lost  *transaction
	seen  time.Time // of Look, as all that follows: when bytes moved last
	signs string    // what the server said of the session the last time
}

var _ pipeline.CallInspector = (*Sink)(nil)

// Look says what the call at work waits for. Bytes that move say enough; else the
// server is asked over a second connection what it does for the first.
//
// What counts as getting on, where no bytes move: another statement or another
// wait, a COPY that grows, and, while the session waits for nobody else, the
// server's log of changes. A session that waits for its client, though the client
// waits for it, has never got the request, or its answer was lost.
func (s *Sink) InspectCall(ctx context.Context) pipeline.CallStatus {
	c := s.at.Load()
	if c == nil {
		return pipeline.CallStatus{WaitsFor: "a connection to " + s.address()}
	}
	if at := c.meter.moved(); !at.Equal(s.seen) {
		s.seen, s.signs = at, ""
		return pipeline.CallStatus{LastProgress: at}
	}
	pid := strconv.Itoa(int(c.pg.PID()))
	if tx := c.tx.Load(); tx != nil {
		pid = tx.pid
	}
	second, err := s.second(ctx)
	if err != nil {
		return s.unknown(err, true)
	}
	defer func() { _ = second.pg.Close(ctx) }() // nothing is lost with it
	is, err := second.session(ctx, pid)
	if err != nil {
		return s.unknown(err, false) // a pooler may let it wait
	}
	signs := is.signs()
	moved := s.signs != "" && signs != s.signs
	s.signs = signs
	if moved {
		return pipeline.CallStatus{LastProgress: time.Now(), WaitsFor: is.waits()}
	}
	return pipeline.CallStatus{WaitsFor: is.waits(), Abandoned: is.lost()}
}

// unknown is what is seen where the server does not say.
func (s *Sink) unknown(err error, lost bool) pipeline.CallStatus {
	var server *pgconn.PgError
	if errors.As(err, &server) {
		return pipeline.CallStatus{WaitsFor: fmt.Sprintf("the server; what it is at is not known, as it refuses to say: %s (SQLSTATE %s)", server.Message, server.Code)}
	}
	return pipeline.CallStatus{WaitsFor: fmt.Sprintf("the server at %s, which answers a second connection no more than the first", s.address()), Abandoned: lost}
}

// address names the server for people.
func (s *Sink) address() string {
	if strings.HasPrefix(s.server.Host, "/") {
		return s.server.Host
	}
	return net.JoinHostPort(s.server.Host, strconv.Itoa(int(s.server.Port)))
}

// session is what the server says of the session that is at work.
type session struct {
	pid, state, waitType, wait string
	since, statement           string // of the state
	copied, log                string // how far a COPY is, and the server's log
	wants                      string // the lock that it waits for
	blockers                   []string
}

// sessionQuery asks for a session; %s are the progress of a COPY, which
// PostgreSQL has from version 14 on, and since when it waits for a lock.
const sessionQuery = `SELECT a.state, a.wait_event_type, a.wait_event, to_char(a.state_change AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), a.query_start,
	%s, CASE WHEN pg_is_in_recovery() THEN '' ELSE pg_current_wal_insert_lsn()::text END,
	(SELECT CASE WHEN l.relation IS NOT NULL THEN l.mode || ' on ' || l.relation::regclass::text
		WHEN l.locktype = 'advisory' THEN 'the token of this sink'
		WHEN t.relation IS NOT NULL THEN 'a row of ' || t.relation::regclass::text
		ELSE 'a row, or what else a ' || l.locktype || ' guards' END
	FROM pg_locks l LEFT JOIN pg_locks t ON t.pid = l.pid AND t.locktype = 'tuple' AND t.granted
	WHERE l.pid = a.pid AND NOT l.granted LIMIT 1)
FROM pg_stat_activity a WHERE a.pid = $1::int`

// blockersQuery asks who holds what a session waits for: who waits for nobody
// else at the end of the queue, or, should all wait, who is next.
const blockersQuery = `WITH RECURSIVE queue (pid, place) AS (
	SELECT unnest(pg_blocking_pids($1::int)), 1
	UNION SELECT unnest(pg_blocking_pids(q.pid)), q.place + 1 FROM queue q WHERE q.place < 8 AND q.pid > 0)
SELECT q.pid, b.application_name, b.usename, coalesce(host(b.client_addr), ''), b.state, b.wait_event_type, b.wait_event,
	to_char(coalesce(b.xact_start, b.state_change) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), left(b.query, 2000)
FROM (SELECT pid, min(place) AS place FROM queue GROUP BY pid) q LEFT JOIN pg_stat_activity b ON b.pid = q.pid
ORDER BY q.pid > 0 AND cardinality(pg_blocking_pids(q.pid)) > 0, q.place, q.pid LIMIT 3`

// second makes a connection to ask about the first.
func (s *Sink) second(ctx context.Context) (*conn, error) {
	cfg := s.server.Copy()
	cfg.BuildContextWatcherHandler = func(pg *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.DeadlineContextWatcherHandler{Conn: pg.Conn()}
	}
	pg, err := pgconn.ConnectConfig(ctx, cfg)
	return &conn{pg: pg}, err
}

// session asks for a session, and for those in its way.
func (c *conn) session(ctx context.Context, pid string) (is *session, err error) {
	copied := "''"
	if number(c.pg.ParameterStatus("server_version")) >= 14 {
		copied = "(SELECT p.bytes_processed || ' ' || p.tuples_processed FROM pg_stat_progress_copy p WHERE p.pid = a.pid)"
	}
	rows, err := c.query(ctx, fmt.Sprintf(sessionQuery, copied), pid)
	if err != nil {
		return nil, err
	}
	is = &session{pid: pid}
	if len(rows) == 0 {
		return is, nil
	}
	for i, to := range []*string{&is.state, &is.waitType, &is.wait, &is.since, &is.statement, &is.copied, &is.log, &is.wants} {
		*to = rows[0][i]
	}
	if is.waitType != "Lock" {
		return is, nil
	}
	rows, err = c.query(ctx, blockersQuery, pid)
	for _, row := range rows {
		is.blockers = append(is.blockers, blocker(row))
	}
	return is, err
}

// number reads the number that a version begins with.
func number(text string) int {
	end := 0
	for end < len(text) && text[end] >= '0' && text[end] <= '9' {
		end++
	}
	n, _ := strconv.Atoi(text[:end]) // none is 0
	return n
}

// others are the kinds of waits in which the session does nothing by itself, so
// that what the server logs is of others.
var others = map[string]bool{"Lock": true, "Client": true, "IPC": true, "BufferPin": true, "Activity": true}

// signs are what changes when the session gets on.
func (is *session) signs() string {
	signs := []string{is.state, is.since, is.statement, is.waitType, is.wait, is.copied}
	if is.state == "active" && !others[is.waitType] {
		signs = append(signs, is.log)
	}
	return strings.Join(signs, "\n")
}

// lost reports whether the session is not at work on anything, though a request
// is under way.
func (is *session) lost() bool {
	return is.state != "active" && is.state != "fastpath function call" || is.waitType == "Client"
}

func (is *session) waits() string {
	session := "the server's session (pid " + is.pid + ")"
	switch {
	case is.state == "":
		return session + ", which is gone"
	case is.waitType == "Lock" && len(is.blockers) > 0:
		return fmt.Sprintf("a lock, %s, that is held by %s", is.wants, strings.Join(is.blockers, "; and by "))
	case is.waitType == "Lock":
		return "a lock, " + is.wants
	case is.wait == "SyncRep":
		return session + ", which waits since " + is.since + " for a standby to confirm the commit"
	case is.lost():
		return fmt.Sprintf("%s, which does not take the request: it is %s since %s", session, is.state, is.since)
	case is.waitType != "":
		return fmt.Sprintf("%s, which waits for %s (%s) since %s or later", session, is.wait, is.waitType, is.since)
	}
	return fmt.Sprintf("%s, which is at the statement since %s and shows no sign of getting on", session, is.since)
}

// blocker describes a session that is in the way.
func blocker(row []string) string {
	pid, application, user, host, state, waitType, wait, since, query := row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8]
	if pid == "0" {
		return "a prepared transaction (see pg_prepared_xacts)"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "pid %s", pid)
	if state == "" && application == "" && user == "" {
		return b.String()
	}
	fmt.Fprintf(&b, " (application %q, user %s", application, user)
	if host != "" {
		fmt.Fprintf(&b, ", from %s", host)
	}
	if state != "" {
		fmt.Fprintf(&b, ", %s", state)
	}
	if waitType != "" && waitType != "Client" {
		fmt.Fprintf(&b, " and waiting for %s", wait)
	}
	fmt.Fprintf(&b, ", since %s", since)
	if query != "" {
		fmt.Fprintf(&b, ", query: %s", masked(query))
	}
	return b.String() + ")"
}

// shownQuery is how much of another session's query is shown.
const shownQuery = 160

// Values are texts, whose end is looked for on the safe side, and numbers.
var (
	quoted = regexp.MustCompile(`(?si)\be'(?:[^'\\]|\\.|'')*(?:'|$)|'(?:[^']|'')*(?:'|$)|\$[a-z_0-9]*\$.*`)
	digits = regexp.MustCompile(`\b[0-9][0-9.]*\b`)
	spaces = regexp.MustCompile(`\s+`)
)

// masked shows a query without the values in it, which may be secrets, and not
// more than its beginning.
func masked(query string) string {
	query = quoted.ReplaceAllString(query, "'…'")
	query = digits.ReplaceAllString(query, "…")
	query = strings.TrimSpace(spaces.ReplaceAllString(query, " "))
	if r := []rune(query); len(r) > shownQuery {
		query = string(r[:shownQuery]) + "…"
	}
	return query
}

// endLost ends the transaction that was lost with the last connection, where its
// session waits for the client that is gone: it would hold its locks until the
// server notices. One that is at work, at COMMIT above all, is let be: the token
// is read when it has ended.
func (s *Sink) endLost(ctx context.Context, c *conn) error {
	if s.lost == nil {
		return nil
	}
	_, err := c.query(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1::int AND extract(epoch FROM xact_start)::text = $2 AND wait_event_type = 'Client'",
		s.lost.pid, s.lost.began)
	if err != nil && code(err) == "" {
		return err
	}
	s.lost = nil // a server that does not let us waits by itself
	return nil
}
