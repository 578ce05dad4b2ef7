package jobs

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/pipeline/awstest/dynamodbtest"
	"github.com/starlift-etl/starlift/pipeline/pgconn/pgtest"
)

// onOutbox is the example that TestOutboxExample runs.
const onOutbox = "aws_outbox.yaml"

const (
	outboxEvents = 600
	outboxKills  = 4
)

// TestOutboxExample runs the outbox of configs/: its events are written, changed and removed while the
// process is killed, and the stream's shards roll. Each is in the files on S3 once, and in PostgreSQL, as it
// was written, with its country; what can't be read is a dead letter once.
func TestOutboxExample(t *testing.T) {
	t.Parallel()
	fake := dynamodbtest.New(t, dynamodbtest.Options{})
	objects := awstest.S3(t)
	schema := pgtest.Schema()
	c := &cloud{t: t, s3: s3.NewFromConfig(objects.Config(), func(o *s3.Options) { o.UsePathStyle = true }), env: []string{
		"AWS_ENDPOINT_URL_DYNAMODB=" + fake.Endpoint, "AWS_ENDPOINT_URL_DYNAMODB_STREAMS=" + fake.Endpoint, "AWS_ENDPOINT_URL_S3=" + objects.Endpoint,
		"WAREHOUSE_DSN=" + pgtest.DSN(t), "WAREHOUSE_SCHEMA=" + schema, "WINDOW=100ms", "REFRESH=200ms",
	}}
	c.bucket("shop-lake")
	dir := t.TempDir()
	folder, err := filepath.Abs("../configs")
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		os.Symlink(folder, filepath.Join(dir, "configs")),
		fake.Create(dynamodbtest.Table{Name: "shop", Key: "PK", SortKey: "SK", View: "NEW_AND_OLD_IMAGES", Partitions: 2}),
		fake.Create(dynamodbtest.Table{Name: "countries", Key: "countryname"}),
		fake.Put("countries", outboxItem(t, `{"countryname":{"S":"India"},"code":{"S":"IN"},"combinedname":{"S":"IN-India"}}`)),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	path := "configs/" + onOutbox
	run := func() *process {
		return start(t, dir, c.env, "run", path, "--set", "http.listen=127.0.0.1:0", "--set", "sinks.lake.roll.age=100ms")
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	var written atomic.Int64
	failed := make(chan error, 1)
	go func() { failed <- writeOutbox(t, fake, rand.New(rand.NewPCG(seed, 0)), &written) }()
	p := run()
	for kill := range outboxKills {
		wait(t, p, func() bool { return written.Load() >= int64((kill+1)*outboxEvents/(outboxKills+1)) })
		if err := p.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-p.done
		p = run()
	}
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	d := openDatabase(t)
	const want = outboxEvents - outboxEvents/100 // one of a hundred can't be read
	lake := "read_parquet('" + dir + "/outbox/event/*.parquet')"
	wait(t, p, func() bool {
		c.mirror("shop-lake", "outbox/event/", dir)
		if found, err := filepath.Glob(dir + "/outbox/event/*.parquet"); err != nil || len(found) == 0 {
			return false
		}
		return d.number("SELECT count(*) FROM "+lake) >= want
	})
	d.exec("ATTACH ':memory:' AS w")
	wait(t, p, func() bool {
		d.exec("DETACH w; ATTACH ':memory:' AS w")
		copyPostgres(t, d, schema, "w")
		return d.number("SELECT count(*) FROM w.event") >= want
	})
	p.signal(t, syscall.SIGTERM)
	p.result().want(t, exitFine)
	c.mirror("shop-lake", "outbox/event/", dir)
	const columns = "event_id, aggregate, kind, country, amount, code, combinedname"
	expected := fmt.Sprintf(`SELECT 'e' || i, 'ORDER#' || i, 'order_placed', ' india', i::DECIMAL(12,2), 'IN', 'IN-India' FROM range(%d) t(i) WHERE i %% 100 <> 7`, outboxEvents)
	d.same("lake", "SELECT "+columns+" FROM "+lake, expected)
	d.same("warehouse", "SELECT "+columns+" FROM w.event", expected)
	letters := start(t, dir, c.env, "dead-letters", "list", path, "--output", "json").result()
	if got := strings.Count(letters.out, "\n"); got != outboxEvents/100 {
		t.Errorf("%d dead letters, want %d:\n%s%s", got, outboxEvents/100, letters.out, letters.err)
	}
}

func outboxItem(t *testing.T, text string) dynamodbtest.Item {
	t.Helper()
	item, err := dynamodbtest.ParseItem(text)
	if err != nil {
		t.Fatal(err)
	}
	return item
}

// writeOutbox writes events, each beside the order that it is about, and changes and removes them later; shards roll
// meanwhile.
func writeOutbox(t *testing.T, fake *dynamodbtest.Server, r *rand.Rand, written *atomic.Int64) error {
	pace := time.NewTicker(4 * time.Millisecond)
	defer pace.Stop()
	var open []dynamodbtest.Item
	for i := range outboxEvents {
		<-pace.C
		amount := fmt.Sprintf(`{"N":"%d"}`, i)
		if i%100 == 7 {
			amount = `{"S":"many"}`
		}
		event := outboxItem(t, fmt.Sprintf(`{"PK":{"S":"ORDER#%d"},"SK":{"S":"EVENT#e%[1]d"},"type":{"S":"outbox"},"kind":{"S":"order_placed"},"payload":{"M":{"country":{"S":" india"},"amount":%s}}}`, i, amount))
		err := fake.Put("shop", event,
			outboxItem(t, fmt.Sprintf(`{"PK":{"S":"ORDER#%d"},"SK":{"S":"ORDER#%[1]d"},"type":{"S":"order"}}`, i)),
			outboxItem(t, fmt.Sprintf(`{"PK":{"S":"SERVICE#a"},"SK":{"S":"EVENT#h%d"},"type":{"S":"outbox"},"kind":{"S":"heartbeat"}}`, i)))
		if err != nil {
			return err
		}
		open = append(open, event)
		if r.IntN(2) == 0 {
			k := r.IntN(len(open))
			sent := open[k]
			open = slices.Delete(open, k, k+1)
			key := dynamodbtest.Item{"PK": sent["PK"], "SK": sent["SK"]}
			changed := outboxItem(t, fmt.Sprintf(`{"PK":{"S":%q},"SK":{"S":%q},"type":{"S":"outbox"},"kind":{"S":"order_placed"},"sent":{"BOOL":true},"payload":{"M":{"amount":{"N":"-1"}}}}`, sent["PK"].Text, sent["SK"].Text))
			if err := fake.Put("shop", changed); err != nil {
				return err
			}
			if err := fake.Delete("shop", key); err != nil {
				return err
			}
		}
		if i%150 == 149 {
			if err := fake.Roll("shop"); err != nil {
				return err
			}
		}
		written.Add(1)
	}
	return nil
}
