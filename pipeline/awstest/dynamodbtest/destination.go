package dynamodbtest

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline/awstest/awsfake"
)

// DestinationOptions are how changes are sent to Kinesis data streams.
type DestinationOptions struct {
	// Endpoint is the URL of the Kinesis that has the streams; empty = no destination becomes active.
	Endpoint string
	// Duplicates is how many of the records are sent twice, by chance, from 0 to 1.
	Duplicates float64
	// Disorder is how many of the records are sent late, by chance: behind up to Reach records
	// that were made after them, whatever items those are of.
	Disorder float64
	// Reach is how late records are, and second copies of them; 0 = 50.
	Reach int
	// BareMilliseconds leaves the precision out of records in milliseconds, as the service did
	// before it had another.
	BareMilliseconds bool
	// MaxRecord is the size of data and partition key above which Kinesis takes no record, and the
	// service leaves it out without a word; 0 = 1 MiB.
	MaxRecord int
}

// Precisions of the times of records that a destination sends.
const (
	Millisecond = "MILLISECOND"
	Microsecond = "MICROSECOND"
)

// States of a destination.
const (
	enabling     = "ENABLING"
	active       = "ACTIVE"
	disabled     = "DISABLED"
	enableFailed = "ENABLE_FAILED"
)

// precisionFrom is the precision of the changes from one on.
type precisionFrom struct {
	change    int // how many changes of the server came before it
	precision string
}

// destination sends the changes of one table to a Kinesis data stream. The server's lock guards
// it, but for its sender.
type destination struct {
	table               *tableState
	arn                 string // of the stream
	status, description string
	precisions          []precisionFrom
	first, last         int           // which changes of the server it sends: from first on, before last; last < 0 = it is enabled
	ended               chan struct{} // closed when it is disabled
	tooLarge            int           // records that were left out

	// of the sender:
	flushes chan chan struct{} // each is closed when all changes before it have been sent
	done    chan struct{}      // closed when the sender has ended
	err     error              // why, once it is done; nil = there is nothing to send any more
}

// enabled reports whether changes are sent from now on.
func (d *destination) enabled() bool { return d.status == enabling || d.status == active }

// precision returns that of the change behind n others.
func (d *destination) precision(n int) string {
	i := len(d.precisions) - 1
	for i > 0 && d.precisions[i].change > n {
		i--
	}
	return d.precisions[i].precision
}

// kinesisRecord is what a change is as a Kinesis record.
type kinesisRecord struct {
	partitionKey string
	data         []byte
}

// kinesisRecordOf writes a change as the service does
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/kds_gettingstarted.html).
// Its event ID is another one than that of the table's own stream. The partition key has 32
// hexadecimal digits, and is the item's; what the service makes it of is not documented.
func kinesisRecordOf(c *Change, precision string, bare bool) kinesisRecord {
	b := fmt.Appendf(make([]byte, 0, 1024), `{"awsRegion":"%s","eventID":"%s","eventName":"%s","userIdentity":`, c.Region, kinesisEventID(c.Number), c.Event)
	if c.Expired {
		b = append(b, `{"type":"Service","principalId":"dynamodb.amazonaws.com"}`...)
	} else {
		b = append(b, "null"...)
	}
	b = append(appendText(append(b, `,"recordFormat":"application/json","tableName":`...), c.Table), `,"dynamodb":{"ApproximateCreationDateTime":`...)
	at := c.Time.UnixMilli()
	if precision == Microsecond {
		at = c.Time.UnixMicro()
	}
	size := c.Keys.size()
	b = append(fmt.Appendf(b, `%d,"Keys":`, at), c.keys...)
	for _, image := range []struct {
		name string
		row  *row
	}{{"NewImage", c.new}, {"OldImage", c.old}} {
		if image.row != nil {
			b = append(fmt.Appendf(b, `,"%s":`, image.name), image.row.json...)
			size += image.row.size
		}
	}
	b = fmt.Appendf(b, `,"SizeBytes":%d`, size)
	if precision == Microsecond || !bare {
		b = fmt.Appendf(b, `,"ApproximateCreationDateTimePrecision":"%s"`, precision)
	}
	b = append(b, `},"eventSource":"aws:dynamodb"}`...)
	return kinesisRecord{partitionKey: fmt.Sprintf("%X", md5.Sum(c.keys)), data: b}
}

// kinesisEventID is that of a change in its Kinesis record: a UUID of its own.
func kinesisEventID(number int) string {
	sum := md5.Sum(fmt.Appendf(nil, "destination %d", number))
	sum[6], sum[8] = sum[6]&0x0f|0x40, sum[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:])
}

// disorder holds records back, and makes second copies of some, by chance.
type disorder struct {
	o      DestinationOptions
	chance *rand.Rand
	count  int // records that were taken
	held   []heldRecord
}

type heldRecord struct {
	release int // it goes before the record of this number
	kinesisRecord
}

// add adds a record.
func (d *disorder) add(r kinesisRecord) {
	release := d.count
	if d.chance.Float64() < d.o.Disorder {
		release += 1 + d.chance.IntN(d.o.Reach)
	}
	d.hold(release, r)
	if d.chance.Float64() < d.o.Duplicates {
		d.hold(release+d.chance.IntN(d.o.Reach), r)
	}
	d.count++
}

func (d *disorder) hold(release int, r kinesisRecord) {
	i, _ := slices.BinarySearchFunc(d.held, release+1, func(h heldRecord, release int) int { return h.release - release })
	d.held = slices.Insert(d.held, i, heldRecord{release, r})
}

// pop removes the records whose time has come, or all, and returns them in the order in which they are sent.
func (d *disorder) pop(all bool) (out []kinesisRecord) {
	n := 0
	for n < len(d.held) && (all || d.held[n].release < d.count) {
		out = append(out, d.held[n].kinesisRecord)
		n++
	}
	d.held = slices.Delete(d.held, 0, n)
	return out
}

// destinationInput is that of all operations about destinations.
type destinationInput struct {
	TableName, StreamArn                string
	EnableKinesisStreamingConfiguration struct{ ApproximateCreationDateTimePrecision string }
	UpdateKinesisStreamingConfiguration struct{ ApproximateCreationDateTimePrecision string }
}

func (s *Server) destinationOperations() map[string]awsfake.Operation {
	about := func(in *destinationInput) (string, string) { return in.TableName, "" }
	return map[string]awsfake.Operation{
		"EnableKinesisStreamingDestination":   operation(s, about, s.onEnableDestination),
		"DisableKinesisStreamingDestination":  operation(s, about, s.onDisableDestination),
		"UpdateKinesisStreamingDestination":   operation(s, about, s.onUpdateDestination),
		"DescribeKinesisStreamingDestination": operation(s, about, s.onDescribeDestination),
	}
}

// destinationsOf returns those of a table, the latest of each stream.
func (s *Server) destinationsOf(t *tableState) (found []*destination) {
	for _, d := range s.senders.destinations {
		if d.table != t {
			continue
		}
		found = append(slices.DeleteFunc(found, func(o *destination) bool { return o.arn == d.arn }), d)
	}
	return found
}

// destinationOf returns the latest destination of a table to a stream; nil = there was none.
func (s *Server) destinationOf(t *tableState, arn string) *destination {
	for _, d := range s.destinationsOf(t) {
		if d.arn == arn {
			return d
		}
	}
	return nil
}

func (s *Server) onEnableDestination(c *awsfake.Call, in *destinationInput) (any, error) {
	t, err := s.describable(c.Region, in.TableName)
	if err != nil {
		return nil, err
	}
	precision := in.EnableKinesisStreamingConfiguration.ApproximateCreationDateTimePrecision
	if precision == "" {
		precision = Microsecond
	}
	if err := checkPrecision("enableKinesisStreamingConfiguration", precision); err != nil {
		return nil, err
	}
	if _, err := streamName(in.StreamArn); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(s.destinationsOf(t), (*destination).enabled) {
		return nil, invalid("Table is not in a valid state to enable Kinesis Streaming Destination: EnableKinesisStreamingDestination must be DISABLED or ENABLE_FAILED to perform ENABLE operation.")
	}
	d := &destination{
		table: t, arn: in.StreamArn, status: enabling, first: len(s.changes), last: -1, precisions: []precisionFrom{{0, precision}},
		ended: make(chan struct{}), flushes: make(chan chan struct{}), done: make(chan struct{}),
	}
	if err := s.startSender(d); err != nil {
		return nil, err
	}
	return map[string]any{
		"TableName": t.name, "StreamArn": d.arn, "DestinationStatus": d.status,
		"EnableKinesisStreamingConfiguration": map[string]string{"ApproximateCreationDateTimePrecision": precision},
	}, nil
}

func checkPrecision(field, precision string) error {
	if precision == Millisecond || precision == Microsecond {
		return nil
	}
	return invalid("1 validation error detected: Value '%s' at '%s.approximateCreationDateTimePrecision' failed to satisfy constraint: Member must satisfy enum value set: [MICROSECOND, MILLISECOND]", precision, field)
}

// streamName is the name in the ARN of a Kinesis data stream.
func streamName(arn string) (string, error) {
	parts := strings.Split(arn, ":")
	if len(parts) == 6 && parts[2] == "kinesis" {
		if name, ok := strings.CutPrefix(parts[5], "stream/"); ok && name != "" {
			return name, nil
		}
	}
	return "", invalid("Invalid Kinesis stream ARN: %s", arn)
}

func (s *Server) onDisableDestination(c *awsfake.Call, in *destinationInput) (any, error) {
	t, err := s.describable(c.Region, in.TableName)
	if err != nil {
		return nil, err
	}
	d := s.destinationOf(t, in.StreamArn)
	if d == nil || d.status != active {
		return nil, invalid("Table is not in a valid state to disable Kinesis Streaming Destination: KinesisStreamingDestination must be ACTIVE to perform DISABLE operation.")
	}
	// What has been written goes out still.
	d.status, d.last = disabled, len(s.changes)
	close(d.ended)
	return map[string]any{"TableName": t.name, "StreamArn": d.arn, "DestinationStatus": "DISABLING"}, nil
}

func (s *Server) onUpdateDestination(c *awsfake.Call, in *destinationInput) (any, error) {
	t, err := s.describable(c.Region, in.TableName)
	if err != nil {
		return nil, err
	}
	precision := in.UpdateKinesisStreamingConfiguration.ApproximateCreationDateTimePrecision
	if err := checkPrecision("updateKinesisStreamingConfiguration", precision); err != nil {
		return nil, err
	}
	d := s.destinationOf(t, in.StreamArn)
	switch {
	case d == nil || d.status != active:
		return nil, invalid("Table is not in a valid state to update Kinesis Streaming Destination: KinesisStreamingDestination must be ACTIVE to perform UPDATE operation.")
	case d.precision(len(s.changes)) == precision:
		return nil, invalid("Invalid Request: Precision is already set to the desired value of %s for tableId: %s, kinesisStreamArn: %s", precision, t.id, d.arn)
	}
	d.precisions = append(d.precisions, precisionFrom{len(s.changes), precision})
	return map[string]any{
		"TableName": t.name, "StreamArn": d.arn, "DestinationStatus": "UPDATING",
		"UpdateKinesisStreamingConfiguration": map[string]string{"ApproximateCreationDateTimePrecision": precision},
	}, nil
}

func (s *Server) onDescribeDestination(c *awsfake.Call, in *destinationInput) (any, error) {
	t, err := s.describable(c.Region, in.TableName)
	if err != nil {
		return nil, err
	}
	list := []map[string]string{}
	for _, d := range s.destinationsOf(t) {
		of := map[string]string{
			"StreamArn": d.arn, "DestinationStatus": d.status, "ApproximateCreationDateTimePrecision": d.precision(len(s.changes)),
		}
		if d.description != "" {
			of["DestinationStatusDescription"] = d.description
		}
		list = append(list, of)
	}
	return map[string]any{"TableName": t.name, "KinesisDataStreamDestinations": list}, nil
}

// Destination lets a table send its changes from now on to a Kinesis data stream, given by its ARN, and
// returns when it does.
func (s *Server) Destination(ctx context.Context, table, streamARN, precision string) error {
	in := &destinationInput{TableName: table, StreamArn: streamARN}
	in.EnableKinesisStreamingConfiguration.ApproximateCreationDateTimePrecision = precision
	var d *destination
	err := s.with(table, func(t *tableState) error {
		_, err := s.onEnableDestination(s.call(), in)
		d = s.destinationOf(t, streamARN)
		return err
	})
	if err != nil {
		return fmt.Errorf("destination %s: %w", streamARN, err)
	}
	if err := d.flush(ctx); err != nil {
		return fmt.Errorf("destination %s: %w", streamARN, err)
	}
	defer s.lock()()
	if d.status == enableFailed {
		return fmt.Errorf("destination %s: %s", streamARN, d.description)
	}
	return nil
}

// Precision changes the precision of the times in what a table sends, from the next change on.
func (s *Server) Precision(table, streamARN, precision string) error {
	in := &destinationInput{TableName: table, StreamArn: streamARN}
	in.UpdateKinesisStreamingConfiguration.ApproximateCreationDateTimePrecision = precision
	return s.with(table, func(*tableState) error {
		_, err := s.onUpdateDestination(s.call(), in)
		return err
	})
}

// Flush sends what destinations hold back, and returns when Kinesis has all changes that were
// made before.
func (s *Server) Flush(ctx context.Context) error {
	unlock := s.lock()
	all := slices.Clone(s.senders.destinations)
	unlock()
	var errs []error
	for _, d := range all {
		if err := d.flush(ctx); err != nil {
			errs = append(errs, fmt.Errorf("destination %s: %w", d.arn, err))
		}
	}
	return errors.Join(errs...)
}

// flush asks the sender to send all, and waits for it.
func (d *destination) flush(ctx context.Context) error {
	sent := make(chan struct{})
	select {
	case d.flushes <- sent:
	case <-d.done:
		return d.err
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-sent:
		return nil
	case <-d.done:
		return d.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TooLarge returns how many changes of a table were left out by its destinations, since Kinesis takes no
// record of their size.
func (s *Server) TooLarge(table string) (n int, err error) {
	err = s.with(table, func(t *tableState) error {
		for _, d := range s.senders.destinations {
			if d.table == t {
				n += d.tooLarge
			}
		}
		return nil
	})
	return n, err
}
