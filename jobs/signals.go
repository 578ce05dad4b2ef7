package jobs

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/starlift-etl/starlift/jobs/assembly"
	"github.com/starlift-etl/starlift/pipeline"
)

// A stop is safe at any instant (I7), so nothing may delay it for longer than this. An epoch
// that is saved by then is committed at the next start.
const (
	// stopWithin is the time that the current epoch has to end after a first signal.
	stopWithin = 30 * time.Second
	// quitWithin is the time that all goroutines have to return after that, or after a second
	// signal, before the process exits: a disk or a library may be stuck.
	quitWithin = 3 * time.Second
)

// signals returns a context that ends at the first SIGINT or SIGTERM, or with
// parent, and one that ends at the second, or when stopping takes too long. SIGHUP
// calls reload, which must not wait. The caller releases them.
func (s *cli) signals(parent context.Context, reload func()) (stop, kill context.Context, release func()) {
	stop, stopNow := context.WithCancel(parent)
	kill, killNow := context.WithCancel(context.WithoutCancel(parent))
	h := &signalHandler{parent: parent, ch: make(chan os.Signal, 4), done: make(chan struct{}), reload: reload, stop: stopNow, kill: killNow, stopWithin: s.stopWithin}
	signal.Notify(h.ch, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		h.run()
	}()
	return stop, kill, func() {
		signal.Stop(h.ch)
		close(h.done)
		<-finished
		stopNow()
		killNow()
	}
}

// signalHandler calls stop, kill and reload at signals.
type signalHandler struct {
	parent context.Context
	ch     chan os.Signal
	done   chan struct{} // closed when there is nothing left to stop
	reload func()
	stop   func()
	kill   func()
	// stopWithin is the time between stop and kill, unless a second signal comes.
	stopWithin time.Duration
}

func (h *signalHandler) run() {
	if !h.wait(h.parent.Done(), nil) {
		return
	}
	slog.Info("stopping after this epoch; a second signal stops at once", "within", h.stopWithin)
	h.stop()
	deadline := time.NewTimer(h.stopWithin)
	defer deadline.Stop()
	if !h.wait(nil, deadline.C) {
		return
	}
	h.kill()
	last := time.NewTimer(quitWithin)
	defer last.Stop()
	select {
	case <-h.done:
	case <-last.C:
		slog.Error("something does not stop: the process ends under it, which loses nothing; the next run goes on at the last epoch that was saved")
		os.Exit(exitFailed)
	}
}

// wait returns at a signal to stop, or when one of the others ends; false = there
// is nothing left to stop.
func (h *signalHandler) wait(ended <-chan struct{}, late <-chan time.Time) bool {
	for {
		select {
		case got := <-h.ch:
			if got != syscall.SIGHUP {
				return true
			}
			h.reload()
		case <-ended:
			return true
		case <-late:
			return true
		case <-h.done:
			return false
		}
	}
}

// reloadReferences asks for all reference tables to be loaded again.
func reloadReferences(a *assembly.Pipeline) {
	asked := 0
	for _, n := range a.Config.Rows {
		if r, ok := n.Transform.(pipeline.Reloader); ok {
			r.Reload()
			asked++
		}
	}
	slog.Info("SIGHUP: loading reference tables again", "references", asked)
}
