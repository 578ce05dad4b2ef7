package dynamodbexport

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/sources/internal/exportrequest"
)

// The cursors beside those of data files, whose names hold a slash.
const (
	requestCursor  = "request"  // of an export that backfill --request-export asks for
	scheduleCursor = "schedule" // of every
)

func isOwn(partition string) bool { return partition == requestCursor || partition == scheduleCursor }

// progress is what is saved beside the cursors of the files.
type progress struct {
	// Reached is the time before which all changes are read: the begin of the next window. Zero = the first
	// export is not read yet.
	Reached time.Time `json:"reached,omitzero"`
	// Complete is when the first export had been read, by the wall clock.
	Complete time.Time `json:"complete,omitzero"`
	// Present says that the exports that were below the url are read first.
	Present bool `json:"present,omitempty"`
	// Request is what is to be asked for, or was; ARN is what came of it; empty = not known.
	Request *exportrequest.Request `json:"request,omitempty"`
	ARN     string                 `json:"arn,omitempty"`
	Gaps    []lostTime             `json:"gaps,omitempty"`
}

// lostTime is a time whose changes are in no export.
type lostTime struct {
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Found    time.Time `json:"found"`
	Accepted time.Time `json:"accepted,omitzero"`
}

// gapsFor is how long accepted gaps are kept for status.
const gapsFor = 30 * 24 * time.Hour

func parseProgress(raw []byte) (*progress, error) {
	p := &progress{}
	if err := json.Unmarshal(raw, p); err != nil {
		return nil, fmt.Errorf("cursor of a schedule of exports: %w", err)
	}
	if p.Reached.IsZero() && p.Request == nil && !p.Present {
		return nil, errors.New("cursor of a schedule of exports: it says nothing: the state folder is damaged")
	}
	return p, nil
}

func (p *progress) encode() []byte {
	raw, err := json.Marshal(p)
	if err != nil {
		panic(err) // texts and times of this age always have a JSON form
	}
	return raw
}

// text says for people how far it is.
func (p *progress) text() string {
	read := ""
	if !p.Reached.IsZero() {
		read = "changes before " + timeText(p.Reached) + " are read; "
	}
	switch {
	case p.openGap() != nil:
		return fmt.Sprintf("%schanges before %s are gone", read, timeText(p.openGap().To))
	case p.ARN != "":
		return fmt.Sprintf("%s%s is %s", read, p.Request, p.ARN)
	case p.Request != nil:
		return fmt.Sprintf("%s%s is to be asked for", read, p.Request)
	case p.Reached.IsZero():
		return "the exports that are there are to be read"
	}
	return read + "the next export is to be asked for when its time is over"
}

// openGap returns the gap that nobody has accepted; nil = there is none.
func (p *progress) openGap() *lostTime {
	if n := len(p.Gaps); n > 0 && p.Gaps[n-1].Accepted.IsZero() {
		return &p.Gaps[n-1]
	}
	return nil
}

// forgetGaps drops those that were accepted long ago.
func (p *progress) forgetGaps(now time.Time) {
	var kept []lostTime
	for _, g := range p.Gaps {
		if g.Accepted.IsZero() || now.Sub(g.Accepted) < gapsFor {
			kept = append(kept, g)
		}
	}
	p.Gaps = kept
}

// gapReason says why changes are gone, and what to do.
const gapReason = "point-in-time recovery of the table does not reach so far back: it was off, or the pipeline was for longer than it keeps; " +
	"run --accept-gap goes on behind it, and backfill --request-export reads the items that are there, before or after"

// gapError returns the error of a gap that nobody has accepted.
func (p *progress) gapError(table string) error {
	g := p.openGap()
	accepted := *p
	accepted.Gaps = nil
	accepted.Reached = g.To
	return &pipeline.GapError{Partition: table, Position: timeText(g.From), From: g.From, To: g.To, Resume: accepted.encode(),
		Err: fmt.Errorf("changes from %s to %s are in no export: %s", timeText(g.From), timeText(g.To), gapReason)}
}

func timeText(t time.Time) string { return t.UTC().Format(time.RFC3339) }
