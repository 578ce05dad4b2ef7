package redshift

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/sinks/internal/conformance"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
	"github.com/starlift-etl/starlift/sinks/redshift/redshifttest"
)

// withoutStageCases are about how rows get into stage tables.
var withoutStageCases = []string{"insert, update, delete", "every type", "types of targets", "lists", "any values", "names", "commit again"}

func TestConformanceWithoutStage(t *testing.T) {
	c := openCluster(t, redshifttest.Snapshot)
	run := 0
	conformance.RunSome(t, c.conforming(Config{Stage: StageConfig{None: true}}, conformance.AfterFirst), func(name string) bool {
		chosen := slices.Contains(withoutStageCases, name)
		if chosen {
			run++
		}
		return chosen
	})
	if run != len(withoutStageCases) {
		t.Errorf("%d of the cases %q were there", run, withoutStageCases)
	}
	if objects := c.Objects(); len(objects) > 0 {
		t.Errorf("without a stage there are objects: %q", objects)
	}
}

// manyTextRows returns n rows to insert, from a key on.
func manyTextRows(table *pipeline.Table, from, n int) *pipeline.Rows {
	b := array.NewRecordBuilder(memory.DefaultAllocator, table.Schema())
	defer b.Release()
	for i := range n {
		b.Field(0).(*array.Int64Builder).Append(int64(from + i))
		for c := 1; c < len(table.Columns); c++ {
			b.Field(c).(*array.StringBuilder).Append(fmt.Sprintf("text %d of %d", i, c))
		}
	}
	return &pipeline.Rows{Table: table, Record: b.NewRecord(), Ops: slices.Repeat([]pipeline.Op{pipeline.OpInsert}, n), Versions: make([]pipeline.Version, n)}
}

// TestSeveralStatements: rows of more than one statement are all loaded, once.
func TestSeveralStatements(t *testing.T) {
	c := redshifttest.Open(t, redshifttest.Snapshot)
	table := pipelinetest.Table("t", "id", "id int64", "a", "b")
	sink, err := New("w", Config{DSN: c.DSN(), Schema: c.Schema(), Stage: StageConfig{None: true}})
	if err != nil {
		t.Fatal(err)
	}
	d := pipelinetest.NewSinkDriver(t, "p", table)
	d.Must(d.Open(sink))
	const n = 2*(parametersMax/4) + 1
	d.Prepare(manyTextRows(table, 1, n))
	d.Commit()
	got := c.Query(fmt.Sprintf("SELECT count(*), count(DISTINCT id), min(id), max(id), count(DISTINCT a || b) FROM %s", warehouse.QualifiedName(sink.cfg.Schema, "t")))
	if want := fmt.Sprintf("%[1]d|%[1]d|1|%[1]d|%[1]d", n); !slices.Equal(got, []string{want}) {
		t.Errorf("the table has %q, want %q", got, want)
	}
	inserts := 0
	for _, s := range c.Statements() {
		if strings.HasPrefix(s.SQL, `INSERT INTO "starlift_stage`) {
			inserts++
		}
	}
	if inserts != 3 {
		t.Errorf("%d statements were sent, want 3", inserts)
	}
}

// TestStageChanges: an epoch that waits for its commit when the pipeline file gets a stage is
// loaded as it was written; one that was written for a stage needs it.
func TestStageChanges(t *testing.T) {
	c := redshifttest.Open(t, redshifttest.Snapshot)
	table := pipelinetest.Table("t", "id", "id int64", "a")
	none := Config{DSN: c.DSN(), Schema: c.Schema(), Stage: StageConfig{None: true}}
	stage := none
	stage.Stage = StageConfig{}
	stage.Stage.S3.URL, stage.Stage.S3.IAMRole, stage.Stage.S3.Endpoint = c.Stage, redshifttest.Role, c.Endpoint
	d := pipelinetest.NewSinkDriver(t, "p", table)
	open := func(cfg Config) *Sink {
		sink, err := New("w", cfg)
		d.Must(err)
		d.Must(d.Open(sink))
		return sink
	}
	open(none)
	d.PrepareEpoch(true, manyTextRows(table, 1, 2))
	open(stage)
	d.Commit()
	d.PrepareEpoch(true, manyTextRows(table, 3, 2))
	sink := open(none)
	if err := sink.Commit(t.Context(), d.Pending); err == nil || pipeline.Retryable(err) || !strings.Contains(err.Error(), "put the stage back") {
		t.Errorf("an epoch for a stage that is gone: %v", err)
	}
	open(stage)
	d.Commit()
	if got := c.Query(fmt.Sprintf("SELECT id FROM %s ORDER BY id", warehouse.QualifiedName(none.Schema, "t"))); !slices.Equal(got, []string{"1", "2", "3", "4"}) {
		t.Errorf("the table has %q", got)
	}
}

// TestWithoutStageWarns: validate warns of what goes without a stage, and the log once of a flush that
// is large.
func TestWithoutStageWarns(t *testing.T) {
	const dsn = "postgres://u@localhost/d"
	var stage StageConfig
	stage.S3.URL, stage.S3.IAMRole = "s3://bucket/f", redshifttest.Role
	for _, c := range []struct {
		stage StageConfig
		want  int
	}{{StageConfig{None: true}, 1}, {stage, 0}} {
		sink, err := New("w", Config{DSN: dsn, Stage: c.stage})
		if err != nil {
			t.Fatal(err)
		}
		if got := sink.Warnings(); len(got) != c.want || c.want > 0 && !strings.Contains(got[0].Error(), "stage") {
			t.Errorf("warnings %v, want %d", got, c.want)
		}
	}
	var out bytes.Buffer
	env := pipeline.NewEnv()
	env.Log = slog.New(slog.NewTextHandler(&out, nil))
	l := &insertLoader{}
	if err := l.open(context.Background(), pipeline.SinkOptions{Env: env}); err != nil {
		t.Fatal(err)
	}
	for _, epoch := range []int64{1, 2, 2, 3} {
		staged := []warehouse.StagedTable{{Inserts: manyRows / 2}, {Updates: manyRows/2 + epoch - 1}}
		if err := l.upload(context.Background(), "", epoch, staged); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Count(out.String(), "configure a stage"); got != 2 || !strings.Contains(out.String(), "epoch=2 rows=50001") {
		t.Errorf("the log has\n%s", out.String())
	}
}

// BenchmarkInsertRows loads rows of ten columns without a stage. rows/s says more of the stand-in
// than of Redshift.
func BenchmarkInsertRows(b *testing.B) {
	c := redshifttest.Open(b, redshifttest.Snapshot)
	columns := []string{"id int64"}
	for i := range 9 {
		columns = append(columns, fmt.Sprint("c", i))
	}
	table := pipelinetest.Table("t", "id", columns...)
	sink, err := New("w", Config{DSN: c.DSN(), Schema: c.Schema(), Stage: StageConfig{None: true}})
	if err != nil {
		b.Fatal(err)
	}
	d := pipelinetest.NewSinkDriver(b, "p", table)
	d.Must(d.Open(sink))
	const n = 5000
	var took time.Duration
	next := 1
	for b.Loop() {
		d.Prepare(manyTextRows(table, next, n))
		start := time.Now()
		d.Commit()
		took += time.Since(start)
		next += n
	}
	b.ReportMetric(float64(next-1)/took.Seconds(), "rows/s")
}
