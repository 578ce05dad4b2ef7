package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline/blob"
)

// hungStore is a store whose objects are found and opened, and whose content never comes to its end.
type hungStore struct {
	blob.Store
	large bool        // the objects are too large to be read as a whole, and what they have comes before they hang
	asked chan string // the objects whose content is waited for
	open  atomic.Int64
}

func (s *hungStore) Open(ctx context.Context, name string) (blob.Object, error) {
	o, err := s.Store.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	s.open.Add(1)
	return &hungObject{o, s}, nil
}

type hungObject struct {
	blob.Object
	store *hungStore
}

func (o *hungObject) Info() blob.Info {
	info := o.Object.Info()
	if o.store.large {
		info.Size += wholeObjectBytes
	}
	return info
}

func (o *hungObject) Range(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
	c := &hungContent{Reader: bytes.NewReader(nil), ctx: ctx, of: o}
	if o.store.large {
		whole, err := o.Object.Range(ctx, offset, length)
		if err != nil {
			return nil, err
		}
		content, err := io.ReadAll(whole)
		c.Reader = bytes.NewReader(content)
		return c, errors.Join(err, whole.Close())
	}
	return c, nil
}

func (o *hungObject) Close() error {
	o.store.open.Add(-1)
	return o.Object.Close()
}

type hungContent struct {
	*bytes.Reader
	ctx context.Context
	of  *hungObject
}

func (c *hungContent) Read(b []byte) (int, error) {
	if n, err := c.Reader.Read(b); err == nil {
		return n, nil
	}
	select {
	case c.of.store.asked <- c.of.Info().Name:
	case <-c.ctx.Done():
	}
	<-c.ctx.Done()
	return 0, c.ctx.Err()
}

func (*hungContent) Close() error { return nil }

// WriteTo hides that of the Reader, which ends.
func (c *hungContent) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, struct{ io.Reader }{c})
}

// TestStopsWhileReadersHang: a source that waits for the content of as many objects as are read side by side ends at
// once when it is closed, with all that it has opened. TestMain sees the goroutines that are left.
func TestStopsWhileReadersHang(t *testing.T) {
	for _, large := range []bool{false, true} {
		for _, packing := range []string{"none", "gzip", "zstd"} {
			t.Run(fmt.Sprintf("large %t, %s", large, packing), func(t *testing.T) {
				store := &hungStore{Store: blob.NewMemory(), large: large, asked: make(chan string)}
				for i := range 3 * openMax {
					put(t, store.Store, fmt.Sprintf("logs/%02d", i), pack(t, packing, numbered(200, 100)))
				}
				stopHung(t, store)
			})
		}
	}
}

func stopHung(t *testing.T, store *hungStore) {
	s := testSource(t, Config{Path: "local", Format: "dynamodb_cdc"}, 1<<20)
	s.cfg.Path = memRoot + "/logs/*"
	useStore(s, store)
	open(t, s, nil)
	late := time.After(20 * time.Second)
	for hung := map[string]bool{}; len(hung) < openMax; {
		select {
		case name := <-store.asked:
			hung[name] = true
		case <-late:
			t.Fatalf("only %d objects are read", len(hung))
		}
	}
	select {
	case r := <-s.queue:
		t.Errorf("records came before the first block was full: %v", r)
	default:
	}
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-late:
		t.Fatal("the source does not end")
	}
	if n := store.open.Load(); n != 0 {
		t.Errorf("%d objects are left open", n)
	}
}
