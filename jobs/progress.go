package jobs

import (
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/engine"
)

const (
	barEvery  = 200 * time.Millisecond
	lineEvery = 10 * time.Second
)

// progress shows a run on its way: a bar on a terminal, a line now and then
// elsewhere.
type progress struct {
	a       *assembly
	started time.Time
	epoch   atomic.Int64 // the last that this run committed; 0 = none yet
	done    chan struct{}
	wait    sync.WaitGroup
}

// progress starts the display. The caller ends it.
func (s *streams) progress(a *assembly) *progress {
	p := &progress{a: a, started: time.Now(), done: make(chan struct{})}
	observe := a.config.Observe
	a.config.Observe = func(t engine.Progress) {
		p.epoch.Store(t.Epoch)
		if observe != nil {
			observe(t)
		}
	}
	show, every := p.line, lineEvery
	finish := func() {}
	if terminal(s.err) {
		show, finish = p.bar(s.err)
		every = barEvery
	}
	p.wait.Go(func() {
		defer finish()
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-p.done:
				return
			case <-tick.C:
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

func (p *progress) line() {
	m := p.a.config.Metrics
	read, total := p.size()
	var attrs []any
	if epoch := p.epoch.Load(); epoch > 0 {
		attrs = append(attrs, "epoch", epoch)
	}
	attrs = append(attrs, "records", m.Records.Load(), "mb_per_second", round1(p.rate()))
	if total > 0 {
		attrs = append(attrs, "percent", round1(100*float64(read)/float64(total)))
	}
	slog.Info("reading", attrs...)
}

// rate is in megabytes of records a second.
func (p *progress) rate() float64 {
	return float64(p.a.config.Metrics.Bytes.Load()) / 1e6 / max(time.Since(p.started).Seconds(), 1e-3)
}

func round1(f float64) float64 { return float64(int64(f*10+0.5)) / 10 }

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
			return fmt.Sprintf(" %d records  %.0f MB/s  epoch %d ", p.a.config.Metrics.Records.Load(), p.rate(), p.epoch.Load())
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
