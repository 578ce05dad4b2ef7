package status

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/starlift-etl/starlift/pipeline/telemetry"
	"github.com/starlift-etl/starlift/pipeline/timespan"
)

const (
	barEvery  = 200 * time.Millisecond
	lineEvery = time.Minute
)

// Screen is where the bar is drawn.
type Screen interface {
	// Draw shows a line in the place of the one before.
	Draw(line string)
	// End shows a last line, which stays.
	End(line string)
}

// Progress shows how far a run is: by a line each minute in the log, or by a bar on a screen.
type Progress struct {
	m      *Monitor
	screen Screen // nil = lines only
	done   chan struct{}
	wait   sync.WaitGroup
	ended  bool // all input is read; it is set before done is closed
}

// ShowProgress starts the display, which takes the monitor's samples as well. Without a screen
// (nil) it logs lines. The caller ends it.
func ShowProgress(m *Monitor, screen Screen) *Progress {
	p := &Progress{m: m, screen: screen, done: make(chan struct{})}
	show, finish, every := p.line, func() {}, lineEvery
	if screen != nil {
		show = func() { screen.Draw(p.bar()) }
		finish = func() { screen.End(p.lastBar()) }
		every = barEvery
	}
	p.wait.Go(func() {
		defer finish()
		lines, samples := time.NewTicker(every), time.NewTicker(SampleEvery)
		defer lines.Stop()
		defer samples.Stop()
		for {
			select {
			case <-p.done:
				return
			case <-samples.C:
				p.m.Sample()
			case <-lines.C:
				show()
			}
		}
	})
	return p
}

// End ends the display; ended says that all is read and committed.
func (p *Progress) End(ended bool) {
	p.ended = ended
	close(p.done)
	p.wait.Wait()
}

// line logs the rates over the last minute, and the state of the run.
func (p *Progress) line() {
	r := p.m.rates()
	h := r.now
	var attrs []any
	if h.Epoch > 0 {
		attrs = append(attrs, "epoch", h.Epoch)
	}
	var records, bytes, rows, retries, dead int64
	var lag time.Duration
	lagKnown := false
	for name, s := range h.Sources {
		records += s.Records - r.before.Sources[name].Records
		bytes += s.Bytes - r.before.Sources[name].Bytes
		lag, lagKnown = max(lag, s.Lag), lagKnown || s.LagKnown
	}
	for name, s := range h.Sinks {
		rows += s.Rows - r.before.Sinks[name].Rows
		retries += s.Retries
	}
	for _, n := range h.Dead {
		dead += n
	}
	attrs = append(attrs, "records", h.Records, "records_per_second", r.per(0, records), "mb_per_second", round1(float64(bytes)/1e6/r.seconds),
		"rows_per_second", r.per(0, rows), "dead_letters", dead, "retries", retries, "state_mb", h.StateBytes/1e6)
	if lagKnown {
		attrs = append(attrs, "lag", lag)
	}
	if h.Pending > 0 {
		attrs = append(attrs, "pending_records", h.Pending)
	}
	if read, total := p.m.p.Size(); total > 0 {
		attrs = append(attrs, "percent", round1(100*float64(read)/float64(total)))
	}
	if now := p.phase(h); now != "" {
		attrs = append(attrs, "phase", now)
	}
	slog.Info("running", attrs...)
}

// average is that of so many bytes, in megabytes of records a second, since the start.
func (p *Progress) average(bytes int64) float64 {
	return float64(bytes) / 1e6 / max(time.Since(p.m.started).Seconds(), 1e-3)
}

// barWidth is the number of characters of the bar itself.
const barWidth = 30

// bar returns the line with the bar.
func (p *Progress) bar() string {
	text := p.barAt(p.share(), "")
	if left := p.left(p.m.p.Size()); left > 0 {
		text += "  " + timespan.Text(left) + " left"
	}
	if now := p.phase(p.m.p.Recorder.Health()); now != "" {
		text += "  " + now
	}
	return text
}

// phase says which phases the sources are in that have some.
func (p *Progress) phase(h telemetry.Health) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(h.Sources)) {
		if at := currentPhase(phasesOf(p.m.p, h.Sources[name].Phases, time.Now())); at != nil {
			all = append(all, name+": "+at.text())
		}
	}
	return strings.Join(all, "; ")
}

// lastBar returns the line that stays when the run has ended.
func (p *Progress) lastBar() string {
	if p.ended {
		return p.barAt(1, "")
	}
	return p.barAt(p.share(), "stopped, ")
}

// share returns the share of the input that is read, at most 0.99 as long as the run has not
// ended: what is read is not committed yet.
func (p *Progress) share() float64 {
	read, total := p.m.p.Size()
	if total == 0 {
		return 0
	}
	return min(float64(read)/float64(total), 0.99)
}

func (p *Progress) barAt(share float64, how string) string {
	full := int(share * barWidth)
	h := p.m.p.Recorder.Health()
	return fmt.Sprintf("%s %3d %% [%s%s] %s%d records  %.0f MB/s  epoch %d", p.m.p.Name, int(100*share),
		strings.Repeat("=", full), strings.Repeat(" ", barWidth-full), how, h.Records, p.average(h.Bytes), h.Epoch)
}

// left returns how long the rest will take, in whole seconds, at the mean rate so far; 0 =
// unknown.
func (p *Progress) left(read, total int64) time.Duration {
	if read == 0 || total <= read {
		return 0
	}
	return time.Duration(float64(time.Since(p.m.started)) * float64(total-read) / float64(read)).Round(time.Second)
}
