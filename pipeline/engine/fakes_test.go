package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"
	"github.com/zeebo/xxh3"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/graph"
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
var valueTable = func() *pipeline.Table {
	t, err := pipeline.NewTable("value", []pipeline.Column{
		{Name: "item", Type: pipeline.Type{Kind: pipeline.String}},
		{Name: "n", Type: pipeline.Type{Kind: pipeline.Int64}},
	}, []string{"item"})
	if err != nil {
		panic(err)
	}
	return t
}()

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

// row is a row as memorySink keeps it.
type row struct {
	Op   string `json:"op"`
	Item string `json:"item"`
	N    int64  `json:"n"`
}

// memorySink is a target that outlives the engine: a table with a token, and a
// log of all that was published. It gathers every other epoch when told to.
type memorySink struct {
	mode   pipeline.Mode
	gather bool
	due    time.Time // of what is gathered
	names  []string  // of its tables, for Check
	opened int
	fail   func(call string) error

	mu      sync.Mutex
	table   map[string]int64
	log     []row
	token   int64
	stateID string

	opening pipeline.SinkOptions
	carry   []int64
}

func newSink(mode pipeline.Mode) *memorySink {
	return &memorySink{mode: mode, table: map[string]int64{}}
}

func (s *memorySink) failing(call string) error {
	if s.fail == nil {
		return nil
	}
	return s.fail(call)
}

func (s *memorySink) Mode() pipeline.Mode { return s.mode }
func (s *memorySink) Close() error        { return nil }

func (s *memorySink) Check(_ context.Context, o pipeline.SinkOptions) ([]string, error) {
	if err := s.failing("check"); err != nil {
		return nil, err
	}
	return s.names, s.judge(o)
}

func (s *memorySink) judge(o pipeline.SinkOptions) error {
	if s.stateID != "" && s.stateID != o.StateID {
		return fmt.Errorf("token of state %s", s.stateID)
	}
	if pending := o.Pending != nil && s.token == o.Pending.Epoch; s.token != o.Published && !pending {
		return fmt.Errorf("token %d, the checkpoint says %d", s.token, o.Published)
	}
	return nil
}

func (s *memorySink) Open(_ context.Context, o pipeline.SinkOptions) error {
	s.opening, s.carry = o, nil
	s.opened++
	if err := s.judge(o); err != nil {
		return err
	}
	if o.SinkState != nil {
		if err := json.Unmarshal(o.SinkState, &s.carry); err != nil {
			return err
		}
	}
	return s.failing("open")
}

func (s *memorySink) Begin(epoch int64) (pipeline.EpochWriter, error) {
	return &memoryEpoch{s: s, epoch: epoch}, s.failing("begin")
}

func (s *memorySink) Commit(_ context.Context, r *pipeline.Committable) error {
	if err := s.failing("commit"); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token == r.Epoch {
		return nil
	}
	if s.token != r.PreviousEpoch {
		return fmt.Errorf("token %d, the committable wants %d", s.token, r.PreviousEpoch)
	}
	var epochs []int64
	if err := json.Unmarshal(r.Payload, &epochs); err != nil {
		return err
	}
	for _, e := range epochs {
		raw, err := os.ReadFile(filepath.Join(s.opening.Spool(e), "rows"))
		if err != nil {
			return err
		}
		var rows []row
		if err := json.Unmarshal(raw, &rows); err != nil {
			return err
		}
		for _, w := range rows {
			if err := s.apply(w); err != nil {
				return err
			}
		}
	}
	s.token, s.stateID = r.Epoch, s.opening.StateID
	return s.failing("committed") // the answer is lost
}

// apply applies a row, and refuses one that does not fit what is there.
func (s *memorySink) apply(w row) error {
	s.log = append(s.log, w)
	_, there := s.table[w.Item]
	if s.mode == pipeline.Settled && there == (w.Op == "insert") {
		return fmt.Errorf("%s of %s, there: %v", w.Op, w.Item, there)
	}
	if w.Op == "delete" {
		delete(s.table, w.Item)
	} else {
		s.table[w.Item] = w.N
	}
	return nil
}

type memoryEpoch struct {
	s     *memorySink
	epoch int64
	rows  []row
}

func (e *memoryEpoch) Abort() {}

func (e *memoryEpoch) Write(_ []pipeline.Change, r *pipeline.Rows) error {
	items, ns := r.Record.Column(0).(*array.String), r.Record.Column(1).(*array.Int64)
	for i, op := range r.Ops {
		e.rows = append(e.rows, row{op.String(), items.Value(i), ns.Value(i)})
	}
	return e.s.failing("write")
}

func (e *memoryEpoch) Prepare(_ context.Context, last bool) (*pipeline.Committable, error) {
	if err := e.s.failing("prepare"); err != nil {
		return nil, err
	}
	rc := &pipeline.Committable{Epoch: e.epoch}
	if len(e.rows) > 0 {
		raw, err := json.Marshal(e.rows)
		if err != nil {
			return nil, err
		}
		dir := e.s.opening.Spool(e.epoch)
		if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "rows"), raw, 0o644)); err != nil {
			return nil, err
		}
		e.s.carry = append(e.s.carry, e.epoch)
	}
	if len(e.s.carry) == 0 {
		return rc, nil
	}
	list, err := json.Marshal(e.s.carry)
	if e.s.gather && !last && e.epoch%2 == 1 {
		rc.SinkState, rc.RetainEpochs, rc.FlushBy = list, append(rc.RetainEpochs, e.s.carry...), e.s.due
		return rc, err
	}
	rc.Payload, e.s.carry = list, nil
	return rc, err
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
