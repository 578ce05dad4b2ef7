package kinesis

import (
	"testing"
	"time"

	"github.com/starlift-etl/starlift/sources/internal/awscall"
	"github.com/starlift-etl/starlift/sources/kinesis/kinesistest"
)

// TestFirstPages: pages are as large as the memory that is allowed from the first one on, whatever the records
// are, though nothing is known of these then: of many shards that are begun together, each would bring
// 10 MB.
func TestFirstPages(t *testing.T) {
	const records, bytes = 30, 1_000_000
	r := newRig(t, kinesistest.Options{}, 1)
	shards, err := r.fake.Shards(streamOf)
	if err != nil {
		t.Fatal(err)
	}
	for i := range records {
		if _, err := r.fake.PutTo(streamOf, shards[0], "k", kinesistest.Change(0, i, bytes)); err != nil {
			t.Fatal(err)
		}
	}
	r.cfg.Format = "dynamodb_cdc"
	r.open()
	for range 3 {
		before := len(r.got)
		if err := r.step(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(r.got) - before; n > 3 {
			t.Fatalf("%d records of 1 MB at once, after %d", n, before)
		}
	}
	if len(r.got) == 0 {
		t.Error("nothing was read")
	}
}

// TestLimitOfSmallRecords: a few pages are enough to know that records are small.
func TestLimitOfSmallRecords(t *testing.T) {
	const allowance = 1 << 20
	r := newPoller(&stream{first: firstRecordBytes, clock: awscall.Clock{Local: time.Now}}, "s")
	learn := func(bytes, n int) { r.took(answer{}, outcome{bytes: bytes, unpacked: bytes, records: n}) }
	if n := r.limit(allowance); n != 1 {
		t.Errorf("the first page may have %d records of any size", n)
	}
	for range 6 {
		n := r.limit(allowance)
		learn(n*1000, n)
	}
	if n := r.limit(allowance); n < 700 {
		t.Errorf("after six pages, %d records of 1 kB, in 1 MiB", n)
	}
	learn(1_000_000, 1)
	if n := r.limit(allowance); n != 1 {
		t.Errorf("after a record of 1 MB, %d of that size, in 1 MiB", n)
	}
}
