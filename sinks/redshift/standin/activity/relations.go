package activity

import (
	"strconv"
	"strings"
	"time"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/locks"
)

// relations are what is shown, by name.
var relations = map[string]*relation{
	"stv_sessions": {
		columns("starttime timestamp, process int, user_name char(50), db_name char(50), timeout_sec int"),
		func(l *Log, v Viewer) ([]row, error) {
			return each(l.source.Sessions(), func(s Session) (row, bool) {
				return row{"starttime": s.Started, "process": s.PID, "user_name": s.User, "db_name": s.Database}, v.sees(s.User)
			}), nil
		},
	},
	// Of sessions that have ended nothing is remembered.
	"sys_session_history": {
		columns("user_id char(50), session_id int, database_name char(50), status char(10), session_timeout int, start_time timestamp, end_time timestamp"),
		func(l *Log, v Viewer) ([]row, error) {
			return each(l.source.Sessions(), func(s Session) (row, bool) {
				return row{"user_id": strconv.FormatUint(uint64(s.UserID), 10), "session_id": s.PID, "database_name": s.Database, "status": "active", "start_time": s.Started}, v.sees(s.User)
			}), nil
		},
	},
	"stv_recents": {
		columns("userid int, status char(20), starttime timestamp, duration int, user_name char(50), db_name char(50), query char(600), pid int"),
		statements(true, func(s Statement) row {
			return row{
				"status": s.state("Running", "Done", "Done"), "starttime": s.Start, "duration": s.duration().Microseconds(),
				"user_name": s.User, "db_name": s.Database, "query": s.SQL, "pid": s.PID,
			}
		}),
	},
	"stv_inflight": {
		columns("userid int, slice int, query int, label char(320), xid bigint, pid int, starttime timestamp, text char(100), suspended int, insert_pristine int, concurrency_scaling_status int"),
		running(func(s Statement) row {
			return row{"query": s.Query, "label": s.Label, "xid": s.XID, "pid": s.PID, "starttime": s.Start, "text": s.SQL}
		}),
	},
	"stl_query": {
		columns("userid int, query int, label char(320), xid bigint, pid int, database char(32), querytxt char(4000), starttime timestamp, endtime timestamp, aborted int, insert_pristine int, concurrency_scaling_status int"),
		statements(false, func(s Statement) row {
			return row{
				"query": s.Query, "label": s.Label, "xid": s.XID, "pid": s.PID, "database": s.Database, "querytxt": s.SQL,
				"starttime": s.Start, "endtime": s.End, "aborted": s.aborted(),
			}
		}),
	},
	"stl_querytext": {
		columns("userid int, xid bigint, pid int, query int, sequence int, text char(200)"),
		texts(func(s Statement) row { return row{"xid": s.XID, "pid": s.PID, "query": s.Query} }),
	},
	"svl_statementtext": {
		columns("userid int, xid bigint, pid int, label varchar(320), starttime timestamp, endtime timestamp, sequence int, type varchar(10), text varchar(200)"),
		texts(func(s Statement) row {
			return row{"xid": s.XID, "pid": s.PID, "label": s.Label, "starttime": s.Start, "endtime": s.End, "type": s.kind()}
		}),
	},
	"stl_ddltext": {
		columns("userid int, xid bigint, pid int, label char(320), starttime timestamp, endtime timestamp, sequence int, text char(200)"),
		texts(ofKind("DDL")),
	},
	"stl_utilitytext": {
		columns("userid int, xid bigint, pid int, label char(320), starttime timestamp, endtime timestamp, sequence int, text char(200)"),
		texts(ofKind("UTILITY")),
	},
	"sys_query_text": {
		columns("user_id int, query_id bigint, transaction_id bigint, session_id int, start_time timestamp, sequence int, text char(4000)"),
		texts(func(s Statement) row {
			return row{"query_id": s.Query, "transaction_id": s.XID, "session_id": s.PID, "start_time": s.Start}
		}),
	},
	"svl_qlog": {
		columns("userid int, query int, xid bigint, pid int, starttime timestamp, endtime timestamp, elapsed bigint, aborted int, label char(320), substring char(60), source_query int, concurrency_scaling_status_txt varchar(128), from_sp_call int"),
		statements(false, func(s Statement) row {
			return row{
				"query": s.Query, "xid": s.XID, "pid": s.PID, "starttime": s.Start, "endtime": s.End, "elapsed": s.duration().Microseconds(),
				"aborted": s.aborted(), "label": s.Label, "substring": s.SQL, "source_query": nil, "from_sp_call": nil,
			}
		}),
	},
	"sys_query_history": {
		columns("user_id int, query_id bigint, query_label char(320), transaction_id bigint, session_id int, database_name char(128), query_type char(32), status char(10), result_cache_hit boolean, start_time timestamp, end_time timestamp, elapsed_time bigint, queue_time bigint, execution_time bigint, error_message char(512), returned_rows bigint, returned_bytes bigint, query_text char(4000), redshift_version char(256), usage_limit char(150), compute_type varchar(32), compile_time bigint, planning_time bigint, lock_wait_time bigint, service_class_id int, service_class_name char(64), query_priority char(20), short_query_accelerated char(10), user_query_hash char(40), generic_query_hash char(40), query_hash_version int, result_cache_query_id bigint"),
		statements(true, func(s Statement) row {
			return row{
				"query_id": s.Query, "query_label": s.Label, "transaction_id": s.XID, "session_id": s.PID, "database_name": s.Database,
				"query_type": s.kind(), "status": s.state("running", "success", "failed"), "start_time": s.Start, "end_time": s.End,
				"elapsed_time": s.duration().Microseconds(), "execution_time": s.duration().Microseconds(), "error_message": s.Error,
				"query_text": s.SQL,
			}
		}),
	},
	"stl_error": {
		columns("userid int, process char(12), recordtime timestamp, pid int, errcode int, file char(90), linenum int, context char(100), error char(512)"),
		statements(false, func(s Statement) row {
			if s.Code == "" {
				return nil
			}
			return row{"process": "padbmaster", "recordtime": s.End, "pid": s.PID, "error": s.Error}
		}),
	},
	"stl_load_errors": {
		columns("userid int, slice int, tbl int, starttime timestamp, session int, query int, filename char(256), line_number bigint, colname char(127), type char(10), col_length char(10), position int, raw_line char(1024), raw_field_value char(1024), err_code int, err_reason char(100), is_partial int, start_offset bigint, copy_job_id bigint"),
		loadErrors(func(e LoadError) row {
			return row{
				"tbl": e.TableID, "starttime": e.Time, "session": e.PID, "query": e.Query, "filename": e.File, "line_number": e.Line,
				"colname": e.Column, "type": e.Type, "col_length": e.Length, "position": e.Position, "raw_line": e.RawLine,
				"raw_field_value": e.RawValue, "err_code": e.Code, "err_reason": e.Reason,
			}
		}),
	},
	"sys_load_error_detail": {
		columns("user_id int, query_id bigint, transaction_id bigint, session_id int, database_name char(128), table_id int, start_time timestamp, file_name char(256), line_number bigint, column_name char(127), column_type char(10), column_length char(10), position int, error_code int, error_message char(512)"),
		loadErrors(func(e LoadError) row {
			return row{
				"query_id": e.Query, "transaction_id": e.XID, "session_id": e.PID, "database_name": e.Database, "table_id": e.TableID,
				"start_time": e.Time, "file_name": e.File, "line_number": e.Line, "column_name": e.Column, "column_type": e.Type,
				"column_length": e.Length, "position": e.Position, "error_code": e.LoadError.Code, "error_message": e.Reason,
			}
		}),
	},
	"stl_loaderror_detail": {
		columns("userid int, slice int, session int, query int, filename char(256), line_number bigint, field int, colname char(1024), value char(1024), is_null int, type char(10), col_length char(10)"),
		loadErrors(func(e LoadError) row {
			return row{
				"session": e.PID, "query": e.Query, "filename": e.File, "line_number": e.Line, "colname": e.Column, "value": e.RawValue,
				"type": e.Type, "col_length": e.Length,
			}
		}),
	},
	"stl_load_commits": {
		columns("userid int, query int, slice int, name char(256), filename char(256), byte_offset int, lines_scanned int, errors int, curtime timestamp, status int, file_format char(16), is_partial int, start_offset bigint, copy_job_id bigint"),
		loads(func(f Load) row {
			if !f.Successful {
				return nil
			}
			return row{
				"query": f.Query, "name": f.Session.Database, "filename": f.File, "lines_scanned": f.Lines, "errors": -1, "curtime": f.Time,
				"status": 1, "file_format": f.Format,
			}
		}),
	},
	"sys_load_history": {
		columns("user_id int, query_id bigint, transaction_id bigint, session_id int, database_name varchar(128), status varchar(16), table_name varchar(128), start_time timestamp, end_time timestamp, duration bigint, data_source varchar(256), file_format varchar(16), loaded_rows bigint, loaded_bytes bigint, source_file_count int, source_file_bytes bigint, file_count_scanned int, file_bytes_scanned bigint, error_count bigint, copy_job_id bigint"),
		loads(func(f Load) row {
			status := "completed"
			if !f.Successful {
				status = "aborted"
			}
			return row{
				"query_id": f.Query, "transaction_id": f.XID, "session_id": f.PID, "database_name": f.Database, "status": status,
				"table_name": f.Table, "start_time": f.Time, "end_time": f.Time, "data_source": f.File, "file_format": f.Format,
				"loaded_rows": f.Lines, "loaded_bytes": f.Bytes, "source_file_count": 1, "source_file_bytes": f.Bytes,
				"file_count_scanned": 1, "file_bytes_scanned": f.Bytes,
			}
		}),
	},
	"stl_unload_log": {
		columns("userid int, query int, slice int, pid int, path char(1280), start_time timestamp, end_time timestamp, line_count bigint, transfer_size bigint, file_format char(10)"),
		unloads(func(f Unload) row {
			return row{
				"query": f.Query, "pid": f.PID, "path": f.File, "start_time": f.Time, "end_time": f.Time, "line_count": f.Lines,
				"transfer_size": f.Bytes, "file_format": f.Format,
			}
		}),
	},
	"sys_unload_detail": {
		columns("user_id int, query_id bigint, transaction_id bigint, session_id int, database_name varchar(128), start_time timestamp, end_time timestamp, file_name varchar(1280), file_format varchar(16), line_count bigint, transfer_size bigint"),
		unloads(func(f Unload) row {
			return row{
				"query_id": f.Query, "transaction_id": f.XID, "session_id": f.PID, "database_name": f.Database, "start_time": f.Time,
				"end_time": f.Time, "file_name": f.File, "file_format": f.Format, "line_count": f.Lines, "transfer_size": f.Bytes,
			}
		}),
	},
	"sys_unload_history": {
		columns("user_id int, query_id bigint, transaction_id bigint, session_id int, database_name varchar(128), status varchar(16), start_time timestamp, end_time timestamp, duration bigint, file_format varchar(16), compression_type varchar(16), unloaded_location varchar(1280), unloaded_rows bigint, unloaded_files_count bigint, unloaded_files_size bigint, error_message varchar(1024)"),
		unloads(func(f Unload) row {
			return row{
				"query_id": f.Query, "transaction_id": f.XID, "session_id": f.PID, "database_name": f.Database, "status": "completed",
				"start_time": f.Time, "end_time": f.Time, "file_format": f.Format, "unloaded_location": f.File, "unloaded_rows": f.Lines,
				"unloaded_files_count": 1, "unloaded_files_size": f.Bytes,
			}
		}),
	},
	"stl_wlm_query": {
		columns("userid int, xid int, task int, query int, service_class int, slot_count int, service_class_start_time timestamp, queue_start_time timestamp, queue_end_time timestamp, total_queue_time bigint, exec_start_time timestamp, exec_end_time timestamp, total_exec_time bigint, service_class_end_time timestamp, final_state char(16), query_priority char(20)"),
		statements(false, func(s Statement) row {
			return row{
				"xid": s.XID, "query": s.Query, "service_class": 6, "slot_count": 1, "service_class_start_time": s.Start, "queue_start_time": s.Start,
				"queue_end_time": s.Start, "exec_start_time": s.Start, "exec_end_time": s.End, "total_exec_time": s.duration().Microseconds(),
				"service_class_end_time": s.End, "final_state": s.state("Running", "Completed", "Evicted"), "query_priority": "Normal",
			}
		}),
	},
	"stv_slices": {
		columns("node int, slice int, localslice int, type char(1)"),
		func(*Log, Viewer) ([]row, error) {
			return []row{{"type": "D"}, {"slice": 1, "localslice": 1, "type": "D"}}, nil
		},
	},
	"svv_transactions": {
		columns("txn_owner varchar(256), txn_db varchar(256), xid bigint, pid int, txn_start timestamp, lock_mode varchar(256), lockable_object_type varchar(256), relation int, granted boolean"),
		transactionLocks,
	},
	"pg_locks": {
		columns("relation bigint, database bigint, transaction bigint, pid int, mode varchar(256), granted boolean"),
		heldLocks(func(k locks.LockInfo) row {
			return row{
				"relation": k.Table.OID, "database": k.Table.Database, "transaction": nil, "pid": k.Session.PID,
				"mode": k.Mode.String(), "granted": k.Granted,
			}
		}),
	},
	"stv_locks": {
		columns("table_id int, last_commit timestamp, last_update timestamp, lock_owner bigint, lock_owner_pid bigint, lock_owner_start_ts timestamp, lock_owner_end_ts timestamp, lock_status char(22)"),
		heldLocks(func(k locks.LockInfo) row {
			if k.Mode == locks.AccessShare {
				return nil // the table tells of updates
			}
			status := "Waiting for write lock"
			if k.Granted {
				status = "Holding write lock"
			}
			return row{
				"table_id": k.Table.OID, "lock_owner": k.XID, "lock_owner_pid": k.Session.PID, "lock_owner_start_ts": k.Since,
				"lock_status": status,
			}
		}),
	},
	"stl_tr_conflict": {
		columns("xact_id bigint, process_id bigint, xact_start_ts timestamp, abort_time timestamp, table_id bigint"),
		func(l *Log, v Viewer) ([]row, error) {
			return each(l.source.Conflicts(), func(c locks.Conflict) (row, bool) {
				return row{
					"xact_id": c.XID, "process_id": c.Session.PID, "xact_start_ts": c.Start, "abort_time": c.Abort, "table_id": c.Table.OID,
				}, v.sees(c.Session.User)
			}), nil
		},
	},
	"stv_db_isolation_level": {
		columns("datname varchar(128), db_name varchar(128), db_isolation_level varchar(20), isolation_level varchar(20)"),
		func(l *Log, _ Viewer) ([]row, error) {
			databases, err := l.source.Databases()
			if err != nil {
				return nil, err
			}
			var rows []row
			for _, d := range databases {
				level := locks.Snapshot
				if d.Isolation == "serializable" {
					level = locks.Serializable
				}
				rows = append(rows, row{"datname": d.Name, "db_name": d.Name, "db_isolation_level": level.String(), "isolation_level": level.String()})
			}
			return rows, nil
		},
	},
}

// each makes rows of entries, but for those that the viewer does not see.
func each[T any](entries []T, of func(T) (row, bool)) []row {
	var rows []row
	for _, e := range entries {
		if r, visible := of(e); visible && r != nil {
			rows = append(rows, r)
		}
	}
	return rows
}

// statements makes rows of the statements that ran, and of those that run if wanted.
func statements(alsoRunning bool, of func(Statement) row) func(*Log, Viewer) ([]row, error) {
	return func(l *Log, v Viewer) ([]row, error) {
		all := l.finished()
		if alsoRunning {
			all = append(all, l.inFlight()...)
		}
		return each(all, func(s Statement) (row, bool) { return s.owned(of(s)), v.sees(s.User) }), nil
	}
}

func running(of func(Statement) row) func(*Log, Viewer) ([]row, error) {
	return func(l *Log, v Viewer) ([]row, error) {
		return each(l.inFlight(), func(s Statement) (row, bool) { return s.owned(of(s)), v.sees(s.User) }), nil
	}
}

// texts makes a row of each 200 bytes of a statement's text.
func texts(of func(Statement) row) func(*Log, Viewer) ([]row, error) {
	return func(l *Log, v Viewer) ([]row, error) {
		var rows []row
		for _, s := range l.finished() {
			if !v.sees(s.User) {
				continue
			}
			for sequence, rest := 0, s.SQL; rest != ""; sequence++ {
				r := s.owned(of(s))
				if r == nil {
					break
				}
				part := cut(rest, 200)
				rest = rest[len(part):]
				r["sequence"], r["text"] = sequence, part
				rows = append(rows, r)
			}
		}
		return rows, nil
	}
}

func loadErrors(of func(LoadError) row) func(*Log, Viewer) ([]row, error) {
	return func(l *Log, v Viewer) ([]row, error) {
		return each(l.LoadErrors(), func(e LoadError) (row, bool) { return e.owned(of(e)), v.sees(e.User) }), nil
	}
}

func loads(of func(Load) row) func(*Log, Viewer) ([]row, error) {
	return func(l *Log, v Viewer) ([]row, error) {
		l.mu.Lock()
		all := l.loads.all()
		l.mu.Unlock()
		return each(all, func(f Load) (row, bool) { return f.owned(of(f)), v.sees(f.User) }), nil
	}
}

func unloads(of func(Unload) row) func(*Log, Viewer) ([]row, error) {
	return func(l *Log, v Viewer) ([]row, error) {
		l.mu.Lock()
		all := l.unloads.all()
		l.mu.Unlock()
		return each(all, func(f Unload) (row, bool) { return f.owned(of(f)), v.sees(f.User) }), nil
	}
}

// ofKind makes rows of the texts of one kind of statement.
func ofKind(kind string) func(Statement) row {
	return func(s Statement) row {
		if s.kind() != kind {
			return nil
		}
		return row{"xid": s.XID, "pid": s.PID, "label": s.Label, "starttime": s.Start, "endtime": s.End}
	}
}

func heldLocks(of func(locks.LockInfo) row) func(*Log, Viewer) ([]row, error) {
	return func(l *Log, v Viewer) ([]row, error) {
		return each(l.source.Locks(), func(k locks.LockInfo) (row, bool) { return of(k), v.sees(k.Session.User) }), nil
	}
}

// transactionLocks are the locks of each transaction, and of one without any a row that says
// that it is there (dg/r_SVV_TRANSACTIONS).
func transactionLocks(l *Log, v Viewer) ([]row, error) {
	base := map[int64]row{}
	var rows []row
	for _, t := range l.source.Transactions() {
		if !v.sees(t.Session.User) {
			continue
		}
		base[t.XID] = row{
			"txn_owner": t.Session.User, "txn_db": t.Session.Database, "xid": t.XID, "pid": t.Session.PID, "txn_start": t.Start,
		}
		rows = append(rows, base[t.XID].with(row{"lock_mode": "ExclusiveLock", "lockable_object_type": "transactionid", "relation": nil, "granted": true}))
	}
	for _, k := range l.source.Locks() {
		if t, ok := base[k.XID]; ok {
			rows = append(rows, t.with(row{
				"lock_mode": k.Mode.String(), "lockable_object_type": "relation", "relation": k.Table.OID, "granted": k.Granted,
			}))
		}
	}
	return rows, nil
}

// owned says whose a row is. Its column has one of two names.
func (s Session) owned(r row) row {
	if r != nil {
		r["userid"], r["user_id"] = s.UserID, s.UserID
	}
	return r
}

func (r row) with(other row) row {
	joined := row{}
	for _, values := range []row{r, other} {
		for k, v := range values {
			joined[k] = v
		}
	}
	return joined
}

func (l *Log) finished() []Statement {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.statements.all()
}

func (l *Log) inFlight() []Statement {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []Statement
	now := l.now()
	for _, s := range l.running {
		st := *s
		st.ran = now.Sub(s.Start)
		all = append(all, st)
	}
	return all
}

func (s *Statement) state(running, done, failed string) string {
	switch {
	case s.End.IsZero():
		return running
	case s.Code != "":
		return failed
	}
	return done
}

func (s *Statement) aborted() int {
	if s.Code != "" {
		return 1
	}
	return 0
}

func (s *Statement) duration() time.Duration {
	if s.End.IsZero() {
		return s.ran
	}
	return s.End.Sub(s.Start)
}

// kind is the statement's type as the guide lists them.
func (s *Statement) kind() string {
	word, _, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(s.SQL)), " ")
	switch word {
	case "SELECT", "INSERT", "UPDATE", "DELETE", "COPY", "UNLOAD", "MERGE":
		return word
	case "CREATE", "ALTER", "DROP", "TRUNCATE":
		return "DDL"
	}
	return "UTILITY"
}
