package jobs

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/timespan"
)

const (
	barEvery  = 200 * time.Millisecond
	lineEvery = time.Minute
)

// progress shows a run on its way: a line a minute, and on a terminal, where the
// run has an end, a bar instead.
type progress struct {
	*watch
	done  chan struct{}
	wait  sync.WaitGroup
	ended bool // all is read: set before done is closed
}

// progress starts the display. The caller ends it.
func (s *streams) progress(w *watch) *progress {
	p := &progress{watch: w, done: make(chan struct{})}
	show, finish, every := p.line, func() {}, lineEvery
	if terminal(s.err) && w.a.config.Bounded {
		screen := s.screen()
		show = func() { screen.draw(p.bar()) }
		finish = func() { screen.end(p.lastBar()) }
		every = barEvery
	}
	p.wait.Go(func() {
		defer finish()
		lines, samples := time.NewTicker(every), time.NewTicker(sampleEvery)
		defer lines.Stop()
		defer samples.Stop()
		for {
			select {
			case <-p.done:
				return
			case <-samples.C:
				p.look()
			case <-lines.C:
				show()
			}
		}
	})
	return p
}

// end ends the display; ended says that all is read and committed.
func (p *progress) end(ended bool) {
	p.ended = ended
	close(p.done)
	p.wait.Wait()
}

// line logs what the pipeline did in the last minute, and how it is.
func (p *progress) line() {
	m, r := p.a.config.Metrics, p.rates()
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
	attrs = append(attrs, "records", m.Records.Load(), "records_per_second", r.per(0, records), "mb_per_second", round1(float64(bytes)/1e6/r.seconds),
		"rows_per_second", r.per(0, rows), "dead_letters", dead, "retries", retries, "state_mb", h.StateBytes/1e6)
	if lagKnown {
		attrs = append(attrs, "lag", lag)
	}
	if h.Pending > 0 {
		attrs = append(attrs, "pending_records", h.Pending)
	}
	if read, total := p.size(); total > 0 {
		attrs = append(attrs, "percent", round1(100*float64(read)/float64(total)))
	}
	slog.Info("running", attrs...)
}

// average is in megabytes of records a second, since the start.
func (p *progress) average() float64 {
	return float64(p.a.config.Metrics.Bytes.Load()) / 1e6 / max(time.Since(p.started).Seconds(), 1e-3)
}

// size adds up what the sources say of their input; 0 when one of them does not know.
func (p *progress) size() (read, total int64) {
	for _, s := range p.a.config.Sources {
		sized, ok := s.Source.(pipeline.Sized)
		if !ok {
			return 0, 0
		}
		r, t := sized.Size()
		read, total = read+r, total+t
	}
	return read, total
}

// barWidth is how many letters the bar itself has.
const barWidth = 30

// bar is how far the run is, on one line.
func (p *progress) bar() string {
	text := p.barAt(p.share(), "")
	if left := p.left(p.size()); left > 0 {
		text += "  " + timespan.Text(left) + " left"
	}
	return text
}

// lastBar is the line that stays.
func (p *progress) lastBar() string {
	if p.ended {
		return p.barAt(1, "")
	}
	return p.barAt(p.share(), "stopped, ")
}

// share is how much of the input is read, 0.99 at most: the rest is what is not
// committed.
func (p *progress) share() float64 {
	read, total := p.size()
	if total == 0 {
		return 0
	}
	return min(float64(read)/float64(total), 0.99)
}

func (p *progress) barAt(share float64, how string) string {
	full := int(share * barWidth)
	m := p.a.config.Metrics
	return fmt.Sprintf("%s %3d %% [%s%s] %s%d records  %.0f MB/s  epoch %d", p.a.file.Name, int(100*share),
		strings.Repeat("=", full), strings.Repeat(" ", barWidth-full), how, m.Records.Load(), p.average(), m.Health().Epoch)
}

// left is how long the rest will take, in whole seconds, at the pace until now; 0
// = nobody knows.
func (p *progress) left(read, total int64) time.Duration {
	if read == 0 || total <= read {
		return 0
	}
	return time.Duration(float64(time.Since(p.started)) * float64(total-read) / float64(read)).Round(time.Second)
}
