package jobs

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/starlift-etl/starlift/jobs/generate"
	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/pipeline/pgconn/pgtest"
)

// stream is a Kinesis stream that a test writes to and reshards, by Amazon's client.
type stream struct {
	t      *testing.T
	client *kinesis.Client
	name   string
}

// newStream makes a stream.
func newStream(t *testing.T, cfg aws.Config, shards int32) *stream {
	t.Helper()
	s := &stream{t: t, client: kinesis.NewFromConfig(cfg), name: "shop"}
	_, err := s.client.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: &s.name, ShardCount: &shards})
	s.check(err)
	s.active()
	return s
}

func (s *stream) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// active waits until the stream can be changed.
func (s *stream) active() {
	s.t.Helper()
	s.check(kinesis.NewStreamExistsWaiter(s.client, func(o *kinesis.StreamExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = 20*time.Millisecond, 100*time.Millisecond
	}).Wait(s.t.Context(), &kinesis.DescribeStreamInput{StreamName: &s.name}, time.Minute))
}

// put writes records, each with its item's key as partition key.
func (s *stream) put(lines [][]byte) {
	s.t.Helper()
	s.check(s.tryPut(lines))
}

// Append implements appender.
func (s *stream) Append(b []byte) error {
	return s.tryPut(bytes.Split(bytes.TrimSuffix(b, []byte("\n")), []byte("\n")))
}

func (s *stream) tryPut(lines [][]byte) error {
	const batch = 500
	for part := range slices.Chunk(lines, batch) {
		var entries []types.PutRecordsRequestEntry
		for _, line := range part {
			_, keys, _ := bytes.Cut(line, []byte(`"Keys":{`))
			keys, _, found := bytes.Cut(keys, []byte("}}"))
			if !found || len(keys) > 256 {
				return fmt.Errorf("no keys in %s", line)
			}
			entries = append(entries, types.PutRecordsRequestEntry{Data: line, PartitionKey: aws.String(string(keys))})
		}
		out, err := s.client.PutRecords(s.t.Context(), &kinesis.PutRecordsInput{StreamName: &s.name, Records: entries})
		if err != nil {
			return err
		}
		if n := aws.ToInt32(out.FailedRecordCount); n > 0 {
			return fmt.Errorf("%d records were not taken", n)
		}
	}
	return nil
}

// open lists the open shards by their ranges of hash keys.
func (s *stream) open() (open []types.Shard) {
	s.t.Helper()
	out, err := s.client.ListShards(s.t.Context(), &kinesis.ListShardsInput{StreamName: &s.name})
	s.check(err)
	for _, shard := range out.Shards {
		if shard.SequenceNumberRange.EndingSequenceNumber == nil {
			open = append(open, shard)
		}
	}
	slices.SortFunc(open, func(a, b types.Shard) int { return start128(a).Cmp(start128(b)) })
	return open
}

func start128(s types.Shard) *big.Int { return number128(s.HashKeyRange.StartingHashKey) }

func number128(text *string) *big.Int {
	n, ok := new(big.Int).SetString(aws.ToString(text), 10)
	if !ok {
		panic("no number: " + aws.ToString(text))
	}
	return n
}

// split splits an open shard in the middle.
func (s *stream) split(i int) {
	s.t.Helper()
	shard := s.open()[i]
	middle := new(big.Int).Add(start128(shard), number128(shard.HashKeyRange.EndingHashKey))
	_, err := s.client.SplitShard(s.t.Context(), &kinesis.SplitShardInput{StreamName: &s.name, ShardToSplit: shard.ShardId,
		NewStartingHashKey: aws.String(middle.Rsh(middle, 1).String())})
	s.check(err)
	s.active()
}

// merge merges an open shard with the next one.
func (s *stream) merge(i int) {
	s.t.Helper()
	open := s.open()
	_, err := s.client.MergeShards(s.t.Context(), &kinesis.MergeShardsInput{StreamName: &s.name, ShardToMerge: open[i].ShardId, AdjacentShardToMerge: open[i+1].ShardId})
	s.check(err)
	s.active()
}

// markers are changes of so many items, which lie in all shards, at a time in ms: that of the
// newest change before, so that they are neither too late nor ahead of others.
func markers(n int, at int64) (lines [][]byte) {
	for i := range n {
		key := fmt.Sprintf(`"PK":{"S":"MARKER#%d"},"SK":{"S":"MARKER"}`, i)
		lines = append(lines, fmt.Appendf(nil, `{"eventID":"m%d","eventName":"INSERT","tableName":"ecommerce","dynamodb":{"ApproximateCreationDateTime":%d,"Keys":{%s},`+
			`"NewImage":{%[3]s,"type":{"S":"marker"},"n":{"N":"1"}}},"eventSource":"aws:dynamodb"}`, i, at, key))
	}
	return lines
}

// newestOf returns the newest time of changes.
func newestOf(t *testing.T, lines [][]byte) int64 {
	t.Helper()
	var f feed
	for _, line := range lines {
		if err := f.tick(line); err != nil {
			t.Fatal(err)
		}
	}
	return f.clock
}

// awsShop makes a folder with the pipeline of the soak, from a stream to PostgreSQL and two
// lakes on S3: of changes, and of settled rows.
func awsShop(t *testing.T, dir string) {
	t.Helper()
	text, err := os.ReadFile("testdata/pipelines/soak.yaml")
	if err != nil {
		t.Fatal(err)
	}
	replaced := string(text)
	for _, r := range [][2]string{
		{`{type: file, path: "in/*", follow: true, format: dynamodb_cdc}`, `{type: kinesis, stream: shop, format: dynamodb_cdc, start: trim_horizon, endpoint: "${KINESIS}"}`},
		{"url: lake\n", "url: s3://lake/shop\n    endpoint: \"${S3}\"\n"},
		{"tombstones: 10s", "tombstones: 8d"},
		{"roll: {age: 5s}", "roll: {age: 1s}"},
		{"inputs: [items.customer, items.order, items.order_line]", "inputs: [items.customer, items.order, items.order_line, items.marker]"},
	} {
		if !strings.Contains(replaced, r[0]) {
			t.Fatalf("%q is not in the pipeline", r[0])
		}
		replaced = strings.Replace(replaced, r[0], r[1], 1)
	}
	replaced += `
  newest:
    type: parquet
    inputs: [items.customer, items.order, items.order_line, items.marker]
    url: s3://lake/newest
    endpoint: "${S3}"
    mode: latest
    roll: {age: 1s}
`
	write(t, filepath.Join(dir, "aws.yaml"), []byte(replaced))
}

// download copies a bucket's objects below a prefix to a folder.
func download(t *testing.T, client *s3.Client, bucket, prefix, dir string) {
	t.Helper()
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: aws.String(prefix + "/")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			out, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: o.Key})
			if err != nil {
				t.Fatal(err)
			}
			content, err := io.ReadAll(out.Body)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, strings.TrimPrefix(*o.Key, prefix+"/"))
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			write(t, path, content)
		}
	}
}

// TestKinesisKilled feeds a stream of four shards, splits two of them and merges two, and
// kills the process five times meanwhile. In the end PostgreSQL holds the truth, the lake of
// changes each change once, and that of settled rows no version twice and the truth
// as its newest rows. With -long it takes 200,000 changes.
func TestKinesisKilled(t *testing.T) {
	if !*long {
		t.Parallel()
	}
	dsn, schema, random := pgtest.DSN(t), pgtest.Schema(), seed(t)
	records := 10_000
	if *long {
		records = 200_000
	}
	objects, shards := awstest.S3(t), awstest.Kinesis(t)
	makeBucket(t, objects)
	s := newStream(t, shards.Config(), 4)
	dir := t.TempDir()
	awsShop(t, dir)
	lines := streamChanges(t, dir, records, random.Uint64())
	env := append(awstest.Environ(), "DSN="+dsn, "SCHEMA="+schema, "KINESIS="+shards.Endpoint, "S3="+objects.Endpoint)
	run := func() *process {
		return startFor(t, 4*time.Minute, dir, env, "run", "aws.yaml", "--set", "epoch.max_records=2000", "--set", "http.listen=127.0.0.1:0")
	}

	p := run()
	reshard := []func(){func() { s.split(1) }, func() { s.split(0) }, func() { s.merge(3) }}
	for kills := range 5 {
		part := lines[kills*len(lines)/5 : (kills+1)*len(lines)/5]
		put := make(chan error, 1)
		go func() { put <- s.Append(bytes.Join(part, []byte("\n"))) }()
		killWhileReading(t, p, random)
		s.check(<-put)
		if kills < len(reshard) {
			reshard[kills]()
		}
		p = run()
	}
	s.put(markers(markerItems, newestOf(t, lines)))
	wantStreamShop(t, p, s3Client(objects), dir, dsn, schema, markerItems)
}

// wantStreamShop waits until PostgreSQL and the lakes on S3 have so many markers, which were
// written last, ends the process, and holds what there is against what was fed.
func wantStreamShop(t *testing.T, p *process, client *s3.Client, dir, dsn, schema string, markers int) {
	t.Helper()
	db := connectPostgres(t, dsn)
	query := fmt.Sprintf(`SELECT count(*) FROM "%s".marker`, schema)
	wait(t, p, func() bool {
		r := db.PgConn.ExecParams(t.Context(), query, nil, nil, nil, nil).Read()
		return r.Err == nil && string(r.Rows[0][0]) == fmt.Sprint(markers)
	})
	d := openDatabase(t)
	for _, prefix := range []string{"shop", "newest"} { // where files are published a second after their rows
		d.waitForLake(p, client, prefix, markers)
	}
	p.signal(t, syscall.SIGTERM)
	p.result().want(t, exitFine, `"msg":"stopped"`)
	download(t, client, "lake", "shop", filepath.Join(dir, "lake"))
	download(t, client, "lake", "newest", filepath.Join(dir, "newest"))
	wantPostgresShop(t, dir, dsn, schema).wantNewest(dir)
}

// streamChanges returns the lines of changes.ndjson, which it writes with truth.ndjson.
func streamChanges(t *testing.T, dir string, records int, seed uint64) [][]byte {
	t.Helper()
	var changes, truth bytes.Buffer
	if _, err := generate.EcommerceCDC(context.Background(), &changes, &truth,
		generate.Options{Seed: seed, Records: records, Products: 500, Duplicates: 0.01, Late: 0.01}); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "changes.ndjson"), changes.Bytes())
	write(t, filepath.Join(dir, "truth.ndjson"), truth.Bytes())
	return bytes.Split(bytes.TrimSuffix(changes.Bytes(), []byte("\n")), []byte("\n"))
}

// killWhileReading kills a process some time after it has begun to read.
func killWhileReading(t *testing.T, p *process, random *rand.Rand) {
	t.Helper()
	records := p.metric(t, `starlift_records_in_total{node="changes"}`)
	wait(t, p, func() bool { return records() > 0 })
	wait(t, p, after(time.Duration(random.IntN(700))*time.Millisecond)) // so that any step of an epoch is hit
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	p.result().want(t, -1)
}

// after reports whether a time has passed.
func after(d time.Duration) func() bool {
	end := time.Now().Add(d)
	return func() bool { return time.Now().After(end) }
}

// markerItems is how many items change last: so many that some are in each shard.
const markerItems = 64

// waitForLake waits until a lake on S3 has so many markers.
func (d *database) waitForLake(p *process, client *s3.Client, prefix string, markers int) {
	d.t.Helper()
	wait(d.t, p, func() bool {
		dir := d.t.TempDir()
		download(d.t, client, "lake", prefix+"/marker", dir)
		files, err := filepath.Glob(filepath.Join(dir, "*.parquet"))
		if err != nil {
			d.t.Fatal(err)
		}
		return len(files) > 0 && d.number(fmt.Sprintf(`SELECT count(DISTINCT PK) FROM read_parquet('%s/*.parquet')`, dir)) == int64(markers)
	})
}

// wantNewest holds the lake of settled rows against the truth.
func (d *database) wantNewest(dir string) {
	d.t.Helper()
	d.readItems("truth", filepath.Join(dir, "truth.ndjson"))
	for table, columns := range shopTables {
		files := fmt.Sprintf(`read_parquet('%s/newest/%s/*.parquet')`, dir, table)
		key := shopKeys[table]
		if n := d.number(fmt.Sprintf(`SELECT count(*) FROM (SELECT %s FROM %s GROUP BY %[1]s, _version, _op HAVING count(*) > 1)`, key, files)); n != 0 {
			d.t.Errorf("%s: %d versions are there twice", table, n)
		}
		d.same(table+" newest", fmt.Sprintf(`SELECT * EXCLUDE (_op, _version, _epoch) FROM %s QUALIFY row_number() OVER (PARTITION BY %s ORDER BY _version DESC, _epoch DESC) = 1 AND _op <> 'delete'`, files, key),
			fmt.Sprintf(`SELECT %s FROM truth WHERE i."type".S = '%s'`, columns, itemType(table)))
	}
}
