package kinesistest

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"time"
)

// streamRef is how most requests name their stream.
type streamRef struct {
	StreamName, StreamARN string
}

func (r *streamRef) target() (string, string) { return r.name(), "" }

func (r *streamRef) name() string {
	if r.StreamName == "" {
		return nameOf(r.StreamARN)
	}
	return r.StreamName
}

// seconds is a time in seconds since 1970, in whole milliseconds.
type seconds float64

func (t seconds) time() time.Time { return time.UnixMilli(int64(math.Round(float64(t) * 1000))) }

func secondsOf(t time.Time) seconds { return seconds(float64(t.UnixMilli()) / 1000) }

// iterator is what an iterator holds. At the service they can't be read.
type iterator struct {
	Stream   string
	Created  int64 // of the stream, so that one of the same name does not take it
	Shard    string
	Sequence string
	Included bool  // the record of this sequence number is to come
	At       int64 // when it was made, in ms since 1970
}

// iteratorStart are the first bytes of an iterator at the service.
var iteratorStart = []byte{0, 0, 0, 0, 0, 0, 0, 1}

func (i iterator) String() string {
	b, err := json.Marshal(i)
	if err != nil {
		panic(err) // of texts and numbers
	}
	return base64.StdEncoding.EncodeToString(append(slices.Clone(iteratorStart), b...))
}

func parseIterator(text string) (i iterator, ok bool) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b) < len(iteratorStart) || string(b[:8]) != string(iteratorStart) {
		return i, false
	}
	return i, json.Unmarshal(b[8:], &i) == nil
}

type getShardIteratorInput struct {
	streamRef
	ShardId, ShardIteratorType, StartingSequenceNumber string
	Timestamp                                          *seconds
}

func (in *getShardIteratorInput) target() (string, string) { return in.name(), in.ShardId }

func (s *Server) onGetShardIterator(c *call, in *getShardIteratorInput) (any, error) {
	st, err := s.find(in.streamRef)
	if err != nil {
		return nil, err
	}
	h := st.shard(in.ShardId)
	if h == nil {
		return nil, fail("ResourceNotFoundException", "Shard %s in stream %s under account %s does not exist", in.ShardId, st.name, s.o.Account)
	}
	i := iterator{Stream: st.name, Created: st.created.UnixMilli(), Shard: h.id, At: c.now.UnixMilli()}
	if err := s.locate(c, st, h, in, &i); err != nil {
		return nil, err
	}
	return map[string]string{"ShardIterator": i.String()}, nil
}

// locate sets where an iterator begins.
func (s *Server) locate(c *call, st *fakeStream, h *fakeShard, in *getShardIteratorInput, i *iterator) error {
	i.Sequence, i.Included = h.first, true
	switch in.ShardIteratorType {
	case "AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER":
		i.Sequence, i.Included = in.StartingSequenceNumber, in.ShardIteratorType == "AT_SEQUENCE_NUMBER"
		return s.checkSequence(st, h, in)
	case "TRIM_HORIZON", "LATEST", "AT_TIMESTAMP":
		if in.StartingSequenceNumber != "" {
			return fail("InvalidArgumentException", "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or (2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. Request specified %s and also a StartingSequenceNumber.", in.ShardIteratorType)
		}
	default:
		return fail("ValidationException", "1 validation error detected: Value '%s' at 'shardIteratorType' failed to satisfy constraint: Member must satisfy enum value set: [AFTER_SEQUENCE_NUMBER, LATEST, AT_TIMESTAMP, AT_SEQUENCE_NUMBER, TRIM_HORIZON]", in.ShardIteratorType)
	}
	next := len(h.records)
	switch in.ShardIteratorType {
	case "TRIM_HORIZON":
		return nil
	case "AT_TIMESTAMP":
		if in.Timestamp == nil {
			return fail("InvalidArgumentException", "Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. Current request has no timestamp parameter.")
		}
		at := in.Timestamp.time()
		if at.After(c.now) {
			return fail("InvalidArgumentException", "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. timestampInMillis: %d, currentTimestampInMillis: %d", at.UnixMilli(), c.now.UnixMilli())
		}
		next = slices.IndexFunc(h.records, func(r Record) bool { return !r.Arrived.Before(at) })
	}
	switch {
	case next >= 0 && next < len(h.records):
		i.Sequence = h.records[next].Sequence
	case len(h.records) > 0:
		i.Sequence, i.Included = h.records[len(h.records)-1].Sequence, false
	}
	return nil
}

// checkSequence refuses sequence numbers that are none, or of another shard or stream.
func (s *Server) checkSequence(st *fakeStream, h *fakeShard, in *getShardIteratorInput) error {
	if in.StartingSequenceNumber == "" {
		return fail("InvalidArgumentException", "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or (2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. Request specified %s and no StartingSequenceNumber.", in.ShardIteratorType)
	}
	const invalid = "StartingSequenceNumber %s used in GetShardIterator on shard %s in stream %s under account %s is invalid"
	q, ok := parseSequence(in.StartingSequenceNumber)
	switch {
	case !ok:
		return fail("InvalidArgumentException", invalid+".", in.StartingSequenceNumber, h.id, st.name, s.o.Account)
	case q.shard != h.number:
		return fail("InvalidArgumentException", "Invalid StartingSequenceNumber. It encodes shardId-%012d, while it was used in a call to a shard with %s", q.shard, h.id)
	case q.created != h.made:
		return fail("InvalidArgumentException", invalid+" because it did not come from this stream.", in.StartingSequenceNumber, h.id, st.name, s.o.Account)
	case s.o.RefuseTrimmed && h.trimmed > 0 && in.StartingSequenceNumber <= h.records[h.trimmed-1].Sequence:
		// What the service says here is known of streams that were made again.
		return fail("InvalidArgumentException", invalid+" because it did not come from this stream.", in.StartingSequenceNumber, h.id, st.name, s.o.Account)
	}
	return nil
}

type getRecordsInput struct {
	ShardIterator, StreamARN string
	Limit                    *int
}

func (in *getRecordsInput) target() (string, string) {
	i, _ := parseIterator(in.ShardIterator)
	return i.Stream, i.Shard
}

// The bounds of a page.
const (
	maxPageRecords = 10_000
	maxPageBytes   = 10 << 20
)

func (s *Server) onGetRecords(c *call, in *getRecordsInput) (any, error) {
	i, ok := parseIterator(in.ShardIterator)
	if !ok {
		return nil, fail("InvalidArgumentException", "Invalid ShardIterator.")
	}
	made := time.UnixMilli(i.At)
	if c.now.Sub(made) > s.o.IteratorTTL {
		return nil, fail("ExpiredIteratorException", "Iterator expired. The iterator was created at time %s while right now it is %s which is further in the future than the tolerated delay of %d milliseconds.", javaDate(made), javaDate(c.now), s.o.IteratorTTL.Milliseconds())
	}
	limit := maxPageRecords
	if in.Limit != nil {
		limit = *in.Limit
	}
	if limit < 1 || limit > maxPageRecords {
		return nil, fail("ValidationException", "1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 10000 and greater than or equal to 1", limit)
	}
	st := s.streams[i.Stream]
	if st == nil || st.created.UnixMilli() != i.Created || st.shard(i.Shard) == nil {
		return nil, fail("ResourceNotFoundException", "Shard %s in stream %s under account %s does not exist", i.Shard, i.Stream, s.o.Account)
	}
	h := st.shard(i.Shard)
	if s.o.ReadLimits && !h.reads.allow(c.now, 1, 5, 0) {
		return nil, fail("ProvisionedThroughputExceededException", "Rate exceeded for shard %s in stream %s under account %s.", h.id, st.name, s.o.Account)
	}
	first := h.from(i.Sequence, i.Included)
	end := h.page(first, limit)
	for _, r := range h.records[first:end] {
		c.Bytes += len(r.Data) + len(r.PartitionKey)
	}
	c.Records = end - first
	h.reads.charge(c.now, c.Bytes, 2_000_000)
	i.At = c.now.UnixMilli()
	if end > first {
		i.Sequence, i.Included = h.records[end-1].Sequence, false
	}
	over := !h.open() && end == len(h.records) && (end == first || !s.o.EmptyLastPage)
	// In base64, with 250 bytes beside it.
	page := make([]byte, 0, c.Bytes*4/3+250*c.Records+1000)
	return appendPage(page, st, h, first, end, "NextShardIterator", i.String(), over, c.now), nil
}

// page returns the end of the page of records that begins at first, and counts pages
// that have to come empty.
func (h *fakeShard) page(first, limit int) int {
	if h.emptyPages > 0 {
		h.emptyPages--
		return first
	}
	end, size := first, 0
	for end < len(h.records) && end-first < limit {
		size += len(h.records[end].Data) + len(h.records[end].PartitionKey)
		if end > first && size > maxPageBytes {
			break
		}
		end++
	}
	return end
}

type childShard struct {
	ShardId      string
	ParentShards []string
	HashKeyRange hashKeyRange
}

type hashKeyRange struct{ StartingHashKey, EndingHashKey string }

// appendPage appends the JSON of a page, which may be large, without reflection; next is where it goes on,
// under that name. Times
// are written in the notation of the service, as in 1.516049873421E9.
func appendPage(b []byte, st *fakeStream, h *fakeShard, first, end int, name, next string, over bool, now time.Time) []byte {
	text := func(name string, value any) {
		b = append(append(append(b, '"'), name...), `":`...)
		encoded, err := json.Marshal(value)
		if err != nil {
			panic(err) // of texts and numbers
		}
		b = append(b, encoded...)
	}
	b = append(b, '{')
	if over {
		children := []childShard{}
		for _, child := range st.children(h.id) {
			children = append(children, childShard{ShardId: child.id, ParentShards: child.parents, HashKeyRange: child.hashKeys()})
		}
		text("ChildShards", children)
	} else {
		text(name, next)
	}
	b = append(b, ',')
	text("MillisBehindLatest", h.behind(end, now))
	b = append(b, `,"Records":[`...)
	for n, r := range h.records[first:end] {
		if n > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"ApproximateArrivalTimestamp":`...)
		b = appendJavaDouble(b, r.Arrived)
		b = append(b, `,"Data":"`...)
		b = base64.StdEncoding.AppendEncode(b, r.Data)
		b = append(b, `",`...)
		text("PartitionKey", r.PartitionKey)
		b = append(b, `,"SequenceNumber":"`...)
		b = append(append(b, r.Sequence...), `"}`...)
	}
	return append(b, "]}"...)
}

// appendJavaDouble appends a time in seconds as Java prints a double of that size.
func appendJavaDouble(b []byte, t time.Time) []byte {
	digits := strconv.FormatInt(t.UnixMilli(), 10)
	exponent := len(digits) - 1 - 3
	digits = digits[:1] + "." + digits[1:]
	for digits[len(digits)-1] == '0' && digits[len(digits)-2] != '.' {
		digits = digits[:len(digits)-1]
	}
	b = append(append(b, digits...), 'E')
	return strconv.AppendInt(b, int64(exponent), 10)
}

// behind returns how far a place in a shard is from its tip, in milliseconds.
func (h *fakeShard) behind(next int, now time.Time) int64 {
	if next >= len(h.records) {
		return 0
	}
	return max(now.Sub(h.records[next].Arrived).Milliseconds(), 1)
}

func (h *fakeShard) hashKeys() hashKeyRange { return hashKeyRange{h.start.String(), h.end.String()} }
