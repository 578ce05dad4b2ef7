package kcl

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/starlift-etl/starlift/pipeline/awstest"
)

// patience is how long the library may take to read: it waits up to 30 s before its leases are made.
const patience = 4 * time.Minute

// reader is the library while it reads a stream.
type reader struct {
	t     *testing.T
	lines <-chan string

	records []string            // as text writes them
	keys    map[string]string   // their partition keys
	began   []string            // shards, in this order
	after   map[string][]string // by shard: the shards that had ended when it began
	ended   []string
}

// start starts the library on a stream.
func start(t *testing.T, endpoint, stream string) *reader {
	t.Helper()
	leases := awstest.MiniStack(t)
	return &reader{
		t: t, after: map[string][]string{}, keys: map[string]string{},
		lines: awstest.Java(t, "amazon-kinesis-client", filepath.Join("testdata", "Reader.java"), endpoint, leases.Endpoint, stream, "starlift-"+stream),
	}
}

// until reads what the library prints until it has read as many records as wanted, and as many shards
// to their ends.
func (r *reader) until(records, ended int) {
	r.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for len(r.records) < records || len(r.ended) < ended {
		select {
		case <-timer.C:
			r.t.Fatalf("%d records of %d, %d ends of %d", len(r.records), records, len(r.ended), ended)
		case line, ok := <-r.lines:
			if !ok {
				r.t.Fatalf("the library ended after %d records", len(r.records))
			}
			switch kind, rest, _ := strings.Cut(line, "\t"); kind {
			case "record":
				f := strings.Split(rest, "\t") // shard, sequence, sub-sequence, aggregated, key, hash
				if f[3] == "true" {
					f[1] += "/" + f[2]
				} else if f[2] != "0" {
					r.t.Errorf("a plain record with a sub-sequence number: %s", line)
				}
				text := f[0] + ":" + f[1] + " " + f[5]
				r.records, r.keys[text] = append(r.records, text), f[4]
			case "begin":
				r.began, r.after[rest] = append(r.began, rest), slices.Clone(r.ended)
			case "end":
				r.ended = append(r.ended, rest)
			default:
				r.t.Error(line)
			}
		}
	}
}

// parents checks that no shard began before its parents had ended.
func (r *reader) parents(k *kinesis.Client, stream string) {
	r.t.Helper()
	children := 0
	for _, h := range listShards(r.t, k, stream) {
		for _, parent := range []*string{h.ParentShardId, h.AdjacentParentShardId} {
			if parent == nil {
				continue
			}
			children++
			if slices.Contains(r.began, *h.ShardId) && !slices.Contains(r.after[*h.ShardId], *parent) {
				r.t.Errorf("%s began before %s had ended", *h.ShardId, *parent)
			}
		}
	}
	if children == 0 {
		r.t.Error("no shard has a parent")
	}
}
