package status

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/telemetry"
	"github.com/starlift-etl/starlift/pipeline/timespan"
	"github.com/starlift-etl/starlift/sinks/deadletters"
)

const (
	// SampleEvery is the time between samples.
	SampleEvery = 5 * time.Second
	// rateWindow is the time that rates are taken over.
	rateWindow = time.Minute
)

// Monitor takes samples of a running pipeline, so that it can report rates and problems.
type Monitor struct {
	p       *Pipeline
	started time.Time
	letters *deadletters.Counter

	mu      sync.Mutex
	samples []sample // oldest first; the first is at least ratesOver old, once there are so many
}

type sample struct {
	at     time.Time
	health telemetry.Health
}

// NewMonitor returns a monitor of a pipeline that is about to run, with its first
// sample.
func NewMonitor(p *Pipeline) *Monitor {
	m := &Monitor{p: p, started: time.Now(), letters: deadletters.NewCounter(p.DeadLetters)}
	m.Sample()
	return m
}

// Sample takes a sample of the counts. Rates are computed since the sample of a minute ago. The
// owner of the monitor calls it every SampleEvery.
func (m *Monitor) Sample() {
	s := sample{time.Now(), m.p.Recorder.Health()}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.samples = append(m.samples, s)
	for len(m.samples) > 2 && s.at.Sub(m.samples[1].at) >= rateWindow {
		m.samples = m.samples[1:]
	}
}

// rates computes rates per second, over rateWindow.
type rates struct {
	before, now telemetry.Health
	seconds     float64
}

func (m *Monitor) rates() rates {
	now, at := m.p.Recorder.Health(), time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	first := m.samples[0]
	return rates{first.health, now, max(at.Sub(first.at).Seconds(), 1e-3)}
}

// per returns the growth of a count per second, rounded to a tenth.
func (r *rates) per(before, now int64) float64 { return round1(float64(now-before) / r.seconds) }

func (r *rates) records(source string) float64 {
	return r.per(r.before.Sources[source].Records, r.now.Sources[source].Records)
}

func (r *rates) bytes(source string) float64 {
	return r.per(r.before.Sources[source].Bytes, r.now.Sources[source].Bytes)
}

// written is the rate of a sink's rows.
func (r *rates) written(sink string) float64 {
	return r.per(r.before.Sinks[sink].Rows, r.now.Sinks[sink].Rows)
}

// rows is the rate of the rows that a node makes.
func (r *rates) rows(node string) float64 { return r.per(rowsOf(r.before, node), rowsOf(r.now, node)) }

func rowsOf(h telemetry.Health, node string) (n int64) {
	for k, rows := range h.Rows {
		if k.Node == node {
			n += rows
		}
	}
	return n
}

// Problems lists what keeps the pipeline from doing its work as it should, in a
// fixed order and without secrets.
func (m *Monitor) Problems() []string {
	h := m.p.Recorder.Health()
	wrong := []string{}
	if p := h.Problem; p != nil && errors.Is(p.Err, pipeline.ErrGap) {
		wrong = append(wrong, fmt.Sprintf("records of a source are lost, since %s: %s", clock(p.Since), p.Err))
	} else if p != nil {
		wrong = append(wrong, fmt.Sprintf("the pipeline goes back to its checkpoint again and again, since %s: %s", clock(p.Since), p.Err))
	} else if !h.Working {
		wrong = append(wrong, "the pipeline is not open: it starts or stops")
	}
	for _, name := range slices.Sorted(maps.Keys(h.Sinks)) {
		if p := h.Sinks[name].Problem; p != nil {
			wrong = append(wrong, fmt.Sprintf("sink %s: it is down since %s, and its commit is tried again: %s", name, clock(p.Since), p.Err))
		}
	}
	for _, s := range h.Stalls {
		wrong = append(wrong, fmt.Sprintf("%s: its %s has got no further since %s: it waits for %s", s.Node, s.What, clock(s.Since), s.Waits))
	}
	for _, name := range slices.Sorted(maps.Keys(h.Sources)) {
		switch s := h.Sources[name]; {
		case s.Lost > 0:
			wrong = append(wrong, fmt.Sprintf("source %s: %d bytes were lost before they were read, since the start: %s", name, s.Lost, s.Gap))
		case s.Gap != "":
			wrong = append(wrong, fmt.Sprintf("source %s: input was lost before it was read, since the start, nobody knows how much: %s", name, s.Gap))
		}
		wrong = append(wrong, sourceProblems(name, h.Sources[name].Report.Problems)...)
		wrong = append(wrong, phaseProblems(name, h.Sources[name].Phases)...)
	}
	refs := m.p.Recorder.References()
	for _, node := range slices.Sorted(maps.Keys(refs)) {
		ref := refs[node]
		if !ref.Stale {
			continue
		}
		why := ""
		if ref.Problem != nil {
			why = ": " + ref.Problem.Error()
		}
		wrong = append(wrong, fmt.Sprintf("node %s: the reference is stale: it was known to be the newest %s ago%s", node, timespan.Text(ref.Age), why))
	}
	for i := range wrong {
		wrong[i] = m.p.Redact(wrong[i])
	}
	return wrong
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

func round1(f float64) float64 { return float64(int64(f*10+0.5)) / 10 }
