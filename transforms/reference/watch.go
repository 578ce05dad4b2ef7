package reference

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
)

const (
	// startPatience is for how long a start tries again what time can heal: a service that
	// is not up yet, say.
	startPatience = time.Minute
	// startPause is the pause between the attempts of a start.
	startPause = time.Second
	// failedPause is the pause after a first failure, where that is less than refresh. It
	// doubles with each.
	failedPause = 10 * time.Second
)

// watcher polls a source, and holds its newest valid version.
type watcher struct {
	source  source
	refresh time.Duration
	maxAge  time.Duration // 0 = none
	now     func() time.Time
	asked   chan struct{} // requests to read it now; it has room for one

	mu      sync.Mutex
	latest  *snapshot
	checked time.Time // when the latest was last known to be the newest
	problem error

	stop func()
	done chan struct{}
}

// start reads the first version, and begins to look for others. After a failure nothing of it
// goes on.
func (w *watcher) start(ctx context.Context, env pipeline.Env) error {
	if err := w.source.open(ctx, env); err != nil {
		w.source.close()
		return fmt.Errorf("reference: %w", err)
	}
	if err := w.first(ctx, env.Log); err != nil {
		w.source.close()
		return fmt.Errorf("reference: %w", err)
	}
	ctx, w.stop = context.WithCancel(context.WithoutCancel(ctx))
	w.done = make(chan struct{})
	go func() {
		defer close(w.done)
		defer w.source.close()
		w.run(ctx, env.Log)
	}()
	return nil
}

// first reads the first version.
func (w *watcher) first(ctx context.Context, log *slog.Logger) error {
	began, logged := w.now(), false
	for {
		err := w.check(ctx, false)
		pause := startPause
		switch {
		case err == nil:
			return nil
		case errors.Is(err, errUnstable):
			pause = quietPeriod / 10
		case !pipeline.Retryable(err) || w.now().Sub(began) >= startPatience:
			return err
		case !logged:
			log.Warn("the reference can't be read yet", "tried for", startPatience, "error", err)
			logged = true
		}
		if waitErr := awsapi.Sleep(ctx, pause); waitErr != nil {
			return fmt.Errorf("%w: %w", waitErr, err)
		}
	}
}

// run polls the source. A problem is logged when it is new, and after a reload was asked for.
func (w *watcher) run(ctx context.Context, log *slog.Logger) {
	logged, pause, failed := "", w.refresh, failedPause
	for {
		asked, err := w.pause(ctx, pause)
		if err != nil {
			return
		}
		err = w.check(ctx, asked)
		for errors.Is(err, errUnstable) && (asked || w.refresh > quietPeriod) && awsapi.Sleep(ctx, quietPeriod) == nil {
			err = w.check(ctx, asked)
		}
		if ctx.Err() != nil {
			return
		}
		pause = w.refresh
		switch {
		case errors.Is(err, errUnstable):
		case err == nil:
			logged, failed = "", failedPause
			if asked {
				log.Info("the reference was loaded again", "version", w.status().Version)
			}
		default:
			pause, failed = min(failed, w.refresh), min(2*failed, w.refresh)
			if asked || err.Error() != logged {
				logged = err.Error()
				log.Warn("the reference can't be loaded; the last good version stays in use", "error", err)
			}
		}
	}
}

// reload asks for the reference to be read, without waiting.
func (w *watcher) reload() {
	select {
	case w.asked <- struct{}{}:
	default: // it was asked for already
	}
}

// pause waits, or until somebody asks for a reload, or returns why not.
func (w *watcher) pause(ctx context.Context, d time.Duration) (asked bool, err error) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return false, nil
	case <-w.asked:
		return true, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// close ends the looking. It may be called twice, and without start.
func (w *watcher) close() {
	if w.stop != nil {
		w.stop()
		<-w.done
	}
}

// check reads the source unless it is known not to have changed. After an error the version in
// use stays. A version is taken whole, or not at all. One goroutine calls it.
func (w *watcher) check(ctx context.Context, again bool) error {
	at := w.now()
	s, err := w.source.read(ctx, again)
	if errors.Is(err, errUnstable) {
		return err
	}
	fresh := err == nil && s != nil && w.date(s, at) // only this goroutine writes latest
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.problem = err
		return err
	}
	w.checked, w.problem = at, nil
	if fresh {
		w.latest = s
	}
	return nil
}

// date gives what was read a version after that in use. Where the source has none, it is the time
// at which it began to be read; false = it holds the same rows, and so is no new version.
func (w *watcher) date(s *snapshot, at time.Time) bool {
	if s.version == 0 {
		if w.latest != nil && s.same(w.latest) {
			return false
		}
		s.version = at.UnixMicro()
	}
	if w.latest != nil && s.version <= w.latest.version {
		s.version = w.latest.version + 1
	}
	return true
}

func (w *watcher) current() *snapshot {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.latest
}

func (w *watcher) status() pipeline.ReferenceStatus {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := pipeline.ReferenceStatus{Problem: w.problem}
	if w.latest != nil {
		s.Version, s.Bytes, s.Age = w.latest.version, w.latest.bytes, max(0, w.now().Sub(w.checked))
		s.Stale = w.maxAge > 0 && s.Age > w.maxAge
	}
	return s
}
