package jobs

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
)

// A stop is safe at any instant (I7), so nothing may hold it up for longer than
// this. What is saved by then is committed at the next start. Tests make it shorter.
var (
	// stopWithin is the time that a first signal gives to the epoch at work.
	stopWithin = 30 * time.Second
	// quitWithin is the time that whatever is at work has to return after that, or
	// after a second signal, before the process ends under it: a disk or a
	// library may be stuck.
	quitWithin = 3 * time.Second
)

// signals returns a context that ends at the first SIGINT or SIGTERM, or with
// parent, and one that ends at the second, or when stopping takes too long. SIGHUP
// calls reload, which must not wait. The caller releases them.
func signals(parent context.Context, reload func()) (stop, kill context.Context, release func()) {
	stop, stopNow := context.WithCancel(parent)
	kill, killNow := context.WithCancel(context.WithoutCancel(parent))
	s := &signalling{parent: parent, ch: make(chan os.Signal, 4), done: make(chan struct{}), reload: reload, stop: stopNow, kill: killNow}
	signal.Notify(s.ch, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		s.run()
	}()
	return stop, kill, func() {
		signal.Stop(s.ch)
		close(s.done)
		<-finished
		stopNow()
		killNow()
	}
}

// signalling turns signals into what they mean.
type signalling struct {
	parent context.Context
	ch     chan os.Signal
	done   chan struct{} // closed when there is nothing left to stop
	reload func()
	stop   func()
	kill   func()
}

func (s *signalling) run() {
	if !s.wait(s.parent.Done(), nil) {
		return
	}
	slog.Info("stopping after this epoch; a second signal stops at once", "within", stopWithin)
	s.stop()
	deadline := time.NewTimer(stopWithin)
	defer deadline.Stop()
	if !s.wait(nil, deadline.C) {
		return
	}
	s.kill()
	last := time.NewTimer(quitWithin)
	defer last.Stop()
	select {
	case <-s.done:
	case <-last.C:
		slog.Error("something does not stop: the process ends under it, which loses nothing; the next run goes on at the last epoch that was saved")
		os.Exit(exitFailed)
	}
}

// wait returns at a signal to stop, or when one of the others ends; false = there
// is nothing left to stop.
func (s *signalling) wait(ended <-chan struct{}, late <-chan time.Time) bool {
	for {
		select {
		case got := <-s.ch:
			if got != syscall.SIGHUP {
				return true
			}
			s.reload()
		case <-ended:
			return true
		case <-late:
			return true
		case <-s.done:
			return false
		}
	}
}

// reload asks for all reference tables to be loaded again.
func (a *assembly) reload() {
	asked := 0
	for _, n := range a.config.Rows {
		if r, ok := n.Transform.(pipeline.Reloader); ok {
			r.Reload()
			asked++
		}
	}
	slog.Info("SIGHUP: loading reference tables again", "references", asked)
}
