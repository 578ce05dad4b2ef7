package dynamodbstreams

import (
	"context"
	"fmt"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"

	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/reuse"
	"github.com/starlift-etl/starlift/sources/internal/jsonscan"
)

const (
	// recordsPerPageMax is the service's, and so is about 1 MB of data (API reference, GetRecords).
	recordsPerPageMax = 1000
	// pageBytesMax is the most bytes that an answer may have: 1 MB of data and a record of an item of 400 KB
	// twice, of which every byte may be written as six.
	pageBytesMax = 16 << 20
)

// page is the answer to one GetRecords: its body, and where in it the records are. They are handed over
// as they came, as raw JSON.
type page struct {
	body    []byte // of reuse.Bytes
	records []record
	next    string // iterator of the next page; empty = the shard is closed and read to its end
}

// record is one record of a page.
type record struct {
	jsonscan.Extent                 // of all of it, in the body
	sequence        jsonscan.Extent // of its number
	made            int64           // in µs since 1970; jsonscan.NoTime = it does not say so
}

// sequence returns the sequence number of a record.
func (p *page) sequence(i int) string {
	e := p.records[i].sequence
	return string(p.body[e.Start:e.End])
}

// made returns when a record was made, in whole seconds; zero = it does not say so.
func (p *page) made(i int) time.Time {
	if us := p.records[i].made; us != jsonscan.NoTime {
		return time.UnixMicro(us).UTC()
	}
	return time.Time{}
}

// free gives the memory back. It may be called twice.
func (p *page) free() {
	reuse.ReleaseBytes(p.body)
	p.body = nil
}

// getPage makes a call of GetRecords.
func getPage(ctx context.Context, c api, in *sdk.GetRecordsInput) (*page, error) {
	p := &page{}
	raw := awsapi.RawAnswer{MaxBytes: pageBytesMax, Result: &sdk.GetRecordsOutput{}, Read: func(body []byte) error {
		p.free()
		*p = page{body: body}
		return p.parse()
	}}
	if _, err := c.GetRecords(ctx, in, func(o *sdk.Options) { o.APIOptions = raw.Append(o.APIOptions) }); err != nil {
		p.free()
		return nil, err
	}
	return p, nil
}

// parser finds the records of a body.
type parser struct {
	jsonscan.Scanner
	page     *page
	listed   bool   // there are Records
	current  record // the one that is read
	onRecord func(i int) int
	ofRecord func(name []byte, i int) int
	ofChange func(name []byte, i int) int
}

// parse finds the records of the page's body. What is in them is the decoder's to check, but for the sequence
// number, which the place in the shard goes by: an answer that has none is not the service's.
func (p *page) parse() error {
	s := &parser{Scanner: jsonscan.Scanner{Body: p.body}, page: p}
	s.onRecord, s.ofRecord, s.ofChange = s.record, s.memberOfRecord, s.memberOfChange
	p.records = make([]record, 0, s.Estimate(`"SequenceNumber"`, recordsPerPageMax))
	end := s.Object(s.Space(0), s.member)
	switch {
	case end < 0:
	case s.Space(end) < len(p.body):
		s.Unexpected(s.Space(end), "the end")
	case !s.listed:
		s.Fail(end, "it has no Records")
	}
	return s.Err
}

// member reads a member of the answer.
func (s *parser) member(name []byte, i int) int {
	switch string(name) {
	case "NextShardIterator":
		var b strings.Builder
		e, end := s.Text(i, &b)
		if end >= 0 {
			s.page.next = b.String()[e.Start:e.End]
		}
		return end
	case "Records":
		s.listed, s.page.records = true, s.page.records[:0]
		if s.Peek(i) == 'n' {
			return s.Literal(i, "null")
		}
		return s.List(i, s.onRecord)
	}
	return s.Skip(i)
}

// record reads the record at i.
func (s *parser) record(i int) int {
	s.current = record{made: jsonscan.NoTime}
	end := s.Object(i, s.ofRecord)
	if end < 0 {
		return -1
	}
	if s.current.sequence.Start == s.current.sequence.End {
		return s.Fail(i, fmt.Sprintf("record %d has no sequence number", len(s.page.records)))
	}
	s.current.Extent = jsonscan.Extent{Start: uint32(i), End: uint32(end)}
	s.page.records = append(s.page.records, s.current)
	return end
}

func (s *parser) memberOfRecord(name []byte, i int) int {
	if string(name) == "dynamodb" {
		return s.Object(i, s.ofChange)
	}
	return s.Span(i)
}

func (s *parser) memberOfChange(name []byte, i int) int {
	switch string(name) {
	case "ApproximateCreationDateTime":
		var end int
		s.current.made, end = s.Seconds(i)
		return end
	case "SequenceNumber":
		end, _ := s.String(i)
		if end < 0 {
			return -1
		}
		if !digits(string(s.Body[i+1 : end])) {
			return s.Fail(i, "a sequence number that is none")
		}
		s.current.sequence = jsonscan.Extent{Start: uint32(i + 1), End: uint32(end)}
		return end + 1
	}
	return s.Span(i)
}
