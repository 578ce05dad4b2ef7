//go:build unix

package kinesis

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/sources/internal/awscall"
)

// processorTime is what the process has used: all threads, the collector's among them.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// openBench opens a source of a fake in another process, at the trim horizon.
func openBench(b *testing.B, endpoint string, consumer ConsumerConfig) *Source {
	b.Helper()
	s, err := New("shop", Config{Stream: streamOf, Consumer: consumer, Format: "dynamodb_cdc", Config: awsapi.Config{Endpoint: endpoint, Region: "us-east-1"}})
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Open(b.Context(), pipeline.SourceOptions{Env: pipeline.NewEnv()}); err != nil {
		b.Fatal(err)
	}
	return s
}

// readBench reads n records.
func readBench(b *testing.B, s *Source, n int) {
	b.Helper()
	for n > 0 {
		r, err := s.Read(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if r.SaveNow {
			if err := s.Committed(b.Context(), r.Positions); err != nil {
				b.Fatal(err)
			}
		}
		n -= r.Len()
		if r.Free != nil {
			r.Free()
		}
	}
}

// BenchmarkCatchUp reads a backlog of many shards of records of 1 kB, over HTTP, from a fake in
// another process: what a record costs from the answer to Records, and the most of the
// heap that was in use.
func BenchmarkCatchUp(b *testing.B) {
	for _, shards := range []int{64, 1000} {
		for name, consumer := range waysToRead {
			b.Run(fmt.Sprintf("%s/%d", name, shards), func(b *testing.B) {
				catchUp(b, fakeSetup{Shards: shards, Records: 128_000 / shards, RecordBytes: 1024}, consumer)
			})
		}
	}
}

// waysToRead are the two.
var waysToRead = map[string]ConsumerConfig{"polled": {}, "consumer": {Name: "starlift"}}

func catchUp(b *testing.B, setup fakeSetup, consumer ConsumerConfig) {
	endpoint := startFake(b, setup)
	n := setup.Shards * setup.Records
	for b.Loop() {
		b.StopTimer()
		debug.FreeOSMemory()
		var peak atomic.Uint64
		stop, done := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			for {
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak.Store(max(peak.Load(), m.HeapInuse))
				select {
				case <-stop:
					return
				case <-time.After(20 * time.Millisecond):
				}
			}
		}()
		start := processorTime()
		b.StartTimer()
		s := openBench(b, endpoint, consumer)
		readBench(b, s, n)
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		b.ReportMetric(float64((processorTime()-start).Nanoseconds())/1e3/float64(n), "µs-cpu/record")
		close(stop)
		<-done
		b.ReportMetric(float64(peak.Load())/(1<<20), "MiB-heap")
		b.StartTimer()
	}
}

// BenchmarkIdle reads a stream of 500 shards in which nothing is, for ten seconds: how much of a
// core that takes.
func BenchmarkIdle(b *testing.B) {
	for name, consumer := range waysToRead {
		b.Run(name, func(b *testing.B) { idle(b, consumer) })
	}
}

func idle(b *testing.B, consumer ConsumerConfig) {
	endpoint := startFake(b, fakeSetup{Shards: 500})
	s := openBench(b, endpoint, consumer)
	defer func() { _ = s.Close() }()
	read := make(chan struct{})
	go func() {
		defer close(read)
		for {
			r, err := s.Read(b.Context())
			if err != nil {
				return
			}
			if r.SaveNow && s.Committed(b.Context(), r.Positions) != nil {
				return
			}
		}
	}()
	for b.Loop() {
		time.Sleep(awscall.QuietAfter + 10*time.Second) // until all of them count as quiet
		start, began := processorTime(), time.Now()
		time.Sleep(10 * time.Second)
		b.ReportMetric(100*float64(processorTime()-start)/float64(time.Since(began)), "%core")
	}
	if err := s.Close(); err != nil {
		b.Error(err)
	}
	<-read
}
