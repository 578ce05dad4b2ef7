package kcl

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
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
	stdin io.Closer
	lines chan string

	records []string            // as text writes them
	keys    map[string]string   // their partition keys
	began   []string            // shards, in this order
	after   map[string][]string // by shard: the shards that had ended when it began
	ended   []string
}

// start starts the library on a stream.
func start(t *testing.T, endpoint, stream string) *reader {
	t.Helper()
	jars := filepath.Join(awstest.Installed(t, "amazon-kinesis-client"), "jars", "*")
	if _, err := exec.LookPath("javac"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("a Java development kit is needed: ", err)
	}
	leases := awstest.MiniStack(t)
	// The test's own context ends before its cleanup.
	ctx, kill := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-Daws.cborEnabled=false", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
		"-cp", jars, filepath.Join("testdata", "Reader.java"), endpoint, leases.Endpoint, stream, "starlift-"+stream)
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr, cmd.Env = log, awstest.Environ()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := &reader{t: t, stdin: stdin, lines: make(chan string, 16), after: map[string][]string{}, keys: map[string]string{}}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(r.lines)
		scanner := bufio.NewScanner(stdout)
		for scanner.Scan() {
			r.lines <- scanner.Text()
		}
	}()
	t.Cleanup(func() {
		_ = stdin.Close() // which ends it
		late := time.AfterFunc(30*time.Second, kill)
		defer late.Stop()
		for range r.lines {
		}
		<-read
		if err := cmd.Wait(); err != nil && !t.Failed() {
			t.Errorf("end of the library: %v", err)
		}
		if text, err := os.ReadFile(log.Name()); t.Failed() {
			t.Logf("log of the library: %s, %v", text[max(0, len(text)-8000):], err)
		}
		_ = log.Close()
		kill()
	})
	return r
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
