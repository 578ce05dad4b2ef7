// Package conformance holds every warehouse against the same cases: what a sink
// of settled tables has to do with rows, tables and tokens, and that a failure of
// any request to the database, before or after it took effect, loses and repeats
// nothing. Only tests use it.
package conformance

import (
	"errors"
	"sync"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
)

// Sink is what a warehouse's sink has.
type Sink interface {
	pipeline.Sink
	DDL(tables []*pipeline.Table) string
	CheckTables(tables []*pipeline.Table) error
}

// Database is one place for tables that nobody else uses: a file, or a schema.
type Database interface {
	// New returns a sink as a new process would; schema holds its tables. The
	// sink asks the database by way of the faults.
	New(name string, f *Faults) (Sink, error)
	// Schema is the name of the schema.
	Schema() string
	// Query returns the rows of a query, cells joined by |, nulls as "null".
	Query(t testing.TB, query string) []string
	// Exec runs a statement. The sink is closed, or bears it.
	Exec(t testing.TB, statement string)
	// Text returns an expression for a column as text: numbers in decimal, true and
	// false, times as 2006-01-02 15:04:05.999999, bytes in lower hexadecimal.
	Text(column string, t pipeline.Type) string
}

// Target is a warehouse.
type Target struct {
	// Open returns an empty database.
	Open func(t testing.TB) Database
	// Refused are texts and documents that it cannot store: Write refuses them.
	Refused []Refused
	// Reconnects says that a sink goes on after a failed request, in process.
	Reconnects bool
	// Shared says that several sinks may be open at a time.
	Shared bool
	// Constrain returns statements that let a table refuse rows whose column
	// select is 'bad', and the deletion of those where it is 'keep'; Release takes
	// that back. nil = the database knows no such thing.
	Constrain, Release func(schema, table string) []string
}

// Refused is a value that a database does not store.
type Refused struct {
	Kind  pipeline.Kind
	Value string
	Want  string // a part of the message
}

// Run runs all cases.
func Run(t *testing.T, target Target) {
	for _, c := range []struct {
		name string
		run  func(t *testing.T, target Target)
	}{
		{"insert, update, delete", changesCase},
		{"every type", typesCase},
		{"any values", anyValuesCase},
		{"names", namesCase},
		{"refused values", refusedCase},
		{"keys", keysCase},
		{"columns", columnsCase},
		{"commit again", againCase},
		{"tokens", tokensCase},
		{"owners", ownersCase},
		{"reset", resetCase},
		{"two pipelines", twoPipelinesCase},
		{"changed by somebody else", foreignCase},
		{"a failure at each request", faultsCase},
		{"DDL", ddlCase},
		{"any epochs", anyEpochsCase},
		{"refused rows", refusedRowsCase},
	} {
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

// Step makes one request, unless it is the one to fail.
func (f *Faults) Step(request func() error) error {
	f.mu.Lock()
	f.seen++
	strikes := f.at == f.seen
	f.fired = f.fired || strikes
	after := f.after
	f.mu.Unlock()
	if !strikes {
		return request()
	}
	if after {
		if err := request(); err != nil {
			return errors.Join(ErrFault, err)
		}
	}
	return ErrFault
}
