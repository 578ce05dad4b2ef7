package file

import (
	"context"
	"io"
	"path/filepath"
	"testing"
)

// BenchmarkRead reads 200 MB of records of about 1,000 bytes. Bytes are those
// after decompression.
func BenchmarkRead(b *testing.B) {
	content := numbered(200_000, 980)
	for _, packing := range []string{"plain", "gzip", "zstd"} {
		path := write(b, filepath.Join(b.TempDir(), "f"), pack(b, packing, content))
		b.Run(packing, func(b *testing.B) { benchmarkFile(b, Config{Path: path, Format: "dynamodb_cdc"}, len(content)) })
	}
	path := write(b, filepath.Join(b.TempDir(), "f"), append([]byte("["), content...))
	b.Run("array", func(b *testing.B) {
		benchmarkFile(b, Config{Path: path, Format: "json"}, len(content))
	})
}

func benchmarkFile(b *testing.B, cfg Config, bytes int) {
	b.SetBytes(int64(bytes))
	b.ReportAllocs()
	for b.Loop() {
		s := testSource(b, cfg, 0)
		if err := s.Open(context.Background(), nil); err != nil {
			b.Fatal(err)
		}
		n := 0
		for {
			r, err := s.Read(context.Background())
			if err != nil {
				if n != 200_000 || cfg.Format != "json" && err != io.EOF {
					b.Fatalf("%d records, error %v", n, err)
				}
				break
			}
			n += r.Len()
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
