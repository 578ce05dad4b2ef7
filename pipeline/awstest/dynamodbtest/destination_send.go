package dynamodbtest

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go/middleware"

	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/awstest"
)

// senders are what goes on beside requests: destinations that send, exports that are written. The
// server's lock guards it.
type senders struct {
	destinations []*destination
	exports      []*export

	ctx    context.Context // of all; nil = nothing has been started
	stop   context.CancelFunc
	closed bool
	group  sync.WaitGroup
	client *http.Client
}

// errClosed is the error of what comes after Close.
var errClosed = errors.New("the fake is closed")

// launch runs what goes on until the fake is closed. The server's lock is held.
func (g *senders) launch(run func(context.Context)) error {
	if g.closed {
		return errClosed
	}
	if g.ctx == nil {
		g.ctx, g.stop = context.WithCancel(context.Background())
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.Proxy = nil
		g.client = &http.Client{Transport: transport}
	}
	g.group.Go(func() { run(g.ctx) })
	return nil
}

// config is what clients of other services are made of.
func (g *senders) config(endpoint, region string) aws.Config {
	return aws.Config{
		Region: region, BaseEndpoint: &endpoint, HTTPClient: g.client, APIOptions: []func(*middleware.Stack) error{awsapi.PlainBody},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: awstest.AccessKey, SecretAccessKey: awstest.SecretKey, Source: "dynamodbtest"}, nil
		}),
	}
}

// endSenders ends what goes on beside requests.
func (s *Server) endSenders() {
	s.mu.Lock()
	g := &s.senders
	g.closed = true
	if g.stop != nil {
		g.stop()
	}
	s.mu.Unlock()
	g.group.Wait()
	if g.client != nil {
		g.client.CloseIdleConnections()
	}
}

// heldTime is how long a record is held back at most when no other follows.
const heldTime = 50 * time.Millisecond

// sender sends the changes of a destination.
type sender struct {
	s      *Server
	d      *destination
	o      DestinationOptions
	name   string // of the stream
	client *kinesis.Client
	order  disorder
	next   int // how many changes of the server were looked at
}

// startSender starts the sender of a new destination. The lock is held.
func (s *Server) startSender(d *destination) error {
	name, err := streamName(d.arn)
	if err != nil {
		return err
	}
	w := &sender{s: s, d: d, o: s.o.Destination, name: name, next: d.first}
	w.o.Reach, w.o.MaxRecord = cmp.Or(w.o.Reach, 50), cmp.Or(w.o.MaxRecord, 1<<20)
	w.order = disorder{o: w.o, chance: rand.New(rand.NewPCG(s.o.Seed, uint64(len(s.senders.destinations))+2))}
	region := strings.Split(d.arn, ":")[3]
	err = s.senders.launch(func(ctx context.Context) {
		defer close(d.done)
		w.client = kinesis.NewFromConfig(s.senders.config(w.o.Endpoint, region), func(o *kinesis.Options) { o.RetryMaxAttempts = 1 })
		d.err = w.run(ctx)
	})
	if err == nil {
		s.senders.destinations = append(s.senders.destinations, d)
	}
	return err
}

// run sends until the destination is disabled, or the fake is closed.
func (w *sender) run(ctx context.Context) error {
	if ok, err := w.activate(ctx); !ok {
		return err
	}
	var flushed chan struct{} // to be told
	late := time.NewTimer(heldTime)
	defer late.Stop()
	for all := false; ; all = false {
		more, ended, next := w.changes()
		w.take(more)
		if !w.send(ctx, w.order.pop(all || ended || flushed != nil)) {
			return errClosed
		}
		if flushed != nil {
			close(flushed)
			flushed = nil
		}
		if ended {
			return nil
		}
		var timer <-chan time.Time
		if len(w.order.held) > 0 {
			late.Reset(heldTime)
			timer = late.C
		}
		select {
		case <-next:
		case <-w.d.ended:
		case flushed = <-w.d.flushes:
		case <-timer:
			all = true
		case <-ctx.Done():
			return errClosed
		}
	}
}

// changes returns the changes that are new, whether they are the last ones, and what is closed when there are more.
func (w *sender) changes() (more []change, ended bool, next <-chan struct{}) {
	list, next := w.s.changesSince(w.next)
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	for i, c := range list {
		n := w.next + i
		if w.d.last >= 0 && n >= w.d.last {
			break
		}
		if c.table == w.d.table {
			more = append(more, change{c, w.d.precision(n)})
		}
	}
	w.next += len(list)
	return more, w.d.last >= 0 && w.next >= w.d.last, next
}

// change is one to be sent, with its precision.
type change struct {
	*Change
	precision string
}

func (w *sender) take(changes []change) {
	tooLarge := 0
	for _, c := range changes {
		r := kinesisRecordOf(c.Change, c.precision, w.o.BareMilliseconds)
		if len(r.data)+len(r.partitionKey) > w.o.MaxRecord {
			tooLarge++
			continue
		}
		w.order.add(r)
	}
	if tooLarge > 0 {
		w.s.mu.Lock()
		w.d.tooLarge += tooLarge
		w.s.mu.Unlock()
	}
}

// activate waits for the stream; false = there is none, or the fake is closed, which is an error.
func (w *sender) activate(ctx context.Context) (bool, error) {
	var failed string
	if w.o.Endpoint == "" {
		failed = "no endpoint of Kinesis in the options of the fake"
	}
	ok := failed != "" || w.retry(ctx, func() (bool, error) {
		out, err := w.client.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &w.name})
		if none := (*types.ResourceNotFoundException)(nil); errors.As(err, &none) {
			failed = none.ErrorMessage()
			return true, nil
		}
		return err == nil && out.StreamDescriptionSummary.StreamStatus != types.StreamStatusCreating, err
	})
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	switch {
	case !ok:
		return false, errClosed
	case failed != "":
		w.d.status, w.d.description, w.d.last = enableFailed, failed, w.d.first
		return false, nil
	}
	w.d.status = active
	return true, nil
}

// The bounds of a request of PutRecords, of which this keeps clear.
const (
	maxEntries  = 500
	maxPutBytes = 4 << 20
)

// send puts records into the stream, in their order but for those that Kinesis does not take at once;
// false = the fake is closed.
func (w *sender) send(ctx context.Context, records []kinesisRecord) bool {
	for len(records) > 0 {
		in, n := &kinesis.PutRecordsInput{StreamName: &w.name}, 0
		for bytes := 0; n < len(records) && n < maxEntries; n++ {
			r := &records[n]
			if bytes += len(r.data) + len(r.partitionKey); bytes > maxPutBytes && n > 0 {
				break
			}
			in.Records = append(in.Records, types.PutRecordsRequestEntry{PartitionKey: &r.partitionKey, Data: r.data})
		}
		records = records[n:]
		sent := w.retry(ctx, func() (bool, error) {
			out, err := w.client.PutRecords(ctx, in)
			if err != nil {
				return false, err
			}
			refused := in.Records[:0]
			for i, r := range out.Records {
				if r.ErrorCode != nil {
					refused = append(refused, in.Records[i])
				}
			}
			in.Records = refused
			return len(refused) == 0, nil
		})
		if !sent {
			return false
		}
	}
	return true
}

// retry calls until it is done, as the service does, for as long as it takes; false = the fake is closed.
func (w *sender) retry(ctx context.Context, call func() (done bool, err error)) bool {
	const first, most = 5 * time.Millisecond, 500 * time.Millisecond
	for pause := first; ; pause = min(2*pause, most) {
		done, err := call()
		w.s.mu.Lock()
		w.d.description = ""
		if err != nil {
			w.d.description = err.Error()
		}
		w.s.mu.Unlock()
		if done {
			return true
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return false
		}
	}
}
