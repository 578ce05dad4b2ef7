package partitions

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
)

const (
	// acceptedMax bounds the accepted gaps that a cursor keeps, the newest ones.
	acceptedMax = 10
	// acceptedKept is how long the cursor of a partition that has ended is kept for the gaps
	// that were accepted in it.
	acceptedKept = 30 * 24 * time.Hour
)

// gap is a gap as it is saved in a cursor: of a pipeline.GapError.
type gap struct {
	Partition string    `json:"partition"`
	Position  string    `json:"position"`
	From      time.Time `json:"from,omitzero"`
	To        time.Time `json:"to,omitzero"`
	Lost      int64     `json:"lost_bytes,omitempty"`
	Reason    string    `json:"reason"`
	Resume    *string   `json:"resume,omitempty"` // nil = nothing is left
	Found     time.Time `json:"found"`
	Accepted  time.Time `json:"accepted,omitzero"`
}

// newGap returns the gap that a read of a partition, or its opening, has found.
// readUntil is up to when the partition is known to be read.
func newGap(p *partition, e *pipeline.GapError, readUntil, now time.Time) (*gap, error) {
	g := &gap{
		Partition: p.displayName(), Position: cmp.Or(e.Position, p.cursor.placeText()), From: second(e.From), To: second(e.To), Lost: e.Lost,
		Reason: "records are gone", Found: second(now),
	}
	if e.From.IsZero() {
		g.From = second(readUntil)
	}
	if e.Err != nil {
		g.Reason = e.Err.Error()
	}
	if e.Resume != nil {
		var c cursor
		if err := c.setAt(e.Resume); err != nil {
			return nil, fmt.Errorf("partition %s: %w", p.Name, err)
		}
		g.Resume = &c.At
	}
	return g, nil
}

// second returns a time as people read it in a checkpoint.
func second(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

// spanText says between which times records are lost.
func (g *gap) spanText() string {
	text := func(t time.Time) string { return t.Format(time.RFC3339) }
	switch {
	case g.From.IsZero() && g.To.IsZero():
		return " behind that place"
	case g.From.IsZero():
		return " up to " + text(g.To)
	case g.To.IsZero():
		return " from " + text(g.From) + " on"
	}
	return " from " + text(g.From) + " to " + text(g.To)
}

// gapAdvice says how to go on behind a gap where a source knows nothing better.
const gapAdvice = "To go on, mend them from an export that was made later (add it as a source, then starlift backfill FILE --source NAME), " +
	"and start once with starlift run FILE --accept-gap, which reads on behind the gap"

// message says what is lost and how to go on.
func (g *gap) message(advice string) string {
	return fmt.Sprintf("%s. What came%s was never read: rows of items that changed then may be wrong or missing. %s", g.Reason, g.spanText(), cmp.Or(advice, gapAdvice))
}

// err returns the error that ends the run, or a start.
func (g *gap) err(advice string) error {
	e := &pipeline.GapError{Partition: g.Partition, Position: g.Position, From: g.From, To: g.To, Lost: g.Lost, Err: errors.New(g.message(advice))}
	if g.Resume != nil {
		e.Resume = []byte(*g.Resume)
	}
	return fmt.Errorf("%w: %w", pipeline.ErrGap, e)
}

// gapsError returns the error of the first of some gaps, with the number of the others; nil =
// there is none.
func gapsError(gaps []*gap, advice string) error {
	switch more := len(gaps) - 1; {
	case more < 0:
		return nil
	case more == 1:
		return fmt.Errorf("%w (another partition has a gap, too: starlift status FILE lists both)", gaps[0].err(advice))
	case more > 0:
		return fmt.Errorf("%w (%d other partitions have a gap, too: starlift status FILE lists them)", gaps[0].err(advice), more)
	}
	return gaps[0].err(advice)
}

// notice tells people of the gap.
func (g *gap) notice(advice string) pipeline.Notice {
	return pipeline.Notice{Event: pipeline.EventLost, Message: g.err(advice).Error(), Partition: g.Partition, Position: g.Position, Lost: g.Lost, Gap: true}
}

// report is what a status has of the gap.
func (g *gap) report() pipeline.Gap {
	return pipeline.Gap{Partition: g.Partition, Position: g.Position, From: g.From, To: g.To, Lost: g.Lost, Reason: g.Reason, Found: g.Found, Accepted: g.Accepted}
}

// acceptGap moves the cursor behind its gap, and returns the gap.
func (c *cursor) acceptGap(now time.Time) *gap {
	g := c.Gap
	c.Gap, g.Accepted = nil, second(now)
	if g.Resume == nil {
		c.Ended = true
	} else {
		c.At = *g.Resume
	}
	c.ReadUntil = time.Time{} // what comes next is as old as what is left, and no gap by that
	c.Accepted = append(slices.Clone(c.Accepted), *g)
	if more := len(c.Accepted) - acceptedMax; more > 0 {
		c.Accepted = c.Accepted[more:]
	}
	return g
}

// acceptedNotice tells people that a gap was accepted.
func (g *gap) acceptedNotice() pipeline.Notice {
	return pipeline.Notice{Event: pipeline.EventGapAccepted, Partition: g.Partition, Position: g.Position,
		Message: fmt.Sprintf("%s, behind %s: a gap is accepted (--accept-gap), and reading goes on behind it: %s. What came%s was never read", g.Partition, g.Position, g.Reason, g.spanText())}
}

// gaps lists the gaps of a cursor.
func (c *cursor) gaps() (all []pipeline.Gap) {
	for i := range c.Accepted {
		all = append(all, c.Accepted[i].report())
	}
	if c.Gap != nil {
		all = append(all, c.Gap.report())
	}
	return all
}

// keptForGap reports whether the cursor has to stay for an accepted gap.
func (c *cursor) keptForGap(now time.Time) bool {
	return len(c.Accepted) > 0 && now.Sub(c.Accepted[len(c.Accepted)-1].Accepted) < acceptedKept
}

// sortGaps puts gaps in the order in which they were found.
func sortGaps(all []pipeline.Gap) {
	slices.SortFunc(all, func(a, b pipeline.Gap) int {
		return cmp.Or(a.Found.Compare(b.Found), cmp.Compare(a.Partition, b.Partition))
	})
}
