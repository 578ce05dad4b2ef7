package server

import (
	"regexp"
	"strconv"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/activity"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/backend"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/locks"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/translate"
)

// version is what a cluster answers (redshift's ODBC driver's issues show it).
const version = "PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2 20041017 (Red Hat 3.4.2-6.fc3), Redshift 1.0.71629"

// lastLoad is what the functions of the last COPY and UNLOAD tell.
type lastLoad struct {
	copyID, copyCount     int64
	unloadID, unloadCount int64
}

// env is what statements mean in this session, now.
func (s *session) env() *translate.Env {
	return &translate.Env{
		Database:         s.database,
		User:             s.sessionUser,
		CaseSensitive:    s.values.On("enable_case_sensitive_identifier"),
		Nondeterministic: s.values.On("error_on_nondeterministic_update"),
		InTransaction:    s.tx.state == block,
		Virtual:          s.virtualRelation,
		Session:          s.sessionFunction,
		Setting: func(name string) (string, bool) {
			value, err := s.setting(name)
			return value, err == nil
		},
	}
}

// sessionFunction is the value of a function that the session answers.
func (s *session) sessionFunction(name string) (string, bool) {
	s.virtual = s.virtual || name != "version"
	switch name {
	case "version":
		return version, true
	case "pg_last_copy_id":
		return strconv.FormatInt(s.last.copyID, 10), true
	case "pg_last_copy_count":
		return strconv.FormatInt(s.last.copyCount, 10), true
	case "pg_last_unload_id":
		return strconv.FormatInt(s.last.unloadID, 10), true
	case "pg_last_unload_count":
		return strconv.FormatInt(s.last.unloadCount, 10), true
	case "pg_last_query_id":
		return strconv.FormatInt(s.lastQuery, 10), true
	}
	return "", false
}

// virtualRelation is a relation whose rows are the server's own.
func (s *session) virtualRelation(name string) (*translate.VirtualRelation, bool) {
	relation, ok := s.server.activity.Relation(name, s.viewer())
	if !ok {
		return nil, false
	}
	s.virtual = true
	if s.server.options.Serverless && provisionedOnly.MatchString(name) && name != "stv_db_isolation_level" {
		relation.Rows = func() ([]byte, error) { return nil, refusal("42501", "permission denied for relation %s", name) }
	}
	return relation, true
}

// provisionedOnly are the relations that a workgroup lets nobody see
// (mgmt/serverless-monitoring), but for that of isolation levels, for which the guide sends
// everybody there.
var provisionedOnly = regexp.MustCompile("^(stl|stv|svl|svcs)_")

// viewer is who looks: users who are no superusers see their own (dg/c_visibility-of-data).
func (s *session) viewer() activity.Viewer {
	return activity.Viewer{User: s.sessionUser, All: s.values.On("is_superuser")}
}

// self is who runs a statement.
func (s *session) self() activity.Session {
	label, _ := s.values.Get("query_group") // it is a parameter
	var xid int64
	if s.tx.locks != nil {
		xid = s.tx.locks.XID()
	}
	return activity.Session{PID: s.pid, User: s.sessionUser, UserID: s.userID, Database: s.database, Started: s.started, XID: xid, Label: label}
}

// source is what package activity shows of a server.
type source struct{ server *Server }

func (o source) Sessions() []activity.Session {
	o.server.mu.Lock()
	defer o.server.mu.Unlock()
	var all []activity.Session
	for _, session := range o.server.sessions {
		all = append(all, activity.Session{
			PID: session.pid, User: session.user, UserID: session.userID, Database: session.database, Started: session.started,
		})
	}
	return all
}

func (o source) Locks() []locks.LockInfo       { return o.server.locks.Locks() }
func (o source) Transactions() []locks.TxnInfo { return o.server.locks.Transactions() }
func (o source) Conflicts() []locks.Conflict   { return o.server.locks.Conflicts() }

func (o source) Databases() ([]backend.Database, error) {
	return o.server.cluster.Databases(o.server.ctx)
}
