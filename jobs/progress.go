package jobs

import (
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/starlift-etl/starlift/pipeline"
)

const (
	barEvery  = 200 * time.Millisecond
	lineEvery = time.Minute
)

// progress shows a run on its way: a line a minute, and on a terminal, where the
// run has an end, a bar instead.
type progress struct {
	*watch
	done chan struct{}
	wait sync.WaitGroup
}

// progress starts the display. The caller ends it.
func (s *streams) progress(w *watch) *progress {
	p := &progress{watch: w, done: make(chan struct{})}
	show, finish, every := p.line, func() {}, lineEvery
	if terminal(s.err) && w.a.config.Bounded {
		show, finish = p.bar(s.err)
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

func (p *progress) end() {
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
		attrs = append(attrs, "lag_seconds", seconds(lag))
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

// bar draws on a terminal; show draws it anew, finish leaves the last state.
func (p *progress) bar(w io.Writer) (show, finish func()) {
	pool := mpb.New(mpb.WithOutput(w), mpb.WithWidth(40), mpb.WithRefreshRate(barEvery))
	bar := pool.AddBar(0,
		mpb.PrependDecorators(decor.Name(p.a.file.Name+" "), decor.Percentage(decor.WCSyncSpace)),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string {
			return fmt.Sprintf(" %d records  %.0f MB/s  epoch %d ", p.a.config.Metrics.Records.Load(), p.average(), p.a.config.Metrics.Health().Epoch)
		}), decor.AverageETA(decor.ET_STYLE_GO)),
	)
	show = func() {
		read, total := p.size()
		bar.SetTotal(max(total, read+1), false)
		bar.SetCurrent(read)
	}
	return show, func() {
		show()
		bar.SetTotal(-1, true)
		pool.Wait()
	}
}
