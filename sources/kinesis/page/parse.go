package page

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/starlift-etl/starlift/pipeline/reuse"
	"github.com/starlift-etl/starlift/sources/internal/jsonscan"
)

// parse reads a body. It keeps nothing of it.
func (p *Page) parse(body []byte) error {
	s := jsonscan.Scanner{Body: body}
	m := members{data: make([]jsonscan.Extent, 0, s.Estimate(`"SequenceNumber"`, 10_000))}
	p.Records = make([]Record, 0, cap(m.data))
	m.text.Grow(64*cap(m.data) + 256)
	end := s.Object(s.Space(0), func(name []byte, i int) int { return p.member(&s, &m, name, i) })
	switch {
	case end < 0:
	case s.Space(end) < len(body):
		_ = s.Unexpected(s.Space(end), "the end")
	case !m.records:
		_ = s.Fail(end, "it has no Records")
	}
	if s.Err != nil {
		return s.Err
	}
	p.text = m.text.String()
	return p.decode(body, m.data)
}

// members is what parse has of a body until all of it is read.
type members struct {
	text    strings.Builder
	data    []jsonscan.Extent // by record: its data in the body, as base64
	records bool
}

// member reads the value at i of a member of the answer.
func (p *Page) member(s *jsonscan.Scanner, m *members, name []byte, i int) int {
	switch string(name) {
	case "NextShardIterator":
		var e jsonscan.Extent
		if e, i = s.Text(i, &m.text); i >= 0 {
			p.Next = strings.Clone(m.text.String()[e.Start:e.End])
		}
		return i
	case "ContinuationSequenceNumber":
		var e jsonscan.Extent
		if e, i = s.Text(i, &m.text); i >= 0 {
			p.Continuation = strings.Clone(m.text.String()[e.Start:e.End])
		}
		return i
	case "MillisBehindLatest":
		ms, known, end := s.Integer(i)
		p.Behind, p.BehindKnown = behindOf(ms), known
		return end
	case "ChildShards":
		end := s.Skip(i)
		p.Children = nil
		if end >= 0 {
			if err := json.Unmarshal(s.Body[i:end], &p.Children); err != nil {
				return s.Fail(i, err.Error())
			}
		}
		return end
	case "Records":
		m.records = true
		p.Records, m.data = p.Records[:0], m.data[:0]
		if s.Peek(i) == 'n' {
			return s.Literal(i, "null")
		}
		return s.List(i, func(i int) int { return p.record(s, m, i) })
	}
	return s.Skip(i)
}

// behindOf keeps a distance within a time.Duration: 292 years.
func behindOf(ms int64) time.Duration {
	const most = int64(1<<63-1) / int64(time.Millisecond)
	return time.Duration(max(0, min(ms, most))) * time.Millisecond
}

// record reads the record at i.
func (p *Page) record(s *jsonscan.Scanner, m *members, i int) int {
	r, data := Record{Arrived: NoArrival}, jsonscan.Extent{}
	end := s.Object(i, func(name []byte, i int) int {
		switch string(name) {
		case "Data":
			data, i = s.Base64(i)
		case "SequenceNumber":
			r.sequence, i = s.Text(i, &m.text)
		case "PartitionKey":
			r.key, i = s.Text(i, &m.text)
		case "ApproximateArrivalTimestamp":
			r.Arrived, i = s.Seconds(i)
		default:
			i = s.Skip(i)
		}
		return i
	})
	if end >= 0 && r.sequence.Start == r.sequence.End {
		return s.Fail(i, fmt.Sprintf("record %d has no sequence number", len(p.Records)))
	}
	p.Records, m.data = append(p.Records, r), append(m.data, data)
	return end
}

// decode decodes the data of all records into memory that is as large as they need.
func (p *Page) decode(body []byte, data []jsonscan.Extent) error {
	size := 0
	for _, e := range data {
		size += decodedLen(body[e.Start:e.End])
	}
	p.memory = &memory{bytes: reuse.Bytes(size)}
	at := 0
	for i, e := range data {
		text := body[e.Start:e.End]
		want := decodedLen(text)
		// Escapes, which nobody writes here, are found by what they are not: base64.
		n, err := base64.StdEncoding.Decode(p.memory.bytes[at:at+want], text)
		if err != nil || n != want || len(text)%4 != 0 {
			if n, err = decodeEscaped(p.memory.bytes[at:at+want], text); err != nil {
				p.Free()
				return fmt.Errorf("data of record %d: %w", i, err)
			}
		}
		p.Records[i].Start, p.Records[i].End = uint32(at), uint32(at+n)
		at += n
	}
	p.Data = p.memory.bytes[:at]
	return nil
}

// decodedLen returns how many bytes a text in base64 has, or more where it is none.
func decodedLen(text []byte) int {
	n := len(text) / 4 * 3
	for i := len(text); n > 0 && i > 0 && i > len(text)-2 && text[i-1] == '='; i-- {
		n--
	}
	return n
}

// decodeEscaped decodes base64 whose text has escapes.
func decodeEscaped(dst, text []byte) (int, error) {
	var plain string
	if err := json.Unmarshal(append(append([]byte{'"'}, text...), '"'), &plain); err != nil {
		return 0, err
	}
	// The decoder passes over line ends, which have no place here.
	if strings.ContainsAny(plain, "\r\n") {
		return 0, errors.New("line ends in base64")
	}
	b, err := base64.StdEncoding.DecodeString(plain)
	if err != nil {
		return 0, err
	}
	if len(b) > len(dst) {
		return 0, fmt.Errorf("%d bytes, where %d were expected at most", len(b), len(dst))
	}
	return copy(dst, b), nil
}
