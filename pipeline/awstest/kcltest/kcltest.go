// Package kcltest reads what Java programs print that read shards by Amazon's Kinesis Client Library (KCL),
// or by the adapter that lets it read DynamoDB Streams. Their lines have fields parted by tabs:
//
//	begin   SHARD
//	record  SHARD  what the program prints of a record
//	end     SHARD
//	lost    SHARD
//	error   SHARD  TEXT
//
// The library reads a record at least once, not exactly once: it gives a lease up when it can't renew it in
// time, and, by chance (one attempt in 30), when a shard that was merged has ended while the other parent has no
// lease yet (ShutdownTask.createLeasesForChildShardsIfNotExist). Then the program prints lost, and the shard is
// read again from its last checkpoint. Only the records of such shards may come twice.
package kcltest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline/awstest"
)

// Patience is how long a reader may take: the library waits up to 30 s before its leases are made.
const Patience = 4 * time.Minute

// Reader is the library while it reads a stream.
type Reader struct {
	// Records are the records that were read, in order, as the program prints them after the shard; those of a
	// shard that are read again after a loss of its lease are there once.
	Records []Record
	Began   []string            // shards, in the order in which they began first
	After   map[string][]string // by shard: the shards that had ended when it began first
	Ended   []string            // shards that were read to their ends, in this order

	t     testing.TB
	lines <-chan string
	seen  map[Record]bool
	lost  map[string]bool // shards whose leases were lost
}

// Record is a record of a shard.
type Record struct {
	Shard string
	Text  string // its fields, parted by tabs
}

// Start runs a Java program on a stream, with the jars of what is installed by a name (see awstest.Java). Its
// arguments are the stream's endpoint, that of the DynamoDB for leases, the stream, and the application's name.
func Start(t testing.TB, jars, source, endpoint, stream, application string) *Reader {
	t.Helper()
	leases := awstest.MiniStack(t)
	return newReader(t, awstest.Java(t, jars, source, endpoint, leases.Endpoint, stream, application))
}

func newReader(t testing.TB, lines <-chan string) *Reader {
	return &Reader{t: t, lines: lines, After: map[string][]string{}, seen: map[Record]bool{}, lost: map[string]bool{}}
}

// Until reads what the library prints until it has read as many records as wanted, and as many shards to
// their ends.
func (r *Reader) Until(records, ended int) {
	r.t.Helper()
	timer := time.NewTimer(Patience)
	defer timer.Stop()
	for len(r.Records) < records || len(r.Ended) < ended {
		select {
		case <-timer.C:
			r.t.Fatalf("%d records of %d, %d ends of %d", len(r.Records), records, len(r.Ended), ended)
		case line, ok := <-r.lines:
			if !ok {
				r.t.Fatalf("the library ended after %d records", len(r.Records))
			}
			r.take(line)
		}
	}
}

// CheckParents checks that no shard began before its parents had ended. Each shard of the stream that has
// parents is in parents.
func (r *Reader) CheckParents(parents map[string][]string) {
	r.t.Helper()
	if len(parents) == 0 {
		r.t.Error("no shard has a parent")
	}
	for shard, those := range parents {
		for _, parent := range those {
			if slices.Contains(r.Began, shard) && !slices.Contains(r.After[shard], parent) {
				r.t.Errorf("%s began before %s had ended", shard, parent)
			}
		}
	}
}

// take takes a line.
func (r *Reader) take(line string) {
	r.t.Helper()
	kind, rest, _ := strings.Cut(line, "\t")
	shard, text, _ := strings.Cut(rest, "\t")
	again := r.lost[shard]
	switch kind {
	case "record":
		one := Record{shard, text}
		if again && r.seen[one] {
			return
		}
		r.Records, r.seen[one] = append(r.Records, one), true
	case "begin":
		if again && slices.Contains(r.Began, shard) {
			return
		}
		r.Began, r.After[shard] = append(r.Began, shard), slices.Clone(r.Ended)
	case "end":
		if again && slices.Contains(r.Ended, shard) {
			return
		}
		r.Ended = append(r.Ended, shard)
	case "lost":
		r.lost[shard] = true
	default:
		r.t.Error(line)
	}
}
