package dynamodbtest

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/starlift-etl/starlift/pipeline/awstest/awsfake"
)

func (s *Server) streamOperations() map[string]awsfake.Operation {
	return map[string]awsfake.Operation{
		"ListStreams":      operation(s, func(in *listStreamsInput) (string, string) { return in.TableName, "" }, s.onListStreams),
		"DescribeStream":   operation(s, func(in *describeStreamInput) (string, string) { return in.StreamArn, "" }, s.onDescribeStream),
		"GetShardIterator": operation(s, func(in *shardIteratorInput) (string, string) { return in.StreamArn, in.ShardId }, s.onGetShardIterator),
		"GetRecords": operation(s, func(in *recordsInput) (string, string) {
			i, _ := parseIterator(in.ShardIterator)
			return i.Stream, i.Shard
		}, s.onGetRecords),
	}
}

type listStreamsInput struct {
	TableName, ExclusiveStartStreamArn string
	Limit                              int
}

func (s *Server) onListStreams(c *awsfake.Call, in *listStreamsInput) (any, error) {
	if in.Limit == 0 {
		in.Limit = 100
	}
	var all []*streamState
	for t := range s.withDropped() {
		if t.region == c.Region && (in.TableName == "" || t.name == tableName(in.TableName)) {
			all = append(all, t.streams...)
		}
	}
	slices.SortFunc(all, func(a, b *streamState) int { return strings.Compare(a.arn, b.arn) })
	if after := in.ExclusiveStartStreamArn; after != "" {
		all = slices.DeleteFunc(all, func(st *streamState) bool { return st.arn <= after })
	}
	out, list := map[string]any{}, []map[string]string{}
	for n, st := range all {
		if n == in.Limit {
			out["LastEvaluatedStreamArn"] = all[n-1].arn
			break
		}
		list = append(list, map[string]string{"StreamArn": st.arn, "StreamLabel": st.label, "TableName": st.table.name})
	}
	out["Streams"] = list
	return out, nil
}

// findStream returns a stream by its ARN.
func (s *Server) findStream(arn string) (*streamState, error) {
	for t := range s.withDropped() {
		for _, st := range t.streams {
			if st.arn == arn {
				return st, nil
			}
		}
	}
	return nil, awsfake.Errorf("ResourceNotFoundException", "Requested resource not found: Stream: %s not found", arn)
}

type describeStreamInput struct {
	StreamArn, ExclusiveStartShardId string
	Limit                            *int
	ShardFilter                      *struct{ Type, ShardId string }
}

func (s *Server) onDescribeStream(_ *awsfake.Call, in *describeStreamInput) (any, error) {
	limit := s.o.ShardPage
	if in.Limit != nil {
		if *in.Limit < 1 || *in.Limit > 100 {
			return nil, invalid("1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 100 and greater than or equal to 1", *in.Limit)
		}
		limit = min(limit, *in.Limit)
	}
	filter := in.ShardFilter
	if s.o.NoShardFilter {
		filter = nil
	}
	if filter != nil && (filter.Type != "CHILD_SHARDS" || filter.ShardId == "") {
		return nil, invalid("1 validation error detected: Value '%s' at 'shardFilter.type' failed to satisfy constraint: Member must satisfy enum value set: [CHILD_SHARDS]", filter.Type)
	}
	st, err := s.findStream(in.StreamArn)
	if err != nil {
		return nil, err
	}
	keys, _ := st.table.schema()
	d := map[string]any{
		"StreamArn": st.arn, "StreamLabel": st.label, "StreamViewType": st.view,
		"CreationRequestDateTime": seconds(st.created), "TableName": st.table.name, "KeySchema": keys,
	}
	var shards []*shardState
	if d["StreamStatus"] = st.status(s.now(), s.o.ChangeTime); d["StreamStatus"] != "ENABLING" {
		shards = st.list(in.ExclusiveStartShardId, func(h *shardState) bool { return filter == nil || h.parent == filter.ShardId })
	}
	if len(shards) > limit {
		shards = shards[:limit]
		d["LastEvaluatedShardId"] = shards[limit-1].id
	}
	described := []any{}
	for _, h := range shards {
		described = append(described, h.describe())
	}
	d["Shards"] = described
	return map[string]any{"StreamDescription": d}, nil
}

// status is what a stream says that it is, if it takes a while to become so.
func (st *streamState) status(now time.Time, change time.Duration) string {
	switch {
	case !st.open() && now.Sub(st.disabled) < change:
		return "DISABLING"
	case !st.open():
		return "DISABLED"
	case now.Sub(st.created) < change:
		return "ENABLING"
	}
	return "ENABLED"
}

// list returns the listed shards behind one, in the order of their ids.
func (st *streamState) list(after string, only func(*shardState) bool) []*shardState {
	var list []*shardState
	for _, h := range st.shards {
		if !h.gone && !h.hidden && h.id > after && only(h) {
			list = append(list, h)
		}
	}
	slices.SortFunc(list, func(a, b *shardState) int { return strings.Compare(a.id, b.id) })
	return list
}

func (h *shardState) describe() map[string]any {
	numbers := map[string]string{"StartingSequenceNumber": h.first.String()}
	if !h.open() {
		numbers["EndingSequenceNumber"] = h.last.String()
	}
	d := map[string]any{"ShardId": h.id, "SequenceNumberRange": numbers}
	if h.parent != "" {
		d["ParentShardId"] = h.parent
	}
	return d
}

// iterator is what an iterator holds. At the service that can't be read.
type iterator struct {
	Stream   string `json:"-"` // ARN
	Shard    string
	Sequence sequence
	Included bool   // the record of this sequence number is to come
	At       int64  // when it was made, in ms since 1970
	Reader   uint64 // who began to read
}

// String writes an iterator in three parts, as the service does.
func (i iterator) String() string {
	return i.Stream + "|1|" + base64.StdEncoding.EncodeToString(mustMarshal(i))
}

func parseIterator(text string) (i iterator, ok bool) {
	parts := strings.Split(text, "|")
	if len(parts) != 3 || parts[1] != "1" {
		return i, false
	}
	b, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || json.Unmarshal(b, &i) != nil {
		return iterator{}, false
	}
	i.Stream = parts[0]
	return i, true
}

type shardIteratorInput struct {
	StreamArn, ShardId, ShardIteratorType, SequenceNumber string
	Timestamp                                             *float64
}

func (s *Server) onGetShardIterator(_ *awsfake.Call, in *shardIteratorInput) (any, error) {
	st, err := s.findStream(in.StreamArn)
	if err != nil {
		return nil, err
	}
	h := st.shard(in.ShardId)
	if h == nil {
		return nil, shardNotFound(in.StreamArn, in.ShardId)
	}
	s.readers++
	i := iterator{Stream: st.arn, Shard: h.id, At: s.now().UnixMilli(), Reader: s.readers}
	if err := s.locate(h, in, &i); err != nil {
		return nil, err
	}
	return map[string]string{"ShardIterator": i.String()}, nil
}

func shardNotFound(arn, id string) error {
	return awsfake.Errorf("ResourceNotFoundException", "Requested resource not found: Shard does not exist: %s in stream %s", id, arn)
}

// errTrimmed is the answer to those who want what has gone.
func errTrimmed() error {
	return awsfake.Errorf("TrimmedDataAccessException", "The operation attempted to read past the oldest stream record in a shard.")
}

// locate sets where an iterator begins.
func (s *Server) locate(h *shardState, in *shardIteratorInput, i *iterator) error {
	switch in.ShardIteratorType {
	case "AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER":
		return h.locateSequence(in, i)
	case "TRIM_HORIZON", "LATEST", "AT_TIMESTAMP":
		if in.SequenceNumber != "" {
			return invalid("Invalid parameter: SequenceNumber must not be provided with ShardIteratorType %s", in.ShardIteratorType)
		}
	default:
		return invalid("1 validation error detected: Value '%s' at 'shardIteratorType' failed to satisfy constraint: Member must satisfy enum value set: [AFTER_SEQUENCE_NUMBER, LATEST, AT_TIMESTAMP, AT_SEQUENCE_NUMBER, TRIM_HORIZON]", in.ShardIteratorType)
	}
	i.Sequence, i.Included = h.first, true
	next := h.trimmed
	switch in.ShardIteratorType {
	case "LATEST":
		next = len(h.records)
	case "AT_TIMESTAMP":
		if in.Timestamp == nil {
			return invalid("Invalid parameter: Timestamp is required with ShardIteratorType AT_TIMESTAMP")
		}
		at := time.UnixMilli(int64(math.Round(*in.Timestamp * 1000)))
		if at.After(s.now()) {
			return invalid("Invalid parameter: Timestamp must not be in the future")
		}
		for next < len(h.records) && h.records[next].Time.Truncate(time.Second).Before(at) {
			next++
		}
	}
	if next < len(h.records) {
		i.Sequence = h.records[next].sequence
	} else if len(h.records) > 0 {
		i.Sequence, i.Included = h.records[len(h.records)-1].sequence, false
	}
	return nil
}

// locateSequence sets an iterator to a sequence number, which has to be one of the shard's, and
// not of a record that has gone.
func (h *shardState) locateSequence(in *shardIteratorInput, i *iterator) error {
	if in.SequenceNumber == "" {
		return invalid("Invalid parameter: SequenceNumber is required with ShardIteratorType %s", in.ShardIteratorType)
	}
	q, exact, ok := parseSequence(in.SequenceNumber)
	if !ok || !exact || q < h.first || !h.open() && q > h.last {
		return invalid("Invalid SequenceNumber: %s is not in the range of shard %s", in.SequenceNumber, h.id)
	}
	i.Sequence, i.Included = q, in.ShardIteratorType == "AT_SEQUENCE_NUMBER"
	if h.trimmed > 0 && q <= h.records[h.trimmed-1].sequence {
		return errTrimmed() // it is older than the trim point, whether or not the next one is there
	}
	return nil
}

type recordsInput struct {
	ShardIterator string
	Limit         *int
}

// The bounds of a page.
const (
	maxPageRecords = 1000
	maxPageBytes   = 1 << 20
)

func (s *Server) onGetRecords(c *awsfake.Call, in *recordsInput) (any, error) {
	i, ok := parseIterator(in.ShardIterator)
	if !ok {
		return nil, invalid("Invalid ShardIterator")
	}
	limit := maxPageRecords
	if in.Limit != nil {
		limit = *in.Limit
	}
	if limit < 1 || limit > maxPageRecords {
		return nil, invalid("1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 1000 and greater than or equal to 1", limit)
	}
	now := s.now()
	if now.Sub(time.UnixMilli(i.At)) > s.o.IteratorTTL {
		return nil, awsfake.Errorf("ExpiredIteratorException", "The shard iterator has expired and can no longer be used to retrieve stream records.")
	}
	st, err := s.findStream(i.Stream)
	if err != nil {
		return nil, err
	}
	h := st.shard(i.Shard)
	switch {
	case h == nil:
		return nil, shardNotFound(i.Stream, i.Shard)
	case !h.admit(now, i.Reader, s.o.Readers):
		return nil, awsfake.Errorf("LimitExceededException", "Too many operations for a given subscriber.")
	}
	first := h.from(i.Sequence, i.Included)
	if first < h.trimmed {
		return nil, errTrimmed()
	}
	end := h.page(first, limit, c)
	i.At = now.UnixMilli()
	if end > first {
		i.Sequence, i.Included = h.records[end-1].sequence, false
	}
	over := !h.open() && end == len(h.records) && (end == first || !s.o.EmptyLastPage)
	return appendRecords(st, h.records[first:end], i, over), nil
}

// recentReader is when a reader read a shard.
type recentReader struct {
	reader uint64
	at     time.Time
}

// admit reports whether a reader may read, of which only some may within a second; 0 = any number.
func (h *shardState) admit(now time.Time, reader uint64, limit int) bool {
	if limit == 0 {
		return true
	}
	h.readers = slices.DeleteFunc(h.readers, func(r recentReader) bool { return r.reader == reader || now.Sub(r.at) >= time.Second })
	if len(h.readers) >= limit {
		return false
	}
	h.readers = append(h.readers, recentReader{reader, now})
	return true
}

// page returns the end of the page of records that begins at first, and counts pages
// that have to come empty.
func (h *shardState) page(first, limit int, c *awsfake.Call) int {
	if h.emptyPages > 0 {
		h.emptyPages--
		return first
	}
	end, size := first, int64(0)
	for end < len(h.records) && end-first < limit {
		if size += h.records[end].size; end > first && size > maxPageBytes {
			break
		}
		end++
	}
	for _, r := range h.records[first:end] {
		c.Bytes += int(r.size)
	}
	c.Records = end - first
	return end
}

// appendRecords writes a page.
func appendRecords(st *streamState, records []*streamRecord, next iterator, over bool) []byte {
	b := make([]byte, 0, 1<<10)
	b = append(b, '{')
	if !over {
		b = append(append(b, `"NextShardIterator":`...), mustMarshal(next.String())...)
		b = append(b, ',')
	}
	b = append(b, `"Records":`...)
	b = appendList(b, records, func(b []byte, r *streamRecord) []byte { return st.appendRecord(b, r) })
	return append(b, '}')
}

// appendRecord writes one record. Times are written in the notation of the service, as in 1.46480431E9.
func (st *streamState) appendRecord(b []byte, r *streamRecord) []byte {
	b = append(append(b, `{"awsRegion":"`...), r.Region...)
	b = append(b, `","dynamodb":{"ApproximateCreationDateTime":`...)
	b = appendJavaDouble(b, r.Time.Unix())
	b = append(append(b, `,"Keys":`...), r.keys...)
	if r.new != nil && st.shows("NEW_") {
		b = append(append(b, `,"NewImage":`...), r.new.json...)
	}
	if r.old != nil && st.shows("OLD_") {
		b = append(append(b, `,"OldImage":`...), r.old.json...)
	}
	b = append(append(b, `,"SequenceNumber":"`...), r.sequence.String()...)
	b = strconv.AppendInt(append(b, `","SizeBytes":`...), r.size, 10)
	b = append(append(b, `,"StreamViewType":"`...), st.view...)
	b = append(append(b, `"},"eventID":"`...), r.id...)
	b = append(append(b, `","eventName":"`...), r.Event...)
	b = append(b, `","eventSource":"aws:dynamodb","eventVersion":"1.1"`...)
	if r.Expired {
		// Clients know the members by these names alone; the same change by Kinesis, or Lambda, has them small.
		b = append(b, `,"userIdentity":{"PrincipalId":"dynamodb.amazonaws.com","Type":"Service"}`...)
	}
	return append(b, '}')
}

// appendJavaDouble appends whole seconds as Java prints a double of that size.
func appendJavaDouble(b []byte, seconds int64) []byte {
	text := strconv.FormatInt(seconds, 10)
	fraction := strings.TrimRight(text[1:], "0")
	b = append(append(b, text[0], '.'), cmp.Or(fraction, "0")...)
	return strconv.AppendInt(append(b, 'E'), int64(len(text)-1), 10)
}

func mustMarshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // of types of this package
	}
	return b
}
