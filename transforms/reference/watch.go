package reference

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
)

// quiet is how long a file must not have been written to before it is loaded.
const quiet = time.Second

// errUnstable says that a file may still be being written.
var errUnstable = errors.New("the file is being written to")

// watcher keeps the newest good version of a file.
type watcher struct {
	path    string
	refresh time.Duration
	maxAge  time.Duration // 0 = none
	now     func() time.Time
	load    func(f *os.File, size int64) (*snapshot, error)
	asked   chan struct{} // to load it now; has room for one

	mu      sync.Mutex
	latest  *snapshot
	file    fs.FileInfo // that the latest was loaded from
	checked time.Time   // when the latest was last known to be the newest
	problem error

	seen   fs.FileInfo // the file when it was last looked at, and when that was
	seenAt time.Time

	stop func()
	done chan struct{}
}

// start loads the first version, and begins to look for others.
func (w *watcher) start(ctx context.Context, log *slog.Logger) error {
	for {
		err := w.look()
		if err == nil {
			break
		}
		if !errors.Is(err, errUnstable) {
			return fmt.Errorf("reference: %w", err)
		}
		if err := wait(ctx, quiet/10); err != nil {
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

// run looks at the file again and again. A problem is logged when it is new, or
// somebody has asked.
func (w *watcher) run(ctx context.Context, log *slog.Logger) {
	logged := ""
	for {
		asked, err := w.pause(ctx, w.refresh)
		if err != nil {
			return
		}
		if asked {
			w.file = nil // whatever it looks like
		}
		err = w.look()
		for errors.Is(err, errUnstable) && (asked || w.refresh > quiet) && wait(ctx, quiet) == nil {
			err = w.look()
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

// look loads the file unless it is the one that is loaded. An error leaves the
// version in use as it is. One goroutine calls it.
func (w *watcher) look() error {
	at := w.now()
	info, err := os.Stat(w.path)
	if err != nil {
		return w.failed(err)
	}
	if w.file != nil && sameFile(info, w.file) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.checked, w.problem = at, nil
		return nil
	}
	if !info.Mode().IsRegular() { // what is opened may never come back
		return w.failed(fmt.Errorf("%s: not a regular file", w.path))
	}
	if !w.settled(info, at) {
		return errUnstable
	}
	s, err := w.read(info)
	if err != nil {
		return w.failed(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	s.version = info.ModTime().UnixMicro()
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
func (w *watcher) settled(info fs.FileInfo, at time.Time) bool {
	if at.Sub(info.ModTime()) >= quiet {
		return true
	}
	if w.seen == nil || !sameFile(info, w.seen) {
		w.seen, w.seenAt = info, at
	}
	return info.ModTime().After(at) && at.Sub(w.seenAt) >= quiet
}

// read reads the file whole, and reads nothing of one that changes meanwhile.
func (w *watcher) read(info fs.FileInfo) (s *snapshot, err error) {
	f, err := os.Open(w.path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if opened, err := f.Stat(); err != nil || !sameFile(opened, info) {
		return nil, errors.Join(errUnstable, err)
	}
	s, err = w.load(f, info.Size())
	after, statErr := os.Stat(w.path)
	if statErr != nil || !sameFile(after, info) {
		return nil, errUnstable // what was read, and whether it was right, says nothing
	}
	return s, err
}

func sameFile(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
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
