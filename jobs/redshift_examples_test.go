package jobs

import (
	"encoding/json"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/starlift-etl/starlift/configs"
	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/sinks/redshift/redshifttest"
)

var demoRedshift = flag.Bool("demo.redshift", false, "print what TestExamplesOnRedshift does, as make demo-redshift wants it")

// onRedshift are the examples that need a cluster; TestExamplesOnRedshift runs them.
var onRedshift = []string{"redshift_changes.yaml", "redshift_export.yaml"}

// TestExamplesOnRedshift runs both pipelines of configs/ that load Redshift, against its
// stand-in: an export to its end, and the changes of a stream, stopped and started again
// between two halves. What they leave is what an independent reading of the samples gives.
func TestExamplesOnRedshift(t *testing.T) {
	if !*demoRedshift {
		t.Parallel()
	}
	e := newRedshiftExamples(t)
	if *demoRedshift {
		e.out = os.Stdout
	}
	e.say("A stand-in for Redshift, and servers in the place of S3 and Kinesis.")
	e.export()
	e.changes()
	if left := e.cluster.Objects(); len(left) > 0 {
		t.Errorf("files are left on the stage: %q", left)
	}
	e.say("\nBoth pipelines have ended, the stage is empty, and the servers end.")
}

type redshiftExamples struct {
	*awsExamples
	cluster *redshifttest.Cluster
}

func newRedshiftExamples(t *testing.T) *redshiftExamples {
	t.Helper()
	c := redshifttest.Open(t, redshifttest.Snapshot)
	streams := awstest.Kinesis(t)
	cloud := &cloud{t: t, kinesis: kinesis.NewFromConfig(streams.Config()), env: []string{
		"AWS_ENDPOINT_URL_KINESIS=" + streams.Endpoint, "AWS_ENDPOINT_URL_S3=" + c.Endpoint,
		"REDSHIFT_DSN=" + c.DSN(), "STAGE=" + c.Stage, "COPY_ROLE=" + redshifttest.Role, "FLUSH=1s",
	}}
	e := &redshiftExamples{&awsExamples{cloud: cloud, dir: t.TempDir(), out: io.Discard}, c}
	folder, err := filepath.Abs("../configs")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(folder, filepath.Join(e.dir, "configs")); err != nil {
		t.Fatal(err)
	}
	return e
}

// export loads the export, twice: the second run finds nothing new.
func (e *redshiftExamples) export() {
	t := e.t
	t.Helper()
	const path = "configs/redshift_export.yaml"
	e.starlift(e.dir, "validate", path)
	for range 2 {
		e.say("\n$ starlift run %s", path)
		e.starlift(e.dir, "run", path)
	}
	d := openDatabase(t)
	for _, view := range sampleViews {
		d.exec(view)
	}
	d.exec("ATTACH ':memory:' AS w; CREATE SCHEMA w.dwh")
	copyRedshift(t, d, e.cluster, "shop_export", "w.dwh")
	for what, pair := range exportPairs {
		if what != "Parquet" {
			d.same(what, pair[0], pair[1])
		}
	}
	e.count("shop_export", "dim_customer", "dim_product", "fact_order", "fact_order_line")
}

// count prints how many rows tables have.
func (e *redshiftExamples) count(schema string, tables ...string) {
	e.t.Helper()
	e.say("\nIn schema %s of Redshift:", schema)
	for _, table := range tables {
		e.say("%8s rows in %s", e.cluster.Query("SELECT count(*) FROM " + schema + "." + table)[0], table)
	}
	e.say("%8s flushes", e.cluster.Query("SELECT count(*) FROM " + schema + ".starlift_epochs")[0])
}

// changes loads the changes of a stream by two processes, one after the other.
func (e *redshiftExamples) changes() {
	t := e.t
	t.Helper()
	e.stream("shop-cdc", 2)
	e.feed("kinesis://shop-cdc", shopSample...)
	d := openDatabase(t)
	for _, view := range sampleViews {
		d.exec(view)
	}
	d.exec("ATTACH ':memory:' AS w")
	flushes := "SELECT count(*) FROM dwh.starlift_epochs"
	first := e.run("redshift_changes.yaml")
	wait(t, first, func() bool {
		rows, err := e.cluster.Connect().Try(t.Context(), flushes)
		return err == nil && len(rows) == 1 && rows[0] != "0"
	})
	e.stop(first)
	second := e.run("redshift_changes.yaml")
	wait(t, second, func() bool {
		d.exec("DETACH w; ATTACH ':memory:' AS w")
		copyRedshift(t, d, e.cluster, "dwh", "w")
		return d.sum(starPairs["fact_order"][0]) == d.sum(starPairs["fact_order"][1])
	})
	e.stop(second)
	for what, pair := range starPairs {
		d.same(what, pair[0], pair[1])
	}
	e.wantPlanned("configs/redshift_changes.yaml", "dwh")
	e.count("dwh", "dim_customer", "dim_address", "dim_product", "fact_order")
	query, err := configs.Demo.ReadFile(configs.DemoQuery)
	if err != nil {
		t.Fatal(err)
	}
	growth := e.cluster.Query("SET search_path TO dwh; " + string(query))
	if len(growth) == 0 {
		t.Error("no growth")
	}
	e.say("\nRevenue and its growth in per cent (configs/growth.sql):\n%s", strings.ReplaceAll(strings.ReplaceAll(strings.Join(growth, "\n"), "|", "  "), "null", "–"))
}

func (e *redshiftExamples) run(file string) *process {
	e.t.Helper()
	path := filepath.Join("configs", file)
	e.say("\n$ starlift run %s &", path)
	return start(e.t, e.dir, slices.Clone(e.env), "run", path, "--set", "http.listen=127.0.0.1:0")
}

// stop ends a process as a supervisor does.
func (e *redshiftExamples) stop(p *process) {
	e.t.Helper()
	e.say("\n$ kill -TERM %d", p.Process.Pid)
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		e.t.Fatal(err)
	}
	p.result().want(e.t, exitFine)
}

var (
	// ofFlush is what a statement has of its flush: the state folder and the epoch, and which of its tables it is.
	ofFlush = regexp.MustCompile(`/[0-9a-f]+/[0-9]+/(\w+)-[0-9]+\.manifest|starlift_stage_[0-9]+`)
	// statementEnd is how plan ends a statement: the values of its parameters follow.
	statementEnd = regexp.MustCompile(`;( -- .*)?\n`)
)

// wantPlanned holds what plan prints against what was sent: flushes have these statements, and no
// others but for the first token, and the question for columns that are not the pipeline's.
func (e *redshiftExamples) wantPlanned(path, schema string) {
	t := e.t
	t.Helper()
	var printed struct{ Loads []struct{ SQL string } }
	r := start(t, e.dir, e.env, "plan", path, "--output", "json").result()
	if err := json.Unmarshal([]byte(r.out), &printed); err != nil || len(printed.Loads) != 1 {
		t.Fatalf("%v: %s%s", err, r.out, r.err)
	}
	planned := map[string]bool{}
	for _, s := range statementEnd.Split(printed.Loads[0].SQL, -1) {
		planned[ofFlush.ReplaceAllString(strings.NewReplacer("<state>/<epoch>", "0/0", "<number>.manifest", "0.manifest").Replace(s), "$1")] = true
	}
	delete(planned, "") // behind the last
	sent := e.flushes(schema)
	for s := range planned {
		if !sent[s] && !strings.HasPrefix(s, "DELETE") { // of tables whose rows were not replaced
			t.Errorf("planned, and not sent: %s", s)
		}
	}
	for s := range sent {
		first := strings.HasPrefix(s, `INSERT INTO "`+schema+`"."starlift_token`)
		if asked := strings.Contains(s, "pg_catalog."); !planned[s] && !first && !asked {
			t.Errorf("sent, and not planned: %s", s)
		}
	}
}

// flushes returns the statements that sinks have sent in transactions with a COPY.
func (e *redshiftExamples) flushes(schema string) map[string]bool {
	sent := map[string]bool{}
	var transaction []string
	for _, r := range e.cluster.Statements() {
		transaction = append(transaction, ofFlush.ReplaceAllString(r.SQL, "$1"))
		switch {
		case r.SQL == "BEGIN":
			transaction = []string{r.SQL}
		case r.SQL != "COMMIT":
		case slices.ContainsFunc(transaction, func(s string) bool { return strings.HasPrefix(s, "COPY") }) && strings.Contains(transaction[1], `"`+schema+`"`):
			for _, s := range transaction {
				sent[s] = true
			}
		}
	}
	return sent
}
