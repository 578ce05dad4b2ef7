package jobs

import (
	"bytes"
	"compress/gzip"
	"fmt"
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
