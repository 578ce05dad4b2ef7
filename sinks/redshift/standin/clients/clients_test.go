// Package clients runs the clients that others wrote against the stand-in: Amazon's JDBC
// driver and its connector for Python, psycopg2, psycopg 3, pgx, lib/pq, sqlalchemy-redshift
// with both of its drivers, dbt and awswrangler. Each runs the statements that such clients
// send, and compares what it is answered: values, types, SQLSTATEs.
//
// What is no Go is a program of testdata, which prints a line of JSON for each check: its
// name, and what is wrong with it. .ci/services installs what they need; where that can't be
// had a test is skipped with the reason, but not in CI.
package clients

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"go.uber.org/goleak"

	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/server"
)

func TestMain(m *testing.M) {
	if err := awstest.MainEnv(); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// patience is how long a client may take on a busy machine.
const patience = 5 * time.Minute

const bucket = "stage"

// target is a stand-in with the database dev, and an S3 with a bucket.
type target struct {
	*server.Server
	endpoint string // of S3
}

// start starts a stand-in for a test. With s3 it has one to load from.
func start(t *testing.T, withS3 bool) *target {
	t.Helper()
	o := server.Options{}
	var endpoint string
	if withS3 {
		service := awstest.S3(t)
		endpoint = service.Endpoint
		client := s3.NewFromConfig(service.Config(), func(o *s3.Options) { o.UsePathStyle = true })
		if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
			t.Fatal(err)
		}
		o.Load = load.Options{Endpoint: endpoint, Region: awstest.Region, Credentials: credentials.NewStaticCredentialsProvider(awstest.AccessKey, awstest.SecretKey, "")}
	}
	s, err := server.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &target{s, endpoint}
}

// environ tells a program where the stand-in is.
func (s *target) environ(t *testing.T) []string {
	t.Helper()
	dsn, err := url.Parse(s.DSN(""))
	if err != nil {
		t.Fatal(err)
	}
	password, _ := dsn.User.Password()
	return append(awstest.Environ(),
		"STANDIN_HOST="+dsn.Hostname(), "STANDIN_PORT="+dsn.Port(), "STANDIN_DATABASE="+strings.TrimPrefix(dsn.Path, "/"),
		"STANDIN_USER="+dsn.User.Username(), "STANDIN_PASSWORD="+password, "STANDIN_BUCKET="+bucket,
		"AWS_ENDPOINT_URL_S3="+s.endpoint, "AWS_DEFAULT_REGION="+awstest.Region,
		"PYTHONDONTWRITEBYTECODE=1", "PYTHONWARNINGS=ignore",
	)
}

// result is a line that a program prints: a check, and what is wrong with it.
type result struct {
	Check, Wrong string
}

// run runs a program in a folder of its own, and makes a test of each check. It has to say
// at its end that it is done: one that dies early has checked nothing.
func (s *target) run(t *testing.T, atLeast int, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = t.TempDir(), s.environ(t)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	done, checks := false, 0
	scanner := bufio.NewScanner(bytes.NewReader(stdout))
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		var r result
		if scanner.Text() == "done" {
			done = true
		} else if json.Unmarshal(scanner.Bytes(), &r) == nil && r.Check != "" {
			checks++
			t.Run(r.Check, func(t *testing.T) { judge(t, r) })
		} else {
			t.Log(scanner.Text())
		}
	}
	if err != nil || !done {
		t.Errorf("%s: %v, after %d checks\n%s", name, err, checks, &stderr)
	}
	if checks < atLeast {
		t.Errorf("%d checks, want %d at least", checks, atLeast)
	}
}

// judge fails a check that is wrong, unless that is known, or that is known and right.
func judge(t *testing.T, r result) {
	client, _, _ := strings.Cut(t.Name(), "/")
	reason, known := misses[client+": "+r.Check]
	switch {
	case known && r.Wrong == "":
		t.Errorf("is listed as wrong (%s), and is right", reason)
	case known:
		t.Skipf("%s (%s)", r.Wrong, reason)
	case r.Wrong != "":
		t.Error(r.Wrong)
	}
}

// python runs a program of testdata by the interpreter of an installed client.
func (s *target) python(t *testing.T, client, program string, atLeast int, args ...string) {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", program))
	if err != nil {
		t.Fatal(err)
	}
	s.run(t, atLeast, filepath.Join(awstest.Installed(t, client), "bin", "python3"), append([]string{path}, args...)...)
}

func TestPsycopg2(t *testing.T) {
	awstest.Installed(t, "psycopg2")
	start(t, true).python(t, "psycopg2", "psycopg2_client.py", 130)
}

func TestPsycopg(t *testing.T) {
	awstest.Installed(t, "psycopg")
	start(t, true).python(t, "psycopg", "psycopg_client.py", 125)
}

func TestRedshiftConnector(t *testing.T) {
	awstest.Installed(t, "redshift-connector")
	start(t, true).python(t, "redshift-connector", "redshift_connector_client.py", 125)
}

func TestSQLAlchemy(t *testing.T) {
	awstest.Installed(t, "sqlalchemy-redshift")
	for _, driver := range []string{"psycopg2", "redshift_connector"} {
		t.Run(driver, func(t *testing.T) {
			start(t, true).python(t, "sqlalchemy-redshift", "sqlalchemy_client.py", 18, driver)
		})
	}
}

func TestAWSWrangler(t *testing.T) {
	awstest.Installed(t, "awswrangler")
	start(t, true).python(t, "awswrangler", "awswrangler_client.py", 18)
}

func TestJDBC(t *testing.T) {
	for _, driver := range []string{"redshift-jdbc42", "redshift-jdbc42-old"} {
		t.Run(driver, func(t *testing.T) {
			jars := filepath.Join(awstest.Installed(t, driver), "jars", "*")
			if _, err := exec.LookPath("javac"); err != nil {
				if os.Getenv("CI") != "" {
					t.Fatal(err)
				}
				t.Skip("a Java development kit is needed: ", err)
			}
			source, err := filepath.Abs(filepath.Join("testdata", "JdbcClient.java"))
			if err != nil {
				t.Fatal(err)
			}
			start(t, true).run(t, 58, "java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8", "-cp", jars, source)
		})
	}
}

// query returns the rows of a query as text.
func (s *target) query(t *testing.T, sql string) string {
	t.Helper()
	db := connect(t, s.DSN(""))
	results, err := db.Exec(t.Context(), sql).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	var b strings.Builder
	for _, row := range results[len(results)-1].Rows {
		for i, v := range row {
			if i > 0 {
				b.WriteByte('|')
			}
			if v == nil {
				b.WriteString("null")
			}
			b.Write(v)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// describe writes a value with its type, as tests of Go's clients compare them.
func describe(v any) string { return fmt.Sprintf("%T %v", v, v) }
