package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pgconn"
)

// watch is what InspectCall has seen of the call at work so far.
type watch struct {
	lastProgress time.Time // when bytes moved last
	signs        string    // what the server said of the session the last time
}

var _ pipeline.CallInspector = (*Sink)(nil)

// InspectCall says what the call at work waits for. Bytes that move say enough; else
// the server is asked over a second connection what it does for the first.
//
// What counts as progress, where no bytes move: another statement or another wait, a
// COPY that grows, and, while the session waits for nobody else, the server's log
// of changes. A session that waits for its client, though the client waits for it,
// has never got the request, or its answer was lost.
func (s *Sink) InspectCall(ctx context.Context) pipeline.CallStatus {
	client, w := s.db.client, &s.db.watch
	c := client.Active()
	if c == nil {
		return pipeline.CallStatus{WaitsFor: "a connection to " + client.Config.Address()}
	}
	if at := c.LastProgress(); !at.Equal(w.lastProgress) {
		w.lastProgress, w.signs = at, ""
		return pipeline.CallStatus{LastProgress: at}
	}
	pid := c.PID()
	if tx := c.Transaction(); tx != nil {
		pid = tx.PID
	}
	aside, err := pgconn.ConnectAside(ctx, client.Config)
	if err != nil {
		return s.unknownStatus(err, true)
	}
	defer aside.Close(ctx) // nothing is lost with it
	is, err := readSession(ctx, aside, pid)
	if err != nil {
		return s.unknownStatus(err, false) // a pooler may let it wait
	}
	signs := is.signs()
	moved := w.signs != "" && signs != w.signs
	w.signs = signs
	if moved {
		return pipeline.CallStatus{LastProgress: time.Now(), WaitsFor: is.waitsFor()}
	}
	return pipeline.CallStatus{WaitsFor: is.waitsFor(), Abandoned: is.isAbandoned()}
}

// unknownStatus is what is seen where the server does not say.
func (s *Sink) unknownStatus(err error, abandoned bool) pipeline.CallStatus {
	if pgconn.Code(err) != "" {
		return pipeline.CallStatus{WaitsFor: "the server; what it is at is not known, as it refuses to say: " + pgconn.Message(err)}
	}
	return pipeline.CallStatus{WaitsFor: fmt.Sprintf("the server at %s, which answers a second connection no more than the first", s.db.client.Config.Address()), Abandoned: abandoned}
}

// session is what the server says of the session that is at work.
type session struct {
	pid, state, waitType, wait string
	since, statement           string // of the state
	copied, log                string // how far a COPY is, and the server's log
	lock                       string // that it waits for
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

// readSession asks for a session, and for those in its way.
func readSession(ctx context.Context, c *pgconn.Conn, pid string) (is *session, err error) {
	copied := "''"
	if leadingNumber(c.ParameterStatus("server_version")) >= 14 {
		copied = "(SELECT p.bytes_processed || ' ' || p.tuples_processed FROM pg_stat_progress_copy p WHERE p.pid = a.pid)"
	}
	rows, err := c.Query(ctx, fmt.Sprintf(sessionQuery, copied), pid)
	if err != nil {
		return nil, err
	}
	is = &session{pid: pid}
	if len(rows) == 0 {
		return is, nil
	}
	for i, to := range []*string{&is.state, &is.waitType, &is.wait, &is.since, &is.statement, &is.copied, &is.log, &is.lock} {
		*to = rows[0][i]
	}
	if is.waitType != "Lock" {
		return is, nil
	}
	rows, err = c.Query(ctx, blockersQuery, pid)
	for _, row := range rows {
		is.blockers = append(is.blockers, blocker(row))
	}
	return is, err
}

// leadingNumber reads the number that a version begins with.
func leadingNumber(text string) int {
	end := 0
	for end < len(text) && text[end] >= '0' && text[end] <= '9' {
		end++
	}
	n, _ := strconv.Atoi(text[:end]) // none is 0
	return n
}

// idleWaits are the kinds of waits in which the session does nothing by itself, so
// that what the server logs is of others.
var idleWaits = map[string]bool{"Lock": true, "Client": true, "IPC": true, "BufferPin": true, "Activity": true}

// signs are what changes when the session makes progress.
func (is *session) signs() string {
	signs := []string{is.state, is.since, is.statement, is.waitType, is.wait, is.copied}
	if is.state == "active" && !idleWaits[is.waitType] {
		signs = append(signs, is.log)
	}
	return strings.Join(signs, "\n")
}

// isAbandoned reports whether the session is not at work on anything, though a request
// is under way.
func (is *session) isAbandoned() bool {
	return is.state != "active" && is.state != "fastpath function call" || is.waitType == "Client"
}

// waitsFor says what the session waits for, for people.
func (is *session) waitsFor() string {
	session := "the server's session (pid " + is.pid + ")"
	switch {
	case is.state == "":
		return session + ", which is gone"
	case is.waitType == "Lock" && len(is.blockers) > 0:
		return fmt.Sprintf("a lock, %s, that is held by %s", is.lock, strings.Join(is.blockers, "; and by "))
	case is.waitType == "Lock":
		return "a lock, " + is.lock
	case is.wait == "SyncRep":
		return session + ", which waits since " + is.since + " for a standby to confirm the commit"
	case is.isAbandoned():
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
		fmt.Fprintf(&b, ", query: %s", pgconn.MaskValues(query, false))
	}
	return b.String() + ")"
}
