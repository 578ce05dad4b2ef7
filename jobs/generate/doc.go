// Package generate makes deterministic sample data: the inputs of the demo, the
// tests and the benchmark, and a playground for a user's first pipeline.
//
// Three worlds are known. Ecommerce is a DynamoDB single table of customers,
// their orders and the orders' lines; it comes as a stream of changes with
// everything a real one does to its reader (repeated records, late records,
// keys that are removed and come back), as a full export with manifests, and as
// plain items. Insurance is a stream of transactions with a list of dependents
// that may be empty, absent, or under an absent parent; they come as an export and
// as plain items too. Sales are flat JSON with the quirks of hand-made feeds, and
// countries the table they are joined to.
//
// Everything is a pure function of the seed and the options. Each entity draws
// from a random source of its own, derived from the seed and its identity
// (random.go), so that it can be rendered at any time, in any order: a stream of
// changes holds no items in memory, only a few bytes per customer and order, and
// it can go on from an export that was made by another process. Only integer
// arithmetic is used, which gives the same bytes on every platform.
//
// Records are written to files, or sent: to a Kinesis stream, one by one or as aggregates, or
// to a DynamoDB table, as puts and deletes of items (target). A sender keeps the rate, and the
// order of each item's records.
package generate

import (
	"errors"
	"fmt"
	"math"
)

// ErrUsage is wrapped by every error that a change of the options mends.
var ErrUsage = errors.New("bad usage")

// Options say what to generate. The zero value of a field stands for its
// default; fields that a kind or form does not name are not used by it.
type Options struct {
	Seed uint64
	// Records is the number of records that are written, in every kind and form
	// exactly: the changes of a stream with those that are sent twice, the items of
	// an export or of plain items, or rows. 0 stands for the kind's default.
	Records int
	// Table is the DynamoDB table's name.
	Table string
	// Shuffle puts the attributes of each item in random order: DynamoDB
	// promises none.
	Shuffle bool

	// Products is the size of the ecommerce catalogue; default 10,000.
	Products int
	// Base is the number of items that the ecommerce table holds before the
	// first change: those of an export or of items with the same seed, Products
	// and that many Records.
	Base int
	// Live is the number of items around which the ecommerce table stays. Orders
	// alone take it there; from then on seven changes in ten or so modify an
	// item, as many items are made as removed, no customer is new, and those who
	// move do so among a few addresses. 0 lets the table grow for ever.
	Live int
	// Duplicates and Late are the shares, 0 to 1, of changes sent twice and of
	// changes that come late. Zero is none.
	Duplicates, Late float64
	// Window is how many records later those may come; default 50.
	Window int
	// Rate is the number of changes per second of the stream's own time;
	// default 500. Above 1,000 without Micros, different changes of one key may
	// bear the same time, and no reader can tell their order by it.
	Rate int
	// Micros gives times in microseconds instead of milliseconds.
	Micros bool
	// Files is the number of data files of an export; default 8.
	Files int

	// Transactions is the number of different insurance transactions; default
	// four fifths of Records.
	Transactions int
	// BareNumbers writes {"N": 5} instead of {"N": "5"} in insurance.
	BareNumbers bool

	// Keys bounds the key of sales, which repeats; default 1,000,000.
	Keys int
	// Updated gives the countries' names as they are after a change.
	Updated bool
}

// The defaults of Options.Records.
const (
	defaultChanges   = 500_000
	defaultItems     = 1_500_000
	defaultSales     = 1_000_000
	defaultCountries = 4
)

// The bounds of Options: what the compact state of a stream can hold.
const (
	maxRecords  = 1_000_000_000
	maxProducts = 1_000_000
	maxWindow   = 1_000_000
	maxRate     = 1_000_000
	maxFiles    = 10_000
)

// withDefaults returns o with its zero fields filled, or an ErrUsage that names
// every field out of bounds.
func (o Options) withDefaults(records int, table string) (Options, error) {
	var errs []error
	bounded := func(name string, v *int, fallback, least, most int) {
		if *v == 0 {
			*v = fallback
		}
		if *v < least || *v > most {
			errs = append(errs, fmt.Errorf("%w: %s must be %d to %d, not %d", ErrUsage, name, least, most, *v))
		}
	}
	share := func(name string, v float64) {
		if math.IsNaN(v) || v < 0 || v > 1 {
			errs = append(errs, fmt.Errorf("%w: %s is a share from 0 to 1, not %v", ErrUsage, name, v))
		}
	}
	if o.Table == "" {
		o.Table = table
	}
	bounded("records", &o.Records, records, 1, maxRecords)
	bounded("products", &o.Products, 10_000, lineClasses, maxProducts)
	bounded("base", &o.Base, 0, 0, maxRecords)
	bounded("live", &o.Live, 0, 0, maxRecords)
	bounded("window", &o.Window, 50, 1, maxWindow)
	bounded("rate", &o.Rate, 500, 1, maxRate)
	bounded("files", &o.Files, 8, 1, maxFiles)
	bounded("transactions", &o.Transactions, max(1, o.Records/5*4), 1, maxRecords)
	bounded("keys", &o.Keys, 1_000_000, 1, maxRecords)
	share("duplicates", o.Duplicates)
	share("late", o.Late)
	return o, errors.Join(errs...)
}

// perMillion turns a checked share into a whole number, so that nothing after
// it depends on floating point.
func perMillion(share float64) int { return int(math.Round(share * 1e6)) }

// Stats are the figures of what was written.
type Stats struct {
	Kind string `json:"kind"`
	Form string `json:"form"`
	// Records and Bytes are the lines written and their bytes, line ends
	// included and before compression.
	Records int64 `json:"records"`
	Bytes   int64 `json:"bytes"`
	// Events counts the different changes by event name, Items the items by type.
	Events map[string]int64 `json:"events,omitempty"`
	Items  map[string]int64 `json:"items,omitempty"`
	// Duplicates and Late count the changes that were sent twice, and late.
	Duplicates int64 `json:"duplicates,omitempty"`
	Late       int64 `json:"late,omitempty"`
	// TruthItems counts the items left after the last change.
	TruthItems int64 `json:"truth_items,omitempty"`
	// RowsAfterOuterUnnest counts the rows of an outer unnest of the dependents
	// in the new images; a change without a new image counts as one row.
	RowsAfterOuterUnnest int64 `json:"rows_after_outer_unnest,omitempty"`
	// To is where the records were sent, Sent how many of them were taken, in how many
	// Requests and Seconds; SentAgain counts parts of requests that were refused at first, and Retries
	// requests that failed. After Interrupted, there would have been more.
	To          string  `json:"to,omitempty"`
	Sent        int64   `json:"sent,omitempty"`
	Requests    int64   `json:"requests,omitempty"`
	SentAgain   int64   `json:"sent_again,omitempty"`
	Retries     int64   `json:"retries,omitempty"`
	Seconds     float64 `json:"seconds,omitempty"`
	Interrupted bool    `json:"interrupted,omitempty"`
	// Folder is the export's folder, which holds manifest-summary.json.
	Folder string `json:"folder,omitempty"`
}
