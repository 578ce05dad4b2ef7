package dynamodbscan

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/reuse"
	"github.com/starlift-etl/starlift/sources/internal/jsonscan"
)

// maxBody is the most bytes that an answer may have. A page has 1 MB of items, as the service counts
// them, which is without what JSON has around each value: {"NULL":true} counts as one byte.
const maxBody = 48 << 20

// page is the answer to one Scan. Its strictness is that of package jsonscan: an answer without Items
// is an error, so that an empty one of something between us and the service does not look like the end of
// a segment.
type page struct {
	data    []byte // of all items, each as a line of an export; memory of reuse.Bytes
	spans   []pipeline.Span
	keys    []jsonscan.Extent // by item: its key's attributes in data, in the order of their names
	last    []byte            // the key to go on behind; nil = the segment is read to its end
	units   float64           // read capacity units that the page used
	scanned int64             // items that were read for it

	names [][]byte // of the key's attributes
	told  bool     // units were told
	items []jsonscan.Extent
	found bool
}

// scanClient is what of the SDK's client is needed.
type scanClient interface {
	Scan(ctx context.Context, in *dynamodb.ScanInput, options ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error)
}

// getPage makes a call of Scan. names are those of the key's attributes. Errors are those of the SDK; an
// answer that can't be read is a *smithy.DeserializationError.
func getPage(ctx context.Context, c scanClient, in *dynamodb.ScanInput, names []string) (*page, error) {
	p := &page{}
	raw := awsapi.RawAnswer{MaxBytes: maxBody, Result: &dynamodb.ScanOutput{}, Read: func(body []byte) error {
		defer reuse.ReleaseBytes(body)
		p.free()
		*p = page{}
		for _, n := range names {
			p.names = append(p.names, []byte(n))
		}
		return p.parse(body)
	}}
	_, err := c.Scan(ctx, in, func(o *dynamodb.Options) { o.APIOptions = raw.Append(o.APIOptions) })
	if err != nil {
		p.free() // an interceptor may fail after the body was read
		return nil, err
	}
	return p, nil
}

// free gives the memory of the items back.
func (p *page) free() {
	reuse.ReleaseBytes(p.data)
	p.data = nil
}

// What stands around an item in a line of an export.
const (
	lineBegin = `{"Item":`
	lineEnd   = `}`
)

// parse reads a body, of which nothing is kept.
func (p *page) parse(body []byte) error {
	s := jsonscan.Scanner{Body: body}
	end := s.Object(s.Space(0), func(name []byte, i int) int { return p.member(&s, name, i) })
	switch {
	case end < 0:
	case s.Space(end) < len(body):
		_ = s.Unexpected(s.Space(end), "the end")
	case !p.found:
		_ = s.Fail(end, "it has no Items")
	}
	if s.Err != nil {
		return s.Err
	}
	if !p.told { // servers that do not say it: an item counts as one
		p.units = float64(p.scanned)
	}
	p.lines(body)
	return nil
}

// member reads the value at i of a member of the answer.
func (p *page) member(s *jsonscan.Scanner, name []byte, i int) int {
	switch string(name) {
	case "Items":
		p.items, p.keys, p.found = p.items[:0], p.keys[:0], true
		return s.List(i, func(i int) int { return p.item(s, i) })
	case "LastEvaluatedKey":
		p.last = nil
		if s.Peek(i) == 'n' {
			return s.Literal(i, "null")
		}
		end := s.Object(i, func(_ []byte, i int) int { return s.Skip(i) })
		if end > i+2 { // one without attributes is none
			p.last = append([]byte{}, s.Body[i:end]...)
			if _, err := (position{After: p.last}).startKey(); err != nil {
				return s.Fail(i, "LastEvaluatedKey is no key of an item")
			}
		}
		return end
	case "ScannedCount":
		p.scanned, _, i = s.Integer(i)
		return i
	case "ConsumedCapacity":
		if s.Peek(i) == 'n' {
			return s.Literal(i, "null")
		}
		return s.Object(i, func(name []byte, i int) int {
			if string(name) != "CapacityUnits" || s.Peek(i) == 'n' {
				return s.Skip(i)
			}
			end := s.Number(i)
			if end < 0 {
				return end
			}
			var err error
			if p.units, err = strconv.ParseFloat(string(s.Body[i:end]), 64); err != nil || p.units < 0 {
				return s.Fail(i, "CapacityUnits is out of range")
			}
			p.told = true
			return end
		})
	}
	return s.Skip(i)
}

// item reads the item at i, and notes where its key is.
func (p *page) item(s *jsonscan.Scanner, i int) int {
	first := len(p.keys)
	p.keys = append(p.keys, make([]jsonscan.Extent, len(p.names))...)
	end := s.Object(i, func(name []byte, i int) int {
		end := s.Skip(i)
		for k, n := range p.names {
			if string(n) == string(name) {
				p.keys[first+k] = jsonscan.Extent{Start: uint32(i), End: uint32(max(end, 0))}
			}
		}
		return end
	})
	if end < 0 {
		return end
	}
	for k, at := range p.keys[first:] {
		if at.Start == at.End {
			return s.Fail(i, fmt.Sprintf("item %d has no %q, which the table's key has", len(p.items), p.names[k]))
		}
	}
	p.items = append(p.items, jsonscan.Extent{Start: uint32(i), End: uint32(end)})
	return end
}

// lines makes lines of an export of the items.
func (p *page) lines(body []byte) {
	size := 0
	for _, e := range p.items {
		size += int(e.End-e.Start) + len(lineBegin) + len(lineEnd)
	}
	b := reuse.Bytes(size)[:0]
	p.spans = make([]pipeline.Span, 0, len(p.items))
	for i, e := range p.items {
		start := len(b)
		shift := uint32(start+len(lineBegin)) - e.Start // modulo 2³²
		b = append(append(append(b, lineBegin...), body[e.Start:e.End]...), lineEnd...)
		p.spans = append(p.spans, pipeline.Span{Start: uint32(start), End: uint32(len(b))})
		for k := range p.names {
			at := &p.keys[i*len(p.names)+k]
			at.Start, at.End = at.Start+shift, at.End+shift
		}
	}
	p.data, p.items = b, nil
}

// keyOf returns the key of item i, as a request has it to go on behind the item.
func (p *page) keyOf(i int) []byte {
	b := []byte{'{'}
	for k, name := range p.names {
		if k > 0 {
			b = append(b, ',')
		}
		quoted, err := json.Marshal(string(name))
		if err != nil {
			panic(err) // a text always has a JSON form
		}
		at := p.keys[i*len(p.names)+k]
		b = append(append(append(b, quoted...), ':'), p.data[at.Start:at.End]...)
	}
	return append(b, '}')
}
