package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/starlift-etl/starlift/jobs/internal/roles"
)

// path is the critical path of a run on a machine with as many processors as the run had
// lanes: what would be left of its work if nothing but lanes ran side by side. It is longer
// than the truth, as if reader, splitter, builder and committer waited for each other.
//
//   - Of phases: the lane that ended last, of each phase of each epoch, by the CPU clock of
//     the thread that ran them. Sorting and merging messages is a part's work, and in it.
//     What goroutines took that parts started is not in that clock: it counts in full.
//   - Of other roles with lanes (files that are read, mappers, savers): the busiest lane of
//     the whole run, by samples. Their lanes were goroutines that really took turns.
//   - Of DuckDB's threads the busiest one of each commit, by the CPU clocks of the threads, as a
//     share of what the profile has of all of them. The committer, which is one of those that
//     work, counts besides.
//   - Everything else in full: roles of one goroutine, and what has no role.
//   - The collector's goroutines: as much as each of those would take that Go runs at a time,
//     a quarter of the processors.
//
// Work is all samples of the profile.
type path struct{ parts []pathPart }

type pathPart struct {
	name         string
	work, length time.Duration
}

func criticalPath(run laneRun, processors int) (p path) {
	for _, r := range run.cpu.Roles() {
		part := pathPart{name: r.Name, work: r.CPU, length: r.CPU}
		switch {
		case r.Name == roles.Phases:
			part.length = r.CPU
			for _, t := range run.Phases {
				part.length -= t.Parts
			}
			part.length = max(0, part.length)
			for _, t := range run.Phases {
				part.length += t.Longest
			}
		case r.Name == roles.Collector:
			part.length = r.CPU / time.Duration(max(1, processors/4))
		case r.Name == roles.Libraries && run.Libraries.Parts > 0:
			part.length = time.Duration(float64(r.CPU) * float64(run.Libraries.Longest) / float64(run.Libraries.Parts))
		case r.Lanes > 0:
			part.length = r.Most
		}
		p.parts = append(p.parts, part)
	}
	return p
}

func (p path) sum() (all pathPart) {
	for _, part := range p.parts {
		all.work, all.length = all.work+part.work, all.length+part.length
	}
	return all
}

// share is the path's length as a share of the work.
func (p path) share() float64 {
	all := p.sum()
	return roles.Share(all.length, all.work) / 100
}

// print prints what the path is made of, and the phases one by one.
func (p path) print(w io.Writer, run laneRun) error {
	var b strings.Builder
	line := func(name string, work, length time.Duration) {
		fmt.Fprintf(&b, "    %-40s %8.2f s %8.2f s\n", name, work.Seconds(), length.Seconds())
	}
	fmt.Fprintf(&b, "    %-40s %10s %10s\n", "", "work", "in the path")
	for _, part := range p.parts {
		line(part.name, part.work, part.length)
		if part.name != roles.Phases {
			continue
		}
		for _, phase := range slices.Sorted(maps.Keys(run.Phases)) {
			line("  of it "+phase, run.Phases[phase].Parts, run.Phases[phase].Longest)
		}
	}
	all := p.sum()
	line("all", all.work, all.length)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("critical path: %w", err)
	}
	return nil
}
