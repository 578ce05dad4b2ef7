package dynamodb

import (
	"fmt"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
)

// Phases implements pipeline.PhaseReporter.
func (s *Source) Phases() []pipeline.SourcePhase {
	o := s.current()
	if o == nil {
		return nil
	}
	at := o.phase()
	all := at.phases()
	open := at.open()
	if open == nil {
		return all
	}
	i := 0
	if open == at.Repair {
		i = len(all) - 2 // before the stream
	}
	all[i].Detail = o.detailText(open)
	switch inner := o.snapshotNow().(type) {
	case nil:
	case pipeline.PhaseReporter:
		for _, p := range inner.Phases() {
			all[i].Done, all[i].Total, all[i].Unit = p.Done, p.Total, p.Unit
		}
	case pipeline.SizeReporter:
		all[i].Done, all[i].Total = inner.Size()
		all[i].Unit = "bytes"
	}
	return all
}

// SavedPhases implements pipeline.SavedPhaseReporter.
func (s *Source) SavedPhases(cursors map[string][]byte) ([]pipeline.SourcePhase, error) {
	raw := cursors[phasePartition]
	if raw == nil {
		return nil, nil
	}
	at, err := parsePhase(raw)
	if err != nil {
		return nil, err
	}
	return at.phases(), nil
}

// phases returns the phases as far as they were decided.
func (p *phase) phases() (all []pipeline.SourcePhase) {
	add := func(name string, w *pass) {
		detail := w.text()
		if w.done() {
			detail = "read and committed"
		}
		all = append(all, pipeline.SourcePhase{Name: name, Detail: detail, Began: w.Began, Ended: w.Ended})
	}
	if p.Bootstrap.Kind != kindNone {
		add(p.Bootstrap.Kind, &p.Bootstrap)
	}
	switch {
	case p.Repair != nil:
		add("repair", p.Repair)
	case p.Repaired != nil:
		add("repair", p.Repaired)
	}
	return append(all, pipeline.SourcePhase{Name: "stream", Began: p.Bootstrap.Began, Detail: "all changes since " + p.Bootstrap.Since.UTC().Format(time.RFC3339)})
}

// detailText says what a pass does now.
func (o *handoff) detailText(p *pass) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.detail != "" && o.waits:
		return "waits for " + o.detail
	case o.detail != "":
		return o.detail
	case o.saves < o.at.Saves && o.snapshot == nil:
		return "waits for the stream's start to be saved"
	case o.snapshot != nil:
		return fmt.Sprintf("reads %s", p.text())
	}
	return p.text()
}
