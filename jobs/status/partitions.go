package status

import (
	"fmt"
	"strings"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/timespan"
)

const (
	// lagsMax bounds the partitions of a source in a report, and lagsTextMax those in its text.
	lagsMax     = 100
	lagsTextMax = 5
	// problemsMax bounds the partitions of a source that the problems name.
	problemsMax = 3
)

// partitionLags are those of a report.
func partitionLags(lags []pipeline.PartitionLag) (all []PartitionLag) {
	for _, l := range lags[:min(len(lags), lagsMax)] {
		all = append(all, PartitionLag{l.Partition, timespan.Seconds(l.Lag)})
	}
	return all
}

// gapsOf are the gaps of a report.
func gapsOf(p *Pipeline, gaps []pipeline.Gap) (all []Gap) {
	known := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		t = t.UTC()
		return &t
	}
	for _, g := range gaps {
		all = append(all, Gap{g.Partition, g.Position, known(g.From), known(g.To), g.Lost, p.Redact(g.Reason), g.Found.UTC(), known(g.Accepted)})
	}
	return all
}

// text says for people what is lost.
func (g *Gap) text() string {
	span := ""
	if g.From != nil {
		span += " from " + clock(*g.From)
	}
	if g.To != nil {
		span += " to " + clock(*g.To)
	}
	how := "nobody has accepted it (starlift run --accept-gap)"
	if g.Accepted != nil {
		how = "accepted at " + clock(*g.Accepted)
	}
	return fmt.Sprintf("a gap%s in %s, behind %s, found at %s, %s: %s", span, g.Partition, g.Position, clock(g.Found), how, g.Reason)
}

// printPartitions writes the gaps of a source, and the partitions that are furthest behind.
func (s *Source) printPartitions(b *strings.Builder, name string) {
	for i := range s.Gaps {
		fmt.Fprintf(b, "source %s: %s\n", name, s.Gaps[i].text())
	}
	if s.SourceRates == nil {
		return
	}
	for i, l := range s.PartitionLags {
		if i == lagsTextMax || l.Lag == 0 {
			break
		}
		fmt.Fprintf(b, "source %s: partition %s is %s behind\n", name, l.Partition, span(l.Lag))
	}
}

// sourceProblems says what keeps a source from reading.
func sourceProblems(name string, problems []pipeline.SourceProblem) (wrong []string) {
	for i, p := range problems {
		if i == problemsMax {
			return append(wrong, fmt.Sprintf("source %s: %d more of its partitions can't be read", name, len(problems)-i))
		}
		what := "partition " + p.Partition + " can't be read"
		if p.Partition == "" {
			what = "it can't go on"
		}
		wrong = append(wrong, fmt.Sprintf("source %s: %s since %s, and it is tried again: %v", name, what, clock(p.Since), p.Err))
	}
	return wrong
}
