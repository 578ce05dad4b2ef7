package page

import (
	"time"

	"github.com/starlift-etl/starlift/sources/internal/jsonscan"
)

// Page is the answer to one GetRecords, or an event of a subscription.
type Page struct {
	// Data holds the data of all records. Whoever has the page may append to it, and change it.
	Data []byte
	// Records are in the order of the shard.
	Records []Record
	// Next is the iterator of the next page; empty = the shard is closed and read to its end.
	Next string
	// Continuation is the sequence number of an event to subscribe at again; empty = of an event, the
	// shard is closed and read to its end.
	Continuation string
	// Behind is how far the page is from the tip of the shard, by the service's clock; valid
	// where BehindKnown.
	Behind      time.Duration
	BehindKnown bool
	// Children are named at the end of a shard only, and not by all services.
	Children []Child

	text   string  // of sequence numbers and partition keys
	memory *memory // that Data began in
}

// Record is one record of a page.
type Record struct {
	Start, End uint32 // of its data in Page.Data
	Arrived    int64  // in µs since 1970; NoArrival = not told

	sequence, key jsonscan.Extent // in Page.text
}

// NoArrival stands for an arrival that the service does not tell.
const NoArrival = jsonscan.NoTime

// Child is a shard that came out of the one that was read.
type Child struct {
	ShardID string   `json:"ShardId"`
	Parents []string `json:"ParentShards"`
}

// Sequence returns the sequence number of a record. It shares memory with those of the whole page:
// clone what is kept for long.
func (p *Page) Sequence(i int) string {
	e := p.Records[i].sequence
	return p.text[e.Start:e.End]
}

// PartitionKey returns the partition key of a record, which shares memory as Sequence
// does.
func (p *Page) PartitionKey(i int) string {
	e := p.Records[i].key
	return p.text[e.Start:e.End]
}

// Split leaves the page its first n records, and returns another one with the rest, which has all that is
// said of the end: where to go on, and the children. Both hold the same memory until both are freed, and what is
// appended to the Data of the rest does not touch the first.
func (p *Page) Split(n int) *Page {
	rest := *p
	p.Records, rest.Records = p.Records[:n:n], p.Records[n:]
	rest.Data = p.Data[:len(p.Data):len(p.Data)]
	p.memory.share()
	p.Next, p.Continuation, p.Children = "", "", nil
	return &rest
}

// OnFree has f called when the memory of Data is given back. It is called once, before Split and Free.
func (p *Page) OnFree(f func()) { p.memory.freed = f }

// Free gives the memory of Data back. Neither it nor slices of it may be used any
// more. It may be called twice.
func (p *Page) Free() {
	p.memory.free()
	p.Data, p.memory = nil, nil
}
