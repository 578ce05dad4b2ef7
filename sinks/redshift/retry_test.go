package redshift

import (
	"fmt"
	"io"
	"testing"

	pgx "github.com/jackc/pgx/v5/pgconn"
)

// spectrum is the DETAIL in which COPY tells of files.
func spectrum(name, code, context string) string {
	return "\n  -----------------------------------------------\n  error:  " + name + "\n  code:      " + code + "\n  context:   " + context +
		"\n  query:     71875904\n  location:  dory_util.cpp:945\n  process:   fetchtask_thread [pid=19465]\n  -----------------------------------------------\n"
}

// TestRetryReasons has what clusters and workgroups have said, word for word where that was
// made public.
func TestRetryReasons(t *testing.T) {
	for _, c := range []struct{ state, message, detail, want string }{
		{"XX000", "1023", "Serializable isolation violation on table - 118434, transactions forming the cycle are: 3342, 3343 (pid:1073)", "conflict"},
		{"XX000", "1023 [ErrorId: 1-6526c2d6-0a1b]", "Serializable isolation violation on table in Redshift", "conflict"},
		{"XX000", "ERROR:1023 DETAIL: Serializable isolation violation on table in Redshift", "", "conflict"},
		{"XX000", "Serializable isolation violation on table - 100244, transactions forming the cycle are: 1, 2 (pid:4)", "", "conflict"},
		{"XX000", "could not complete because of conflict with concurrent transaction", "", "conflict"},
		{"XX000", "could not complete because of conflict with concurrent transaction [ErrorId: 1-abc]", "table 12 dropped by concurrent transaction", "conflict"},
		{"XX000", "table 100244 dropped by concurrent transaction", "", "conflict"},
		{"40001", "could not serialize access due to concurrent update", "", "conflict"},
		{"40P01", "deadlock detected", "Process 3 waits for AccessExclusiveLock on relation 1 of database 2; blocked by process 4.", "conflict"},
		{"XX000", "1018", "Relation does not exist.", "relation"},
		{"XX000", "ERROR:1018 DETAIL: Relation does not exist", "", "relation"},
		{"XX000", "could not open relation with OID 6134794", "", "relation"},
		{"42P01", "could not open relation with OID 6134794 [ErrorId: 1-abc]", "", "relation"},
		{"XX000", "cannot open relation with oid 3251611", "", "relation"},
		{"42P01", "Relation with OID 15170212 does not exist", "", "relation"},
		{"57014", "Cannot execute write query because system is in resize mode", "", "resize"},
		{"XX000", "Cannot execute write query because system is in resize mode [ErrorId: 1-abc]", "", "resize"},
		{"XX000", "Cannot execute write query because system is in read-only mode", "", "server"},
		{"57P01", "terminating connection due to administrator command", "", "server"},
		{"57P02", "terminating connection because of crash of another server process", "", "server"},
		{"57P03", "the database system is starting up", "", "server"},
		{"57014", "Query (150) cancelled on user's request", "", "cancelled"},
		{"57014", "Query (150) canceled on user's request [ErrorId: 1-abc]", "", "cancelled"},
		{"XX000", `Query (500029) cancelled by WLM abort action of Query Monitoring Rule "testrule".`, "", "cancelled"},
		{"XX000", "abort query", "\n  error:  abort query\n  code:      1020\n  context:   system requested abort\n  query:     10119908\n  location:  queryabort.hpp:62\n  process:   padbmaster [pid=32211]\n", "cancelled"},
		{"53300", `connection limit "500" exceeded for non-bootstrap users`, "", "resources"},
		{"53300", "connection limit exceeded for non-bootstrap users", "", "resources"},
		{"53300", "sorry, too many clients already", "", "resources"},
		{"XX000", "too many connections", "", "resources"},
		{"XX000", "Disk Full", "\n  error:  Disk Full\n  code:      1016\n  context:   node: 0\n  query:     2967\n  location:  fdisk_api.cpp:345\n  process:   read_sync [pid=15048]\n", "resources"},
		{"28000", "IAM Authentication token has expired", "", "credentials"},
		{"28000", `password authentication failed for user "loader"`, "", ""},
		{"08006", "connection failure", "", "connection"},
		{"XX000", "S3Query Exception Connection failed, retries exceeded.", spectrum("S3Query Exception Connection failed, retries exceeded.", "15005", ""), "s3"},
		{"XX000", "S3 Query Exception (Fetch)", spectrum("S3 Query Exception (Fetch)", "15001", "boost::thread_resource_error: Resource temporarily unavailable"), "s3"},
		{"XX000", "Spectrum Scan Error", spectrum("Spectrum Scan Error", "15007", "HTTP response error code: 503 Message: SlowDown Please reduce your request rate."), "s3"},
		{"XX000", "Spectrum Scan Error", spectrum("Spectrum Scan Error", "15001", "HTTP response error code: 500 Message: InternalError We encountered an internal error. Please try again."), "s3"},
		{"XX000", "Spectrum Scan Error", spectrum("Spectrum Scan Error", "15001", "S3 request timed out"), "s3"},
		{"XX000", "S3ServiceException:Please reduce your request rate.,Status 503,Error SlowDown,Rid 1,ExtRid 2,CanRetry 1", "", "s3"},
		{"XX000", "Spectrum Scan Error", spectrum("Spectrum Scan Error", "15007", "HTTP response error code: 416 Message: InvalidRange The requested range is not satisfiable"), ""},
		{"XX000", "Spectrum Scan Error", spectrum("Spectrum Scan Error", "15007", "HTTP response error code: 403 Message: AccessDenied Access Denied"), ""},
		{"XX000", "S3ServiceException:Access Denied,Status 403,Error AccessDenied,Rid 1,ExtRid 500,CanRetry 1", "", ""},
		{"XX000", "S3ServiceException:The specified key does not exist.,Status 404,Error NoSuchKey,Rid 1,ExtRid 2,CanRetry 1", "", ""},
		{"XX000", "Spectrum Scan Error", spectrum("Spectrum Scan Error", "15001", "The length of the data column city is longer than the length defined in the table. Table: 256, Data: 503, File name: s3://b/timeout 503.parquet"), ""},
		{"XX000", "Spectrum Scan Error", spectrum("Spectrum Scan Error", "15007", "File 's3://b/503.parquet  has an incompatible Parquet schema for column 's3://b/x.n'. Column type: BIGINT, Parquet schema:\noptional fixed_len_byte_array id [i:0 d:1 r:0]"), ""},
		{"XX000", "User arn:aws:redshift:eu-west-1:123456789012:dbuser:c/u is not authorized to assume IAM Role arn:aws:iam::123456789012:role/copy", "", ""},
		{"XX000", "Load into table 'f_sale' failed.  Check 'stl_load_errors' system table for details.", "", ""},
		{"XX000", "Load into table 'f_sale' failed.  Check 'sys_load_error_detail' system table for details. [ErrorId: 1-abc]", "", ""},
		{"XX000", "Mandatory url is not present in manifest file.", "", ""},
		{"XX000", "Numeric data overflow", "", ""},
		{"XX000", "Assert", "\n  error:  Assert\n  code:      1000\n  context:   status == 0 - expired lease\n", ""},
		{"42501", "permission denied for relation orders", "", ""},
		{"42P01", `relation "orders" does not exist`, "", ""},
		{"42601", `syntax error at or near "timeout"`, "", ""},
		{"25P02", "current transaction is aborted, commands ignored until end of transaction block", "", ""},
		{"3D000", `database "nothing" does not exist`, "", ""},
		{"57P04", "database was dropped", "", ""},
		{"", "", "", ""},
	} {
		err := fmt.Errorf("table %q: %w", "orders", &pgx.PgError{Severity: "ERROR", Code: c.state, Message: c.message, Detail: c.detail})
		if got, known := retryReason(err); got != c.want || !known {
			t.Errorf("%s %q: tried again for %q, want %q", c.state, c.message, got, c.want)
		}
	}
	if reason, known := retryReason(fmt.Errorf("table x: %w", io.EOF)); known {
		t.Errorf("a connection's end, of which the server has said nothing, has the reason %q", reason)
	}
}
