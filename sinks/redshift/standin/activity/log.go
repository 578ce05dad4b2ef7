package activity

import (
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/load"
)

// How much is remembered.
const (
	maxStatements = 2000
	maxLoads      = 2000
	maxLoadErrors = 10_000
	maxText       = 4000 // of a statement, in bytes
)

// Session is who does something.
type Session struct {
	PID      int32
	User     string
	UserID   uint32
	Database string
	Started  time.Time
	XID      int64  // of its transaction; 0 = none
	Label    string // query_group
}

// Statement is one that runs or ran.
type Statement struct {
	Session
	Query      int64 // its number
	SQL        string
	Start, End time.Time // End is zero while it runs
	Tag        string
	Code       string // SQLSTATE of its error
	Error      string

	ran time.Duration // up to now, while it runs
}

// Load is a file that a COPY read, or tried to.
type Load struct {
	Session
	Query      int64
	Table      string
	TableID    uint32
	Time       time.Time
	File       string
	Lines      int64
	Bytes      int64
	Format     string
	Successful bool
}

// Unload is a file that an UNLOAD wrote.
type Unload struct {
	Session
	Query  int64
	Time   time.Time
	File   string
	Lines  int64
	Bytes  int64
	Format string
}

// LoadError is a row that a COPY could not load.
type LoadError struct {
	load.LoadError
	Session
	Query   int64
	TableID uint32
	Time    time.Time
}

// Log remembers. Its methods may be called at the same time.
type Log struct {
	now    func() time.Time
	source Source

	mu         sync.Mutex
	query      int64
	running    map[int64]*Statement
	statements history[Statement]
	loads      history[Load]
	unloads    history[Unload]
	loadErrors history[LoadError]
}

// New makes a log. The source is what is there now.
func New(now func() time.Time, source Source) *Log {
	return &Log{
		now: now, source: source, running: map[int64]*Statement{},
		statements: history[Statement]{most: maxStatements},
		loads:      history[Load]{most: maxLoads},
		unloads:    history[Unload]{most: maxLoads},
		loadErrors: history[LoadError]{most: maxLoadErrors},
	}
}

// Begin tells of a statement that begins, and gives it its number.
func (l *Log) Begin(session Session, sql string) *Statement {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.query++
	st := &Statement{Session: session, Query: l.query, SQL: cut(sql, maxText), Start: l.now()}
	l.running[st.Query] = st
	return st
}

// End tells of its end, with the transaction that it ran in.
func (l *Log) End(st *Statement, xid int64, tag string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.running, st.Query)
	st.End, st.Tag = l.now(), tag
	if xid != 0 {
		st.XID = xid
	}
	if e := (*pgconn.PgError)(nil); errors.As(err, &e) {
		st.Code, st.Error = e.Code, strings.TrimSpace(e.Message+" "+e.Detail)
	} else if err != nil {
		st.Code, st.Error = "XX000", err.Error()
	}
	l.statements.add(*st)
}

// Copied tells of a COPY: of the files that it read and the rows that it could not load.
func (l *Log) Copied(session Session, query int64, table string, tableID uint32, format string, result *load.CopyResult, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	for _, f := range result.Files {
		l.loads.add(Load{
			Session: session, Query: query, Table: table, TableID: tableID, Time: now,
			File: f.URL, Lines: f.Lines, Bytes: f.Bytes, Format: format, Successful: err == nil,
		})
	}
	for _, e := range result.Errors {
		l.loadErrors.add(LoadError{LoadError: e, Session: session, Query: query, TableID: tableID, Time: now})
	}
}

// Unloaded tells of an UNLOAD's files.
func (l *Log) Unloaded(session Session, query int64, format string, result *load.UnloadResult) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	for _, f := range result.Files {
		l.unloads.add(Unload{Session: session, Query: query, Time: now, File: f.URL, Lines: f.Lines, Bytes: f.Bytes, Format: format})
	}
}

// LoadErrors returns the last load errors, oldest first.
func (l *Log) LoadErrors() []LoadError {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.loadErrors.all()
}

// history keeps the last entries.
type history[T any] struct {
	most    int
	entries []T
	next    int // where the next one goes, if there are most
}

func (r *history[T]) add(entry T) {
	if len(r.entries) < r.most {
		r.entries = append(r.entries, entry)
		return
	}
	r.entries[r.next] = entry
	r.next = (r.next + 1) % r.most
}

// all returns the entries, oldest first.
func (r *history[T]) all() []T {
	return append(append(make([]T, 0, len(r.entries)), r.entries[r.next:]...), r.entries[:r.next]...)
}

// cut cuts a text at a character's end.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && s[most]&0xC0 == 0x80 {
		most--
	}
	return s[:most]
}
