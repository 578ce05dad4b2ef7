package file

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
)

// BenchmarkRead reads 200,000 records of about 1,000 bytes, with values of little
// repetition. Bytes are those after decompression.
func BenchmarkRead(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	words := make([]string, 500)
	for i := range words {
		words[i] = strconv.FormatUint(rng.Uint64(), 36)[:3+i%9]
	}
	var content []byte
	for i := range 200_000 {
		content = fmt.Appendf(content, `{"n":%d`, i)
		for k := range 50 {
			content = fmt.Appendf(content, `,"a%d":{"S":"%s"}`, k, words[rng.IntN(len(words))])
		}
		content = append(content, "}\n"...)
	}
	for _, packing := range []string{"plain", "gzip", "zstd"} {
		path := write(b, filepath.Join(b.TempDir(), "f"), pack(b, packing, content))
		b.Run(packing, func(b *testing.B) { benchmarkFile(b, Config{Path: path, Format: "dynamodb_cdc"}, len(content)) })
	}
	dir := b.TempDir()
	for i, lines := 0, slices.Collect(slices.Chunk(bytes.SplitAfter(content, []byte("\n")), 200_000/16)); i < len(lines); i++ {
		write(b, filepath.Join(dir, strconv.Itoa(i)), gzipOf(b, bytes.Join(lines[i], nil)))
	}
	b.Run("gzip of 16 files", func(b *testing.B) {
		benchmarkFile(b, Config{Path: dir, Format: "dynamodb_cdc"}, len(content))
	})
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
		if err := s.Open(context.Background(), pipeline.SourceOptions{Env: pipeline.NewEnv()}); err != nil {
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
			r.Free()
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSplit cuts a block of change records, a line each, as it looks in the
// middle of a file.
func BenchmarkSplit(b *testing.B) {
	var block []byte
	for i := 0; len(block) < defaultBlockBytes; i++ {
		block = append(block, change(i, strings.Repeat("text ", 200))+"\n"...)
	}
	b.SetBytes(int64(len(block)))
	spans := make([]pipeline.Span, 0, 4096)
	for b.Loop() {
		s := splitter{encoding: pipeline.DynamoDBCDC, at: position{line: 1}, max: defaultRecordBytesMax}
		if p := s.split(block, spans); p.consumed != len(block) {
			b.Fatal(p.consumed)
		}
	}
}
