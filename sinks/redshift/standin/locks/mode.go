package locks

// Level is the isolation level of a database (CREATE DATABASE … ISOLATION LEVEL; dg/r_CREATE_DATABASE).
type Level int

const (
	// Snapshot lets transactions commit that change different rows. It is the default of new clusters and
	// workgroups.
	Snapshot Level = iota
	// Serializable refuses what equals no serial order of the transactions, judged by tables.
	Serializable
)

// String is the level as stv_db_isolation_level and CREATE DATABASE spell it.
func (l Level) String() string {
	if l == Serializable {
		return "Serializable"
	}
	return "Snapshot Isolation"
}

// Mode is a table lock's mode.
type Mode int

const (
	// AccessShare is the mode of reads: SELECT, UNLOAD, and the tables that a write reads.
	AccessShare Mode = iota
	// RowExclusive is what COPY and INSERT share under Snapshot before they write.
	RowExclusive
	// AppendExclusive is what COPY and INSERT write with under Snapshot: one at a time, but beside those that
	// have only RowExclusive.
	AppendExclusive
	// ShareRowExclusive is the mode of writes, except of COPY and INSERT under Snapshot.
	ShareRowExclusive
	// AccessExclusive is the mode of LOCK, DDL and TRUNCATE.
	AccessExclusive

	modes = iota
)

// String is the mode as pg_locks and svv_transactions show it. Redshift's list of modes has one name for what
// writes, so AppendExclusive shows as ShareRowExclusive.
func (m Mode) String() string {
	return [modes]string{
		"AccessShareLock", "RowExclusiveLock", "ShareRowExclusiveLock", "ShareRowExclusiveLock", "AccessExclusiveLock",
	}[m]
}

// modeSet is a set of modes, a bit for each.
type modeSet uint8

func setOf(list ...Mode) modeSet {
	var s modeSet
	for _, m := range list {
		s |= 1 << m
	}
	return s
}

func (s modeSet) has(m Mode) bool { return s&(1<<m) != 0 }

var conflictsOf = [modes]modeSet{
	AccessShare:       setOf(AccessExclusive),
	RowExclusive:      setOf(ShareRowExclusive, AccessExclusive),
	AppendExclusive:   setOf(AppendExclusive, ShareRowExclusive, AccessExclusive),
	ShareRowExclusive: setOf(RowExclusive, AppendExclusive, ShareRowExclusive, AccessExclusive),
	AccessExclusive:   setOf(AccessShare, RowExclusive, AppendExclusive, ShareRowExclusive, AccessExclusive),
}

// conflicts says whether two transactions may not have m and one of s at the same time.
func (m Mode) conflicts(s modeSet) bool { return conflictsOf[m]&s != 0 }

// covers says whether who has the modes of s keeps away everyone that m would.
func (s modeSet) covers(m Mode) bool {
	var kept modeSet
	for held := range Mode(modes) {
		if s.has(held) {
			kept |= conflictsOf[held]
		}
	}
	return conflictsOf[m]&^kept == 0
}

// Action is what a statement does with a table.
type Action int

const (
	// ActionSelect reads: SELECT, UNLOAD, ANALYZE, VACUUM, the sources of a write.
	ActionSelect Action = iota
	// ActionAppend adds rows and reads none of the table: COPY, INSERT.
	ActionAppend
	// ActionModify reads the table's rows and changes them: UPDATE, DELETE, MERGE.
	ActionModify
	// ActionDefine changes the table itself: ALTER, DROP, TRUNCATE, and others of DDL.
	ActionDefine
	// ActionLock only locks: LOCK. It takes no snapshot, and is no use of the table for the isolation level.
	ActionLock
)

// modes are the modes that the action needs, in the order in which they are taken.
func (a Action) modes(l Level) []Mode {
	switch a {
	case ActionSelect:
		return []Mode{AccessShare}
	case ActionAppend:
		if l == Snapshot {
			return []Mode{RowExclusive, AppendExclusive}
		}
		return []Mode{ShareRowExclusive}
	case ActionModify:
		return []Mode{ShareRowExclusive}
	default:
		return []Mode{AccessExclusive}
	}
}

func (a Action) reads() bool  { return a == ActionSelect || a == ActionModify || a == ActionDefine }
func (a Action) writes() bool { return a == ActionAppend || a == ActionModify || a == ActionDefine }
