package blob_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/blob"
	"github.com/starlift-etl/starlift/pipeline/blob/blobtest"
	"github.com/starlift-etl/starlift/pipeline/disk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var ctx = context.Background()

func newDir(t testing.TB) blob.Store {
	return blob.NewDir(filepath.Join(t.TempDir(), "store"), disk.Shared)
}

func newMemory(testing.TB) blob.Store { return blob.NewMemory() }

func noWait(ctx context.Context, _ int) error { return ctx.Err() }

func TestStores(t *testing.T) {
	through := func(wrap func(blob.Store) blob.Store) func(testing.TB) blob.Store {
		return func(t testing.TB) blob.Store { return wrap(newMemory(t)) }
	}
	for name, of := range map[string]func(testing.TB) blob.Store{
		"local disk": newDir,
		"private":    func(t testing.TB) blob.Store { return blob.NewDir(t.TempDir(), disk.Private) },
		"memory":     newMemory,
		"retry":      through(func(s blob.Store) blob.Store { return blob.Retry(s, blob.RetryOptions{Attempts: 3, Wait: noWait}) }),
		"limit":      through(func(s blob.Store) blob.Store { return blob.Limit(s, 1) }),
		"log":        through(func(s blob.Store) blob.Store { return blob.Log(s, slog.New(slog.DiscardHandler)) }),
		"faults":     through(new(blob.Faults).Wrap),
	} {
		t.Run(name, func(t *testing.T) { blobtest.Run(t, blobtest.Target{New: of, Appends: true}) })
	}
}

// TestRetry: each repeatable call that fails once, before or after its effect, ends as if
// it had not; a call that is not repeatable is not made again.
func TestRetry(t *testing.T) {
	transient := pipeline.Transient(errors.New("slow down"))
	series := func(s blob.Store) error {
		if err := blob.WriteAll(ctx, s, "a/1", bytes.Repeat([]byte("one"), 10_000), blob.CreateOptions{}); err != nil {
			return err
		}
		if b, err := blob.ReadAll(ctx, s, "a/1"); err != nil || len(b) != 30_000 {
			return errors.Join(err, errors.New("it is not as it was written"))
		}
		o, err := s.Open(ctx, "a/1")
		if err != nil {
			return err
		}
		b := make([]byte, 4)
		n, err := o.ReadAt(b, 29_998)
		if n != 2 || err != io.EOF || string(b[:2]) != "ne" {
			return errors.Join(err, errors.New("its end is not as it was written"), o.Close())
		}
		for _, err := range s.List(ctx, "", blob.ListOptions{Recursive: true}) {
			if err != nil {
				return errors.Join(err, o.Close())
			}
		}
		return errors.Join(o.Close(), s.Delete(ctx, "a/1"), s.Writable(ctx))
	}
	for _, after := range []bool{false, true} {
		for n := 0; ; n++ {
			f := &blob.Faults{Err: transient}
			f.Arm(n, after, false)
			attempts := 0
			s := blob.Retry(f.Wrap(blob.NewMemory()), blob.RetryOptions{Attempts: 2, Wait: func(context.Context, int) error { attempts++; return nil }})
			err := series(s)
			calls := f.Calls()
			if !f.Disarm() {
				break
			}
			op := calls[n].Op
			again := op.Repeatable() && (op != blob.OpRead || !after || attempts > 0) // bytes that came count
			if op.Repeatable() != (err == nil) || again != (attempts == 1) {
				t.Errorf("%s fails (after: %v): error %v, %d more attempts", calls[n].Op, after, err, attempts)
			}
		}
	}
	t.Run("not for good", func(t *testing.T) {
		attempts := 0
		s := blob.Retry(blob.Wrap(blob.NewMemory(), func(context.Context, blob.Call, func() error) error { return transient }),
			blob.RetryOptions{Attempts: 4, Wait: func(_ context.Context, n int) error {
				if attempts++; n != attempts+1 {
					t.Errorf("attempt %d is numbered %d", attempts+1, n)
				}
				return nil
			}})
		if _, err := s.Stat(ctx, "a"); !errors.Is(err, transient) || attempts != 3 {
			t.Errorf("%v after %d more attempts", err, attempts)
		}
	})
	t.Run("not when nobody waits", func(t *testing.T) {
		stop := errors.New("stopped")
		s := blob.Retry(blob.Wrap(blob.NewMemory(), func(context.Context, blob.Call, func() error) error { return transient }),
			blob.RetryOptions{Attempts: 4, Wait: func(context.Context, int) error { return stop }})
		if _, err := s.Stat(ctx, "a"); !errors.Is(err, stop) || !errors.Is(err, transient) {
			t.Errorf("%v", err)
		}
	})
}

func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		held := make(chan struct{})
		s := blob.Limit(blob.Wrap(blob.NewMemory(), func(_ context.Context, _ blob.Call, do func() error) error { <-held; return do() }), 2)
		done := make(chan error, 3)
		for range 2 {
			go func() { _, err := s.Stat(ctx, "a"); done <- err }()
		}
		synctest.Wait()
		go func() { _, err := s.Stat(ctx, "a"); done <- err }()
		stopped, stop := context.WithCancel(ctx)
		go func() { _, err := s.Stat(stopped, "a"); done <- err }()
		synctest.Wait()
		stop()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("the one that waits no longer: %v", err)
		}
		held <- struct{}{}
		held <- struct{}{}
		held <- struct{}{}
		for range 3 {
			<-done
		}
	})
}

func TestLog(t *testing.T) {
	var out strings.Builder
	s := blob.Log(blob.NewMemory(), slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err := blob.WriteAll(ctx, s, "a", []byte("secret"), blob.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	_, _ = s.Stat(ctx, "b")
	for _, want := range []string{"call=create object=memory:a took=", "call=finish object=memory:a", "call=stat object=memory:b"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s is missing in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "secret") || strings.Contains(out.String(), "error=") {
		t.Errorf("it tells too much:\n%s", out.String())
	}
}
