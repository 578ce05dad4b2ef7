package status

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/pipeline/timespan"
)

// Print writes the status as text.
func (st *Status) Print(w io.Writer) error {
	if st.StateID == "" && st.Running == nil {
		_, err := fmt.Fprintf(w, "pipeline %s has not run yet\n", st.Pipeline)
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "pipeline %s, state %s (%s), epoch %d", st.Pipeline, st.StateID, spec.Count(st.StateBytes, "byte"), st.Epoch)
	switch {
	case st.Saved > 0 && st.Running != nil:
		fmt.Fprintf(&b, "; epoch %d is saved, and being committed", st.Saved)
	case st.Saved > 0:
		fmt.Fprintf(&b, "; epoch %d is saved, and is committed at the next start", st.Saved)
	}
	b.WriteByte('\n')
	if st.Running != nil {
		st.Running.print(&b)
	}
	for _, name := range slices.Sorted(maps.Keys(st.Sources)) {
		s := st.Sources[name]
		s.print(&b, name)
		s.printPhases(&b, name)
		s.printPartitions(&b, name)
	}
	if st.Running != nil {
		for _, name := range slices.Sorted(maps.Keys(st.Running.Transforms)) {
			t := st.Running.Transforms[name]
			fmt.Fprintf(&b, "transform %s: %g rows/s", name, t.RowRate)
			if t.ReadAgain > 0 {
				fmt.Fprintf(&b, ", %s read again", spec.Count(t.ReadAgain, "change"))
			}
			b.WriteByte('\n')
		}
	}
	for _, name := range slices.Sorted(maps.Keys(st.Sinks)) {
		st.Sinks[name].print(&b, name)
	}
	for _, reason := range slices.Sorted(maps.Keys(st.DeadLetters)) {
		fmt.Fprintf(&b, "dead letters, %s: %d\n", reason, st.DeadLetters[reason])
	}
	if st.LettersProblem != "" {
		fmt.Fprintf(&b, "%s\n", st.LettersProblem)
	}
	for _, s := range st.Switches {
		fmt.Fprintf(&b, "node %s: changed from epoch %d on: %s\n", s.Node, s.Epoch, strings.Join(s.Keys, ", "))
	}
	for _, u := range st.Unmatched {
		fmt.Fprintf(&b, "%s\n", u.Message)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Process) print(b *strings.Builder) {
	how := "ready"
	if !r.Ready {
		how = "not ready"
	}
	commit := "no commit since"
	if r.LastCommit != nil {
		commit = fmt.Sprintf("last commit %s ago", span(r.CommitAge))
	}
	fmt.Fprintf(b, "running since %s, %s, %s, %s pending, epoch.interval %s\n", clock(r.Since), how, commit, spec.Count(r.Pending, "record"), r.EpochInterval)
	for _, p := range r.Problems {
		fmt.Fprintf(b, "problem: %s\n", p)
	}
	for _, node := range slices.Sorted(maps.Keys(r.References)) {
		ref := r.References[node]
		fmt.Fprintf(b, "reference of %s: version %s, known to be the newest %s ago", node, clock(time.UnixMicro(ref.Version)), span(ref.Age))
		if ref.Problem != "" {
			fmt.Fprintf(b, "; the one that is there can't be loaded: %s", ref.Problem)
		}
		b.WriteByte('\n')
	}
}

func span(seconds float64) string { return timespan.Text(timespan.OfSeconds(seconds)) }

func (s Source) print(b *strings.Builder, name string) {
	how := "not at its end"
	if s.Finished {
		how = "read to its end"
	}
	fmt.Fprintf(b, "source %s: %s, %s", name, how, spec.Count(s.Partitions, "partition"))
	if r := s.SourceRates; r != nil {
		fmt.Fprintf(b, ", %g records/s, %.1f MB/s", r.RecordRate, r.ByteRate/1e6)
		if r.Lag != nil {
			fmt.Fprintf(b, ", %s behind", span(*r.Lag))
		}
		switch {
		case r.Lost > 0:
			fmt.Fprintf(b, ", %s lost", spec.Count(r.Lost, "byte"))
		case r.Gap != "":
			b.WriteString(", input lost")
		}
		for _, what := range r.Waits {
			if slices.ContainsFunc(s.Phases, func(p Phase) bool { return strings.Contains(p.Detail, what) }) {
				continue // the phase's line says it
			}
			fmt.Fprintf(b, "\nsource %s waits: %s", name, what)
		}
	}
	b.WriteByte('\n')
}

func (s Sink) print(b *strings.Builder, name string) {
	fmt.Fprintf(b, "sink %s: ", name)
	if s.Published == 0 {
		b.WriteString("nothing published yet")
	} else {
		fmt.Fprintf(b, "epoch %d published", s.Published)
	}
	if s.Saved > 0 {
		fmt.Fprintf(b, ", epoch %d saved and not published yet", s.Saved)
	}
	if s.Gathering {
		b.WriteString(", rows wait to be published")
	}
	if r := s.SinkRates; r != nil {
		fmt.Fprintf(b, ", %g rows/s, %s", r.RowRate, spec.Count(r.Retries, "retry"))
		if r.Down != nil {
			fmt.Fprintf(b, ", down since %s (%s)", clock(*r.Down), timespan.Text(max(0, time.Since(*r.Down))))
		}
	}
	b.WriteByte('\n')
}
