package redshift

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/sinks/redshift/redshifttest"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/server"
)

// checkConnection asks a sink with a table t of the columns k and v, and returns what it finds besides
// what is fine.
func checkConnection(t *testing.T, c *redshifttest.Cluster, cfg Config) (found []string, fine int) {
	t.Helper()
	if cfg.Stage.S3.URL == "" {
		cfg.Stage.S3.URL = c.Stage
	}
	if cfg.Stage.S3.IAMRole == "" {
		cfg.Stage.S3.IAMRole = redshifttest.Role
	}
	cfg.Stage.S3.Endpoint, cfg.AnalyzeRows = c.Endpoint, 1
	s, err := New("dwh", cfg)
	if err != nil {
		t.Fatal(err)
	}
	o := pipeline.SinkOptions{Env: pipeline.NewEnv(), Pipeline: "shop", StateID: "0123456789abcdef", Tables: []*pipeline.Table{pipelinetest.Table("t", "k", "k int64", "v")}}
	names, all := s.CheckConnection(t.Context(), o)
	for _, f := range all {
		if f.Level == pipeline.RemarkFine {
			fine++
			continue
		}
		found = append(found, string(f.Level)+": "+f.Message)
	}
	if len(found) == 0 && len(names) != 1 {
		t.Errorf("names %q", names)
	}
	return found, fine
}

// wantFound compares what was found with parts of it, in order.
func wantFound(t *testing.T, found, want []string) {
	t.Helper()
	if !slices.EqualFunc(found, want, strings.Contains) {
		t.Errorf("found\n%s\nwant\n%s", strings.Join(found, "\n"), strings.Join(want, "\n"))
	}
}

// objectsIn returns what a database and the stage hold that tests or sinks have made.
func objectsIn(c *redshifttest.Cluster) []string {
	all := c.Query("SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname NOT LIKE 'pg_%' AND n.nspname <> 'information_schema' ORDER BY 1")
	return append(append(all, c.Query("SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg_temp%' ORDER BY 1")...), c.Objects()...)
}

// TestMissingRights: each that a sink needs is named, with the GRANT for it; and that GRANT is all
// that was missing.
func TestMissingRights(t *testing.T) {
	hush(t)
	c := redshifttest.Open(t, redshifttest.Snapshot)
	user := c.Database + "_loader"
	c.Exec("CREATE USER " + user + " PASSWORD DISABLE")
	c.Exec("REVOKE TEMP ON DATABASE " + c.Database + " FROM PUBLIC")
	grantTemp := fmt.Sprintf(`GRANT TEMP ON DATABASE "%s" TO "%s"`, c.Database, user)
	c.Exec(grantTemp)
	for i, tc := range []struct {
		name  string
		setup []string // {s} is a schema of its own, {u} the user
		want  []string // {s}, {u} and {d} as above, and the database
		grant []string
	}{
		{"all there", []string{`CREATE SCHEMA {s} AUTHORIZATION "{u}"`}, nil, nil},
		{"no schema", nil, []string{`error: schema "{s}" is not there, and the user may not make it: CREATE SCHEMA "{s}" AUTHORIZATION "{u}", or GRANT CREATE ON DATABASE "{d}" TO "{u}"`},
			[]string{`CREATE SCHEMA "{s}" AUTHORIZATION "{u}"`}},
		{"no USAGE", []string{"CREATE SCHEMA {s}", `GRANT CREATE ON SCHEMA {s} TO "{u}"`}, []string{`error: the user may not use schema "{s}": GRANT USAGE ON SCHEMA "{s}" TO "{u}"`},
			[]string{`GRANT USAGE ON SCHEMA "{s}" TO "{u}"`}},
		{"no CREATE", []string{"CREATE SCHEMA {s}", `GRANT USAGE ON SCHEMA {s} TO "{u}"`},
			[]string{`starlift_epochs, starlift_tables, t), and the user may not make them: GRANT CREATE ON SCHEMA "{s}" TO "{u}"`}, []string{`GRANT CREATE ON SCHEMA "{s}" TO "{u}"`}},
		{"no DELETE", []string{"CREATE SCHEMA {s}", `GRANT ALL ON SCHEMA {s} TO "{u}"`, "CREATE TABLE {s}.t (k BIGINT NOT NULL, v VARCHAR(65535))", `GRANT SELECT, INSERT, UPDATE ON {s}.t TO "{u}"`},
			[]string{`error: table "{s}"."t" is there, and the user of dsn may not DELETE there: GRANT DELETE ON "{s}"."t" TO "{u}"`}, []string{`GRANT DELETE ON "{s}"."t" TO "{u}"`, `ALTER TABLE {s}.t OWNER TO "{u}"`}},
		{"not the owner", []string{"CREATE SCHEMA {s}", `GRANT ALL ON SCHEMA {s} TO "{u}"`, "CREATE TABLE {s}.t (k BIGINT NOT NULL, v VARCHAR(65535))", `GRANT ALL ON {s}.t TO "{u}"`},
			[]string{`warning: table "{s}"."t" is awsuser's: unless the user may ANALYZE it`}, []string{`ALTER TABLE {s}.t OWNER TO "{u}"`}},
		{"a column to add", []string{"CREATE SCHEMA {s}", `GRANT ALL ON SCHEMA {s} TO "{u}"`, "CREATE TABLE {s}.t (k BIGINT NOT NULL)", `GRANT ALL ON {s}.t TO "{u}"`},
			[]string{`warning: table "{s}"."t" has no column "v"; its owner, awsuser, may add it, and who has ALTER on it: ALTER TABLE "{s}"."t" OWNER TO "{u}", or GRANT ALTER ON TABLE "{s}"."t" TO "{u}", if the user has not`, `error: table "t": `},
			[]string{`ALTER TABLE "{s}"."t" OWNER TO "{u}"`}},
		{"a view", []string{`CREATE SCHEMA {s} AUTHORIZATION "{u}"`, "CREATE VIEW {s}.t AS SELECT 1 AS k"}, []string{`error: "{s}"."t" is there, and is not a table but a view`}, []string{"DROP VIEW {s}.t"}},
		{"another type", []string{`CREATE SCHEMA {s} AUTHORIZATION "{u}"`, "CREATE TABLE {s}.t (k BIGINT NOT NULL, v INT)", `ALTER TABLE {s}.t OWNER TO "{u}"`}, []string{"error: "}, []string{"DROP TABLE {s}.t"}},
		{"no TEMP", []string{`CREATE SCHEMA {s} AUTHORIZATION "{u}"`, `REVOKE TEMP ON DATABASE "{d}" FROM "{u}"`},
			[]string{"error: the user may not make temporary tables, in which rows are staged: " + grantTemp, "error: stage: Redshift can't copy from it with the role: "}, []string{grantTemp}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			schema := fmt.Sprintf("rights%d", i)
			names := strings.NewReplacer("{s}", schema, "{u}", user, "{d}", c.Database)
			run := func(statements []string) {
				for _, statement := range statements {
					c.Exec(names.Replace(statement))
				}
			}
			run(tc.setup)
			want := make([]string, len(tc.want))
			for i, w := range tc.want {
				want[i] = names.Replace(w)
			}
			before := objectsIn(c)
			cfg := Config{DSN: c.UserDSN(user), Schema: schema}
			found, _ := checkConnection(t, c, cfg)
			wantFound(t, found, want)
			run(tc.grant)
			if tc.grant == nil {
				if after := objectsIn(c); !slices.Equal(after, before) {
					t.Errorf("it has left something: %q, was %q", after, before)
				}
			}
			found, fine := checkConnection(t, c, cfg)
			wantFound(t, found, nil)
			if fine < 5 {
				t.Errorf("it tells %d things only", fine)
			}
		})
	}
}

// TestStageThatCannotBeCopied: the stage is tried as a flush uses it, by the sink and by Redshift.
func TestStageThatCannotBeCopied(t *testing.T) {
	hush(t)
	c := redshifttest.Open(t, redshifttest.Snapshot)
	for name, tc := range map[string]struct {
		stage S3StageConfig
		dsn   string
		want  []string
	}{
		"fine":         {S3StageConfig{}, c.DSN(), nil},
		"denied":       {S3StageConfig{URL: "s3://" + redshifttest.DeniedBucket + "/x"}, c.DSN(), []string{"the role needs s3:GetObject on the stage"}},
		"refused role": {S3StageConfig{IAMRole: redshifttest.RefusedRole}, c.DSN(), []string{"attach the role to the cluster or workgroup"}},
		"no bucket":    {S3StageConfig{URL: "s3://no-such-bucket-here/x"}, c.DSN(), []string{"error: stage: an object can't be written (s3:PutObject): "}},
		"no cluster":   {S3StageConfig{}, "postgres://u:p@127.0.0.1:1/dev?sslmode=disable", []string{"error: nothing listens at 127.0.0.1:1"}},
	} {
		t.Run(name, func(t *testing.T) {
			before := objectsIn(c)
			cfg := Config{DSN: tc.dsn, Schema: "public"}
			cfg.Stage.S3 = tc.stage
			found, _ := checkConnection(t, c, cfg)
			wantFound(t, found, tc.want)
			if after := objectsIn(c); !slices.Equal(after, before) {
				t.Errorf("it has left something: %q, was %q", after, before)
			}
		})
	}
}

// TestRegionsDiffer: what COPY would refuse is known without asking anybody.
func TestRegionsDiffer(t *testing.T) {
	hush(t)
	c := redshifttest.Open(t, redshifttest.Snapshot)
	cfg := Config{DSN: "postgres://u:p@c.abc.eu-west-1.redshift.amazonaws.com/dev?sslmode=require&connect_timeout=1", Schema: "public"}
	cfg.Stage.S3.Region = "us-east-1"
	cfg.Stage.S3.URL, cfg.Stage.S3.IAMRole, cfg.Stage.S3.Endpoint = c.Stage, redshifttest.Role, c.Endpoint
	s, err := New("dwh", cfg)
	if err != nil {
		t.Fatal(err)
	}
	r := &connectionReport{}
	s.checkStage(t.Context(), pipeline.SinkOptions{Env: pipeline.NewEnv(), Pipeline: "shop", StateID: "0"}, nil, r)
	if len(r.remarks) == 0 || !strings.Contains(r.remarks[0].Message, "stage.region is us-east-1, and the cluster is in eu-west-1") {
		t.Errorf("%v", r.remarks)
	}
}

// TestSimilarNames: a table that folding hides is told of, and so is the setting with which it was made.
func TestSimilarNames(t *testing.T) {
	hush(t)
	c := redshifttest.Open(t, redshifttest.Serializable)
	session := c.Connect()
	session.Exec("SET enable_case_sensitive_identifier TO on")
	session.Exec(`CREATE TABLE public."T" (a INT)`)
	session.Exec(`CREATE TABLE public."Other" (a INT)`)
	found, _ := checkConnection(t, c, Config{DSN: c.DSN(), Schema: "public"})
	wantFound(t, found, []string{`warning: schema "public" has a table "T", which is another one than "t"`})
}

// TestUnreachable: why there is no connection is said in words, without the password.
func TestUnreachable(t *testing.T) {
	hush(t)
	c := redshifttest.Start(t, server.Options{SelfSigned: true, Passwords: map[string]string{"loader": "another"}})
	c.Exec("CREATE USER loader PASSWORD DISABLE")
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	plain := redshifttest.Open(t, redshifttest.Snapshot)
	for _, tc := range []struct{ dsn, want string }{
		{"postgres://u:" + canary + "@127.0.0.1:1/dev?sslmode=disable", "nothing listens at 127.0.0.1:1: see the port in dsn, which is 5439"},
		{"postgres://u:" + canary + "@no-such-host.invalid/dev?sslmode=require&connect_timeout=5", `the host "no-such-host.invalid" is not known to DNS`},
		{"postgres://u:" + canary + "@" + silent.Addr().String() + "/dev?sslmode=disable&connect_timeout=1", "in time: a security group"},
		{fmt.Sprintf("postgres://u:%s@%s/%s?sslmode=verify-full", canary, c.Server.Addr(), c.Database), "is of an authority that this machine does not know"},
		{fmt.Sprintf("postgres://u:%s@%s/%s?sslmode=require", canary, plain.Server.Addr(), plain.Database), "does not speak TLS, and sslmode demands it"},
		{fmt.Sprintf("postgres://loader:%s@%s/%s?sslmode=require", canary, c.Server.Addr(), c.Database), "the login was refused: see user and password in dsn"},
		{fmt.Sprintf("postgres://awsuser:%s@%s/nowhere?sslmode=require", canary, c.Server.Addr()), `there is no database "nowhere"`},
		{fmt.Sprintf("postgres://awsuser:%s@%s/%s?sslmode=require&timezone=Nowhere", canary, c.Server.Addr(), c.Database), "the connection was refused. "},
	} {
		found, _ := checkConnection(t, plain, Config{DSN: tc.dsn, Schema: "public"})
		wantFound(t, found, []string{tc.want})
		if strings.Contains(strings.Join(found, ""), canary) {
			t.Errorf("the password is shown: %s", found)
		}
	}
}

// TestWithoutStage: a stage of none is told of, and nothing is copied.
func TestWithoutStage(t *testing.T) {
	hush(t)
	cfg := Config{DSN: "postgres://u:p@127.0.0.1:1/dev", Schema: "public", Stage: StageConfig{None: true}, Flush: FlushConfig{Interval: spec.Duration(1)}}
	s, err := New("dwh", cfg)
	if err != nil {
		t.Fatal(err)
	}
	_, all := s.CheckConnection(t.Context(), pipeline.SinkOptions{Env: pipeline.NewEnv(), Pipeline: "shop"})
	if len(all) != 2 || all[0].Level != pipeline.RemarkError || all[1].Level != pipeline.RemarkWarning || !strings.Contains(all[1].Message, "INSERT") {
		t.Errorf("%v", all)
	}
}

// TestCheckDoesNotWait: a check says that somebody holds a lock, and ends.
func TestCheckDoesNotWait(t *testing.T) {
	hush(t)
	c := openStopped(t, redshifttest.Snapshot)
	f := newFlush(t, c.Cluster, "")
	other := c.Connect()
	other.Exec("BEGIN")
	other.Exec("LOCK " + f.token())
	f.sink.lockTimeout = time.Second
	_, all := f.sink.CheckConnection(t.Context(), f.Options())
	i := slices.IndexFunc(all, func(r pipeline.Remark) bool { return r.Level == pipeline.RemarkError })
	if i < 0 || !strings.Contains(all[i].Message, "a start would have to wait") || !strings.Contains(all[i].Message, f.token()) {
		t.Errorf("got %+v", all)
	}
}

// TestCollation: a database for which keys are one that differ is refused.
func TestCollation(t *testing.T) {
	for collation, want := range map[string]bool{"case_sensitive": false, "case_insensitive": true, "CASE_INSENSITIVE ": true} {
		var r connectionReport
		if checkCollation(collation, &r); r.failed() != want {
			t.Errorf("%s: %+v", collation, r.remarks)
		}
	}
}

// TestLayoutsAreCompared: a table that is not there will be made as the file says; one that is, stays, and
// what would change it is told.
func TestLayoutsAreCompared(t *testing.T) {
	hush(t)
	c := redshifttest.Open(t, redshifttest.Snapshot)
	cfg := Config{DSN: c.DSN(), Schema: c.Schema(), Tables: spec.Map[TableConfig]{{Name: "t", Value: TableConfig{DistKey: "k", SortKey: []string{"k"}}}}}
	found, _ := checkConnection(t, c, cfg)
	wantFound(t, found, nil)
	c.Exec("CREATE SCHEMA " + cfg.Schema)
	c.Exec("CREATE TABLE " + cfg.Schema + ".t (k BIGINT NOT NULL, v VARCHAR(65535)) DISTSTYLE EVEN")
	found, _ = checkConnection(t, c, cfg)
	in := `ALTER TABLE "` + cfg.Schema + `"."t" ALTER `
	wantFound(t, found, []string{in + `DISTSTYLE KEY DISTKEY "k"`, in + `COMPOUND SORTKEY ("k")`})
}

// TestStartWithoutRights: a start that lacks a right says where to find out which.
func TestStartWithoutRights(t *testing.T) {
	c := redshifttest.Open(t, redshifttest.Snapshot)
	user := c.Database + "_stranger"
	c.Exec("CREATE USER " + user + " PASSWORD DISABLE")
	s, err := New("dwh", Config{DSN: c.UserDSN(user), Schema: "elsewhere", Stage: StageConfig{None: true}})
	if err != nil {
		t.Fatal(err)
	}
	o := pipeline.SinkOptions{Env: pipeline.NewEnv(), Pipeline: "shop", StateID: "0123456789abcdef", Tables: []*pipeline.Table{pipelinetest.Table("t", "k", "k int64", "v")}}
	_, err = s.Check(t.Context(), o)
	wantError(t, err, "42501", "starlift validate --connect FILE shows the rights")
}

// TestNoCredentials: where AWS's API is not reached, it is not the database that is called away.
func TestNoCredentials(t *testing.T) {
	cfg := Config{DSN: "postgres://u@127.0.0.1:1/dev?sslmode=disable", Schema: "public", Stage: StageConfig{None: true}}
	server, err := cfg.parse()
	if err != nil {
		t.Fatal(err)
	}
	for _, cause := range []error{syscall.ECONNREFUSED, &net.DNSError{Err: "no such host", Name: "redshift.example"}, context.DeadlineExceeded} {
		err := fmt.Errorf("connecting: %w", &credentialsError{fmt.Errorf("iam: temporary credentials for cluster %q: %w", "shop", cause)})
		if got := describeUnreachable(server, err); !strings.HasPrefix(got, "no connection was tried, for want of credentials: iam: ") || !strings.Contains(got, cause.Error()) {
			t.Errorf("%v: %s", cause, got)
		}
	}
}
