package dynamodb

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/sources/internal/exportrequest"
)

// phasePartition is the partition whose cursor is the phase.
const phasePartition = "phase"

// The kinds of snapshots; none is no snapshot.
const (
	kindExport = "export"
	kindScan   = "scan"
	kindNone   = "none"
)

// phase is what a source has decided so far.
type phase struct {
	// Saves counts how often it was saved, so that it is known which one is committed.
	Saves     int64 `json:"saves"`
	Bootstrap pass  `json:"bootstrap"`
	// Repair is the repair that goes on, or that has ended and nobody was told; nil = none.
	Repair *pass `json:"repair,omitempty"`
	// Repaired is the last repair that has ended.
	Repaired *pass `json:"repaired,omitempty"`
}

// pass is one reading of a snapshot.
type pass struct {
	Kind string `json:"kind"`
	// Since is the time since which the stream has all changes.
	Since time.Time `json:"since"`
	Began time.Time `json:"began"`
	Ended time.Time `json:"ended,omitzero"`
	// TableID and Key are what DynamoDB says of the table.
	TableID string   `json:"table_id,omitempty"`
	Key     []string `json:"key,omitempty"`
	// Request is the export that is wanted, ARN the one that DynamoDB makes of it, and Export
	// what is read. Nil and empty = not that far.
	Request *exportrequest.Request `json:"request,omitempty"`
	ARN     string                 `json:"arn,omitempty"`
	Export  *exportFolder          `json:"export,omitempty"`
	// Removed and Parts are the parts of the table in which a repair has removed, or removes,
	// what the export does not have.
	Removed int `json:"removed,omitempty"`
	Parts   int `json:"parts,omitempty"`
}

// exportFolder is an export that is finished.
type exportFolder struct {
	URL   string    `json:"url"`
	Time  time.Time `json:"time"`
	Items int64     `json:"items"`
}

// version returns the version of the export's items.
func (e *exportFolder) version() time.Time { return e.Time.Add(-pipeline.SnapshotMargin) }

// done reports whether there is nothing left to read.
func (p *pass) done() bool { return p.Kind == kindNone || !p.Ended.IsZero() }

// takes reports whether an export of a time is new enough for the pass.
func (p *pass) takes(at time.Time) bool { return !at.Add(-pipeline.SnapshotMargin).Before(p.Since) }

// checkTime holds an export that is open to the time that was decided by: a repair removes what is older
// than that, which its own items must not be.
func (p *pass) checkTime(open pipeline.Source) error {
	e, ok := open.(interface{ ExportsUntil() time.Time })
	if !ok || p.Export == nil || e.ExportsUntil().Equal(p.Export.Time) {
		return nil
	}
	return fmt.Errorf("export %s: its manifest says that it is of %s, and DynamoDB that it is of %s: something has changed it, or it is another one: have a new one made",
		p.Export.URL, e.ExportsUntil().UTC().Format(time.RFC3339Nano), p.Export.Time.UTC().Format(time.RFC3339Nano))
}

// tooOld says why an export is not taken.
func (p *pass) tooOld(what string, at time.Time) error {
	return fmt.Errorf("%s is of %s, and the stream has all changes since %s: changes from %d minutes before the export on have to be in it, so those of the time between would be missing. "+
		"Take an export that was made at %s or later: make one, or let DynamoDB be asked for it (bootstrap.request: true, or starlift backfill FILE --request-export)",
		what, clock(at), clock(p.Since), int(pipeline.SnapshotMargin.Minutes()), clock(p.Since.Add(pipeline.SnapshotMargin+time.Second)))
}

// open returns the pass that goes on; nil = none does.
func (p *phase) open() *pass {
	switch {
	case !p.Bootstrap.done():
		return &p.Bootstrap
	case p.Repair != nil && !p.Repair.done():
		return p.Repair
	}
	return nil
}

// clone returns a phase that shares nothing which changes.
func (p *phase) clone() *phase {
	c := *p
	if p.Repair != nil {
		r := *p.Repair
		c.Repair = &r
	}
	return &c
}

func (p *phase) encode() []byte {
	raw, err := json.Marshal(p)
	if err != nil {
		panic(err) // numbers, texts and times of our days always have a JSON form
	}
	return raw
}

func parsePhase(raw []byte) (*phase, error) {
	p := &phase{}
	if err := json.Unmarshal(raw, p); err != nil {
		return nil, fmt.Errorf("cursor of %s: %w: the state folder is damaged", phasePartition, err)
	}
	if p.Saves < 1 || p.Bootstrap.Kind == "" {
		return nil, fmt.Errorf("cursor of %s: a part is missing: the state folder is damaged", phasePartition)
	}
	return p, nil
}

// text says in a line what is done.
func (p *phase) text() string {
	open := p.open()
	switch {
	case open == nil && p.Repaired != nil:
		return "the stream, since the repair that ended at " + clock(p.Repaired.Ended)
	case open == nil && p.Bootstrap.Kind == kindNone:
		return "the stream, since " + clock(p.Bootstrap.Since)
	case open == nil:
		return fmt.Sprintf("the stream, since the %s that ended at %s", p.Bootstrap.Kind, clock(p.Bootstrap.Ended))
	case open == p.Repair:
		return fmt.Sprintf("a repair that began at %s: %s", clock(open.Began), open.text())
	}
	return fmt.Sprintf("the bootstrap that began at %s: %s", clock(open.Began), open.text())
}

// text says how far a pass is that goes on.
func (p *pass) text() string {
	switch {
	case p.Kind == kindScan:
		return "the scan of the table"
	case p.Removed > 0:
		return fmt.Sprintf("items that the export of %s does not have are removed, in %d of %d parts of the table", clock(p.Export.Time), p.Removed, p.Parts)
	case p.Export != nil:
		return fmt.Sprintf("the export of %s at %s", clock(p.Export.Time), p.Export.URL)
	case p.ARN != "":
		return "DynamoDB makes the export " + p.ARN
	}
	return "an export is to be asked for"
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }
