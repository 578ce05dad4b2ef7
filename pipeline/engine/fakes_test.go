package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"
	"github.com/zeebo/xxh3"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/pipeline/telemetry"
)

// change is a record of the tests' source: item I gets the value N at a time;
// negative N deletes it, and N divisible by 100 is a dead letter.
type change struct {
	Item string `json:"item"`
	Time int64  `json:"time"`
	N    int64  `json:"n"`
}

// memorySource reads changes from memory, some at a time.
type memorySource struct {
	name     string // empty = s
	changes  []change
	block    int
	at       int
	told     []int // cursors it was told
	fail     func() error
	failOpen error
	opens    func() error // null = it opens
	endless  bool
	drops    []string     // partitions that it is done with from the start
	reads    atomic.Int64 // records given
	held     atomic.Int64 // blocks given and not freed yet
}

func (s *memorySource) Bounded() bool { return !s.endless }

func (s *memorySource) CursorText(_ string, cursor []byte) string { return string(cursor) }

func (s *memorySource) Open(_ context.Context, o pipeline.SourceOptions) error {
	s.at = 0
	if s.failOpen != nil {
		return s.failOpen
	}
	if s.opens != nil {
		if err := s.opens(); err != nil {
			return err
		}
	}
	if c, ok := o.Cursors["p"]; ok {
		n, err := strconv.Atoi(string(c))
		s.at = n
		return err
	}
	return nil
}

func (s *memorySource) Read(ctx context.Context) (*pipeline.Records, error) {
	if s.fail != nil {
		if err := s.fail(); err != nil {
			return nil, err
		}
	}
	if s.at == len(s.changes) {
		if s.endless {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return nil, io.EOF
	}
	first := s.at
	s.held.Add(1)
	defer func() { s.reads.Store(int64(s.at)) }()
	s.at = min(len(s.changes), s.at+s.block)
	r := &pipeline.Records{Source: cmp.Or(s.name, "s"), Partition: "p", Format: &pipeline.Format{Encoding: pipeline.DynamoDBCDC}, First: int64(first),
		CursorAfter: func(n int) []byte { return strconv.AppendInt(nil, int64(first+n), 10) },
		Free:        func() { s.held.Add(-1) }}
	r.Dropped, s.drops = s.drops, nil
	for i, c := range s.changes[first:s.at] {
		line, err := json.Marshal(c)
		if err != nil {
			return nil, err
		}
		from := uint32(len(r.Data))
		r.Data = append(r.Data, line...)
		r.Spans = append(r.Spans, pipeline.Span{Start: from, End: uint32(len(r.Data)), Line: int64(first + i + 1)})
	}
	return r, nil
}

func (s *memorySource) Committed(_ context.Context, cursors map[string][]byte) error {
	n, err := strconv.Atoi(string(cursors["p"]))
	s.told = append(s.told, n)
	return err
}

func (s *memorySource) Close() error { return nil }

// edit compiles the pipeline again, with nodes as f leaves them.
func (c *Config) edit(f func(*graph.Nodes)) {
	plan, err := c.With(f)
	if err != nil {
		panic(err)
	}
	c.Plan = plan
}

// valueTable has one row an item.
var valueTable = pipelinetest.Table("value", "item", "item", "n int64")

type valueTransform struct{}

func (valueTransform) Tables() []*pipeline.Table                { return []*pipeline.Table{valueTable} }
func (valueTransform) NewMapper(pipeline.Needs) pipeline.Mapper { return valueTransform{} }

func (valueTransform) Map(_ context.Context, r *pipeline.Records) (*pipeline.Batch, error) {
	b := &pipeline.Batch{Records: r}
	rb := array.NewRecordBuilder(memory.DefaultAllocator, valueTable.Schema())
	defer rb.Release()
	rows := &pipeline.Rows{Table: valueTable}
	for i := range r.Len() {
		var c change
		if err := json.Unmarshal(r.Bytes(i), &c); err != nil {
			return nil, err
		}
		if c.N > 0 && c.N%100 == 0 {
			b.DeadLetters = append(b.DeadLetters, pipeline.DeadLetter{Record: r.Bytes(i), Reason: pipeline.ReasonBadValue, Node: "t", Pos: r.Position(i), At: i})
			continue
		}
		h := xxh3.Hash128([]byte(c.Item))
		b.Changes = append(b.Changes, pipeline.Change{Record: int32(i), Item: pipeline.Hash{Hi: h.Hi, Lo: h.Lo}, Key: fmt.Appendf(nil, `{"id":%q}`, c.Item),
			Version: pipeline.Version{Time: c.Time, Seq: fmt.Sprint(c.N + 2), New: uint64(c.N) + 1}})
		if c.N >= 0 {
			rb.Field(0).(*array.StringBuilder).Append(c.Item)
			rb.Field(1).(*array.Int64Builder).Append(c.N)
			rows.Ops = append(rows.Ops, pipeline.OpUpsert)
			rows.Change = append(rows.Change, int32(len(b.Changes)-1))
		}
	}
	rows.Record = rb.NewRecord()
	b.Tables = []*pipeline.Rows{rows}
	return b, nil
}

// row is a row of valueTable that was published.
type row struct {
	Op   string
	Item string
	N    int64
}

func rowOf(c *pipelinetest.RowChange) row {
	n, err := strconv.ParseInt(c.Row["n"], 10, 64)
	if err != nil {
		panic(err)
	}
	return row{c.Op.String(), c.Row["item"], n}
}

// logOf returns what was published to a sink, in order.
func logOf(s *pipelinetest.Sink) (log []row) {
	for _, c := range s.Published() {
		log = append(log, rowOf(&c))
	}
	return log
}

// valuesOf returns the table of a sink: n by item.
func valuesOf(s *pipelinetest.Sink) map[string]int64 {
	values := map[string]int64{}
	for _, rows := range s.Tables() {
		for _, r := range rows {
			values[r["item"]] = rowOf(&pipelinetest.RowChange{Row: r}).N
		}
	}
	return values
}

// memoryDead keeps dead letters in memory, published with their epoch.
type memoryDead struct {
	mu      sync.Mutex
	letters []pipeline.DeadLetter
	marks   map[string]int // how often each was read again
	spool   map[int64][]pipeline.DeadLetter
	marked  map[int64][]string
	refusal error // of Check
}

func (m *memoryDead) Check(context.Context, pipeline.SinkOptions) ([]string, error) {
	return nil, m.refusal
}
func (m *memoryDead) Open(context.Context, pipeline.SinkOptions) error { return nil }
func (m *memoryDead) Close() error                                     { return nil }

func (m *memoryDead) Begin(epoch int64) (pipeline.DeadLetterWriter, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.spool == nil {
		m.spool, m.marked, m.marks = map[int64][]pipeline.DeadLetter{}, map[int64][]string{}, map[string]int{}
	}
	m.spool[epoch], m.marked[epoch] = nil, nil
	return &memoryDeadEpoch{m, epoch}, nil
}

func (m *memoryDead) Commit(_ context.Context, r *pipeline.Committable) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var parts []int64
	if err := json.Unmarshal(r.Payload, &parts); err != nil {
		return err
	}
	for _, part := range append(parts, r.Epoch) {
		m.letters = append(m.letters, m.spool[part]...)
		delete(m.spool, part)
	}
	for _, id := range m.marked[r.Epoch] {
		m.marks[id]++
	}
	delete(m.marked, r.Epoch)
	return nil
}

func (m *memoryDead) Amend(_ context.Context, r *pipeline.Committable, more []pipeline.DeadLetter) (*pipeline.Committable, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	amended := *r
	var parts []int64
	if r.Payload != nil {
		if err := json.Unmarshal(r.Payload, &parts); err != nil {
			return nil, err
		}
	}
	// The file of a part is made anew when the same is amended again.
	part := r.Epoch + int64(len(parts)+1)<<32
	m.spool[part] = more
	var err error
	amended.Payload, err = json.Marshal(append(parts, part))
	return &amended, err
}

type memoryDeadEpoch struct {
	m     *memoryDead
	epoch int64
}

func (e *memoryDeadEpoch) Abort() {}

func (e *memoryDeadEpoch) Add(d *pipeline.DeadLetter) error {
	e.m.mu.Lock()
	defer e.m.mu.Unlock()
	e.m.spool[e.epoch] = append(e.m.spool[e.epoch], *d)
	return nil
}

func (e *memoryDeadEpoch) Replayed(l *pipeline.DeadLetterID) error {
	e.m.mu.Lock()
	defer e.m.mu.Unlock()
	e.m.marked[e.epoch] = append(e.m.marked[e.epoch], l.ID)
	return nil
}

func (e *memoryDeadEpoch) Prepare(context.Context) (*pipeline.Committable, error) {
	e.m.mu.Lock()
	defer e.m.mu.Unlock()
	rc := &pipeline.Committable{Epoch: e.epoch}
	if len(e.m.spool[e.epoch])+len(e.m.marked[e.epoch]) > 0 {
		rc.Payload = json.RawMessage("[]")
	}
	return rc, nil
}

// recorder returns what observes the pipeline.
func recorder(c *Config) *telemetry.Recorder { return c.Observer.(*telemetry.Recorder) }

// observe has a pipeline log, and observed by one who logs as well.
func observe(c *Config, log *slog.Logger) {
	c.Log, c.Observer = log, telemetry.New(telemetry.Options{Log: log, Clock: c.Clock})
}
