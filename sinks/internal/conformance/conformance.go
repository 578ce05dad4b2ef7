// Package conformance holds every sink of settled rows against the same cases.
//
// [RunRows] is about rows, in any [Store]. [Run] is for a warehouse ([Database]): about
// tables and tokens too, and that a failure of any request to the database, before or
// after it took effect, loses and repeats nothing; one that is asked in SQL ([SQL]) has
// some more to pass. [RunGathered] compares a sink that gathers epochs with one that
// does not. Only tests use the package.
package conformance

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
)

// Store is one place for tables that nobody else uses: a folder, a file, or a schema.
type Store interface {
	// New returns a sink as a new process would. The sink asks the store by way of
	// the faults.
	New(name string, f *Faults) (pipeline.Sink, error)
	// Rows returns a table's rows in the order of its key: cells as
	// pipelinetest.CellText writes them, joined by |.
	Rows(t testing.TB, table *pipeline.Table) []string
}

// Database is the Store of a warehouse.
type Database interface {
	Store
	// Schema is the name of the schema that holds the tables.
	Schema() string
	Reader
	Meddler
}

// Reader is how the cases see what a database holds besides.
type Reader interface {
	// Select returns some columns of a table's rows, in their order, as Rows does.
	Select(t testing.TB, table string, columns ...string) []string
	// Catalogue returns the schema, if it is there, and the columns of its tables as
	// table|column.
	Catalogue(t testing.TB) []string
}

// Meddler does what others may do to a sink's tables. The sink is closed, or bears it.
type Meddler interface {
	// Update sets a column of texts in all rows.
	Update(t testing.TB, table, column, value string)
	// Delete deletes the rows whose column has the value.
	Delete(t testing.TB, table, column string, value int64)
	DeleteAll(t testing.TB, table string)
	DDLMeddler
}

// DDLMeddler does what others may do to the tables themselves.
type DDLMeddler interface {
	// AddColumn adds a column of texts.
	AddColumn(t testing.TB, table, column string)
	DropTable(t testing.TB, table string)
	// DropSchema drops the schema with all that is in it.
	DropSchema(t testing.TB)
}

// Target is a warehouse.
type Target struct {
	// Open returns an empty database.
	Open func(t testing.TB) Database
	// Invalid are texts and documents that it cannot store: Write refuses them.
	Invalid []InvalidValue
	// Reconnects says that a sink goes on after a failed request, in process.
	Reconnects bool
	// Shared says that several sinks may be open at a time.
	Shared bool
	// Constrain returns statements that let a table refuse rows whose column
	// select is 'bad', and the deletion of those where it is 'keep'; Release takes
	// that back. nil = the database knows no such thing.
	Constrain, Release func(schema, table string) []string
	Peculiar
	// openStore returns an empty store that is no Database; nil = Open is there.
	openStore func(t testing.TB) Store
}

// Peculiar is what a warehouse does another way than most.
type Peculiar struct {
	// TokenTable returns the name of the table that has the tokens of a pipeline's sink; nil =
	// they are in warehouse.TokensTable.
	TokenTable func(pipeline, sink string) string
	// NoNulls returns statements that keep nulls out of a column of texts of Orders; nil =
	// ALTER COLUMN … SET NOT NULL.
	NoNulls func(schema, table, column string) []string
	// Cases is the number of drawn cases where commits are slow; empty = rapid's.
	Cases string
	// Faults is how each request fails where commits are slow; by default once before and once
	// after it took effect.
	Faults FaultPlan
	// TextMax is the most bytes of a text: Write refuses longer ones; 0 = any.
	TextMax int
	// ScaleMax is the greatest scale of a decimal; 0 = its precision.
	ScaleMax int32
	// WordDigits is the precision of decimals that are kept in 64 bits, though not all of their
	// values fit; 0 = there is none.
	WordDigits int32
	// Existing are pairs of a declared type and the SQL type of a column that is there and takes its values; Other
	// is one of each that does not, and the type that the error asks for.
	Existing [][2]string
	Other    [3]string
	// NoDocumentKeys says that documents are no keys.
	NoDocumentKeys bool
}

// FaultPlan is how each request fails.
type FaultPlan uint8

// The plans. Two targets with one of the others each cover what BeforeAndAfter does of commits;
// openings, which are slow, fail in one of them only: that a request of a connection was done and its
// answer not read is a write that failed after, or a read that failed before.
const (
	BeforeAndAfter FaultPlan = iota
	BeforeFirst              // once, before or after in turn
	AfterFirst
)

// passes lists, for each pass over all requests, whether the one with a number fails after it took
// effect. Requests of a connection are writes and reads in turn, of which both have to come in both ways.
func (p FaultPlan) passes() []func(number int) bool {
	turn := func(number int) bool { return (number+number/2)%2 == 1 }
	switch p {
	case BeforeFirst:
		return []func(int) bool{turn}
	case AfterFirst:
		return []func(int) bool{func(number int) bool { return !turn(number) }}
	}
	return []func(int) bool{func(int) bool { return false }, func(int) bool { return true }}
}

// open returns an empty store.
func (target *Target) open(t testing.TB) Store {
	if target.openStore != nil {
		return target.openStore(t)
	}
	return target.Open(t)
}

// rowCases are about settled rows in any store.
var rowCases = []sinkCase{
	{"every type", typesCase},
	{"types of targets", targetTypesCase},
	{"lists", listsCase},
	{"any values", anyValuesCase},
	{"names", namesCase},
	{"keys", keysCase},
	{"any epochs", anyEpochsCase},
}

type sinkCase struct {
	name string
	run  func(t *testing.T, target Target)
}

// RunRows runs the cases that make sense for sinks of settled rows in any store. open
// returns an empty one.
func RunRows(t *testing.T, open func(t testing.TB) Store) {
	for _, c := range rowCases {
		t.Run(c.name, func(t *testing.T) { c.run(t, Target{openStore: open}) })
	}
}

// InvalidValue is a value that a database does not store.
type InvalidValue struct {
	Kind  pipeline.Kind
	Value string
	Want  string // a part of the message
}

// Run runs all cases.
func Run(t *testing.T, target Target) { RunSome(t, target, func(string) bool { return true }) }

// RunSome runs the cases whose names are wanted.
func RunSome(t *testing.T, target Target, wanted func(name string) bool) {
	for _, c := range append(slices.Clone(rowCases), []sinkCase{
		{"insert, update, delete", changesCase},
		{"invalid values", invalidValuesCase},
		{"columns", columnsCase},
		{"columns of types of targets", existingTypesCase},
		{"commit again", againCase},
		{"tokens", tokensCase},
		{"folded audit", foldedAuditCase},
		{"old tokens", oldTokensCase},
		{"owners", ownersCase},
		{"reset", resetCase},
		{"two pipelines", twoPipelinesCase},
		{"changed by somebody else", foreignCase},
		{"a failure at each request", faultsCase},
		{"DDL", ddlCase},
		{"quotes", quotesCase},
		{"long texts", longTextsCase},
		{"names that are alike", alikeCase},
		{"refused rows", refusedRowsCase},
	}...) {
		if !wanted(c.name) {
			continue
		}
		t.Run(c.name, func(t *testing.T) { c.run(t, target) })
	}
}

// ErrFault is a request that failed because a test wanted it to.
var ErrFault = errors.New("a fault of the test")

// Faults counts the requests to a database, and makes one of them fail.
type Faults struct {
	mu    sync.Mutex
	seen  int
	at    int // the request that fails; 0 = none
	after bool
	fired bool
}

// Arm makes the request that comes after so many others fail: before the
// database gets it, or after it has done it.
func (f *Faults) Arm(others int, after bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen, f.at, f.after, f.fired = 0, others+1, after, false
}

// Disarm lets everything pass, and tells whether the request failed.
func (f *Faults) Disarm() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at = 0
	return f.fired
}

// suspend lets everything pass that do makes.
func (f *Faults) suspend(do func() error) error {
	f.mu.Lock()
	seen, at, fired := f.seen, f.at, f.fired
	f.at = 0
	f.mu.Unlock()
	err := do()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen, f.at, f.fired = seen, at, fired
	return err
}

// Do makes one request. The one that is to fail is not made, or fails after it was.
func (f *Faults) Do(request func() error) error {
	f.mu.Lock()
	f.seen++
	fails := f.at == f.seen
	f.fired = f.fired || fails
	after := f.after
	f.mu.Unlock()
	if !fails {
		return request()
	}
	if after {
		if err := request(); err != nil {
			return errors.Join(ErrFault, err)
		}
	}
	return ErrFault
}
