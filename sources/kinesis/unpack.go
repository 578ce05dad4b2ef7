package kinesis

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/sources/kinesis/kpl"
	"github.com/starlift-etl/starlift/sources/kinesis/page"
)

const (
	// inflatedBytesMax bounds what a record may be when it is decompressed: far more than 10 MiB,
	// which is what the service takes.
	inflatedBytesMax = 64 << 20
	// inflatedPerPage is what all records of a page may be in any case.
	inflatedPerPage = 16 << 20
)

var gzipMagic = []byte{0x1f, 0x8b}

// unpacker makes records of a page: it decompresses what is gzip, and takes aggregates apart. What
// it can't read is handed over as it is, with what is wrong with it.
type unpacker struct {
	format *pipeline.Format
	page   *page.Page
	// passing says that records before the place passed may come first. It ends with the first that
	// is not.
	passing bool
	passed  position
	// inflatedMax is how many bytes of what is decompressed are enough.
	inflatedMax int

	data    []byte // what the page holds, and behind it what was decompressed
	spans   []pipeline.Span
	places  []recordPlace // by span
	arrived []int64       // by span
	defects map[int]error // by span
	bytes   int           // of all spans
	end     position      // behind all of them

	aggregate kpl.Aggregate
}

// recordPlace is where a record stood.
type recordPlace struct {
	record int32 // of the page
	user   int32 // of an aggregate; wholeRecord = it is none
}

// unpack unpacks the first n records of the page: all of them, unless they become too large. It is
// called once, of a page that has some.
func (u *unpacker) unpack() (n int) {
	all := len(u.page.Records)
	u.data, u.spans, u.places, u.arrived = u.page.Data, make([]pipeline.Span, 0, all), make([]recordPlace, 0, all), make([]int64, 0, all)
	for n < all && (n == 0 || len(u.data)-len(u.page.Data) <= u.inflatedMax) {
		skip := 0
		if u.passing {
			skip = u.passed.passed(u.page.Sequence(n), u.page.Records[n].Arrived)
			u.passing = skip == wholeRecord
		}
		if skip != wholeRecord {
			u.record(n, skip)
		}
		n++
	}
	return n
}

// records returns what was unpacked, which owns the page; nil = that is nothing. end is the position
// behind it.
func (u *unpacker) records(end position) *pipeline.Records {
	if len(u.spans) == 0 {
		return nil
	}
	u.end = end
	r := &pipeline.Records{Format: u.format, Data: u.data, Spans: u.spans, Arrived: u.arrived, CursorAfter: u.cursorAfter, PositionText: u.positionText, Free: u.page.Free}
	if u.defects != nil {
		r.Defect = func(i int) error { return u.defects[i] }
	}
	return r
}

// record adds what record i holds, but for its first skip user records.
func (u *unpacker) record(i, skip int) {
	from, to := int(u.page.Records[i].Start), int(u.page.Records[i].End)
	data := u.data[from:to]
	if !kpl.IsAggregate(data) {
		u.add(i, wholeRecord, from, to)
		return
	}
	if err := u.aggregate.Parse(data); err != nil {
		u.defect(err)
		u.add(i, wholeRecord, from, to)
		return
	}
	// All of them, whatever their hash keys: to leave out those of other shards, as Amazon's
	// client library does, would lose records of producers that do not send them again.
	for k := skip; k < u.aggregate.Len(); k++ {
		start, end := u.aggregate.Extent(k)
		u.add(i, k, from+int(start), from+int(end))
	}
}

// add adds a record of the bytes from … to, decompressed if need be.
func (u *unpacker) add(record, user, from, to int) {
	if bytes.HasPrefix(u.data[from:to], gzipMagic) {
		at := len(u.data)
		data, err := inflate(u.data, u.data[from:to])
		if err == nil {
			u.data, from, to = data, at, len(data)
		} else {
			u.defect(fmt.Errorf("data that begins as gzip does: %w", err))
		}
	}
	u.spans = append(u.spans, pipeline.Span{Start: uint32(from), End: uint32(to)})
	u.places = append(u.places, recordPlace{int32(record), int32(user)})
	u.arrived = append(u.arrived, max(0, u.page.Records[record].Arrived)) // 0 = not known, here
	u.bytes += to - from
}

// defect says what is wrong with the record that is added next.
func (u *unpacker) defect(err error) {
	if u.defects == nil {
		u.defects = map[int]error{}
	}
	u.defects[len(u.spans)] = err
}

// behind returns the position behind record i of a page.
func behind(p *page.Page, i int) position {
	at := position{kind: behindRecord, sequence: strings.Clone(p.Sequence(i)), user: wholeRecord}
	if arrived := p.Records[i].Arrived; arrived != page.NoArrival {
		at.time = time.UnixMicro(arrived).UTC()
	}
	return at
}

// cursorAfter is the CursorAfter of the records.
func (u *unpacker) cursorAfter(n int) []byte {
	if n == len(u.places) {
		return []byte(u.end.String())
	}
	last := u.places[n-1]
	at := behind(u.page, int(last.record))
	if u.places[n].record == last.record {
		at.user = int(last.user)
	}
	return []byte(at.String())
}

// positionText is the PositionText of the records.
func (u *unpacker) positionText(i int) string {
	at := u.places[i]
	return string(appendPlace(nil, u.page.Sequence(int(at.record)), int(at.user)))
}

var inflaters = sync.Pool{New: func() any { return new(gzip.Reader) }}

// inflate appends what is compressed to b. What is appended before an error is of no use.
func inflate(b, compressed []byte) ([]byte, error) {
	z := inflaters.Get().(*gzip.Reader)
	defer inflaters.Put(z)
	if err := z.Reset(bytes.NewReader(compressed)); err != nil {
		return nil, err
	}
	out := bytes.NewBuffer(b)
	n, err := io.Copy(out, io.LimitReader(z, inflatedBytesMax+1))
	switch {
	case err != nil:
		return nil, err
	case n > inflatedBytesMax:
		return nil, errors.New("it is more than 64 MiB when it is decompressed")
	}
	return out.Bytes(), nil
}
