package locks

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// ErrDone is returned by a transaction that was committed or rolled back, also to a request of it that still
// waited.
var ErrDone = errors.New("transaction is done")

func failure(code, message, detail string) *pgconn.PgError {
	return &pgconn.PgError{Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: code, Message: message, Detail: detail}
}

// isolationViolation is error 1023. Its fields are as clients have logged them (aws/aws-sdk-pandas issue 665):
// the first of xids is the refused one, and pid its session.
func isolationViolation(table Table, xids []int64, pid int32) *pgconn.PgError {
	list := make([]string, len(xids))
	for i, xid := range xids {
		list[i] = strconv.FormatInt(xid, 10)
	}
	return failure("XX000", "1023", fmt.Sprintf("Serializable isolation violation on table - %d, transactions forming the cycle are: %s (pid:%d)",
		table.OID, strings.Join(list, ", "), pid))
}

// NotInSnapshot is error 1018 (dg/c_serial_isolation-serializable-isolation-troubleshooting).
func NotInSnapshot() *pgconn.PgError {
	return failure("XX000", "1018", "Relation does not exist.")
}

// ConcurrentDrop is what meets a table that a concurrent transaction has dropped. The detail is what clusters
// before 2020 gave as the message (dbt-labs/dbt-core issue 697).
func ConcurrentDrop(table Table) *pgconn.PgError {
	return failure("XX000", "could not complete because of conflict with concurrent transaction",
		fmt.Sprintf("table %d dropped by concurrent transaction", table.OID))
}

// deadlock tells a cycle of waits as PostgreSQL does.
func deadlock(cycle []wait) *pgconn.PgError {
	lines := make([]string, len(cycle))
	for i, w := range cycle {
		r := w.request
		lines[i] = fmt.Sprintf("Process %d waits for %s on relation %d of database %d; blocked by process %d.",
			r.txn.session.PID, r.mode, r.table.OID, r.table.Database, w.blocker.session.PID)
	}
	return failure("40P01", "deadlock detected", strings.Join(lines, "\n"))
}
