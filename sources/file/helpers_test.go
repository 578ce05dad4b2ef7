package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"go.uber.org/goleak"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awstest"
)

func TestMain(m *testing.M) {
	if err := awstest.MainEnv(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// readRecord is a record as a test sees it.
type readRecord struct {
	Text  string
	Line  int64
	First int64
}

// readResult is what a source gave until it ended.
type readResult struct {
	records []readRecord
	cursors map[string][]byte           // after the last record, by partition
	err     error                       // nil = read to the end
	formats map[string]*pipeline.Format // by partition
	notices []pipeline.Notice
}

func (s readResult) texts() []string {
	var t []string
	for _, r := range s.records {
		t = append(t, r.Text)
	}
	return t
}

func testSource(t testing.TB, cfg Config, block int) *Source {
	t.Helper()
	s, err := New("src", cfg)
	if err != nil {
		t.Fatal(err)
	}
	if block > 0 {
		s.block, s.exactHead = block, 0
	}
	return s
}

// readAll opens a source at the cursors and reads it until it ends.
func readAll(t testing.TB, cfg Config, block int, cursors map[string][]byte) readResult {
	t.Helper()
	return readSome(t, testSource(t, cfg, block), cursors, -1)
}

// readSome reads limit records (all: -1) and closes the source.
func readSome(t testing.TB, s *Source, cursors map[string][]byte, limit int) readResult {
	t.Helper()
	whole := limit
	out := readResult{cursors: map[string][]byte{}, formats: map[string]*pipeline.Format{}}
	env := pipeline.NewEnv()
	env.Notify = func(n pipeline.Notice) { out.notices = append(out.notices, n) }
	for k, v := range cursors {
		out.cursors[k] = v
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	if out.err = s.Open(context.Background(), pipeline.SourceOptions{Env: env, Cursors: cursors}); out.err != nil {
		return out
	}
	for limit != 0 {
		r, err := s.Read(context.Background())
		if err == io.EOF {
			return out
		}
		if err != nil {
			out.err = err
			return out
		}
		if limit >= 0 && r.Len() > limit {
			r = r.Slice(0, limit)
		}
		if r.Format.Encoding != s.format.Encoding || r.Source != "src" || r.Len() == 0 && len(r.Positions) == 0 {
			t.Errorf("records of %q with format %p and %d spans", r.Source, r.Format, r.Len())
		}
		maps.Copy(out.cursors, r.Positions)
		if r.Len() == 0 {
			continue
		}
		if readAgain(t, r) {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			return readSome(t, s, cursors, whole)
		}
		for i := range r.Len() {
			out.records = append(out.records, readRecord{string(r.Bytes(i)), r.Spans[i].Line, r.First + int64(i)})
		}
		out.formats[r.Partition] = r.Format
		out.cursors[r.Partition] = r.CursorAfter(r.Len())
		for i := range r.Data {
			r.Data[i] = '#' // as when the memory is used again
		}
		r.Free()
		if limit > 0 {
			limit -= r.Len()
		}
	}
	return out
}

// readAgain asks of each record whether it is one, as a decoder does that can't
// read it.
func readAgain(t testing.TB, r *pipeline.Records) bool {
	t.Helper()
	for i := 0; r.Recheck != nil && i < r.Len(); i++ {
		if err := r.Recheck(i); err != nil {
			if !errors.Is(err, pipeline.ErrReadAgain) || !pipeline.Retryable(err) {
				t.Errorf("record %d: %v", i, err)
			}
			return true
		}
	}
	return false
}

func gzipOf(t testing.TB, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(content)
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstdOf(t testing.TB, content []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}()
	return w.EncodeAll(content, nil)
}

// pack compresses content as named; multi makes two gzip members or zstd frames.
func pack(t testing.TB, packing string, content []byte) []byte {
	t.Helper()
	half := len(content) / 2
	switch packing {
	case "gzip":
		return gzipOf(t, content)
	case "gzip of two members":
		return append(gzipOf(t, content[:half]), gzipOf(t, content[half:])...)
	case "zstd":
		return zstdOf(t, content)
	case "zstd of two frames":
		return append(zstdOf(t, content[:half]), zstdOf(t, content[half:])...)
	}
	return content
}

func write(t testing.TB, path string, content []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// numbered returns n change records, a line each, of about size bytes.
func numbered(n, size int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, "{\"n\":%d,\"pad\":%q}\n", i, bytes.Repeat([]byte{'x'}, size))
	}
	return b.Bytes()
}
