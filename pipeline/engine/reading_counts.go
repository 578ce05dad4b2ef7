package engine

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/graph"
	"github.com/starlift-etl/starlift/pipeline/telemetry"
)

// readingCount counts what one reading of a source brought, from the source's start to its
// end. It is saved with each epoch, so it counts over restarts. Replayed dead letters are not
// counted.
type readingCount struct {
	Records int64         `json:"records"`
	Dead    []letterCount `json:"dead,omitempty"` // by node and reason
	Ended   bool          `json:"ended,omitempty"`
}

// letterCount counts the dead letters of a node and reason, with the first of them.
type letterCount struct {
	Node     string          `json:"node"`
	Reason   pipeline.Reason `json:"reason"`
	N        int64           `json:"n"`
	Position string          `json:"position"`
	Message  string          `json:"message"`
}

func newLetterCount(d *pipeline.DeadLetter, n int64) letterCount {
	return letterCount{Node: d.Node, Reason: d.Reason, N: n, Position: d.Pos.String(), Message: telemetry.Shorten(d.Message)}
}

// addLetters adds counts up, by node and reason; the first example stays.
func addLetters(to []letterCount, more letterCount) []letterCount {
	for i := range to {
		if to[i].Node == more.Node && to[i].Reason == more.Reason {
			to[i].N += more.N
			return to
		}
	}
	return append(to, more)
}

// restart begins new readings of the sources that are read from their start, or were read to
// their end before.
func (b *budget) restart(sources []graph.SourceNode, fromStart bool) {
	left := false
	for _, s := range sources {
		if r := b.readings[s.Name]; fromStart || r != nil && r.Ended {
			delete(b.readings, s.Name)
		}
		left = left || b.readings[s.Name] != nil
	}
	if !left {
		b.rows = nil
	}
}

func (b *budget) reading(source string) *readingCount {
	r := b.readings[source]
	if r == nil {
		r = &readingCount{}
		b.readings[source] = r
	}
	return r
}

// addRecords counts records of a source.
func (b *budget) addRecords(source string, records int64) { b.reading(source).Records += records }

// addLetter counts a dead letter of a source's record.
func (b *budget) addLetter(d *pipeline.DeadLetter) {
	r := b.reading(d.Pos.Source)
	for i := range r.Dead {
		if c := &r.Dead[i]; c.Node == d.Node && c.Reason == d.Reason {
			c.N++
			return
		}
	}
	r.Dead = append(r.Dead, newLetterCount(d, 1))
}

// begun reports whether a reading has brought records and is not at its end.
func (b *budget) begun(sources []graph.SourceNode) bool {
	return slices.ContainsFunc(sources, func(s graph.SourceNode) bool {
		r := b.readings[s.Name]
		return r != nil && r.Records > 0 && !r.Ended
	})
}

// end notes that the sources are read to their end.
func (b *budget) end(sources []graph.SourceNode) {
	for _, s := range sources {
		b.reading(s.Name).Ended = true
	}
}

// verdict is an error when the sources were read to their end and too many of
// their records are dead letters.
func (b *budget) verdict(sources []graph.SourceNode) error {
	var records, dead int64
	counts := slices.Clone(b.rows)
	for _, s := range sources {
		r := b.readings[s.Name]
		if r == nil || !r.Ended {
			return nil
		}
		records += r.Records
		for _, c := range r.Dead {
			counts = addLetters(counts, c)
		}
	}
	for _, c := range counts {
		dead += c.N
	}
	dead = min(dead, records) // several transforms may refuse one record, and a sink refuses rows
	if records == 0 || float64(dead) <= b.max*float64(records) {
		return nil
	}
	most := slices.MaxFunc(counts, func(x, y letterCount) int { return cmp.Compare(x.N, y.N) })
	return fmt.Errorf("too many dead letters: %d of the %d records that were read, more than dead_letters.max_ratio %g allows; "+
		"the most common reason is %s of node %s (%d), for example %s: %s; what could take effect has, and the dead letters are kept: "+
		"starlift dead-letters list shows them, and starlift dead-letters replay reads them again when the cause is mended",
		dead, records, b.max, most.Reason, most.Node, most.N, most.Position, most.Message)
}
