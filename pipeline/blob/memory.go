package blob

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Memory is a store in the memory of the process, for tests.
type Memory struct {
	mu      sync.Mutex
	objects map[string]*content
	writers map[*memoryWriter]bool // neither finished nor aborted
	made    int64                  // contents so far
}

// content is what an object is at a time. It is replaced, and never changed.
type content struct {
	bytes    []byte
	tag      string
	modified time.Time
}

var _ Store = (*Memory)(nil)

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{objects: map[string]*content{}, writers: map[*memoryWriter]bool{}}
}

// URL implements Location.
func (m *Memory) URL(name string) string { return "memory:" + name }

// Canonical implements Location.
func (m *Memory) Canonical(name string) (string, error) {
	return fmt.Sprintf("memory:%p/%s", m, name), nil
}

// Around implements Location: it lies in nothing.
func (m *Memory) Around(string) ([]Store, error) { return nil, nil }

// Writable implements Location.
func (m *Memory) Writable(context.Context) error { return nil }

// PartSize implements Location: objects have no parts.
func (m *Memory) PartSize(int64) int64 { return 0 }

// set makes an object. The caller holds the lock.
func (m *Memory) set(name string, b []byte) {
	m.made++
	m.objects[name] = &content{bytes: b, tag: strconv.FormatInt(m.made, 10), modified: time.Now()}
}

func (m *Memory) find(ctx context.Context, name string) (*content, error) {
	if err := checkName(ctx, name); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.objects[name]
	if c == nil {
		return nil, &fs.PathError{Op: "open", Path: m.URL(name), Err: fs.ErrNotExist}
	}
	return c, nil
}

func (c *content) info(name string) Info {
	return Info{Name: name, Size: int64(len(c.bytes)), Modified: c.modified, Tag: c.tag}
}

// Stat implements Objects.
func (m *Memory) Stat(ctx context.Context, name string) (Info, error) {
	c, err := m.find(ctx, name)
	if err != nil {
		return Info{}, err
	}
	return c.info(name), nil
}

// Open implements Objects.
func (m *Memory) Open(ctx context.Context, name string) (Object, error) {
	c, err := m.find(ctx, name)
	if err != nil {
		return nil, err
	}
	return &memoryObject{Reader: bytes.NewReader(c.bytes), of: c.info(name)}, nil
}

type memoryObject struct {
	*bytes.Reader
	of Info
}

func (o *memoryObject) Info() Info   { return o.of }
func (o *memoryObject) Close() error { return nil }

func (o *memoryObject) Range(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
	if length < 0 {
		length = max(0, o.of.Size-offset)
	}
	return io.NopCloser(io.NewSectionReader(o.Reader, offset, length)), ctx.Err()
}

// List implements Objects.
func (m *Memory) List(ctx context.Context, prefix string, o ListOptions) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		m.mu.Lock()
		objects := maps.Clone(m.objects)
		m.mu.Unlock()
		folder := ""
		for _, name := range slices.Sorted(maps.Keys(objects)) {
			if err := ctx.Err(); err != nil {
				yield(Info{}, err)
				return
			}
			rest, ok := strings.CutPrefix(name, prefix)
			if !ok || name <= o.After {
				continue
			}
			info := objects[name].info(name)
			if i := strings.IndexByte(rest, '/'); i >= 0 && !o.Recursive {
				info = Info{Name: prefix + rest[:i+1]}
				if info.Name == folder {
					continue
				}
				folder = info.Name
			}
			if !yield(info, nil) {
				return
			}
		}
	}
}

// Delete implements Objects.
func (m *Memory) Delete(ctx context.Context, names ...string) error {
	for _, name := range names {
		if err := checkName(ctx, name); err != nil {
			return err
		}
		m.mu.Lock()
		delete(m.objects, name)
		m.mu.Unlock()
	}
	return nil
}

// Create implements Objects.
func (m *Memory) Create(ctx context.Context, name string, o CreateOptions) (Writer, error) {
	if err := checkName(ctx, name); err != nil {
		return nil, err
	}
	w := &memoryWriter{store: m, name: name, ifAbsent: o.IfAbsent, ifTag: o.IfTag, started: time.Now()}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writers[w] = true
	return w, nil
}

type memoryWriter struct {
	store    *Memory
	name     string
	ifAbsent bool
	ifTag    string
	started  time.Time
	bytes    []byte
}

func (w *memoryWriter) Write(b []byte) (int, error) {
	w.bytes = append(w.bytes, b...)
	return len(b), nil
}

func (w *memoryWriter) Finish() error {
	m := w.store
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.writers[w] {
		return fmt.Errorf("%s: %w", m.URL(w.name), fs.ErrClosed)
	}
	if w.ifAbsent && m.objects[w.name] != nil {
		return &fs.PathError{Op: "create", Path: m.URL(w.name), Err: fs.ErrExist}
	}
	if there := m.objects[w.name]; w.ifTag != "" && (there == nil || there.tag != w.ifTag) {
		return fmt.Errorf("%s: %w", m.URL(w.name), ErrChanged)
	}
	delete(m.writers, w)
	m.set(w.name, w.bytes)
	return nil
}

func (w *memoryWriter) Abort() error {
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	delete(w.store.writers, w)
	return nil
}

// Upload implements Transfers. The file stays.
func (m *Memory) Upload(ctx context.Context, file, name string, o UploadOptions) error {
	if err := checkName(ctx, name); err != nil {
		return err
	}
	if o.Content != nil {
		switch found, err := m.Stat(ctx, name); {
		case err == nil:
			return o.Content.Compare(ctx, m, found)
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
	}
	b, err := os.ReadFile(file)
	if o.Progress != nil {
		o.Progress()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if errors.Is(err, fs.ErrNotExist) && m.objects[name] != nil {
		return nil
	}
	if err != nil {
		return err
	}
	m.set(name, b)
	return nil
}

// Append implements Transfers.
func (m *Memory) Append(ctx context.Context, name string) (Tail, error) {
	c, err := m.find(ctx, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &memoryTail{store: m, name: name}, nil
	case err != nil:
		return nil, err
	}
	return &memoryTail{store: m, name: name, bytes: slices.Clone(c.bytes)}, nil
}

type memoryTail struct {
	store *Memory
	name  string
	bytes []byte
}

func (t *memoryTail) WriteAt(b []byte, at int64) (int, error) {
	if more := at + int64(len(b)) - int64(len(t.bytes)); more > 0 {
		t.bytes = append(t.bytes, make([]byte, more)...)
	}
	return copy(t.bytes[at:], b), nil
}

func (t *memoryTail) Truncate(size int64) error {
	t.bytes = append(t.bytes[:min(size, int64(len(t.bytes)))], make([]byte, max(0, size-int64(len(t.bytes))))...)
	return nil
}

func (t *memoryTail) Finish() error {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	t.store.set(t.name, t.bytes)
	return nil
}

func (t *memoryTail) Close() error { return nil }

// UnfinishedObject implements Transfers.
func (m *Memory) Unfinished(ctx context.Context, prefix string) iter.Seq2[UnfinishedObject, error] {
	return func(yield func(UnfinishedObject, error) bool) {
		var all []UnfinishedObject
		m.mu.Lock()
		for w := range m.writers {
			if strings.HasPrefix(w.name, prefix) {
				all = append(all, UnfinishedObject{Name: w.name, Started: w.started, Age: time.Since(w.started), ID: fmt.Sprintf("%p", w)})
			}
		}
		m.mu.Unlock()
		slices.SortFunc(all, func(a, b UnfinishedObject) int { return strings.Compare(a.Name+a.ID, b.Name+b.ID) })
		for _, u := range all {
			if ctx.Err() != nil {
				yield(UnfinishedObject{}, ctx.Err())
				return
			}
			if !yield(u, nil) {
				return
			}
		}
	}
}

// Discard implements Transfers.
func (m *Memory) Discard(ctx context.Context, u UnfinishedObject) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.writers, func(w *memoryWriter, _ bool) bool { return fmt.Sprintf("%p", w) == u.ID })
	return ctx.Err()
}

// Prune implements Transfers: there are no folders.
func (m *Memory) Prune(ctx context.Context, _ string) error { return ctx.Err() }
