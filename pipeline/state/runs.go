package state

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sort"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	blocks "github.com/cockroachdb/pebble/v2/sstable/block"

	"github.com/starlift-etl/starlift/pipeline"
)

// runs are what the last large epochs wrote, each in tables of its own. The
// database looks for one key after the other, in every table that may have it:
// with tens of tables on top of each other, most of a lookup is asking. Here all
// keys of a lookup ask one run after the other, the newest first, each with a
// filter in memory, and only those that are in none ask the database.
//
// The tables are files of the database, which are kept open: compactions, which may
// remove them, change no key's value. Runs are all that was written since the
// oldest of them, so what is in one is no older than the database. None are left
// when something was written by other means, as small epochs are, when the
// database has compacted most of them, and after a restart.
type runs struct {
	mu          sync.RWMutex // Lookup reads, Save changes
	list        []*run       // the oldest first
	tables      int
	tablesMax   int // tables; files that are kept open
	filterBytes atomic.Int64
	// complete says that the runs hold all that was ever written: what is in none of them
	// is nowhere.
	complete bool
}

// runTablesMax bounds the files that are kept open.
const runTablesMax = 512

// run is what an epoch wrote.
type run struct {
	tables  []runTable             // in the order of their keys
	filters map[string]*runFilters // by the keyspace's prefix
}

// runFilters are those of the keys that a run has in a keyspace, by key group.
type runFilters struct {
	of  [pipeline.KeyGroups]*filter // nil = there are none
	any bool                        // there are no filters: anything may be in it
}

type runTable struct {
	first []byte // the lowest key
	r     *sstable.Reader
}

// newRun returns the run of some deltas, without tables and filters.
func newRun(deltas []*Delta) *run {
	r := &run{filters: map[string]*runFilters{}}
	for _, d := range deltas {
		if d.bytes > 0 {
			r.filters[string(d.prefix)] = &runFilters{any: d.cold}
		}
	}
	return r
}

// addFilter adds the filter of what was written to a key group. Goroutines may call it for
// different ones.
func (r *run) addFilter(c content) {
	if !c.of.cold {
		r.filters[string(c.of.prefix)].of[c.group] = c.delta.filter()
	}
}

// openTables opens the tables of an update before the database has them, or fewer where the
// process may not have so many open: the database has to be asked for all then.
func (s *Store) openTables(t *tables) (opened []runTable, err error) {
	for i, path := range t.paths {
		reader, err := s.openTable(path)
		if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
			return opened, nil
		}
		if err != nil {
			return opened, err
		}
		opened = append(opened, runTable{t.firsts[i], reader})
	}
	return opened, nil
}

func (s *Store) openTable(path string) (*sstable.Reader, error) {
	f, err := s.tableFiles.Open(path)
	if err != nil {
		return nil, err
	}
	readable, err := sstable.NewSimpleReadable(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	r, err := sstable.NewReader(context.Background(), readable, s.options.MakeReaderOptions())
	if err != nil {
		return nil, errors.Join(err, readable.Close())
	}
	return r, nil
}

// filter returns a filter of the keys that were written.
func (d *groupDelta) filter() *filter {
	f := &filter{}
	f.grow(len(d.writes)/blockKeys + 1)
	for _, at := range d.writes {
		f.add(d.key(at))
	}
	return f
}

func (r *run) close() (err error) {
	if r == nil {
		return nil
	}
	for _, t := range r.tables {
		err = errors.Join(err, t.r.Close())
	}
	return err
}

// add adds the run that was just written; nil = its tables could not be opened, so that no
// run may stay. The oldest runs are closed where there are too many tables, and all where
// the database has compacted most of them: level 0 is only so deep then.
func (rs *runs) add(r *run, depth int) (err error) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if r == nil {
		return rs.dropAll()
	}
	rs.list, rs.tables = append(rs.list, r), rs.tables+len(r.tables)
	rs.filterBytes.Add(r.filterBytes())
	if len(rs.list) > 2*depth+2 {
		return rs.dropAll()
	}
	for rs.tables > rs.tablesMax {
		err = errors.Join(err, rs.list[0].close())
		rs.filterBytes.Add(-rs.list[0].filterBytes())
		rs.tables -= len(rs.list[0].tables)
		rs.list, rs.complete = slices.Delete(rs.list, 0, 1), false
	}
	return err
}

// drop closes all runs, since something was written by other means.
func (rs *runs) drop() (err error) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return rs.dropAll()
}

func (rs *runs) dropAll() (err error) {
	for _, r := range rs.list {
		err = errors.Join(err, r.close())
	}
	rs.list, rs.tables, rs.complete = nil, 0, false
	rs.filterBytes.Store(0)
	return err
}

// size returns the bytes of the filters.
func (rs *runs) size() int64 { return rs.filterBytes.Load() }

func (r *run) filterBytes() (n int64) {
	for _, fs := range r.filters {
		for _, f := range fs.of {
			n += f.size()
		}
	}
	return n
}

// lookupRuns takes those of the misses that are in runs, or known to be nowhere.
func (k *Keyspace) lookupRuns(m *misses, keys []pipeline.Hash, values [][]byte) error {
	k.runs.mu.RLock()
	defer k.runs.mu.RUnlock()
	for _, r := range slices.Backward(k.runs.list) {
		filters := r.filters[string(k.prefix)]
		switch {
		case len(m.at) == 0 || filters != nil && filters.any:
			return nil
		case filters == nil:
			continue
		}
		if err := k.lookupRun(r, filters, m, keys, values); err != nil {
			return err
		}
	}
	if k.runs.complete {
		m.at = m.at[:0]
	}
	return nil
}

// lookupRun takes the misses that are in one run.
func (k *Keyspace) lookupRun(r *run, filters *runFilters, m *misses, keys []pipeline.Hash, values [][]byte) error {
	cursor := newRunCursor(r)
	rest := m.at[:0]
	buf := make([]byte, 0, len(k.prefix)+keyBytes)
	var err error
	for _, i := range m.at {
		var v []byte
		found := false
		if f := filters.of[keys[i].KeyGroup()]; err == nil && f != nil && f.mayHave(keys[i]) {
			buf = appendHash(append(buf[:0], k.prefix...), keys[i])
			v, found, err = cursor.find(buf)
		}
		switch {
		case !found:
			rest = append(rest, i)
		case v != nil:
			values[i] = k.addToCache(keys[i], v)
		}
	}
	m.at = rest
	return errors.Join(err, cursor.close())
}

// runCursor looks for ascending keys in a run.
type runCursor struct {
	run  *run
	at   int              // the table of it; -1 = none yet
	it   sstable.Iterator // over that
	pool blocks.BufferPool
}

func newRunCursor(r *run) *runCursor {
	l := &runCursor{run: r, at: -1}
	l.pool.Init(4)
	return l
}

// find returns the value of a key, nil where it was deleted. It is valid until the
// next call.
func (l *runCursor) find(key []byte) (value []byte, found bool, err error) {
	tables := l.run.tables
	at := sort.Search(len(tables), func(i int) bool { return bytes.Compare(tables[i].first, key) > 0 }) - 1
	if at < 0 {
		return nil, false, nil
	}
	if at != l.at {
		if err := l.open(at); err != nil {
			return nil, false, err
		}
	}
	kv := l.it.SeekGE(key, 0)
	if kv == nil {
		return nil, false, l.it.Error()
	}
	if !bytes.Equal(kv.K.UserKey, key) {
		return nil, false, nil
	}
	if kv.Kind() == pebble.InternalKeyKindDelete {
		return nil, true, nil
	}
	value, _, err = kv.Value(nil)
	return value, true, err
}

func (l *runCursor) open(at int) (err error) {
	if err := l.closeTable(); err != nil {
		return err
	}
	r := l.run.tables[at].r
	l.it, err = r.NewPointIter(context.Background(), sstable.IterOptions{
		FilterBlockSizeLimit: sstable.NeverUseFilterBlock,
		Env:                  sstable.ReadEnv{Block: blocks.ReadEnv{BufferPool: &l.pool}},
		ReaderProvider:       sstable.MakeTrivialReaderProvider(r),
		BlobContext:          sstable.AssertNoBlobHandles,
	})
	if err == nil {
		l.at = at
	}
	return err
}

func (l *runCursor) closeTable() error {
	if l.at < 0 {
		return nil
	}
	l.at = -1
	return l.it.Close()
}

func (l *runCursor) close() error {
	err := l.closeTable()
	l.pool.Release()
	return err
}
