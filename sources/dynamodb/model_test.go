package dynamodb

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/partitions"
	"github.com/starlift-etl/starlift/sources/internal/exportrequest"
)

// write is a write of an item, and the record of it.
type write struct {
	Item    string    `json:"item"`
	Value   int       `json:"value"`
	Deleted bool      `json:"deleted,omitempty"`
	At      time.Time `json:"at"` // in a snapshot its version
}

const modelShards = 3

// world is a table, its stream of several shards, and its exports, with a clock of its own.
type world struct {
	mu      sync.Mutex
	rng     *rand.Rand
	now     time.Time
	history []write
	shards  [modelShards][]write
	trimmed [modelShards]int
	exports map[string][]write // by the folder
	asked   map[string]string  // ARN by the request's id
	given   *exportFolder      // one that is there; nil = none
	// meanwhile, when set, happens once, when a snapshot is first read. The lock is held.
	meanwhile func()
}

func newWorld(seed uint64) *world {
	return &world{rng: rand.New(rand.NewPCG(seed, 1)), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), exports: map[string][]write{}, asked: map[string]string{}}
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func hashOf(item string) int {
	h := fnv.New32a()
	h.Write([]byte(item))
	return int(h.Sum32())
}

// write writes some items, one every few seconds.
func (w *world) write(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writeLocked(n)
}

func (w *world) writeLocked(n int) {
	for range n {
		w.now = w.now.Add(time.Duration(1+w.rng.IntN(20)) * time.Second)
		r := write{Item: fmt.Sprintf("i%02d", w.rng.IntN(30)), Value: len(w.history), Deleted: w.rng.IntN(3) == 0, At: w.now}
		w.history = append(w.history, r)
		shard := hashOf(r.Item) % modelShards
		w.shards[shard] = append(w.shards[shard], r)
	}
}

// untold writes some items of which the stream gets nothing.
func (w *world) untold(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := [modelShards]int{}
	for i := range w.shards {
		before[i] = len(w.shards[i])
	}
	w.writeLocked(n)
	for i := range w.shards {
		w.shards[i] = w.shards[i][:before[i]]
	}
}

// trim takes the oldest records out of the stream: all, or those before the last few of each shard.
func (w *world) trim(keep int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trimLocked(keep)
}

func (w *world) trimLocked(keep int) {
	for i := range w.shards {
		w.trimmed[i] = max(w.trimmed[i], len(w.shards[i])-keep)
	}
}

// itemsAt returns the table at a time of each item's own.
func (w *world) itemsAt(at func() time.Time) []write {
	newest, when := map[string]write{}, map[string]time.Time{}
	for _, r := range w.history {
		if when[r.Item].IsZero() {
			when[r.Item] = at()
		}
		if !r.At.After(when[r.Item]) {
			newest[r.Item] = r
		}
	}
	var all []write
	for _, item := range slices.Sorted(maps.Keys(newest)) {
		if r := newest[item]; !r.Deleted {
			all = append(all, r)
		}
	}
	return all
}

// table returns the values of the items as they are now.
func (w *world) table() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := map[string]int{}
	for _, r := range w.itemsAt(func() time.Time { return w.now }) {
		now[r.Item] = r.Value
	}
	return now
}

// export makes an export, whose edge is blurred by a minute.
func (w *world) export() *exportFolder {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := &exportFolder{URL: fmt.Sprintf("export-%d", len(w.exports)), Time: w.now}
	items := w.itemsAt(func() time.Time { return e.Time.Add(-time.Duration(w.rng.IntN(60)) * time.Second) })
	w.exports[e.URL], e.Items = items, int64(len(items))
	return e
}

func (w *world) read(items []write, from, most int) *pipeline.Records {
	r := &pipeline.Records{Format: &pipeline.Format{}}
	to := min(from+most, len(items))
	for i := from; i < to; i++ {
		start := len(r.Data)
		raw, err := json.Marshal(items[i])
		if err != nil {
			panic(err)
		}
		r.Data = append(r.Data, raw...)
		r.Spans = append(r.Spans, pipeline.Span{Start: uint32(start), End: uint32(len(r.Data)), Line: int64(i)})
	}
	r.CursorAfter = func(n int) []byte { return []byte(strconv.Itoa(from + n)) }
	return r
}

// modelStream reads the shards of a world.
type modelStream struct{ w *world }

func (modelStream) Bounded() bool                               { return false }
func (modelStream) Connect(context.Context, pipeline.Env) error { return nil }
func (modelStream) Close() error                                { return nil }

func (s modelStream) Discover(_ context.Context, known map[string]bool) (all []pipeline.Partition, err error) {
	for i := range modelShards {
		p := pipeline.Partition{Name: "shard-" + strconv.Itoa(i)}
		if len(known) == 0 {
			s.w.mu.Lock()
			p.Start = []byte(strconv.Itoa(s.w.trimmed[i]))
			s.w.mu.Unlock()
		}
		all = append(all, p)
	}
	return all, nil
}

func (s modelStream) OpenPartition(_ context.Context, p pipeline.Partition, at pipeline.PartitionPosition) (pipeline.PartitionReader, error) {
	shard, err := strconv.Atoi(p.Name[len("shard-"):])
	if err != nil {
		return nil, err
	}
	from, err := strconv.Atoi(string(at.Cursor))
	return &modelReader{w: s.w, shard: shard, at: from}, err
}

type modelReader struct {
	w     *world
	shard int
	at    int
}

func (r *modelReader) Read(context.Context, int) (out pipeline.PartitionRecords, err error) {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	records, trimmed := r.w.shards[r.shard], r.w.trimmed[r.shard]
	if r.at < trimmed {
		return out, &pipeline.GapError{Partition: "shard", Position: strconv.Itoa(r.at), From: records[r.at].At, To: records[trimmed-1].At,
			Resume: []byte(strconv.Itoa(trimmed)), Err: io.ErrUnexpectedEOF}
	}
	if r.at == len(records) {
		return pipeline.PartitionRecords{CaughtUp: true}, nil
	}
	out.Records = r.w.read(records, r.at, 1+r.w.rng.IntN(7))
	r.at += out.Records.Len()
	out.CaughtUp = r.at == len(records)
	return out, nil
}

func (*modelReader) Close() error { return nil }

// startedStream is the stream as the hand-off sees it.
type startedStream struct {
	*partitions.Source
	w *world
}

func (s startedStream) StartTime() (time.Time, bool) {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	at := s.w.history[0].At
	for i, n := range s.w.trimmed {
		if n > 0 {
			if last := s.w.shards[i][n-1].At.Add(time.Second); last.After(at) {
				at = last
			}
		}
	}
	return at, true
}

// modelSnapshot reads the items of a snapshot, as two partitions.
type modelSnapshot struct {
	w     *world
	items []write
}

func (modelSnapshot) Bounded() bool                               { return true }
func (modelSnapshot) Connect(context.Context, pipeline.Env) error { return nil }
func (modelSnapshot) Close() error                                { return nil }
func (modelSnapshot) Discover(context.Context, map[string]bool) ([]pipeline.Partition, error) {
	return []pipeline.Partition{{Name: "0", Start: []byte("0")}, {Name: "1", Start: []byte("0")}}, nil
}

func (s modelSnapshot) OpenPartition(_ context.Context, p pipeline.Partition, at pipeline.PartitionPosition) (pipeline.PartitionReader, error) {
	half := len(s.items) / 2
	items := s.items[:half]
	if p.Name == "1" {
		items = s.items[half:]
	}
	from, err := strconv.Atoi(string(at.Cursor))
	return &snapshotReader{w: s.w, items: items, at: from}, err
}

type snapshotReader struct {
	w     *world
	items []write
	at    int
}

func (r *snapshotReader) Read(context.Context, int) (out pipeline.PartitionRecords, err error) {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	if do := r.w.meanwhile; do != nil {
		r.w.meanwhile = nil
		do()
	}
	if r.at == len(r.items) {
		return out, io.EOF
	}
	out.Records = r.w.read(r.items, r.at, 1+r.w.rng.IntN(4))
	r.at += out.Records.Len()
	return out, nil
}

func (*snapshotReader) Close() error { return nil }

// modelSnapshots are the exports of a world, all of which are asked for.
type modelSnapshots struct {
	w     *world
	given *exportFolder // one that is there already; nil = none
}

func (s *modelSnapshots) find(_ context.Context, _ pipeline.Env, p *pass) error {
	p.Key = []string{"item"}
	if s.given != nil {
		if !p.takes(s.given.Time) {
			return p.tooOld("the export", s.given.Time)
		}
		p.Export = s.given
		return nil
	}
	p.Request = &exportrequest.Request{ID: exportrequest.NewID()}
	return nil
}

func (*modelSnapshots) check(context.Context, pipeline.Env, *pass) error { return nil }

func (s *modelSnapshots) make(ctx context.Context, _ pipeline.Env, w worksheet) error {
	p := w.pass()
	if p.Export != nil {
		return nil
	}
	if p.ARN == "" {
		s.w.mu.Lock()
		arn, ok := s.w.asked[p.Request.ID]
		if !ok {
			arn = fmt.Sprintf("arn-%d", len(s.w.asked))
			s.w.asked[p.Request.ID] = arn
		}
		s.w.mu.Unlock()
		if err := w.change(ctx, func(p *pass) { p.ARN = arn }); err != nil {
			return err
		}
	}
	for {
		if e := s.w.export(); w.pass().takes(e.Time) {
			return w.change(ctx, func(p *pass) { p.Export = e })
		}
		s.w.write(3)
	}
}

func (s *modelSnapshots) source(p *pass) (pipeline.Source, error) {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	items := slices.Clone(s.w.exports[p.Export.URL])
	for i := range items {
		items[i].At = p.Export.version()
	}
	return partitions.New("shop", modelSnapshot{s.w, items}, partitions.Options{PollInterval: time.Millisecond}), nil
}

// source returns a source of the world's table, as a new process makes it.
func (w *world) source(m mode) *Source {
	stream := startedStream{partitions.New("shop", modelStream{w}, partitions.Options{PollInterval: time.Millisecond}), w}
	made := &Source{name: "shop", kind: kindExport, mode: m, table: "shop", stream: stream, snapshots: &modelSnapshots{w: w, given: w.given}, pause: awsapi.Sleep,
		regions: func(context.Context) error { return nil }}
	made.another = func(m mode) (*Source, error) { return w.source(m), nil }
	return made
}

func (*world) change(r *pipeline.Records, i int) (in write, err error) {
	return in, json.Unmarshal(r.Bytes(i), &in)
}

func (w *world) caughtUp(cursors map[string][]byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, records := range w.shards {
		var c struct{ At string }
		if json.Unmarshal(cursors[fmt.Sprintf("%sshard-%d", streamPrefix, i)], &c) != nil || c.At != strconv.Itoa(len(records)) {
			return false
		}
	}
	return true
}
