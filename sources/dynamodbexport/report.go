package dynamodbexport

import (
	"fmt"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/sources/file"
	"github.com/starlift-etl/starlift/sources/internal/exportrequest"
)

// activity is what a session does now, for people.
type activity struct {
	request *exportrequest.Request // that is waited for, or read; nil = none is
	export  exportrequest.Export
	until   time.Time // a window that is not over; zero = there is none
	files   time.Time // when its files began to be read; zero = they are not read
	problem pipeline.SourceProblem
}

// waitsFor notes how far an export is.
func (r *session) waitsFor(request exportrequest.Request, e exportrequest.Export) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now.request, r.now.export, r.now.until = &request, e, time.Time{}
}

// waitsUntil notes that a window is not over.
func (r *session) waitsUntil(end time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now.request, r.now.until = nil, end
}

// reads notes which files are read; nil = none are any longer.
func (r *session) reads(files *file.Source) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.files = files; files != nil {
		r.now.files = r.env.Now()
		return
	}
	r.now.request, r.now.files = nil, time.Time{}
}

// problem notes what keeps the session from going on; nil = nothing does.
func (r *session) problem(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err == nil:
		r.now.problem = pipeline.SourceProblem{}
		return
	case r.now.problem.Err == nil:
		r.now.problem.Since = r.env.Now()
		r.env.Log.Warn("exports can't be made, and are tried again", "error", err)
	}
	r.now.problem.Err = err
}

// state returns what the session does now.
func (s *sequence) state() (r *session, now activity, files *file.Source) {
	r = s.session()
	if r == nil {
		return nil, now, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r, r.now, r.files
}

// Waits implements pipeline.WaitReporter.
func (s *sequence) Waits() []string {
	r, now, files := s.state()
	switch {
	case r == nil:
		return nil
	case files != nil:
		return files.Waits()
	case now.problem.Err != nil:
		return nil // Report says it
	case now.request != nil:
		return []string{fmt.Sprintf("%s: %s", now.request, exportText(&now.export))}
	case !now.until.IsZero():
		return []string{fmt.Sprintf("the time until %s to be over, and to be restorable some five minutes later", timeText(now.until))}
	}
	return nil
}

// exportText says how far an export is.
func exportText(e *exportrequest.Export) string {
	text := string(e.State)
	if !e.Began.IsZero() {
		text += " since " + timeText(e.Began)
	}
	if e.Bytes > 0 {
		text += fmt.Sprintf(", %d items, %d MB", e.Items, e.Bytes/1e6)
	}
	return text + " (" + e.ARN + ")"
}

// phase is what is done about an export: it is made, then read.
func (now *activity) phase(name string, files *file.Source) pipeline.SourcePhase {
	p := pipeline.SourcePhase{Name: name}
	switch {
	case files != nil:
		p.Began, p.Unit, p.Detail = now.files, "bytes", "it is read"
		p.Done, p.Total = files.Size()
	case now.problem.Err != nil:
		p.Began, p.Detail = now.problem.Since, "it can't go on, and is tried again"
	case now.request != nil:
		p.Began, p.Detail = now.export.Began, fmt.Sprintf("%s: %s", now.request, exportText(&now.export))
	case !now.until.IsZero():
		p.Detail = "the next one is asked for when " + timeText(now.until) + " is over"
	}
	return p
}

// Phases implements pipeline.PhaseReporter.
func (s *requestSource) Phases() []pipeline.SourcePhase {
	r, now, files := s.state()
	if r == nil {
		return nil
	}
	return []pipeline.SourcePhase{now.phase("export", files)}
}

// Phases implements pipeline.PhaseReporter.
func (s *IncrementalSource) Phases() []pipeline.SourcePhase {
	r, now, files := s.state()
	if r == nil {
		return nil
	}
	p := r.saved()
	if p == nil || p.Reached.IsZero() {
		return []pipeline.SourcePhase{now.phase(firstPhase, files), {Name: windowsPhase}}
	}
	all := p.phases()
	next := now.phase(windowsPhase, files)
	next.Began = p.Complete
	all[1] = next
	return all
}

// The names of the phases of an IncrementalSource.
const (
	firstPhase   = "full export"
	windowsPhase = "incremental exports"
)

// SavedPhases implements pipeline.SavedPhaseReporter.
func (s *IncrementalSource) SavedPhases(cursors map[string][]byte) ([]pipeline.SourcePhase, error) {
	raw := cursors[scheduleCursor]
	if raw == nil {
		return nil, nil
	}
	p, err := parseProgress(raw)
	if err != nil {
		return nil, err
	}
	return p.phases(), nil
}

// phases returns those that are saved.
func (p *progress) phases() []pipeline.SourcePhase {
	first, next := pipeline.SourcePhase{Name: firstPhase}, pipeline.SourcePhase{Name: windowsPhase}
	if p.Reached.IsZero() {
		first.Detail = p.text()
		if p.Request != nil {
			first.Began = p.Request.Asked
		}
	} else {
		first.Began, first.Ended, next.Began, next.Detail = p.Complete, p.Complete, p.Complete, p.text()
	}
	return []pipeline.SourcePhase{first, next}
}

// Report implements pipeline.PartitionReporter.
func (s *IncrementalSource) Report() (report pipeline.PartitionReport) {
	r, now, _ := s.state()
	if r == nil {
		return report
	}
	if now.problem.Err != nil {
		report.Problems = []pipeline.SourceProblem{now.problem}
	}
	p := r.saved()
	if p == nil {
		return report
	}
	report.Gaps = p.gaps(s.tableText())
	if !p.Reached.IsZero() {
		report.Lags = []pipeline.PartitionLag{{Partition: s.tableText(), Lag: max(0, r.env.Now().Sub(p.Reached))}}
	}
	return report
}
