package status

import (
	"fmt"
	"strings"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/timespan"
)

// phasesOf are the phases of a report.
func phasesOf(p *Pipeline, phases []pipeline.SourcePhase, now time.Time) (all []Phase) {
	for _, s := range phases {
		at := Phase{Name: s.Name, Detail: p.Redact(s.Detail), Done: s.Done, Total: s.Total, Unit: s.Unit}
		if !s.Began.IsZero() {
			began, until := s.Began.UTC(), now
			if at.Began = &began; !s.Ended.IsZero() {
				ended := s.Ended.UTC()
				at.Ended, until = &ended, ended
			}
			at.Seconds = timespan.Seconds(max(0, until.Sub(began)))
		}
		all = append(all, at)
	}
	return all
}

// text says in a line which phase it is, how far and for how long.
func (p *Phase) text() string {
	var b strings.Builder
	b.WriteString(p.Name)
	switch {
	case p.Began == nil:
		b.WriteString(", not begun")
	case p.Ended != nil:
		fmt.Fprintf(&b, ", done at %s after %s", clock(*p.Ended), span(p.Seconds))
	default:
		fmt.Fprintf(&b, ", for %s", span(p.Seconds))
	}
	unit := p.Unit
	if unit != "" {
		unit = " " + unit
	}
	switch {
	case p.Total > 0:
		fmt.Fprintf(&b, ", %d of %d%s (%d %%)", p.Done, p.Total, unit, min(100*p.Done/p.Total, 100))
	case p.Done > 0:
		fmt.Fprintf(&b, ", %d%s", p.Done, unit)
	}
	if p.Detail != "" {
		b.WriteString(": " + p.Detail)
	}
	return b.String()
}

// printPhases writes the phases of a source.
func (s *Source) printPhases(b *strings.Builder, name string) {
	for i := range s.Phases {
		fmt.Fprintf(b, "source %s: %s\n", name, s.Phases[i].text())
	}
}

// currentPhase returns the first phase that has begun and not ended; nil = there is none.
func currentPhase(all []Phase) *Phase {
	for i := range all {
		if all[i].Began != nil && all[i].Ended == nil {
			return &all[i]
		}
	}
	return nil
}

// phaseProblems says of a source that it is not where it is to stay: until all phases before the
// last one have ended its tables are not what they will be.
func phaseProblems(name string, phases []pipeline.SourcePhase) (wrong []string) {
	for i, p := range phases {
		if i < len(phases)-1 && p.Ended.IsZero() {
			detail := ""
			if p.Detail != "" {
				detail = ": " + p.Detail
			}
			wrong = append(wrong, fmt.Sprintf("source %s: its %s is not read and committed yet, so tables are not complete%s", name, p.Name, detail))
		}
	}
	return wrong
}
