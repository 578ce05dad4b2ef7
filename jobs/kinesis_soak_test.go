package jobs

import (
	"flag"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/pipeline/pgconn/pgtest"
)

// The bounds of a soak of a stream.
const (
	streamRate    = 1000 // changes a second
	streamShards  = 4
	streamReadyIn = 10 * time.Second // after the end of an outage
	outageMemory  = 1.2              // times what there was before
	streamLatency = 1500 * time.Millisecond
)

var soakOutage = flag.Duration("soak.outage", time.Minute, "how long each service is gone in TestSoakKinesis with -soak")

// TestSoakKinesis feeds a stream at a steady rate, which goes into a star and items in
// PostgreSQL and lakes on S3. Then Kinesis can't be reached for a while, and S3 for another,
// while the feed goes on. With -soak, it holds against bounds: the 99th percentile of the
// times from the put of a change to its row being visible, before the outages; the memory that
// an outage takes; and how soon the process is ready after it. With or without, nothing is
// lost, and nothing there twice.
func TestSoakKinesis(t *testing.T) {
	dsn, schema := pgtest.DSN(t), pgtest.Schema()
	steady, outage, live := *soakFor, *soakOutage, 6*streamRate
	if steady == 0 {
		t.Parallel()
		steady, outage, live = time.Second, time.Second, 1000
	}
	objects, shards := awstest.S3(t), awstest.Kinesis(t)
	makeBucket(t, objects)
	s := newStream(t, shards.Config(), streamShards)
	toKinesis, toS3 := awstest.Proxy(t, shards.Endpoint), awstest.Proxy(t, objects.Endpoint)
	dir := t.TempDir()
	awsShop(t, dir)
	env := append(awstest.Environ(), "DSN="+dsn, "SCHEMA="+schema, "KINESIS="+toKinesis.Endpoint, "S3="+toS3.Endpoint)
	total := steady + 2*(outage+recovery(outage))
	p := startFor(t, 2*total+2*time.Minute, dir, env, "run", "aws.yaml", "--set", "http.listen=127.0.0.1:0")
	f := &feed{to: s, rate: streamRate, live: live, reader: p}
	marker, _ := watchMarker(t, f, dsn, schema)
	fed := make(chan error, 1)
	go func() { fed <- f.run(dir, total) }()

	get := p.http(t)
	ready := func() bool { return get("/readyz") == "ok\n" }
	wait(t, p, after(steady))
	before := marker.soFar()
	for _, out := range []struct {
		of    string
		proxy *awstest.TCPProxy
	}{{"Kinesis", toKinesis}, {"S3", toS3}} {
		memory := anonymousMemory(p.Process.Pid)
		out.proxy.Cut()
		wait(t, p, func() bool { return !ready() || *soakFor == 0 })
		wait(t, p, after(outage))
		during := anonymousMemory(p.Process.Pid)
		out.proxy.Restore()
		back := time.Now()
		wait(t, p, ready)
		t.Logf("%s gone for %s: ready %s after its return, memory %d MB before, %d MB at its end", out.of, outage, time.Since(back).Round(time.Millisecond), memory>>20, during>>20)
		if *soakFor > 0 {
			if took := time.Since(back); took > streamReadyIn {
				t.Errorf("ready %s after the return of %s", took, out.of)
			}
			if float64(during) > outageMemory**soakWide*float64(memory) {
				t.Errorf("memory grows while %s is gone: %d MB before, %d MB at its end", out.of, memory>>20, during>>20)
			}
		}
		wait(t, p, after(recovery(outage)))
	}
	if err := <-fed; err != nil {
		t.Fatal(err)
	}
	t.Logf("put to visible row, before the outages: p50 %s, p99 %s", quantile(before, 0.5).Round(time.Millisecond), quantile(before, 0.99).Round(time.Millisecond))
	if p99, most := quantile(before, 0.99), time.Duration(*soakWide*float64(streamLatency)); *soakFor > 0 && p99 > most {
		t.Errorf("p99 from put to visible row is %s, want at most %s", p99, most)
	}
	marker.waitForAll(t, p)
	s.put(markers(markerItems, f.clock/1000))
	wantStreamShop(t, p, s3Client(objects), dir, dsn, schema, markerItems+1)
}

// recovery is how long a process is given after an outage.
func recovery(outage time.Duration) time.Duration { return outage / 2 }

func s3Client(of *awstest.Service) *s3.Client {
	return s3.NewFromConfig(of.Config(), func(o *s3.Options) { o.UsePathStyle = true })
}

func makeBucket(t *testing.T, on *awstest.Service) {
	t.Helper()
	if _, err := s3Client(on).CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("lake")}); err != nil {
		t.Fatal(err)
	}
}
