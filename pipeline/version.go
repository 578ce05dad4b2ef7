package pipeline

import "cmp"

// Version says when a change of an item happened, as far as its record tells: its creation
// time and sequence number, the images that it leads from and to, and its ordinal in the
// order of arrival. [Newest] decides between versions of one time.
type Version struct {
	Time int64  // creation time, µs since 1970; of plain JSON what its version column says
	Seq  string // DynamoDB Streams' sequence number without leading zeros; empty = none
	// New and Old are hashes of the images that do not depend on the order of
	// attributes or set elements; 0 = there is no such image. They are computed
	// only for consumers that settle.
	New, Old uint64
	// Ordinal is the place of the record in its partition: what arrives later has
	// the greater one. Of a change that was delivered again it is that of the
	// first delivery.
	Ordinal int64
	// Event stands for the record's eventID, which tells whether a change with the
	// same images was delivered again; 0 = there is none, or there is a sequence
	// number, which tells as well.
	Event     uint32
	Partition uint16 // stands for the partition that Ordinal counts in
	HasOld    bool   // Old is known: from the record, or because it is an insert
	// Existed says, of a change whose Old is not known, that there was an image: it
	// is a modification or a removal.
	Existed bool
	// ByArrival says that the record tells nothing of its order among others of its
	// time, as plain JSON does: images play no part, and one that was read later is
	// another change even if it is equal.
	ByArrival bool
	// Snapshot says that the record is an item of a full export, which has each item
	// once: another one with another image is of another item.
	Snapshot bool
}

// Contradicts reports whether two versions of what is taken for one item are of
// two: a full export has both.
func (v *Version) Contradicts(o *Version) bool {
	return v.Snapshot && o.Snapshot && v.Time == o.Time && v.New != o.New
}

// Same reports whether two versions of an item are of one change that was
// delivered twice.
func (v *Version) Same(o *Version) bool {
	if v.Time != o.Time || v.New != o.New || v.Old != o.Old || v.Event != o.Event || v.HasOld != o.HasOld || v.ByArrival != o.ByArrival || v.Seq != o.Seq {
		return false
	}
	return !v.ByArrival || v.Partition == o.Partition && v.Ordinal == o.Ordinal
}

// Imageless reports whether the change can be ordered among others of its kind without
// images, so that the image before plays no part.
func (v *Version) Imageless() bool { return v.Seq != "" || v.ByArrival }

// compare orders two versions of one time by their sequence numbers, or by the order of
// reading where records have nothing else. known = false: neither decides.
func (v *Version) compare(o *Version) (order int, known bool) {
	switch {
	case v.Seq != "" && o.Seq != "":
		// Decimal digits without leading zeros. Two changes never have the same number; if
		// a broken source gives some, the order must at least be the same every time.
		return cmp.Or(cmp.Compare(len(v.Seq), len(o.Seq)), cmp.Compare(v.Seq, o.Seq), v.compareContent(o)), true
	case v.ByArrival && o.ByArrival && v.Partition == o.Partition:
		return cmp.Compare(v.Ordinal, o.Ordinal), true
	}
	return 0, false
}

// absentContent stands for the content of a removal. It is a number like any hash: as
// 0, a removal would lose against every image.
const absentContent = 0x9e3779b97f4a7c15

func (v *Version) content() uint64 {
	if v.New == 0 {
		return absentContent
	}
	return v.New
}

// compareContent orders versions by what does not depend on their arrival.
func (v *Version) compareContent(o *Version) int {
	return cmp.Or(cmp.Compare(v.content(), o.content()), cmp.Compare(v.Event, o.Event), cmp.Compare(v.Old, o.Old))
}

// compareArrival orders versions by partition, and in each by arrival.
func (v *Version) compareArrival(o *Version) int {
	return cmp.Or(cmp.Compare(v.Partition, o.Partition), cmp.Compare(v.Ordinal, o.Ordinal), v.compareContent(o))
}

// String returns a text that sorts by time and sequence number.
func (v Version) String() string {
	return string(v.Append(nil))
}

// Append appends the text of String to b: the time in 20 digits, the sequence
// number in 40.
func (v *Version) Append(b []byte) []byte {
	b = append(appendTime(b, v.Time), '-')
	const zeros = "0000000000000000000000000000000000000000"
	return append(append(b, zeros[min(len(zeros), len(v.Seq)):]...), v.Seq...)
}

// AppendPosition appends a text to b that sorts, within a partition, by arrival:
// the ordinal in 20 digits, and what stands for the partition in four hexadecimal
// ones.
func (v *Version) AppendPosition(b []byte) []byte {
	b = append(appendDigits(b, uint64(v.Ordinal), 10, 20), '-')
	return appendDigits(b, uint64(v.Partition), 16, 4)
}

// appendDigits appends a number with leading zeros up to the width, which is not less
// than it takes.
func appendDigits(b []byte, n, base uint64, width int) []byte {
	from := len(b)
	b = append(b, "00000000000000000000"[:width]...)
	for i := len(b) - 1; n > 0 && i >= from; i-- {
		b[i] = "0123456789abcdef"[n%base]
		n /= base
	}
	return b
}

// versionBias keeps the text of times before 1970 positive.
const versionBias = 1 << 61

// appendTime appends 20 characters that sort as times do. What lies further below
// zero than any time, as a version that is a number may, begins with a minus, which
// sorts before the digits.
func appendTime(b []byte, at int64) []byte {
	if at < -versionBias {
		return appendDigits(append(b, '-'), uint64(at)+1<<63, 10, 19)
	}
	return appendDigits(b, uint64(at)+versionBias, 10, 20)
}
