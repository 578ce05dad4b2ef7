package pipeline

import (
	"cmp"

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

// Removal says whether a change removes its item, and who removed it.
type Removal uint8

// The removals.
const (
	NotRemoved Removal = iota
	// Removed is by a user, or because the item does not pass a filter of changes
	// any longer.
	Removed
	// Expired is by DynamoDB's time to live.
	Expired
)

// Change is the part of a change that consumers of its rows need.
type Change struct {
	Record  int32  // index into the batch's Records
	Item    Hash   // of logical table name and primary key; zero where the record has no key
	Key     []byte // the item's key as canonical JSON; shares the record's bytes or is owned by the batch
	Table   string // logical name of the item's table; only where Item is
	Version Version
	// Unit is how fine the version's time is, in µs; 0 = it is no time of a clock.
	Unit int32
	// ByDigits says that only the digits of the time told the unit: other times of the
	// source may have more.
	ByDigits bool
	Removal  Removal
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
	// Coverage says what became of the paths of a PathReporter that are not
	// found yet; those that were not looked for are left out.
	Coverage []Coverage
}

// Release gives the Arrow memory of the batch back.
func (b *Batch) Release() {
	for _, r := range b.Tables {
		r.Record.Release()
	}
}
