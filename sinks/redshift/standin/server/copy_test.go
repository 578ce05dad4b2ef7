package server_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/faults"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/server"
)

// lake is a stand-in beside an S3 in this process with the bucket lake.
type lake struct {
	*server.Server
	t      testing.TB
	client *s3.Client
}

func newLake(t testing.TB, options server.Options) *lake {
	t.Helper()
	fake := httptest.NewServer(gofakes3.New(s3mem.New(), gofakes3.WithoutVersioning()).Server())
	t.Cleanup(fake.Close)
	client := s3.NewFromConfig(awstest.Config(t, fake.URL), func(o *s3.Options) { o.UsePathStyle = true })
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("lake")}); err != nil {
		t.Fatal(err)
	}
	options.Load.Endpoint, options.Load.TempDir = fake.URL, t.TempDir()
	options.OnLockWait = tellWait
	return &lake{start(t, options), t, client}
}

func (l *lake) put(key, content string) {
	l.t.Helper()
	if _, err := l.client.PutObject(l.t.Context(), &s3.PutObjectInput{Bucket: aws.String("lake"), Key: &key, Body: strings.NewReader(content)}); err != nil {
		l.t.Fatal(err)
	}
}

const role = " iam_role 'arn:aws:iam::123456789012:role/copy' "

// notices is a connection that keeps what the server says by the way.
func notices(t testing.TB, dsn string) (*client, *[]string) {
	t.Helper()
	config, err := pgconn.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { all = append(all, n.Severity+": "+n.Message) }
	conn, err := pgconn.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = conn.Close(ctx)
	})
	return &client{conn, t}, &all
}

func TestCopy(t *testing.T) {
	l := newLake(t, server.Options{Load: load.Options{RefusedRoles: []string{"arn:aws:iam::123456789012:role/no"}}})
	l.put("csv/1.csv", "1,a\n2,\"b,c\"\n")
	l.put("csv/2.csv", "3,é\n")
	l.put("bad/1.csv", "4,d\nx,e\n5,far too long for it\n")
	c, said := notices(t, l.DSN(""))
	c.run("create table t(a int not null, b varchar(10), n int default 7)")
	c.want("select pg_last_copy_count()", "0")

	c.run("copy t(a, b) from 's3://lake/csv/'" + role + "csv")
	c.want("select * from t order by a", "1|a|7\n2|b,c|7\n3|é|7")
	c.want("select pg_last_copy_count()", "3")
	if got := strings.Join(*said, "\n"); got != "INFO: Load into table 't' completed, 3 record(s) loaded successfully." {
		t.Errorf("it said %q", got)
	}

	// A load that fails takes its rows along, and leaves its errors.
	c.run("begin")
	c.fails("copy t(a, b) from 's3://lake/bad/'"+role+"csv", "XX000", "Load into table 't' failed.  Check 'stl_load_errors' system table for details.")
	c.fails("select 1", "25P02", "")
	c.run("rollback")
	c.want("select count(*) from t", "3")
	c.want("select trim(colname), err_code, trim(raw_field_value), trim(filename) from stl_load_errors", "a|1207|x|s3://lake/bad/1.csv")

	*said = nil
	c.run("copy t(a, b) from 's3://lake/bad/'" + role + "csv maxerror 5")
	c.want("select count(*) from t", "4")
	if len(*said) != 2 || !strings.Contains((*said)[1], "2 record(s) could not be loaded.  Check 'stl_load_errors' system table for details.") {
		t.Errorf("it said %q", *said)
	}
	c.want("select count(*) from sys_load_error_detail where query_id = pg_last_copy_id()", "2")

	c.run("truncate t")
	c.run("copy t(a, b) from 's3://lake/csv/'" + role + "csv noload")
	c.want("select count(*) from t", "0")
	c.run("begin; copy t(a, b) from 's3://lake/csv/'" + role + "csv; rollback")
	c.want("select count(*) from t", "0")
	c.fails("copy t from 's3://lake/csv/' iam_role 'arn:aws:iam::123456789012:role/no' csv", "XX000", "is not authorized to assume IAM Role")
	c.fails("copy t from 's3://lake/nothing'"+role+"csv", "XX000", "does not exist")
	c.fails("copy t(a) from stdin", "0A000", "")
	c.fails("copy nowhere from 's3://lake/csv/'"+role+"csv", "42P01", "nowhere")
}

// TestUnload: COPY and UNLOAD work by the extended protocol too.
func TestUnload(t *testing.T) {
	l := newLake(t, server.Options{})
	c := connectPgx(t, l.DSN(""))
	for _, sql := range []string{
		"create table t(a bigint, b varchar(20), d decimal(18,2), ts timestamp, s super)",
		`insert into t values (1, 'a', 1.25, '2024-01-02 03:04:05.678901', json_parse('{"x":[1,2]}')), (2, null, -3, null, null)`,
		"unload ('select a, b, d, ts from t where b is null or b <> ''z''') to 's3://lake/out/'" + role + "format as parquet",
		"create table u(a bigint, b varchar(20), d decimal(18,2), ts timestamp)",
		"copy u from 's3://lake/out/'" + role + "format as parquet",
		"unload ('select * from t') to 's3://lake/text/'" + role + "csv header parallel off",
	} {
		if _, err := c.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	plain := connect(t, l.DSN(""))
	plain.want("select * from u order by a", "1|a|1.25|2024-01-02 03:04:05.678901\n2|~|-3.00|~")
	var unloaded, copied int64
	if err := c.QueryRow(t.Context(), "select pg_last_unload_count(), pg_last_copy_count()").Scan(&unloaded, &copied); err != nil || unloaded != 2 || copied != 2 {
		t.Error(unloaded, copied, err)
	}
	plain.fails("unload ('select * from t') to 's3://lake/text/'"+role+"csv", "XX000", "")
	plain.fails("unload ('select * from nowhere') to 's3://lake/x/'"+role, "42P01", "nowhere")
	plain.fails("unload ('select 1/a from (select 0 as a)') to 's3://lake/zero/'"+role, "22012", "division by zero")
}

// TestReadersDuringCopy: nobody waits for a COPY but who writes the same table.
func TestReadersDuringCopy(t *testing.T) {
	began, finish := make(chan struct{}), make(chan struct{})
	l := newLake(t, server.Options{
		Faults: []faults.Rule{{Kind: faults.Slow, Pattern: "^copy"}},
		Wait: func(ctx context.Context, _ time.Duration) error {
			close(began)
			select {
			case <-finish:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		},
	})
	l.put("csv/1.csv", "1\n")
	a, b := connect(t, l.DSN("")), connect(t, l.DSN(""))
	a.run("create table token(a int); create table t(a int)")
	a.run("begin; lock token; insert into t values (7)")
	done := a.background("copy t from 's3://lake/csv/'" + role + "csv")
	<-began
	b.want("select count(*) from t", "0")
	waiting := b.background("insert into t values (2)")
	b.waits()
	close(finish)
	if err := ends(t, done); err != nil {
		t.Fatal(err)
	}
	a.run("commit")
	if err := ends(t, waiting); err != nil {
		t.Fatal(err)
	}
	b.want("select a from t order by a", "1\n2\n7")
}
