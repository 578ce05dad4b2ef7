package redshift

import (
	"context"
	"fmt"
	"strings"

	"github.com/starlift-etl/starlift/pipeline/pgconn"
)

// observer asks about sessions, over a connection. What a user sees is their own; superusers,
// and users with SYSLOG ACCESS UNRESTRICTED, see everything ("Visibility of data in system
// tables and views", Database Developer Guide).
//
// A cluster has tables that the leader node answers alone (STV_…). A workgroup has none of
// them, and others instead (SYS_…), which a cluster has too, but answers as it does any
// query: with a place in a queue.
type observer struct {
	conn   *pgconn.Conn
	schema string // of the sink
}

const (
	statementOfCluster   = "SELECT TRIM(status), starttime, TRIM(query) FROM stv_recents WHERE pid = $1 ORDER BY starttime DESC LIMIT 1"
	statementOfWorkgroup = "SELECT TRIM(status), start_time, TRIM(query_text) FROM sys_query_history WHERE session_id = $1 AND start_time > DATEADD(hour, -24, SYSDATE) ORDER BY start_time DESC LIMIT 1"

	sessionsOfCluster   = "SELECT process FROM stv_sessions WHERE process = $1 OR process = $2"
	sessionsOfWorkgroup = "SELECT session_id FROM sys_session_history WHERE status = 'active' AND (session_id = $1 OR session_id = $2)"

	locksOfSession = `SELECT t.lock_mode, t.relation, n.nspname, c.relname, CASE WHEN t.granted THEN 1 ELSE 0 END
		FROM svv_transactions t JOIN pg_catalog.pg_class c ON c.oid = t.relation JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE t.lockable_object_type = 'relation' AND t.pid = $1`
	// holdersOfLock are at most three in the way of a mode; the transaction that is there for
	// longest comes first. Readers are in the way of AccessExclusiveLock only, and it of them.
	holdersOfLock = `SELECT pid, TRIM(txn_owner), txn_start FROM svv_transactions
		WHERE lockable_object_type = 'relation' AND granted AND relation = $1 AND pid <> $2
		AND ($3 = 'AccessExclusiveLock' OR lock_mode = 'AccessExclusiveLock' OR lock_mode <> 'AccessShareLock' AND $3 <> 'AccessShareLock')
		GROUP BY 1, 2, 3 ORDER BY 3 LIMIT 3`
)

// first returns the rows of the first query that the server answers: those that it does not
// have, or does not let the user ask, are passed over.
func (o *observer) first(ctx context.Context, queries []string, args ...any) (rows [][]string, err error) {
	for _, query := range queries {
		rows, err = o.conn.Query(ctx, query, args...)
		if err == nil || !pgconn.InClass(err, "42") { // no such table, or no right to it
			break
		}
	}
	return rows, err
}

// session returns what a session is at.
func (o *observer) session(ctx context.Context, pid string) (*session, error) {
	is := &session{pid: pid}
	if err := o.findSession(ctx, is); err != nil || is.gone {
		return is, err
	}
	if err := o.findLock(ctx, is); err != nil || is.lock != "" {
		return is, err
	}
	return is, o.findStatement(ctx, is)
}

// findSession finds out whether a session is there. That it is not is believed of a server that
// knows of this observer's own, which is newer.
func (o *observer) findSession(ctx context.Context, is *session) error {
	rows, err := o.first(ctx, []string{sessionsOfCluster, sessionsOfWorkgroup}, is.pid, o.conn.PID())
	knows := false
	is.gone = true
	for _, row := range rows {
		knows = knows || row[0] == o.conn.PID()
		is.gone = is.gone && row[0] != is.pid
	}
	is.gone = is.gone && knows
	return err
}

// findStatement finds the last statement of a session.
func (o *observer) findStatement(ctx context.Context, is *session) error {
	rows, err := o.first(ctx, []string{statementOfCluster, statementOfWorkgroup}, is.pid)
	if err != nil || len(rows) == 0 {
		return err
	}
	is.state, is.since, is.statement = strings.ToLower(rows[0][0]), rows[0][1], pgconn.MaskValues(rows[0][2], true)
	return nil
}

// findLock finds the lock that a session waits for, and who has it.
func (o *observer) findLock(ctx context.Context, is *session) error {
	locks, err := o.conn.Query(ctx, locksOfSession, is.pid)
	if err != nil {
		return err
	}
	for _, l := range locks {
		if mode, relation, granted := l[0], l[1], l[4] == "1"; !granted {
			is.lock = fmt.Sprintf("%s of table %s.%s", mode, l[2], l[3])
			return o.findHolders(ctx, is, relation, mode)
		}
	}
	return nil
}

// findHolders finds who is in the way. Where nobody is, somebody waits before the session for a
// lock that others are in the way of: those are told of.
func (o *observer) findHolders(ctx context.Context, is *session, relation, mode string) error {
	rows, err := o.conn.Query(ctx, holdersOfLock, relation, is.pid, mode)
	if err == nil && len(rows) == 0 {
		rows, err = o.conn.Query(ctx, holdersOfLock, relation, is.pid, "AccessExclusiveLock")
	}
	if err != nil {
		return err
	}
	for _, row := range rows {
		holder := &session{pid: row[0], user: row[1], began: row[2]}
		if err := o.findStatement(ctx, holder); err != nil {
			return err
		}
		is.holders = append(is.holders, holder)
	}
	return nil
}

// endLost ends a session that was lost with its connection, where it holds the lock of a
// token and waits for a client that is gone: it would hold it until the server notices, which
// may be hours ("Quotas and limits", Management Guide). One at a statement, COMMIT above all,
// is let be, and left says so: whoever locks the token waits for it. Its user may do so,
// being the same ("PG_TERMINATE_BACKEND").
func (o *observer) endLost(ctx context.Context, pid, token string) (left bool, err error) {
	locks, err := o.conn.Query(ctx, locksOfSession, pid)
	if err != nil {
		return true, err
	}
	for _, l := range locks {
		if l[2] != o.schema || l[3] != token || l[4] != "1" {
			continue
		}
		lost := &session{pid: pid}
		if err := o.findStatement(ctx, lost); err != nil || !lost.rests() {
			return true, err
		}
		_, err := o.conn.Query(ctx, "SELECT pg_terminate_backend($1)", pid)
		return err != nil, err
	}
	return false, nil
}
