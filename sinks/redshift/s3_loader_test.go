package redshift

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/blob"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
	"github.com/starlift-etl/starlift/sinks/redshift/redshifttest"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/faults"
)

// stageDriver drives a sink that publishes each epoch, over restarts.
type stageDriver struct {
	*pipelinetest.SinkDriver
	c      *redshifttest.Cluster
	cfg    Config
	sink   *Sink
	loader *s3Loader
	sizes  fileSizes
	faults *blob.Faults
}

func newStageDriver(t testing.TB, tables ...*pipeline.Table) *stageDriver {
	t.Helper()
	d := &stageDriver{SinkDriver: pipelinetest.NewSinkDriver(t, "shop", tables...), c: redshifttest.Open(t, redshifttest.Snapshot), sizes: stagedSizes, faults: &blob.Faults{}}
	d.cfg = Config{DSN: d.c.DSN(), Schema: d.c.Schema()}
	d.cfg.Stage.S3.URL, d.cfg.Stage.S3.IAMRole, d.cfg.Stage.S3.Endpoint = d.c.Stage, redshifttest.Role, d.c.Endpoint
	return d
}

// restart opens the sink as a new process does.
func (d *stageDriver) restart() error {
	d.SinkDriver.Close()
	sink, err := newSink("star", d.cfg, nil)
	if err != nil {
		return err
	}
	d.sink, d.loader = sink, sink.loader.(*s3Loader)
	d.loader.sizes, d.loader.wrap = d.sizes, d.faults.Wrap
	return d.SinkDriver.Open(sink)
}

func (d *stageDriver) start() *stageDriver {
	d.T.Helper()
	d.Must(d.restart())
	return d
}

// in is the name of a table.
func (d *stageDriver) in(table string) string { return warehouse.QualifiedName(d.cfg.Schema, table) }

// count counts calls of the store.
func (d *stageDriver) count(op blob.Op) (n int) {
	for _, c := range d.faults.Calls() {
		if c.Op == op {
			n++
		}
	}
	return n
}

func (d *stageDriver) upload(c *pipeline.Committable) error {
	staged, err := warehouse.ReadStaged(c)
	d.Must(err)
	return d.loader.upload(context.Background(), d.Spool(c.Epoch), c.Epoch, staged)
}

func wantError(t testing.TB, err error, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("got error %v, want %q in it", err, part)
		}
	}
}

var ordersTable = pipelinetest.Table("order items", "id", "id", "text")

func ordersRows(t testing.TB, ops []pipeline.Op, ids ...int) *pipeline.Rows {
	t.Helper()
	var objects []string
	for _, id := range ids {
		objects = append(objects, fmt.Sprintf(`{"id": "%d", "text": "row %d"}`, id, id))
	}
	return pipelinetest.JSONRows(t, ordersTable, ops, objects...)
}

func inserted(n int) []pipeline.Op { return slices.Repeat([]pipeline.Op{pipeline.OpInsert}, n) }

// A flush leaves its rows in the table, and nothing on the stage.
func TestStageIsEmptyAfterwards(t *testing.T) {
	t.Parallel()
	d := newStageDriver(t, ordersTable).start()
	d.Prepare(ordersRows(t, inserted(2), 1, 2))
	d.Must(d.upload(d.Pending))
	want := []string{"shop/star/state-1/1/order.20items-000-000.parquet", "shop/star/state-1/1/order.20items-000.manifest"}
	if got := d.c.Objects(); !slices.Equal(got, want) {
		t.Errorf("on the stage: %q, want %q", got, want)
	}
	if got := string(d.c.Object(want[1])); !strings.HasPrefix(got, `{"entries":[{"url":"`+d.c.Stage+`/shop/star/state-1/1/order.20items-000-000.parquet","mandatory":true,"meta":{"content_length":`) {
		t.Errorf("manifest %s", got)
	}
	d.Commit()
	if got := d.c.Query("SELECT * FROM " + d.in(ordersTable.Name) + " ORDER BY 1"); !slices.Equal(got, []string{"1|row 1", "2|row 2"}) {
		t.Errorf("rows %q", got)
	}
	if got := d.c.Objects(); len(got) > 0 {
		t.Errorf("on the stage: %q", got)
	}
}

// An upload that is repeated sends what is missing, or is not what it has to be, and nothing else.
func TestUploadSendsWhatIsMissing(t *testing.T) {
	t.Parallel()
	d := newStageDriver(t, ordersTable)
	d.sizes = fileSizes{first: 1, firstFiles: 1, later: 1, least: 1, groupRows: 1}
	d.start()
	c := d.Prepare(ordersRows(t, inserted(1), 1), ordersRows(t, inserted(1), 2), ordersRows(t, inserted(1), 3))
	calls := func(what string, uploads, writes int) {
		t.Helper()
		d.faults.Disarm()
		d.faults.Arm(1<<30, false, false)
		d.Must(d.upload(c))
		if u, w := d.count(blob.OpUpload), d.count(blob.OpFinish); u != uploads || w != writes {
			t.Errorf("%s: %d files and %d manifests were sent, want %d and %d", what, u, w, uploads, writes)
		}
		if n := d.count(blob.OpRead); n > 0 {
			t.Errorf("%s: %d reads to compare", what, n)
		}
	}
	calls("the first time", 3, 1)
	calls("again", 0, 0)
	all := d.c.Objects()
	d.c.RemoveObject(all[1])
	calls("a file was removed", 1, 0)
	content := d.c.Object(all[0])
	d.c.PutObject(all[0], bytes.Repeat([]byte("x"), len(content)))
	calls("another content of the same size", 2, 0) // refused once, for it is there
	d.c.PutObject(all[2], []byte("x"))
	calls("another size", 2, 0)
	d.c.RemoveObject(all[3])
	calls("the manifest was removed", 0, 1)
	if !bytes.Equal(d.c.Object(all[0]), content) {
		t.Error("the object has not its content again")
	}
	d.Commit()
	if got := d.c.Query("SELECT count(*) FROM " + d.in(ordersTable.Name)); got[0] != "3" {
		t.Errorf("%s rows", got)
	}
}

// What a lifecycle rule, or somebody, has removed between upload and COPY is uploaded by the next try.
func TestStageFileLost(t *testing.T) {
	t.Parallel()
	for _, lost := range []string{"order.20items-000-000.parquet", "order.20items-000.manifest"} {
		d := newStageDriver(t, ordersTable).start()
		d.Prepare(ordersRows(t, inserted(1), 1))
		d.Must(d.upload(d.Pending))
		d.c.RemoveObject("shop/star/state-1/1/" + lost)
		d.sink.db.epoch = d.Pending.Epoch
		err := d.sink.Sink.Commit(t.Context(), d.Pending)
		if !pipeline.Retryable(err) || pipeline.RetryReason(err) != reasonStage {
			t.Errorf("%s is lost: error %v with the reason %q", lost, err, pipeline.RetryReason(err))
		}
		wantError(t, err, `table "order items"`, d.c.Stage+"/shop/star/state-1/1/order.20items-000.manifest", "uploaded again")
		d.Commit()
		if got := d.c.Query("SELECT count(*) FROM " + d.in(ordersTable.Name)); got[0] != "1" {
			t.Errorf("%s rows", got)
		}
	}
}

// A process that ends between upload and COMMIT, or between COMMIT and the removal, leaves one flush's
// files, and the next one removes them. What is not of this state stays.
func TestStraysAreRemoved(t *testing.T) {
	t.Parallel()
	d := newStageDriver(t, ordersTable).start()
	others := []string{"shop/other/state-1/1/x", "shop/star/state-2/1/x", "shop/star2/x", "shop2/star/state-1/1/x", "x"}
	for _, key := range others {
		d.c.PutObject(key, []byte("x"))
	}
	mine := func() []string {
		return slices.DeleteFunc(d.c.Objects(), func(key string) bool { return slices.Contains(others, key) })
	}
	d.Prepare(ordersRows(t, inserted(1), 1))
	d.Must(d.upload(d.Pending))
	if got := mine(); len(got) != 2 {
		t.Errorf("uploaded: %q", got)
	}
	d.Must(d.restart())
	if got := mine(); len(got) > 0 {
		t.Errorf("after a crash before COMMIT: %q", got)
	}
	d.faults.Arm(1<<30, false, false)
	d.Must(d.sink.Commit(t.Context(), d.Pending))
	calls := d.faults.Calls()
	d.Done()
	d.Prepare(ordersRows(t, inserted(1), 2))
	// The last call removes the files.
	if last := calls[len(calls)-1]; last.Op != blob.OpDelete {
		t.Fatalf("the last call is %+v", last)
	}
	d.faults.Disarm()
	d.faults.Arm(len(calls)-1, false, true)
	if err := d.sink.Commit(t.Context(), d.Pending); !errors.Is(err, blob.ErrFault) {
		t.Errorf("got error %v", err)
	}
	d.faults.Disarm()
	if got := mine(); len(got) != 2 {
		t.Errorf("after a crash behind COMMIT: %q", got)
	}
	d.Must(d.restart())
	if got := mine(); len(got) > 0 {
		t.Errorf("after a start: %q", got)
	}
	d.Commit() // which finds the epoch applied
	if got := d.c.Query("SELECT id FROM " + d.in(ordersTable.Name) + " ORDER BY 1"); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("rows %q", got)
	}
	if got := d.c.Objects(); len(got) != len(others) {
		t.Errorf("left on the stage: %q, want %q", got, others)
	}
}

// A removal that fails is all that the next try has to do again.
func TestRemovalIsTriedAgain(t *testing.T) {
	t.Parallel()
	d := newStageDriver(t, ordersTable).start()
	d.Prepare(ordersRows(t, inserted(1), 1))
	d.faults.Arm(1<<30, false, false)
	d.Must(d.sink.Commit(t.Context(), d.Pending))
	calls := len(d.faults.Calls())
	d.Done()
	d.Prepare(ordersRows(t, inserted(1), 2))
	d.faults.Arm(calls-1, false, false)
	if err := d.sink.Commit(t.Context(), d.Pending); !errors.Is(err, blob.ErrFault) {
		t.Errorf("got error %v", err)
	}
	d.faults.Disarm()
	before := len(d.c.Statements())
	d.faults.Arm(1<<30, false, false)
	d.Commit()
	if got := d.faults.Calls(); len(got) != 1 || got[0].Op != blob.OpDelete {
		t.Errorf("calls of the second try: %+v", got)
	}
	if got := d.c.Statements()[before:]; len(got) > 0 {
		t.Errorf("statements of the second try: %+v", got)
	}
	if got := d.c.Objects(); len(got) > 0 {
		t.Errorf("on the stage: %q", got)
	}
}

// A reset removes files of all states of the sink, and of sinks that there are no longer.
func TestResetOfTheStage(t *testing.T) {
	t.Parallel()
	d := newStageDriver(t, ordersTable)
	keep := []string{"shop/other/s/1/x", "shop2/star/s/1/x", "x"}
	gone := []string{"shop/gone/s/1/x", "shop/star/state-1/1/x", "shop/star/state-2/1/x", "shop/star/state-2/2/x"}
	for _, key := range slices.Concat(keep, gone) {
		d.c.PutObject(key, []byte("x"))
	}
	l := &s3Loader{sink: "star", cfg: &d.cfg.Stage.S3}
	for _, do := range []bool{false, true, true} {
		left := len(d.c.Objects())
		all, err := l.reset(t.Context(), &pipeline.Reset{Pipeline: "shop", Sinks: []string{"star", "other"}, Do: do})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, o := range all {
			names = append(names, o.Name)
		}
		want := []string{"1 file on the stage, " + d.c.Stage + "/shop/gone/", "3 files on the stage, " + d.c.Stage + "/shop/star/"}
		if left == len(keep) {
			want = nil
		}
		if !slices.Equal(names, want) {
			t.Errorf("reset lists %q, want %q", names, want)
		}
	}
	if got := d.c.Objects(); !slices.Equal(got, keep) {
		t.Errorf("left on the stage: %q, want %q", got, keep)
	}
}

// What is wrong with rights and places is told before rows wait for it, as far as it shows, and says what
// to do.
func TestStageErrors(t *testing.T) {
	t.Parallel()
	d := newStageDriver(t, ordersTable)
	open := func(change func(*S3StageConfig)) error {
		cfg := d.cfg
		change(&cfg.Stage.S3)
		e := *d
		e.cfg = cfg
		return e.restart()
	}
	wantError(t, open(func(c *S3StageConfig) { c.URL = "s3://nowhere/x" }), "stage", `there is no bucket "nowhere": make it, or mend its name, the region or the endpoint`)
	for name, change := range map[string]func(*S3StageConfig){
		"a role that is refused":      func(c *S3StageConfig) { c.IAMRole = redshifttest.RefusedRole },
		"a bucket that denies access": func(c *S3StageConfig) { c.URL = "s3://" + redshifttest.DeniedBucket + "/x" },
	} {
		e := *d
		e.SinkDriver = pipelinetest.NewSinkDriver(t, "shop", ordersTable)
		e.cfg.Schema = d.c.Schema()
		change(&e.cfg.Stage.S3)
		e.start()
		e.Prepare(ordersRows(t, inserted(1), 1))
		err := e.sink.Commit(t.Context(), e.Pending)
		if pipeline.Retryable(err) {
			t.Errorf("%s: is tried again", name)
		}
		if strings.Contains(name, "role") {
			wantError(t, err, "iam_role", "attached to the cluster", redshifttest.RefusedRole)
		} else {
			wantError(t, err, "s3:GetObject", "s3:ListBucket", redshifttest.Role, "s3://"+redshifttest.DeniedBucket+"/x")
		}
	}
}

// A connection that is lost while a COPY runs costs a try, and no file.
func TestConnectionLostInCopy(t *testing.T) {
	t.Parallel()
	d := newStageDriver(t, ordersTable).start()
	d.c.Inject(faults.Rule{Kind: faults.LostAfter, Pattern: "^copy"})
	d.Prepare(ordersRows(t, inserted(1), 1))
	if err := d.sink.Commit(t.Context(), d.Pending); !pipeline.Retryable(err) {
		t.Errorf("got error %v", err)
	}
	d.faults.Arm(1<<30, false, false)
	d.Commit()
	if n := d.count(blob.OpUpload); n > 0 {
		t.Errorf("%d files were sent again", n)
	}
	if got := d.c.Query("SELECT count(*) FROM " + d.in(ordersTable.Name)); got[0] != "1" {
		t.Errorf("%s rows", got)
	}
}

// Rows whose files are gone are an error where the token does not have them, and only there; when the
// files are back, they are loaded.
func TestRowsAreLost(t *testing.T) {
	t.Parallel()
	d := newStageDriver(t, ordersTable).start()
	c := d.Prepare(ordersRows(t, inserted(2), 1, 2))
	spool, aside := d.Spool(c.Epoch), d.Spool(c.Epoch)+".aside"
	d.Must(os.Rename(spool, aside))
	err := d.Sink.Commit(t.Context(), c)
	wantError(t, err, `table "order items": the rows of `+d.c.Stage, " are lost: ", "put the file back")
	if pipeline.Retryable(err) {
		t.Errorf("tried again: %v", err)
	}
	if got := d.c.Query("SELECT count(*) FROM " + d.in(ordersTable.Name)); !slices.Equal(got, []string{"0"}) {
		t.Errorf("rows %q", got)
	}
	d.Must(os.Rename(aside, spool))
	d.Commit()
	d.Must(os.RemoveAll(spool))
	d.Must(d.Sink.Commit(t.Context(), c))
	if got := d.c.Query("SELECT count(*) FROM " + d.in(ordersTable.Name)); !slices.Equal(got, []string{"2"}) {
		t.Errorf("rows %q", got)
	}
	if got := d.c.Objects(); len(got) > 0 {
		t.Errorf("on the stage: %q", got)
	}
}
