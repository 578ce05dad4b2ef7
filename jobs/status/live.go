package status

import (
	"context"
	"fmt"
	"time"

	"github.com/starlift-etl/starlift/pipeline/timespan"
)

// Status returns the report on the running pipeline.
func (m *Monitor) Status(ctx context.Context) (*Status, error) {
	p, r := m.p, m.rates()
	st := newStatus(p)
	st.countLetters(ctx, p, m.letters, lettersTimeout)
	h := r.now
	st.StateID, st.Epoch, st.Saved, st.StateBytes = h.StateID, h.Epoch, h.Saved, h.StateBytes
	st.unmatched(h.Unmatched)
	if contents := p.Recorder.Contents(); contents != nil {
		if err := st.switches(contents.Definition); err != nil {
			return nil, err
		}
	}
	problems := m.Problems()
	st.Running = &Process{
		Since: h.Started.UTC(), Ready: len(problems) == 0, Problems: problems, CommitAge: timespan.Seconds(time.Since(h.Started)),
		Pending: h.Pending, EpochInterval: p.Interval, Transforms: map[string]Transform{}, References: map[string]Reference{},
	}
	if !h.LastCommit.IsZero() {
		at := h.LastCommit.UTC()
		st.Running.LastCommit, st.Running.CommitAge = &at, timespan.Seconds(max(0, time.Since(h.LastCommit)))
	}
	for _, name := range p.Sources {
		s := h.Sources[name]
		live := &SourceRates{Records: s.Records, Bytes: s.Bytes, RecordRate: r.records(name), ByteRate: r.bytes(name), Lost: s.Lost, Gap: p.Redact(s.Gap)}
		for _, what := range s.Waits {
			live.Waits = append(live.Waits, p.Redact(what))
		}
		if s.LagKnown {
			lag := timespan.Seconds(s.Lag)
			live.Lag = &lag
		}
		live.PartitionLags = partitionLags(s.Report.Lags)
		st.Sources[name] = Source{s.Finished, s.Partitions, gapsOf(p, s.Report.Gaps), phasesOf(p, s.Phases, time.Now()), live}
	}
	for _, name := range p.Sinks {
		s := h.Sinks[name]
		live := &SinkRates{Rows: s.Rows, RowRate: r.written(name), Retries: s.Retries}
		if down := s.Problem; down != nil {
			since := down.Since.UTC()
			live.Down, live.Problem = &since, p.Redact(down.Err.Error())
		}
		for _, stall := range h.Stalls {
			if stall.Name == name && live.Problem == "" {
				since := stall.Since.UTC()
				live.Down, live.Problem = &since, p.Redact(fmt.Sprintf("its %s gets no further: it waits for %s", stall.What, stall.Waits))
			}
		}
		st.Sinks[name] = Sink{s.Published, s.Saved, s.Gathering, live}
	}
	st.Running.transforms(p, &r)
	for node, ref := range p.Recorder.References() {
		s := Reference{Version: ref.Version, Age: timespan.Seconds(ref.Age), Stale: ref.Stale}
		if ref.Problem != nil {
			s.Problem = p.Redact(ref.Problem.Error())
		}
		st.Running.References[node] = s
	}
	return st, nil
}

// transforms counts what each transform has made.
func (r *Process) transforms(p *Pipeline, of *rates) {
	for _, name := range p.TransformNames {
		t := Transform{Rows: map[string]map[string]int64{}, RowRate: of.rows(name), DeadLetters: map[string]int64{}, ReadAgain: of.now.Reread[name]}
		for k, n := range of.now.Rows {
			if k.Node != name {
				continue
			}
			if t.Rows[k.Table] == nil {
				t.Rows[k.Table] = map[string]int64{}
			}
			t.Rows[k.Table][k.Op] = n
		}
		for k, n := range of.now.Dead {
			if k.Node == name {
				t.DeadLetters[k.Reason] += n
			}
		}
		r.Transforms[name] = t
	}
}
