package jobs

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/pipeline/awstest/dynamodbtest"
	"github.com/starlift-etl/starlift/pipeline/pgconn/pgtest"
	"github.com/starlift-etl/starlift/sources/kinesis/kinesistest"
)

var (
	tableItems = flag.Int("table.items", 0, "how many items TestDynamoDBTable has, which is written to 200 times a second and killed ten times; 0 = a small version")
	tableOnly  = flag.String("table.only", "", "which of TestDynamoDBTable's ways is tried: export-kinesis, export-streams, scan-kinesis or scan-streams; empty = all")
)

// The bounds of the large version.
const (
	tableWrites = 200       // a second
	tableKills  = 10        // while it is bootstrapped and followed
	tableMemory = 512 << 20 // of the process at its greatest
)

// tableWays are the ways to bootstrap a table and to follow it.
var tableWays = []struct{ name, bootstrap, stream string }{
	{"export-kinesis", "{type: export, url: s3://exports/shop, request: true}", "{type: kinesis, stream: shop}"},
	{"export-streams", "{type: export, url: s3://exports/shop, request: true}", "{type: dynamodb_streams}"},
	{"scan-kinesis", "{type: scan, read_capacity: 100000}", "{type: kinesis, stream: shop}"},
	{"scan-streams", "{type: scan, read_capacity: 100000}", "{type: dynamodb_streams}"},
}

const tablePipeline = `name: table
epoch: {interval: 200ms}
dead_letters: {url: dead, max_ratio: 0}
http: {listen: 127.0.0.1:0}
sources:
  shop: {type: dynamodb, table: shop, bootstrap: BOOTSTRAP, stream: STREAM}
transforms:
  items:
    type: unnest
    inputs: [shop]
    tables: {thing: {where: {type: [thing]}, key: [id], columns: {id: {}, v: {type: int64}, note: {}}}}
sinks:
  lake: {type: parquet, inputs: [items], url: lake, mode: latest, roll: {age: 500ms}}
  warehouse: {type: postgres, inputs: [items], dsn: "${DSN}", schema: "${SCHEMA}"}
`

// TestDynamoDBTable bootstraps a table from an export and from a scan while it is written to,
// with updates, deletes and time to live, and follows it through Kinesis and through DynamoDB Streams;
// the process is killed meanwhile. PostgreSQL and Parquet end equal to the table as Amazon's
// client for Python reads it.
func TestDynamoDBTable(t *testing.T) {
	t.Parallel()
	for _, way := range tableWays {
		if *tableOnly != "" && *tableOnly != way.name {
			continue
		}
		t.Run(way.name, func(t *testing.T) {
			items, writes, kills := *tableItems, tableWrites, tableKills
			if items == 0 {
				t.Parallel()
				items, kills = 1000, 3
			}
			r := newTableRig(t, way.bootstrap, way.stream, tableAge, items)
			r.advance(tableAge)
			stop := r.writeAlong(writes)
			for range kills {
				r.runAndKill()
			}
			p := r.run()
			r.bootstrapped(p)
			stop()
			if peak := peakMemory(p.Process.Pid); *tableItems > 0 {
				t.Logf("%d writes until it was bootstrapped, memory at most %d MB", r.written, peak>>20)
				if peak > tableMemory {
					t.Errorf("the process has taken %d MB, want at most %d", peak>>20, tableMemory>>20)
				}
			}
			r.wantEqual(p)
		})
	}
}

// TestDynamoDBTableRepaired: a stream drops records that were not read. Runs end with that, and change
// nothing, until a repair; after it both sinks are equal to the table, without the items that
// were deleted meanwhile.
func TestDynamoDBTableRepaired(t *testing.T) {
	t.Parallel()
	for _, way := range tableWays[:2] {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			const lost = 25 * time.Hour // longer than either stream keeps records
			r := newTableRig(t, way.bootstrap, way.stream, tableAge+lost, 300)
			r.advance(tableAge)
			p := r.run()
			r.bootstrapped(p)
			r.stop(p)
			r.must(r.fake.Roll("shop")) // so shards that were not read to their end are gone as well
			for range 200 {
				r.must(r.writeOne())
			}
			r.must(r.fake.Flush(t.Context()))
			r.advance(lost)
			for range 2 {
				r.run().result().want(t, exitGap, "starlift backfill FILE --repair")
			}
			start(t, r.dir, r.env, "backfill", "p.yaml", "--repair").result().want(t, exitFine)
			for range 50 {
				r.must(r.writeOne())
			}
			r.must(r.fake.Flush(t.Context()))
			r.wantEqual(r.run())
		})
	}
}

// TestDynamoDBTableRepairedLater: a gap is accepted by a run; later a repair is killed, and a run goes on with it.
func TestDynamoDBTableRepairedLater(t *testing.T) {
	t.Parallel()
	const lost = 25 * time.Hour
	r := newTableRig(t, tableWays[1].bootstrap, tableWays[1].stream, tableAge+lost, 300)
	r.advance(tableAge)
	p := r.run()
	r.bootstrapped(p)
	r.stop(p)
	for range 200 {
		r.must(r.writeOne())
	}
	r.advance(lost)
	r.run().result().want(t, exitGap)
	p = r.run("--accept-gap")
	for range 50 {
		r.must(r.writeOne())
	}
	r.bootstrapped(p)
	r.stop(p)
	p = start(t, r.dir, r.env, "backfill", "p.yaml", "--repair", "--log-level", "debug")
	epochs := 1 + r.intN(4)
	wait(t, p, func() bool { return strings.Count(p.err.String(), "epoch committed") >= epochs })
	p.signal(t, syscall.SIGKILL)
	p.result()
	r.must(r.writeOne())
	p = r.run()
	r.bootstrapped(p)
	r.wantEqual(p)
}

// tableRig is a table of a fake, what it goes through, and a folder with a pipeline.
type tableRig struct {
	t           *testing.T
	fake        *dynamodbtest.Server
	streams     *kinesistest.Server // nil = a server of others
	random      *rand.Rand
	dir, schema string
	env         []string

	mu      sync.Mutex // guards what follows, and random
	written int
	next    int      // of the item that is inserted next
	ids     []string // of items that are there, or were
	version int
}

// intN returns a number by chance.
func (r *tableRig) intN(n int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.random.IntN(n)
}

// tableAge is how old streams are when a table is bootstrapped: an export counts as five minutes older than
// it is, and has to lie within them.
const tableAge = 20 * time.Minute

// newTableRig makes a table with its streams, and fills it, by clocks that are behind. They stay so.
func newTableRig(t *testing.T, bootstrap, follow string, behind time.Duration, items int) *tableRig {
	t.Helper()
	objects := awstest.S3(t)
	r := &tableRig{t: t, random: seed(t), dir: t.TempDir(), schema: pgtest.Schema()}
	clock := func() time.Time { return time.Now().Add(-behind) }
	var shards aws.Config
	// ferrokinesis has no clock of its own, so with it an export waits until the stream is old enough.
	if *tableItems > 0 {
		shards = awstest.Kinesis(t).Config()
	} else {
		r.streams = kinesistest.Start(t, kinesistest.Options{Account: "000000000000", Now: clock})
		shards = awstest.Config(t, r.streams.Endpoint)
	}
	if _, err := s3Client(objects).CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("exports")}); err != nil {
		t.Fatal(err)
	}
	r.fake = dynamodbtest.New(t, dynamodbtest.Options{
		Now: clock, Exports: dynamodbtest.ExportOptions{Endpoint: objects.Endpoint},
		Destination: dynamodbtest.DestinationOptions{Endpoint: aws.ToString(shards.BaseEndpoint), Duplicates: 0.01, Disorder: 0.01},
	})
	r.env = append(awstest.Environ(), "DSN="+pgtest.DSN(t), "SCHEMA="+r.schema, "AWS_ENDPOINT_URL_DYNAMODB="+r.fake.Endpoint,
		"AWS_ENDPOINT_URL_DYNAMODB_STREAMS="+r.fake.Endpoint, "AWS_ENDPOINT_URL_KINESIS="+aws.ToString(shards.BaseEndpoint), "AWS_ENDPOINT_URL_S3="+objects.Endpoint)
	text := strings.NewReplacer("BOOTSTRAP", bootstrap, "STREAM", follow).Replace(tablePipeline)
	write(t, filepath.Join(r.dir, "p.yaml"), []byte(text))

	newStream(t, shards, 2)
	r.must(r.fake.Create(dynamodbtest.Table{Name: "shop", Key: "id", View: "NEW_AND_OLD_IMAGES", Partitions: 3, Expiry: "expires", Recovery: true}))
	r.must(r.fake.Destination(t.Context(), "shop", "arn:aws:kinesis:"+awstest.Region+":000000000000:stream/shop", dynamodbtest.Microsecond))
	for range items {
		r.insert()
	}
	r.must(r.fake.Flush(t.Context()))
	return r
}

// advance moves the clocks.
func (r *tableRig) advance(by time.Duration) {
	r.fake.Advance(by)
	if r.streams != nil {
		r.streams.Advance(by)
	}
}

func (r *tableRig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// item returns one with a new version; one that expires has a time to live that has passed.
func (r *tableRig) item(id string, expires bool) dynamodbtest.Item {
	r.version++
	item := dynamodbtest.Item{"id": dynamodbtest.S(id), "type": dynamodbtest.S("thing"), "v": dynamodbtest.N(strconv.Itoa(r.version)),
		"note": dynamodbtest.S(fmt.Sprintf("note %d of %s", r.version, id))}
	if expires {
		item["expires"] = dynamodbtest.N(strconv.FormatInt(r.fake.Now().Add(-time.Minute).Unix(), 10))
	}
	return item
}

func (r *tableRig) insert() {
	id := fmt.Sprintf("thing-%06d", r.next)
	r.next++
	r.ids = append(r.ids, id)
	r.must(r.fake.Put("shop", r.item(id, false)))
}

// writeOne inserts, updates or deletes an item, lets one expire, or puts one again that may have gone.
func (r *tableRig) writeOne() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.written++
	id := r.ids[r.random.IntN(len(r.ids))]
	switch n := r.random.IntN(100); {
	case n < 15:
		id = fmt.Sprintf("thing-%06d", r.next)
		r.next++
		r.ids = append(r.ids, id)
		return r.fake.Put("shop", r.item(id, false))
	case n < 65:
		return r.fake.Put("shop", r.item(id, false))
	case n < 85:
		return r.fake.Delete("shop", dynamodbtest.Item{"id": dynamodbtest.S(id)})
	case n < 99:
		return r.fake.Put("shop", r.item(id, true))
	case n == 99 && r.written%2 == 0:
		return r.fake.Roll("shop")
	default:
		_, err := r.fake.ExpireItems("shop")
		return err
	}
}

// writeAlong writes so many times a second until stop is called.
func (r *tableRig) writeAlong(rate int) (stop func()) {
	end, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		tick := time.NewTicker(time.Second / time.Duration(rate))
		defer tick.Stop()
		for {
			select {
			case <-end:
				ended <- nil
				return
			case <-tick.C:
				if err := r.writeOne(); err != nil {
					ended <- err
					return
				}
			}
		}
	}()
	return func() {
		r.t.Helper()
		close(end)
		r.must(<-ended)
		r.must(r.fake.Flush(r.t.Context()))
	}
}

// run starts the pipeline.
func (r *tableRig) run(args ...string) *process {
	r.t.Helper()
	return startFor(r.t, 10*time.Minute, r.dir, r.env, append([]string{"run", "p.yaml"}, args...)...)
}

// runAndKill starts it, and kills it a random number of epochs and of milliseconds later.
func (r *tableRig) runAndKill() {
	r.t.Helper()
	p := r.run("--log-level", "debug")
	epochs := r.intN(6)
	wait(r.t, p, func() bool { return strings.Count(p.err.String(), "epoch committed") >= epochs })
	wait(r.t, p, after(time.Duration(r.intN(300))*time.Millisecond))
	p.signal(r.t, syscall.SIGKILL)
	p.result().want(r.t, -1)
}

// stop ends a process as a service manager does.
func (r *tableRig) stop(p *process) {
	r.t.Helper()
	p.signal(r.t, syscall.SIGTERM)
	p.result().want(r.t, exitFine)
}

// bootstrapped waits until the snapshot is read and committed.
func (r *tableRig) bootstrapped(p *process) {
	r.t.Helper()
	get := p.http(r.t)
	wait(r.t, p, func() bool { return get("/readyz") == "ok\n" })
}

// wantEqual waits until the warehouse has what the table has, as a client reads it that is none of ours, and
// holds both sinks against that.
func (r *tableRig) wantEqual(p *process) {
	t := r.t
	t.Helper()
	read := dynamodbtest.ItemsByBoto3(t, r.fake.Endpoint, "shop", 4)
	d := openDatabase(t)
	d.exec("CREATE TABLE item (id VARCHAR, v BIGINT, note VARCHAR)")
	lines := make([]string, 0, len(read))
	for _, item := range read {
		line, err := json.Marshal(map[string]string{"id": item["id"].Text, "v": item["v"].Text, "note": item["note"].Text})
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(line))
	}
	path := filepath.Join(t.TempDir(), "items.ndjson")
	write(t, path, []byte(strings.Join(lines, "\n")+"\n"))
	d.exec("INSERT INTO item SELECT id, v::BIGINT, note FROM read_json('" + path + "', format = 'newline_delimited')")
	if d.number("SELECT count(*) FROM item") < int64(len(read)) || len(read) == 0 {
		t.Fatal("no items")
	}
	d.exec("ATTACH ':memory:' AS w")
	table := "SELECT id, v, note FROM item"
	lake := "SELECT id, v, note FROM (FROM read_parquet('" + r.dir + "/lake/thing/**/*.parquet') QUALIFY row_number() OVER (PARTITION BY id ORDER BY _epoch DESC) = 1) WHERE _op = 'upsert'"
	warehouse := openPostgres(t)
	count := d.rows("SELECT count(*), sum(v) FROM item")
	settled := func() bool {
		files, err := filepath.Glob(r.dir + "/lake/thing/*.parquet")
		r.must(err)
		return len(files) > 0 && strings.Join(warehouse.rows("SELECT count(*), sum(v) FROM "+r.schema+".thing"), "") == strings.TrimSpace(count) && d.sum(lake) == d.sum(table)
	}
	deadline := time.Now().Add(time.Minute)
	wait(t, p, func() bool { return settled() || time.Now().After(deadline) })
	copyTables(t, d, warehouse, r.schema, "w")
	d.same("PostgreSQL", "SELECT id, v, note FROM w.thing", table)
	d.same("Parquet", lake, table)
	r.stop(p)
}
