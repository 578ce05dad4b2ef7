package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/starlift-etl/starlift/pipeline"
)

// FormatVersion is the version of the folder's layout. A folder of another one
// was written by a newer or an older starlift, and is refused.
const FormatVersion = 9

const (
	prefixCursor = 'p'
	prefixKeyed  = 's'
)

var (
	keyMeta       = []byte("m")
	keyCheckpoint = []byte("c")
	keyCommitted  = []byte("a") // below what a table of an epoch spans
	keyDefinition = []byte("d")
)

// Meta describes the folder. It is written when the folder is made, and never changes.
type Meta struct {
	Version  int    `json:"version"`
	Pipeline string `json:"pipeline"`
	StateID  string `json:"state_id"`
}

// Checkpoint is what Save makes durable besides cursors and keyed state.
type Checkpoint struct {
	Epoch int64 `json:"epoch"`
	// Began is the wall time in the epoch's header; zero = it has none.
	Began time.Time `json:"began,omitzero"`
	// Finished names the sources that were read to their end.
	Finished map[string]bool `json:"finished,omitempty"`
	// Committables holds the epoch's committable of each sink; those with a
	// Payload are committed again after a restart.
	Committables map[string]*pipeline.Committable `json:"receipts,omitempty"`
	// Spooled holds, by sink and epoch, the Spooled of these committables and of those that they
	// retain. It is read with the checkpoint; Save goes by the committables.
	Spooled map[string]map[int64][]byte `json:"-"`
	// Published is the last epoch that each sink has been given to publish.
	Published map[string]int64 `json:"published,omitempty"`
	// Tables names, by sink, the tables that it has taken.
	Tables map[string][]string `json:"tables,omitempty"`
	// Operators holds, by name, what the operators keep besides their
	// keyspaces: those that settle a transform's rows, those that settle a table
	// by a policy, and stateful transforms.
	Operators map[string]*OperatorState `json:"steps,omitempty"`
	// Budget is the window of the dead letters' budget.
	Budget json.RawMessage `json:"budget,omitempty"`
	// Coverage says which paths of the pipeline file were found in the records.
	Coverage json.RawMessage `json:"coverage,omitempty"`
}

// SinkEpochs returns the last epoch that a sink has published, and the one that it has
// yet to publish; 0 = none. committed says that every sink has committed the
// checkpoint's epoch.
func (c *Checkpoint) SinkEpochs(sink string, committed bool) (published, saved int64) {
	if r := c.Committables[sink]; !committed && r != nil && r.Payload != nil {
		return r.PreviousEpoch, r.Epoch
	}
	return c.Published[sink], 0
}

// OperatorState is what an operator keeps in the checkpoint.
type OperatorState struct {
	// Number is the operator's own, up to MaxOperatorNumber. Keyspace tells its keyspaces.
	Number byte `json:"number"`
	// SourceTimes says of each source that the operator reads what times its changes had.
	SourceTimes map[string]*SourceTimes `json:"clocks,omitempty"`
	// LogicalTables are the logical tables of the items, by their number in the keyspaces.
	LogicalTables []LogicalTable `json:"tables,omitempty"`
	// Schemas describes the tables whose rows are in the keyspaces.
	Schemas map[string]json.RawMessage `json:"schemas,omitempty"`
	// Consumers names, by table, the consumers that have had all its rows since they
	// were first kept: sinks, and other operators.
	Consumers map[string][]string `json:"sinks,omitempty"`
	// Saved is what a policy or a stateful transform has saved.
	Saved json.RawMessage `json:"saved,omitempty"`
}

// LogicalTable is one of which an operator has items.
type LogicalTable struct {
	Name string `json:"name"`
	// Horizon is the time from before which removed items were forgotten, in µs
	// since 1970; nil = none was yet.
	Horizon *int64 `json:"horizon,omitempty"`
	// Unit is that of the coarsest creation times of its changes whose unit is known,
	// in µs; 0 = there was none. Digits has, by source, the finest unit that the digits
	// of times told of which nothing else does.
	Unit   int32            `json:"unit,omitempty"`
	Digits map[string]int32 `json:"digits,omitempty"`
	// Key names the attributes that identify an item, as records of its changes do;
	// nil = none did yet.
	Key []string `json:"key,omitempty"`
}

// SourceTimes is what an operator knows of the times of a source's changes, in µs since 1970.
type SourceTimes struct {
	Greatest  *int64   `json:"newest,omitempty"` // the greatest creation time read; nil = nothing was
	Watermark *int64   `json:"clock,omitempty"`  // what deletions are forgotten by, of a source without end
	Tables    []string `json:"tables,omitempty"` // of the changes
	Untimed   bool     `json:"untimed,omitempty"`
	// Missed says that the source had been read in part when the operator began to.
	Missed bool `json:"missed,omitempty"`
	// Partitions holds the watermarks of partitions that hold more than was read.
	Partitions map[string]int64 `json:"partitions,omitempty"`
}

// MaxOperatorNumber is the greatest Number of an operator: its keyspaces are numbered in a
// byte, of which the greatest value is not used.
const MaxOperatorNumber = 255/pipeline.MaxKeyspaces - 1

// Keyspace returns the number of the i-th keyspace of the operator, i below
// pipeline.MaxKeyspaces.
func (s *OperatorState) Keyspace(i int) byte { return pipeline.MaxKeyspaces*s.Number + byte(i) }

// ErrLocked says that another process has the state folder open.
var ErrLocked = errors.New("another process has it open")

// OtherPipelineError says that a state folder is of a pipeline of another name.
type OtherPipelineError struct{ Was, Is string }

// Error says whose the folder is, and how to go on.
func (e *OtherPipelineError) Error() string {
	return fmt.Sprintf("it belongs to pipeline %q, this one is %q: put the name back, or give each pipeline a state folder of its own (state.dir)", e.Was, e.Is)
}

// Store is an open state folder. One goroutine calls its methods; a Keyspace
// has an owner of its own.
type Store struct {
	db                 *pebble.DB // read-only before Create
	lock               *pebble.Lock
	options            *pebble.Options
	meta               Meta
	fresh              bool            // the folder holds no state yet
	spooled            map[string]bool // the keys of spooled rows that are there
	dir                string
	pipeline           string
	memory             int64
	ingestBytesMin     int
	compactionBytesMin int64
	compaction         *compaction // of level 0; nil = none
	runs               runs
	tableFiles         vfs.FS // through which runs open tables; tests replace it
}

// Options are what Open needs.
type Options struct {
	Pipeline string
	Memory   int64 // bound of the keyspaces' memory, in bytes, over all of them
}

const (
	memTableBytes = 16 << 20
	blockBytes    = 16 << 20
	// cacheBytes is what the database's cache is told that it may take. Pebble counts memory
	// tables as part of that, the one that is written to and one that is being flushed: with
	// less, no block would stay, not even those of Bloom filters, which all lookups need.
	cacheBytes = blockBytes + 2*memTableBytes
	// indexBlockBytes makes a table's index one block, so that a lookup reads one less.
	indexBlockBytes = 256 << 10
)

func dbOptions(dir string, cache *pebble.Cache) *pebble.Options {
	log := quietLogger{dir}
	o := &pebble.Options{
		FS:                 files{vfs.Default},
		Cache:              cache,
		MemTableSize:       memTableBytes,
		FormatMajorVersion: pebble.FormatNewest,
		Logger:             log,
		// What fails in the background, Pebble tries again without end or pause;
		// on a full disk, not even Open would return.
		EventListener: &pebble.EventListener{BackgroundError: func(err error) { log.Fatalf("%v", err) }},
		// The tables of each large epoch span all keys in level 0: compacting them
		// early would write the state again and again. Pebble begins to at half
		// of the threshold; those of small epochs are compacted by Store.compact.
		L0CompactionThreshold:     96,
		L0CompactionFileThreshold: 4000,
		L0StopWritesThreshold:     192,
		LBaseMaxBytes:             4 << 30,
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		o.Levels[i].IndexBlockSize = indexBlockBytes
	}
	// What an epoch writes is compacted into the next level before long.
	o.Levels[0].Compression = func() *sstable.CompressionProfile { return sstable.NoCompression }
	o.Levels[1].Compression = func() *sstable.CompressionProfile { return sstable.SnappyCompression }
	return o
}

// check refuses a folder of another layout, or of another pipeline.
func (m *Meta) check(pipeline string) error {
	if m.Version > FormatVersion {
		return fmt.Errorf("it was written by a newer starlift (format %d, this one knows %d): use that version or a new folder",
			m.Version, FormatVersion)
	}
	if m.Version < FormatVersion {
		return fmt.Errorf("it was written by an older starlift (format %d, this one needs %d): go on with that version, "+
			"or begin anew: starlift reset FILE shows what that takes", m.Version, FormatVersion)
	}
	if m.Pipeline != pipeline {
		return &OtherPipelineError{Was: m.Pipeline, Is: pipeline}
	}
	return nil
}

// ID returns the random id that was made with the folder.
func (s *Store) ID() string { return s.meta.StateID }

// Checkpoint returns the last saved checkpoint; a new folder's is empty, with epoch 0.
func (s *Store) Checkpoint() (*Checkpoint, error) {
	c := &Checkpoint{}
	raw, err := s.get(keyCheckpoint)
	if err != nil || raw == nil {
		return c, err
	}
	if err := json.Unmarshal(raw, c); err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	return c, s.readSpooled(c)
}

// Definition returns what SetDefinition has written; nil = nothing yet.
func (s *Store) Definition() ([]byte, error) { return s.get(keyDefinition) }

// SetDefinition keeps what the state is built by from the next epoch on: it is
// durable before one is saved.
func (s *Store) SetDefinition(definition []byte) error {
	if err := s.db.Set(keyDefinition, definition, pebble.Sync); err != nil {
		return fmt.Errorf("keeping the definition of the pipeline: %w", err)
	}
	return nil
}

// MarkCommitted notes that every sink has committed the epoch. It is not
// synced: losing it means that the commit is tried again, to no effect.
func (s *Store) MarkCommitted(epoch int64) error {
	if err := s.db.Set(keyCommitted, strconv.AppendInt(nil, epoch, 10), pebble.NoSync); err != nil {
		return fmt.Errorf("noting the commit of epoch %d: %w", epoch, err)
	}
	return nil
}

// Committed returns the epoch that was marked last; 0 = none.
func (s *Store) Committed() (int64, error) {
	raw, err := s.get(keyCommitted)
	if err != nil || raw == nil {
		return 0, err
	}
	return strconv.ParseInt(string(raw), 10, 64)
}

// Cursors returns the saved cursors of a source, by partition.
func (s *Store) Cursors(source string) (map[string][]byte, error) {
	lower := cursorKey(source, "")
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: after(lower)})
	if err != nil {
		return nil, err
	}
	cursors := map[string][]byte{}
	for ok := it.First(); ok; ok = it.Next() {
		cursors[string(it.Key()[len(lower):])] = bytes.Clone(it.Value())
	}
	return cursors, it.Close()
}

// Sources returns the sources that have saved cursors.
func (s *Store) Sources() (sources []string, err error) {
	lower := []byte{prefixCursor}
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: after(lower)})
	if err != nil {
		return nil, err
	}
	for ok := it.First(); ok; {
		source, _, _ := strings.Cut(string(it.Key()[1:]), "\x00")
		sources = append(sources, source)
		ok = it.SeekGE(after(cursorKey(source, "")))
	}
	return sources, it.Close()
}

// Size returns the bytes of the database on disk.
func (s *Store) Size() int64 { return int64(s.db.Metrics().DiskSpaceUsage()) }

// Close closes the folder. It may be called twice.
func (s *Store) Close() error {
	var errs []error
	if s.db != nil {
		errs = append(errs, s.endCompaction(), s.runs.drop(), s.db.Close())
		s.db = nil
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
		s.lock = nil
	}
	return errors.Join(errs...)
}

func (s *Store) get(key []byte) ([]byte, error) {
	v, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return bytes.Clone(v), closer.Close()
}

func cursorKey(source, partition string) []byte {
	k := append([]byte{prefixCursor}, source...)
	return append(append(k, 0), partition...)
}

// after returns the first key that does not begin with the prefix; the prefix
// does not end in 0xff.
func after(prefix []byte) []byte {
	k := bytes.Clone(prefix)
	k[len(k)-1]++
	return k
}

// quietLogger keeps Pebble's own messages out of the program's log; what is
// wrong comes back as an error.
type quietLogger struct{ dir string }

func (quietLogger) Infof(string, ...any)  {}
func (quietLogger) Errorf(string, ...any) {}

// Fatalf is called where the database cannot go on, a full disk below its log
// for one, and must not return. It ends the process as a crash would, which the
// protocol allows at any instant, but with a message instead of a stack.
func (l quietLogger) Fatalf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "starlift: state folder %s: %s: what is saved stays; when the cause is removed, the next run goes on there\n",
		l.dir, fmt.Sprintf(format, args...))
	os.Exit(1)
}
