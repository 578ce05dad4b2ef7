package pipeline

import (
	"cmp"
	"strconv"

	"github.com/apache/arrow/go/v14/arrow"
)

// Hash is a 128-bit hash that stands for a key: of a billion keys, the chance
// that any two share one is about 10^-21.
type Hash struct{ Hi, Lo uint64 }

// Less orders hashes as their big-endian bytes sort.
func (h Hash) Less(o Hash) bool { return h.Hi < o.Hi || h.Hi == o.Hi && h.Lo < o.Lo }

// Compare is negative, zero or positive as h is before, equal to or after o.
func (h Hash) Compare(o Hash) int {
	if c := cmp.Compare(h.Hi, o.Hi); c != 0 {
		return c
	}
	return cmp.Compare(h.Lo, o.Lo)
}

// Version orders the changes of one item: by creation time; at equal times by
// sequence number where both have one; then by the chain of images (the change
// whose Old equals the other's New is later); then by the greater New.
// Arrival plays no part.
type Version struct {
	Time int64  // creation time, µs since 1970
	Seq  string // DynamoDB Streams' sequence number without leading zeros; empty = none
	// New and Old are hashes of the images that do not depend on the order of
	// attributes or set elements; 0 = there is no such image. They are computed
	// only for consumers that settle.
	New, Old uint64
	HasOld   bool // the old image is known: in the record, or an insert
}

// String returns a text that sorts as versions do, but for the chain of
// images, which no text can carry: time in 20 digits, sequence number in 40,
// hash of the new image in 16 hexadecimal digits.
func (v Version) String() string {
	return string(v.Append(nil))
}

// Append appends the text of String to b.
func (v Version) Append(b []byte) []byte {
	b = appendPadded(b, strconv.AppendInt(nil, v.Time+versionBias, 10), 20)
	b = append(b, '-')
	b = appendPadded(b, []byte(v.Seq), 40)
	b = append(b, '-')
	return appendPadded(b, strconv.AppendUint(nil, v.New, 16), 16)
}

// appendPadded appends digits with leading zeros up to the width.
func appendPadded(b, digits []byte, width int) []byte {
	const zeros = "0000000000000000000000000000000000000000"
	if n := width - len(digits); n > 0 {
		b = append(b, zeros[:n]...)
	}
	return append(b, digits...)
}

// versionBias keeps the text of times before 1970 positive.
const versionBias = 1 << 61

// Op is what a row does to its key.
type Op uint8

// The operations. A log has OpUpsert and OpDelete; settled rows have OpInsert,
// OpUpdate and OpDelete.
const (
	OpUpsert Op = iota
	OpDelete
	OpInsert
	OpUpdate
)

// String returns the operation's name in lower case.
func (o Op) String() string { return [...]string{"upsert", "delete", "insert", "update"}[o] }

// Change is the part of a change that consumers of its rows need.
type Change struct {
	Record  int32  // index into the batch's Records
	Item    Hash   // of logical table name and primary key; zero where the record has no key
	Key     []byte // the item's key as canonical JSON; shares the record's bytes or is owned by the batch
	Version Version
	// Late says that the change is older than removed items are remembered for,
	// so that it may turn out to be a dead letter when the epoch is settled.
	// Settling sets it, before the consumers of a log see the change.
	Late bool
}

// Rows are rows of one table. The columns of Record are those of Table, in
// order. Whoever keeps Record longer than the call it came with retains it.
type Rows struct {
	Table  *Table
	Record arrow.Record
	// Ops holds the operation of each row. A deleted row carries its old
	// values where they are known, at least its key.
	Ops []Op
	// Change is the index, in the batch's Changes, of the change that each row
	// of a log comes from; Versions is each settled row's version. One of the
	// two is set.
	Change   []int32
	Versions []Version
}

// Batch is what a transform makes of one Records.
type Batch struct {
	Records     *Records
	Changes     []Change // those with effect: no dead letter, no ignored record; in the order read
	Tables      []*Rows  // one for each table that got rows
	DeadLetters []DeadLetter
	// Ignored counts records that no table wanted, where the pipeline says to ignore them.
	Ignored int
	// Coverage says what became of the paths of a Covering transform that are not
	// found yet; those that were not looked for are left out.
	Coverage []Coverage
}

// Release gives the Arrow memory of the batch back.
func (b *Batch) Release() {
	for _, r := range b.Tables {
		r.Record.Release()
	}
}
