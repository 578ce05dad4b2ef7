// Command kinesisfake serves the fake of Kinesis Data Streams on loopback, to be used by
// hand: go run ./sources/kinesis/kinesistest/kinesisfake -stream changes=4
//
// Requests to /_fake/… turn its knobs, where a client of the service can't:
//
//	curl 127.0.0.1:4567/_fake/advance?by=25h                    moves the clock
//	curl 127.0.0.1:4567/_fake/forget?stream=s&shard=…           lets a shard leave its stream
//	curl 127.0.0.1:4567/_fake/trim?stream=s&shard=…&n=100       makes the first records unreadable
//	curl 127.0.0.1:4567/_fake/empty?stream=s&shard=…&n=20       lets the next pages come empty
//	curl 127.0.0.1:4567/_fake/resize?stream=s&n=8               splits and merges to 8 open shards
//	curl '127.0.0.1:4567/_fake/fault?operation=GetRecords&effect=refuse&code=KMSDisabledException&times=5'
//	curl 127.0.0.1:4567/_fake/heal                              removes all faults
//	curl 127.0.0.1:4567/_fake/requests                          counts requests by operation, shard and error
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/starlift-etl/starlift/sources/kinesis/kinesistest"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	var o kinesistest.Options
	address := flag.String("listen", "127.0.0.1:4567", "address; of loopback, since nothing is checked")
	flag.BoolVar(&o.ReadLimits, "read-limits", false, "5 reads and 2 MB a second of each shard")
	flag.BoolVar(&o.WriteLimits, "write-limits", false, "1,000 records and 1 MB a second into each shard")
	flag.BoolVar(&o.RefuseTrimmed, "refuse-trimmed", false, "refuse sequence numbers that were trimmed")
	flag.BoolVar(&o.EmptyLastPage, "empty-last-page", false, "end shards in a page of its own")
	flag.DurationVar(&o.ChangeTime, "change-time", 0, "how long streams are CREATING and UPDATING")
	flag.DurationVar(&o.IteratorTTL, "iterator-ttl", 5*time.Minute, "how long iterators live")
	flag.DurationVar(&o.ConsumerTime, "consumer-time", 0, "how long consumers are CREATING")
	flag.DurationVar(&o.SubscriptionTime, "subscription-time", 5*time.Minute, "how long subscriptions last")
	flag.DurationVar(&o.SubscribeInterval, "subscribe-interval", 5*time.Second, "how long another subscription of one consumer and shard is refused")
	flag.IntVar(&o.ShardPage, "shard-page", 1000, "shards that ListShards gives at most")
	flag.StringVar(&o.Region, "region", "us-east-1", "region of ARNs")
	flag.StringVar(&o.Account, "account", "123456789012", "account of ARNs")
	streams := flag.String("stream", "", "streams to begin with, as name=shards,name=shards")
	fill := flag.Int("fill", 0, "changes that each shard has to begin with, the same in all")
	fillBytes := flag.Int("fill-bytes", 1024, "bytes of each of them")
	flag.Parse()
	fake := kinesistest.New(o)
	for _, s := range strings.FieldsFunc(*streams, func(r rune) bool { return r == ',' }) {
		name, count, _ := strings.Cut(s, "=")
		n, err := strconv.Atoi(count)
		if err != nil {
			return fmt.Errorf("stream %q: want name=shards: %w", s, err)
		}
		if err := fake.Create(name, n); err != nil {
			return fmt.Errorf("stream %q: %w", s, err)
		}
		if err := fillStream(fake, name, *fill, *fillBytes); err != nil {
			return fmt.Errorf("stream %q: %w", s, err)
		}
	}
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	fmt.Printf("http://%s\n", listener.Addr())
	mux := http.NewServeMux()
	mux.Handle("/", fake)
	mux.Handle("/_fake/", fake.Knobs())
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, func() {
		fake.Close()
		_ = server.Close()
	})
	if err := server.Serve(listener); err != http.ErrServerClosed {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// fillStream puts n changes of so many bytes into each shard of a stream.
func fillStream(fake *kinesistest.Server, stream string, n, bytes int) error {
	shards, err := fake.Shards(stream)
	if err != nil {
		return err
	}
	for i := range n {
		change := kinesistest.Change(0, i, bytes)
		for _, shard := range shards {
			if _, err := fake.PutTo(stream, shard, fmt.Sprint(i), change); err != nil {
				return err
			}
		}
	}
	return nil
}
