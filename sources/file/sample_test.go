package file

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
)

// TestSample: of a followed file is read what is whole, also a last record without an end of its
// line; one that is still being written is no bad record. A file that is not followed is whole.
func TestSample(t *testing.T) {
	const first = `{"id":"1"}`
	for text, want := range map[string]int{
		"": 0, first: 1, first + "\n": 1, first + "\n" + first: 2, first + "\n" + `{"id":"2`: 1, first + "\n" + `{`: 1, `{"broken":` + "\n" + first + "\n" + first: 3, "[" + first + ",\n" + first: 2,
	} {
		path := filepath.Join(t.TempDir(), "a.ndjson")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := New("changes", Config{Path: path, Format: "json", Follow: true})
		if err != nil {
			t.Fatal(err)
		}
		sample, err := s.WithSample()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := countRecords(t.Context(), sample); got != want || err != nil {
			t.Errorf("%q has %d records, want %d: %v", text, got, want, err)
		}
	}
}

// countRecords reads a source to its end.
func countRecords(ctx context.Context, s pipeline.Source) (n int, err error) {
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.Open(ctx, pipeline.SourceOptions{}); err != nil {
		return 0, err
	}
	for {
		r, err := s.Read(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return n, nil
		case err != nil:
			return n, err
		}
		n += len(r.Spans)
	}
}
