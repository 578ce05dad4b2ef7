package pipeline

import (
	"cmp"
	"math"
	"strconv"
	"time"

	"github.com/zeebo/xxh3"
)

// Encoding says how the records of a source are written.
type Encoding uint8

// The encodings of change records.
const (
	// DynamoDBCDC is the body that DynamoDB delivers through Kinesis Data Streams.
	DynamoDBCDC Encoding = iota + 1
	// DynamoDBExport is a line of a DynamoDB export to S3, full or incremental.
	DynamoDBExport
	// JSON is a plain JSON object.
	JSON
)

// VersionColumn says where a plain JSON record carries its version.
type VersionColumn struct {
	From string   // document path; empty = order of arrival
	Else []string // further paths: the first that is there and not null counts
	Type string   // int64, timestamp or date
	// Format, Zone and Precision are those of datetime.NewFormat.
	Format, Zone, Precision string
}

// OperationColumn says where a plain JSON record carries its operation.
type OperationColumn struct {
	From   string   // document path; empty = every record is an upsert
	Else   []string // further paths: the first that is there and not null counts
	Delete []string // the values that mean a delete
}

// Format describes the records of one source. It is fixed when the source is
// opened and read-only afterwards.
type Format struct {
	Encoding Encoding
	Table    string   // logical table name; empty = the one in the record
	Key      []string // key attributes; where records name theirs, those have to be the same. Empty = only the records tell
	// KeyElse holds, for the attributes of Key that have some, further paths in plain
	// JSON: the first that is there and not null counts.
	KeyElse [][]string
	// Before holds the paths of before-images in plain JSON; empty = those of known
	// envelopes (see decode).
	Before    []string
	Version   VersionColumn
	Operation OperationColumn
	// TTLAttribute is the attribute of an item's time to live, in seconds since 1970, of change records:
	// a removal of an item whose time was past is one by time to live, whoever the record says it was. Empty =
	// only what the record says counts.
	TTLAttribute string
	// ExportTime is the version of a full export's rows, in µs since 1970: the
	// export's time less SnapshotMargin.
	ExportTime int64
	// Snapshot says that the records are of one full export, which has each item once.
	Snapshot bool
}

// SnapshotMargin is how much older than their snapshot, an export or a scan, its items are taken to be:
// its edge is blurred, clocks differ, and every change of the stream that may not be in it has to win.
const SnapshotMargin = 5 * time.Minute

// ReadOrder reports whether records may have nothing but the order of reading that
// tells which is newer, over all partitions of the source: plain JSON, and what has
// no time that is read as an export.
func (f *Format) ReadOrder() bool {
	return f.Encoding == JSON || f.Encoding == DynamoDBExport && f.ExportTime == 0
}

// Span is the place of one record in Records.Data, and where it stood in its
// partition: the line (from 1) of a text file, the number of the record
// elsewhere; and the byte of the text at which it begins, or the value that it was
// taken out of.
type Span struct {
	Start, End uint32
	Line       int64
	Offset     int64
}

// Mark is what a filter of changes makes of a record.
type Mark uint8

// The marks, the stronger ones greater.
const (
	// Passes says that consumers see the change as it is.
	Passes Mark = iota
	// FilteredOut says that the item does not match: consumers see the change as a removal,
	// without its new image.
	FilteredOut
	// Refused says that a filter can't tell whether the item matches: the change is a dead
	// letter, for the reason in Records.Refusals.
	Refused
	// Suppressed says that consumers see nothing of the change.
	Suppressed
)

// Refusal is why a filter of changes refuses one.
type Refusal struct {
	Node    string // the filter
	Message string
	Fatal   bool // it ends the run, and makes no dead letter
}

// MarkOf returns the mark of record i.
func (r *Records) MarkOf(i int) Mark {
	if r.Marks == nil {
		return Passes
	}
	return r.Marks[i]
}

// Records is a run of undecoded change records of one source partition, in the
// partition's order (I4). Consumers share it and must not change it.
//
// Without Spans it only reports progress of the source, in no partition or in several: just
// Source, Format, Progress, Positions, SaveNow and Dropped have a meaning then.
type Records struct {
	Source    string // name of the source node
	Partition string // a file, a shard: what has a cursor of its own
	// DisplayName is what people call the partition, where they would not know it by
	// its name: a file that may be renamed. Empty = Partition.
	DisplayName string
	Format      *Format
	Data        []byte
	Spans       []Span
	// First is the ordinal of the first record: its place in the order of arrival,
	// in its partition or, with Format.ReadOrder, in its source.
	First int64
	// Arrived holds each record's arrival time in µs since 1970; nil = unknown.
	Arrived []int64
	// EpochTime is the wall time in the header of the epoch that takes the records, in
	// µs since 1970; the engine sets it. 0 = unknown, as in tests of pipelines.
	EpochTime int64
	// ReadAgain counts the first records that an earlier reading of the source had read
	// as well: it is read anew, by a backfill.
	ReadAgain int
	// Progress is what a source without end knows, once these records are done, of
	// what it has not read; nil = as before. It may come without records.
	Progress *Progress
	// Replays says, of records that are dead letters read again, what each is. All
	// are of one source and are read by one transform; nil = they come from the
	// source.
	Replays []Replay
	// Marks says what filters made of the records; nil = all pass. Refusals says why those
	// are Refused that are, by record.
	Marks    []Mark
	Refusals map[int]Refusal
	// CursorAfter gives the partition's cursor once the first n records of Spans
	// are done; it is called before Free, from one goroutine. n counts from the
	// start of these Spans, 1 … len(Spans).
	CursorAfter func(n int) []byte
	// PositionText says of record i where it is in its partition, for people, where Line
	// and Offset of its Span can't: by the sequence number of a shard. nil = they can.
	PositionText func(i int) string
	// Positions are cursors of partitions that moved without records: one that is quiet
	// or ended empty, or is about to be read from a place that could not be found again,
	// as the newest record is. They are saved with the epoch that takes the first of these
	// records; without Spans, with the epoch that is open, so at the latest with whatever
	// Read returns afterwards, and by themselves if there is nothing to come.
	Positions map[string][]byte
	// SaveNow, without Spans, ends the epoch that is open, with all that was read before: the
	// source waits until Committed names these Positions.
	SaveNow bool
	// SnapshotEnd, without Spans and with SaveNow, says that a snapshot of a table was read to its
	// end, and that what it has not is to go; nil = nothing of the kind.
	SnapshotEnd *SnapshotEnd
	// Recheck, when set, is asked about record i when it can't be decoded, before
	// it becomes a dead letter. ErrReadAgain, wrapped, says that it is no record
	// as it stands, but several, say: the source can't tell without looking at every
	// byte, which it does when it is opened again.
	Recheck func(i int) error
	// Defect, when set, says what the source found wrong with record i, where it knows better
	// than the decoder: why an aggregate or compressed data can't be unpacked. The bytes of
	// such a record are what there was to unpack, which is none of the format. nil = nothing.
	Defect func(i int) error
	// Dropped names partitions that the source is done with: their cursors are deleted
	// when Positions are saved.
	Dropped []string
	// Free, when set, gives Data back to the source, which may use the memory
	// again. The engine calls it once for what Read returned, when the last of
	// its slices is done; whoever keeps bytes of a record for longer copies them.
	Free func()
}

// SnapshotEnd removes the items of a logical table that a snapshot does not have, once all of its
// items have been committed: those whose newest change is older than the snapshot. Each of them is
// removed by a change of the snapshot's time, so that every later change wins. It is a
// part of the table at a time, so that an epoch does not grow with the table. The engine
// takes it in an epoch of its own.
//
// An item of the snapshot that became a dead letter is one that the snapshot has. Where nobody
// can tell which item a dead letter of it is, the run fails: the item might be removed.
type SnapshotEnd struct {
	Table string // as Format.Table
	Time  int64  // of the snapshot's items, as Format.ExportTime
	// Part of Parts, from 0: the items whose hashes lie in this part of their range.
	Part, Parts int
}

// Len returns the number of records.
func (r *Records) Len() int { return len(r.Spans) }

// NoTime stands for a time that is not known, among those in µs since 1970.
const NoTime int64 = math.MinInt64

// Bytes returns the bytes of record i, without its line end.
func (r *Records) Bytes(i int) []byte { return r.Data[r.Spans[i].Start:r.Spans[i].End] }

// Slice returns records i … j-1, which share the bytes of r.
func (r *Records) Slice(i, j int) *Records {
	s := *r
	s.Spans = r.Spans[i:j]
	s.First = r.First + int64(i)
	s.ReadAgain = max(0, min(r.ReadAgain-i, j-i))
	if i > 0 {
		s.Positions, s.Dropped = nil, nil
	}
	if r.Arrived != nil {
		s.Arrived = r.Arrived[i:j]
	}
	if j < len(r.Spans) {
		s.Progress = nil
	}
	if r.Replays != nil {
		s.Replays = r.Replays[i:j]
	}
	if r.Marks != nil {
		s.Marks = r.Marks[i:j]
	}
	if r.Refusals != nil {
		s.Refusals = map[int]Refusal{}
		for at, why := range r.Refusals {
			if at >= i && at < j {
				s.Refusals[at-i] = why
			}
		}
	}
	if recheck := r.Recheck; recheck != nil {
		s.Recheck = func(n int) error { return recheck(i + n) }
	}
	if defect := r.Defect; defect != nil {
		s.Defect = func(n int) error { return defect(i + n) }
	}
	if cursor := r.CursorAfter; cursor != nil {
		s.CursorAfter = func(n int) []byte { return cursor(i + n) }
	}
	if text := r.PositionText; text != nil {
		s.PositionText = func(n int) string { return text(i + n) }
	}
	return &s
}

// Order returns what stands for the order that ordinals count in: a partition's, or,
// with Format.ReadOrder, the source's. Of replayed records each has its own.
func (r *Records) Order() uint16 {
	h := xxh3.HashString(r.Source)
	if !r.Format.ReadOrder() {
		h = xxh3.HashStringSeed(r.Partition, h)
	}
	return uint16(h)
}

// Ordinal returns the place of record i in the order of arrival.
func (r *Records) Ordinal(i int) int64 {
	if r.Replays != nil {
		return r.Replays[i].Origin.Ordinal
	}
	return r.First + int64(i)
}

// Origin returns where record i comes from, without the transform: whoever reads the record
// fills that in.
func (r *Records) Origin(i int) Origin {
	if r.Replays != nil {
		return r.Replays[i].Origin
	}
	o := Origin{Order: r.Order(), Ordinal: r.Ordinal(i), ExportTime: r.Format.ExportTime}
	if r.Format.Encoding == DynamoDBExport {
		o.Table = r.Format.Table
	}
	if r.Arrived != nil {
		o.Arrived = r.Arrived[i]
	}
	return o
}

// Position names the place of record i for people: in errors, logs and dead letters.
func (r *Records) Position(i int) Position {
	if r.Replays != nil {
		return r.Replays[i].Pos
	}
	p := Position{Source: r.Source, Partition: cmp.Or(r.DisplayName, r.Partition), Line: r.Spans[i].Line, Offset: r.Spans[i].Offset}
	if r.PositionText != nil {
		p.Text = r.PositionText(i)
	}
	return p
}

// Position is the place of a record in a source.
type Position struct {
	Source    string `json:"source"`
	Partition string `json:"partition"` // as people call it
	Line      int64  `json:"line"`
	Offset    int64  `json:"offset,omitempty"` // of its first byte, in the decompressed text; 0 = unknown, or the first
	// Text is the place in the partition where it is no line of a text: a sequence number
	// of a shard. Empty = Line and Offset tell.
	Text string `json:"position,omitempty"`
}

// String returns partition:line, or the text of the place instead of the line.
func (p Position) String() string {
	if p.Text != "" {
		return p.Partition + ":" + p.Text
	}
	return p.Partition + ":" + strconv.FormatInt(p.Line, 10)
}
