package jobs

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
)

// orders is a pipeline from a stream to a lake of changes and settled tables.
const orders = `name: orders
sources:
  changes: {type: kinesis, stream: shop, format: dynamodb_cdc, endpoint: "${KINESIS}"}
transforms:
  items:
    type: unnest
    inputs: [changes]
    tables: {orders: {where: {type: [order]}, key: [id], columns: {id: {}, n: {type: int64}}}}
sinks:
  lake: {type: parquet, inputs: [items], url: lake, roll: {age: 1ms}}
  warehouse: {type: duckdb, inputs: [items], dsn: warehouse.duckdb}
`

// orderRig is a folder with that pipeline, and its stream.
type orderRig struct {
	*stream
	server *awstest.Service
	dir    string
	env    []string
}

// newOrderRig makes them; replaced are texts of the pipeline and what stands there instead.
func newOrderRig(t *testing.T, shards int32, replaced ...string) *orderRig {
	t.Helper()
	server := awstest.Kinesis(t, awstest.FakeClock())
	r := &orderRig{stream: newStream(t, server.Config(), shards), server: server, dir: t.TempDir()}
	r.env = append(awstest.Environ(), "KINESIS="+server.Endpoint)
	write(t, filepath.Join(r.dir, "p.yaml"), []byte(orders))
	for i := 0; i < len(replaced); i += 2 {
		edit(t, filepath.Join(r.dir, "p.yaml"), replaced[i], replaced[i+1])
	}
	return r
}

// order is a change of an item at a time in ms, which gives it a value.
func order(id string, n, at int64) []byte {
	return fmt.Appendf(nil, `{"eventID":"%s-%d","eventName":"MODIFY","tableName":"shop","dynamodb":{"ApproximateCreationDateTime":%d,"Keys":{"id":{"S":%[4]q}},`+
		`"NewImage":{"id":{"S":%[4]q},"type":{"S":"order"},"n":{"N":"%[2]d"}}},"eventSource":"aws:dynamodb"}`, id, n, at, id)
}

// putOrders writes the orders from … to - 1, each once.
func (r *orderRig) putOrders(from, to int) {
	r.t.Helper()
	var lines [][]byte
	for i := from; i < to; i++ {
		lines = append(lines, order(fmt.Sprintf("o%03d", i), 1, time.Now().UnixMilli()))
	}
	r.put(lines)
}

// run starts the pipeline.
func (r *orderRig) run(args ...string) *process {
	r.t.Helper()
	return start(r.t, r.dir, r.env, append([]string{"run", "p.yaml", "--set", "http.listen=127.0.0.1:0"}, args...)...)
}

// reads waits until a process has read so many records.
func (r *orderRig) reads(p *process, n int) {
	r.t.Helper()
	records := p.metric(r.t, `starlift_records_in_total{node="changes"}`)
	wait(r.t, p, func() bool { return records() >= float64(n) })
}

// stop ends a process as a service manager does.
func (r *orderRig) stop(p *process) {
	r.t.Helper()
	p.signal(r.t, syscall.SIGTERM)
	p.result().want(r.t, exitFine, `"msg":"stopped"`)
}

// lose stops a process where it is, for so long that the stream drops what is put
// meanwhile: the orders from … to - 1.
func (r *orderRig) lose(p *process, from, to int) {
	r.t.Helper()
	p.signal(r.t, syscall.SIGSTOP)
	r.putOrders(from, to)
	r.server.Clock(25 * time.Hour)
	p.signal(r.t, syscall.SIGCONT)
}

// remake deletes the stream, and makes it again under its name when the reading of both shards
// has failed, as AWS, where that takes longer, has it.
func (r *orderRig) remake(p *process) {
	r.t.Helper()
	failures := p.metric(r.t, `starlift_source_retries_total{reason="lasting",source="changes"}`)
	r.server.Clock(time.Minute)
	_, err := r.client.DeleteStream(r.t.Context(), &kinesis.DeleteStreamInput{StreamName: &r.name})
	r.check(err)
	r.check(kinesis.NewStreamNotExistsWaiter(r.client, func(o *kinesis.StreamNotExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = 20*time.Millisecond, 100*time.Millisecond
	}).Wait(r.t.Context(), &kinesis.DescribeStreamInput{StreamName: &r.name}, time.Minute))
	wait(r.t, p, func() bool { return failures() >= 2 })
	shards := int32(2)
	_, err = r.client.CreateStream(r.t.Context(), &kinesis.CreateStreamInput{StreamName: &r.name, ShardCount: &shards})
	r.check(err)
	r.active()
}

// wantOrders holds the lake and the warehouse against the orders that were read, each once.
func (r *orderRig) wantOrders(spans ...[2]int) {
	r.t.Helper()
	d := openDatabase(r.t)
	var want []string
	for _, s := range spans {
		for i := s[0]; i < s[1]; i++ {
			want = append(want, fmt.Sprintf("o%03d", i))
		}
	}
	d.exec(fmt.Sprintf("ATTACH '%s' AS w (READ_ONLY)", filepath.Join(r.dir, "warehouse.duckdb")))
	for _, from := range []string{fmt.Sprintf("read_parquet('%s/lake/orders/*.parquet')", r.dir), "w.orders"} {
		var got string
		if err := d.QueryRow("SELECT coalesce(string_agg(id, ' ' ORDER BY id), '') FROM " + from).Scan(&got); err != nil {
			r.t.Fatal(err)
		}
		if got != strings.Join(want, " ") {
			r.t.Errorf("%s has\n%s, want\n%s", from, got, strings.Join(want, " "))
		}
	}
	d.exec("DETACH w") // the next process wants it for itself
}

// wantRefused starts the pipeline twice, which ends with the status of a gap each time and
// changes nothing.
func (r *orderRig) wantRefused(texts ...string) {
	r.t.Helper()
	before := pipelinetest.Files(r.t, r.dir)
	for range 2 {
		start(r.t, r.dir, r.env, "run", "p.yaml").result().want(r.t, exitGap, append(texts, "--accept-gap")...)
		if after := pipelinetest.Files(r.t, r.dir); !maps.Equal(before, after) {
			r.t.Errorf("a start with a gap left\n%v, and there was\n%v", slices.Sorted(maps.Keys(after)), slices.Sorted(maps.Keys(before)))
		}
	}
}

// TestKinesisGap: a process that was stopped for longer than the stream keeps records commits
// what it had read, and ends with the status of a gap; so does each start, which changes
// nothing, until somebody accepts the gap.
func TestKinesisGap(t *testing.T) {
	t.Parallel()
	r := newOrderRig(t, 2)
	r.putOrders(0, 20)
	p := r.run("--set", "epoch.interval=1h") // nothing is committed but by the gap
	r.reads(p, 20)
	r.lose(p, 20, 30)
	p.result().want(t, exitGap, "the stream keeps records for", "starlift run FILE --accept-gap")
	r.wantOrders([2]int{0, 20})
	r.wantRefused("a gap in the source")
	start(t, r.dir, r.env, "status", "p.yaml").result().want(t, exitFine, "nobody has accepted it")

	r.putOrders(30, 40)
	p = r.run("--accept-gap")
	r.reads(p, 10)
	r.stop(p)
	r.wantOrders([2]int{0, 20}, [2]int{30, 40})
	r.putOrders(40, 50)
	p = r.run()
	r.reads(p, 10)
	r.stop(p)
	r.wantOrders([2]int{0, 20}, [2]int{30, 50})
}

// TestKinesisGapWaits: with on_gap: wait the process stays up, not ready, and so do later
// starts, until somebody accepts the gap.
func TestKinesisGapWaits(t *testing.T) {
	t.Parallel()
	r := newOrderRig(t, 2, "type: kinesis", "type: kinesis, on_gap: wait")
	r.putOrders(0, 20)
	p := r.run()
	r.reads(p, 20)
	r.lose(p, 20, 30)
	waits := func() {
		t.Helper()
		get, gaps := p.http(t), p.metric(t, `starlift_source_gaps{source="changes"}`)
		wait(t, p, func() bool { return gaps() == 2 && strings.Contains(get("/readyz"), "a gap in the source") })
		if healthy := get("/healthz"); healthy != "ok\n" {
			t.Errorf("/healthz says %s", healthy)
		}
	}
	waits()
	r.putOrders(30, 40)
	r.stop(p)
	p = r.run()
	waits()
	r.stop(p)
	r.wantOrders([2]int{0, 20})

	p = r.run("--accept-gap")
	r.reads(p, 10)
	get := p.http(t)
	wait(t, p, func() bool { return get("/readyz") == "ok\n" })
	r.stop(p)
	r.wantOrders([2]int{0, 20}, [2]int{30, 40})
}

// TestKinesisMadeAgain: the stream is deleted and made again under its name, while the process
// reads it and while none does.
func TestKinesisMadeAgain(t *testing.T) {
	t.Parallel()
	r := newOrderRig(t, 2)
	r.putOrders(0, 20)
	p := r.run()
	r.reads(p, 20)
	r.remake(p)
	r.putOrders(20, 30)
	p.result().want(t, exitGap, "stream shop was deleted and made again")
	r.wantRefused("stream shop was deleted and made again")
	p = r.run("--accept-gap")
	r.reads(p, 10)
	r.stop(p)
	r.wantOrders([2]int{0, 30})
}

// TestStopWhileTheServiceIsGone: a start that waits for a service ends as soon as it is told to
// stop, has made nothing, and is no failure.
func TestStopWhileTheServiceIsGone(t *testing.T) {
	t.Parallel()
	r := newOrderRig(t, 1)
	r.server.Kill()
	before := pipelinetest.Files(t, r.dir)
	p := r.run()
	wait(t, p, func() bool { return strings.Contains(p.err.String(), "the start waits for the service") })
	r.stop(p)
	if strings.Contains(p.err.String(), "reading goes on") {
		t.Errorf("it says that it reads: %s", p.err.String())
	}
	if after := pipelinetest.Files(t, r.dir); !maps.Equal(before, after) {
		t.Errorf("it left %v", slices.Sorted(maps.Keys(after)))
	}
}
