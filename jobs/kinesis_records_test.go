package jobs

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/starlift-etl/starlift/sources/kinesis/kpl"
)

// putData writes a record of any data.
func (r *orderRig) putData(data []byte) {
	r.t.Helper()
	_, err := r.client.PutRecord(r.t.Context(), &kinesis.PutRecordInput{StreamName: &r.name, Data: data, PartitionKey: aws.String("any")})
	r.check(err)
}

// TestKilledInAnAggregate: the process is killed at each step of an epoch that ends within an
// aggregate; the next one goes on inside it.
func TestKilledInAnAggregate(t *testing.T) {
	t.Parallel()
	const orders = 600
	r := newOrderRig(t, 1)
	var aggregate kpl.Builder
	for i := range orders {
		r.check(aggregate.Add("any", "", order(fmt.Sprintf("o%03d", i), 1, 1732900000000)))
	}
	data, _ := aggregate.Finish()
	r.putData(data)
	args := []string{"run", "p.yaml", "--set", "epoch.max_records=40"}
	for i, step := range []string{"save", "commit", "publish", "tell", "done"} {
		start(t, r.dir, append(r.env, fmt.Sprintf("%s=%s:+%d", envKillAt, step, 1+i%3)), args...).result().want(t, -1)
	}
	r.putOrders(orders, orders+1)
	p := start(t, r.dir, r.env, args...)
	d := openDatabase(t)
	wait(t, p, func() bool {
		return d.number(fmt.Sprintf("SELECT count(*) FROM read_parquet('%s/lake/orders/*.parquet') WHERE id = 'o%d'", r.dir, orders)) == 1
	})
	r.stop(p)
	r.wantOrders([2]int{0, orders + 1})
}

// TestKinesisBrokenRecords: what is no record is a dead letter, and the shard goes on.
func TestKinesisBrokenRecords(t *testing.T) {
	t.Parallel()
	r := newOrderRig(t, 1)
	whole := order("o001", 1, 1732900000000)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := z.Write(order("o002", 1, 1732900000000))
	r.check(err)
	r.check(z.Close())
	for _, data := range [][]byte{[]byte("no JSON"), whole[:60], packed.Bytes()[:40], packed.Bytes(), {0xf3, 0x89, 0x9a, 0xc2, 0}, whole} {
		r.putData(data)
	}
	p := r.run()
	r.reads(p, 6)
	r.stop(p)
	r.wantOrders([2]int{1, 3})
	start(t, r.dir, r.env, "dead-letters", "list", "p.yaml").result().want(t, exitFine,
		"unexpected 'n': want an object", "record ends too early", "data that begins as gzip does: unexpected EOF", "broken KPL aggregate")
}

// TestKinesisOrder: changes that come twice, out of order and over two shards end in the newest
// of each item, whatever the precision of their times: milliseconds, microseconds from
// some record on, none that is named, and the whole seconds of other senders, whose ties
// the images decide.
func TestKinesisOrder(t *testing.T) {
	t.Parallel()
	r := newOrderRig(t, 2, "format: dynamodb_cdc", "format: dynamodb_cdc, table: shop")
	const at = 1_732_900_000_123
	shards := []string{"0", "170141183460469231731687303715884105728"} // by their first hash keys
	put := func(shard int, data []byte) {
		t.Helper()
		_, err := r.client.PutRecord(t.Context(), &kinesis.PutRecordInput{StreamName: &r.name, Data: data, PartitionKey: aws.String("any"), ExplicitHashKey: &shards[shard]})
		r.check(err)
	}
	precise := func(data []byte, precision string) []byte {
		return bytes.Replace(data, []byte(`"Keys"`), []byte(`"ApproximateCreationDateTimePrecision":"`+precision+`","Keys"`), 1)
	}
	put(0, order("late", 1, at))
	put(1, order("late", 3, at+2))
	put(0, order("late", 2, at+1))
	put(1, order("late", 3, at+2))
	put(0, order("late", 1, at))

	put(0, precise(order("finer", 1, at), "MILLISECOND"))
	put(1, precise(order("finer", 3, (at+1)*1000+700), "MICROSECOND"))
	put(0, order("finer", 2, at+1))

	const second = `{"eventName":%q,"dynamodb":{"ApproximateCreationDateTime":1732900000,"Keys":{"id":{"S":"tied"}},%s"NewImage":{"id":{"S":"tied"},"type":{"S":"order"},"n":{"N":"%d"}}}}`
	const old = `"OldImage":{"id":{"S":"tied"},"type":{"S":"order"},"n":{"N":"%d"}},`
	put(1, fmt.Appendf(nil, second, "MODIFY", fmt.Sprintf(old, 2), 3))
	put(0, fmt.Appendf(nil, second, "MODIFY", fmt.Sprintf(old, 1), 2))
	put(1, fmt.Appendf(nil, second, "INSERT", "", 1))
	p := r.run()
	r.reads(p, 11)
	r.stop(p)
	d := openDatabase(t)
	d.exec(fmt.Sprintf("ATTACH '%s' AS w (READ_ONLY)", filepath.Join(r.dir, "warehouse.duckdb")))
	d.same("orders", "SELECT id, n FROM w.orders", "VALUES ('late', 3), ('finer', 3), ('tied', 3)")
}
