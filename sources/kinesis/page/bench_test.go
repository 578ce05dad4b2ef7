//go:build unix

package page

import (
	"bytes"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkGetRecords measures a whole call through the SDK's client, without network, of records of
// 1 kB: with the SDK's own decoding, and with ours. The time is that of the processors, with the
// collector's.
func BenchmarkGetRecords(b *testing.B) {
	in := &kinesis.GetRecordsInput{ShardIterator: aws.String("i")}
	for _, n := range []int{100, 1000, 10_000} {
		body := sample(n)
		k := of(200, body, int64(len(body)))
		for _, way := range []struct {
			name string
			get  func() (int, error)
		}{
			{"sdk", func() (int, error) {
				out, err := k.GetRecords(b.Context(), in)
				if err != nil {
					return 0, err
				}
				return len(out.Records), nil
			}},
			{"page", func() (int, error) {
				p, err := Get(b.Context(), k, in)
				if err != nil {
					return 0, err
				}
				defer p.Free()
				return len(p.Records), nil
			}},
		} {
			b.Run(fmt.Sprintf("%s/%d", way.name, n), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(body)))
				start := cpu()
				for b.Loop() {
					if got, err := way.get(); err != nil || got != n {
						b.Fatal(got, err)
					}
				}
				b.ReportMetric(float64((cpu()-start).Nanoseconds())/1e3/float64(b.N*n), "µs-cpu/record")
			})
		}
	}
}

// BenchmarkSubscribeToShard measures a subscription of ten events, without network, as BenchmarkGetRecords does
// answers.
func BenchmarkSubscribeToShard(b *testing.B) {
	const events = 10
	for _, n := range []int{100, 1000} {
		answer := bytes.Replace(sample(n), []byte(`"NextShardIterator"`), []byte(`"ContinuationSequenceNumber"`), 1)
		body := append(initialFrame(b), bytes.Repeat(eventFrame(b, string(answer)), events)...)
		k := of(200, body, -1)
		for _, way := range []struct {
			name string
			read func() (int, error)
		}{
			{"sdk", func() (records int, err error) {
				out, err := k.SubscribeToShard(b.Context(), subscribeInput)
				if err != nil {
					return 0, err
				}
				for e := range out.GetStream().Events() {
					if event, ok := e.(*types.SubscribeToShardEventStreamMemberSubscribeToShardEvent); ok {
						records += len(event.Value.Records)
					}
				}
				return records, out.GetStream().Close()
			}},
			{"page", func() (records int, err error) {
				s, err := Subscribe(b.Context(), k, subscribeInput)
				if err != nil {
					return 0, err
				}
				for s.Wait() == nil {
					p, err := s.Next()
					if err != nil {
						return 0, err
					}
					if p != nil {
						records += len(p.Records)
						p.Free()
					}
				}
				return records, s.Close()
			}},
		} {
			b.Run(fmt.Sprintf("%s/%d", way.name, n), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(body)))
				start := cpu()
				for b.Loop() {
					if got, err := way.read(); err != nil || got != events*n {
						b.Fatal(got, err)
					}
				}
				b.ReportMetric(float64((cpu()-start).Nanoseconds())/1e3/float64(b.N*events*n), "µs-cpu/record")
			})
		}
	}
}
