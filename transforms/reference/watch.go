package reference

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/blob"
	"github.com/starlift-etl/starlift/pipeline/disk"
)

// quietPeriod is how long a file must not have been written to before it is loaded.
const quietPeriod = time.Second

// errUnstable says that a file may still be being written.
var errUnstable = errors.New("the file is being written to")

// watcher polls a file, and holds its newest valid version.
type watcher struct {
	path    string
	refresh time.Duration
	maxAge  time.Duration // 0 = none
	now     func() time.Time
	load    func(ctx context.Context, file blob.Object) (*snapshot, error)
	asked   chan struct{} // requests to load it now; it has room for one

	mu      sync.Mutex
	latest  *snapshot
	file    blob.Info // that the latest was loaded from; zero = load whatever is there
	checked time.Time // when the latest was last known to be the newest
	problem error

	seen   blob.Info // the file when it was last looked at, and when that was
	seenAt time.Time

	stop func()
	done chan struct{}
}

// start loads the first version, and begins to look for others.
func (w *watcher) start(ctx context.Context, log *slog.Logger) error {
	for {
		err := w.check(ctx)
		if err == nil {
			break
		}
		if !errors.Is(err, errUnstable) {
			return fmt.Errorf("reference: %w", err)
		}
		if err := wait(ctx, quietPeriod/10); err != nil {
			return fmt.Errorf("reference: %s: %w: %w", w.path, errUnstable, err)
		}
	}
	ctx, w.stop = context.WithCancel(context.WithoutCancel(ctx))
	w.done = make(chan struct{})
	go func() {
		defer close(w.done)
		w.run(ctx, log)
	}()
	return nil
}

// run polls the file. A problem is logged when it is new, and after a reload was asked for.
func (w *watcher) run(ctx context.Context, log *slog.Logger) {
	logged := ""
	for {
		asked, err := w.pause(ctx, w.refresh)
		if err != nil {
			return
		}
		if asked {
			w.file = blob.Info{} // so that the file is loaded even if it has not changed
		}
		err = w.check(ctx)
		for errors.Is(err, errUnstable) && (asked || w.refresh > quietPeriod) && wait(ctx, quietPeriod) == nil {
			err = w.check(ctx)
		}
		switch {
		case errors.Is(err, errUnstable):
		case err == nil:
			logged = ""
			if asked {
				log.Info("the reference was loaded again", "version", w.status().Version)
			}
		case asked || err.Error() != logged:
			logged = err.Error()
			log.Warn("the reference can't be loaded; the last good version stays in use", "error", err)
		}
	}
}

// reload asks for the file to be loaded, without waiting.
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

// wait waits, or returns why not.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close ends the looking. It may be called twice, and without start.
func (w *watcher) close() {
	if w.stop != nil {
		w.stop()
		<-w.done
	}
}

// check loads the file unless it has not changed since it was loaded. After an error the
// version in use stays. One goroutine calls it.
func (w *watcher) check(ctx context.Context) error {
	at := w.now()
	store, name := blob.File(w.path, disk.Shared)
	info, err := store.Stat(ctx, name)
	if err != nil {
		return w.failed(err)
	}
	if w.file.Name != "" && info.Same(w.file) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.checked, w.problem = at, nil
		return nil
	}
	if !w.settled(info, at) {
		return errUnstable
	}
	s, err := w.read(ctx, store, info)
	if err != nil {
		return w.failed(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	s.version = info.Modified.UnixMicro()
	if w.latest != nil && s.version <= w.latest.version {
		s.version = w.latest.version + 1
	}
	w.latest, w.file, w.checked, w.problem = s, info, at, nil
	return nil
}

// failed notes why the file can't be loaded.
func (w *watcher) failed(err error) error {
	if errors.Is(err, errUnstable) {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.problem = err
	return err
}

// settled reports whether the file has not been written to for a while: by its
// own time, or, should that be in the future, as far as we have seen.
func (w *watcher) settled(info blob.Info, at time.Time) bool {
	if at.Sub(info.Modified) >= quietPeriod {
		return true
	}
	if w.seen.Name == "" || !info.Same(w.seen) {
		w.seen, w.seenAt = info, at
	}
	return info.Modified.After(at) && at.Sub(w.seenAt) >= quietPeriod
}

// read reads the file whole, and reads nothing of one that changes meanwhile.
func (w *watcher) read(ctx context.Context, store blob.Store, info blob.Info) (s *snapshot, err error) {
	f, err := store.Open(ctx, info.Name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if !f.Info().Same(info) {
		return nil, errUnstable
	}
	s, err = w.load(ctx, f)
	after, statErr := store.Stat(ctx, info.Name)
	if statErr != nil || !after.Same(info) {
		return nil, errUnstable // the file changed while it was read, so neither s nor err counts
	}
	return s, err
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
