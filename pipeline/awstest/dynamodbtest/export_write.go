package dynamodbtest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"path"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/starlift-etl/starlift/pipeline/exportlayout"
)

// startExport lets an export be written beside requests. The lock is held.
func (s *Server) startExport(e *export) error {
	err := s.senders.launch(func(ctx context.Context) {
		defer close(e.done)
		s.runExport(ctx, e)
	})
	if err == nil {
		s.senders.exports = append(s.senders.exports, e)
		s.startDueExports(s.now())
	}
	return err
}

// runExport writes an export when it is due, and says what became of it.
func (s *Server) runExport(ctx context.Context, e *export) {
	w := &exportWriter{e: e, files: cmp.Or(s.o.Exports.Files, 8), chance: rand.New(rand.NewPCG(s.o.Seed, e.key()))}
	w.client = s3.NewFromConfig(s.senders.config(s.o.Exports.Endpoint, e.table.region), func(o *s3.Options) {
		o.UsePathStyle, o.RetryMaxAttempts = true, 3
	})
	err := errors.New("no endpoint of S3 in the options of the fake")
	if s.o.Exports.Endpoint != "" {
		err = w.put(ctx, path.Join(e.root(), e.id, "_started"), nil)
	}
	select {
	case <-e.due:
	case <-ctx.Done():
		err = errClosed
	}
	s.mu.Lock()
	code, message := e.failureCode, e.failure
	var lines []exportLine
	if err == nil && code == "" {
		lines = s.linesOf(e)
	}
	s.mu.Unlock()
	if err == nil && code == "" {
		err = w.write(ctx, lines, s.Now)
	}
	if err != nil && code == "" {
		code, message = "UNKNOWN", err.Error()
		if of := smithy.APIError(nil); errors.As(err, &of) {
			code, message = "S3"+of.ErrorCode(), of.ErrorMessage()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e.ended, e.status = w.ended, completed
	e.items, e.billed = int64(len(lines)), w.billed
	if code != "" {
		e.status, e.failureCode, e.failure, e.ended = failed, code, message, s.now()
	}
}

// key is a number by which an export differs from others.
func (e *export) key() uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(e.arn)) // which never fails
	return h.Sum64()
}

// exportLine is a line of an export.
type exportLine struct {
	key      primaryKey
	keys     []byte // JSON
	old, new *row
	time     time.Time // of the last write
}

// itemSpan is what becomes of an item in the time of an export.
type itemSpan struct {
	exportLine
	from, to time.Time // its own edges
	written  bool      // between them
}

// linesOf returns what an export has, in the order of a scan. The lock is held.
func (s *Server) linesOf(e *export) []exportLine {
	items := map[primaryKey]*itemSpan{}
	read := s.readBefore(e)
	for _, c := range s.changes {
		if c.table != e.table {
			continue
		}
		row := cmp.Or(c.new, c.old)
		i := items[row.key]
		if i == nil {
			skew := s.skew(c.keys)
			i = &itemSpan{exportLine: exportLine{key: row.key, keys: c.keys}, to: e.to.Add(skew)}
			if e.incremental() {
				if i.from = e.from.Add(skew); !read.IsZero() && i.from.After(read) {
					i.from = read
				}
			}
			items[row.key] = i
		}
		switch {
		case c.Time.Before(i.from):
			i.old, i.new = c.new, c.new
		case c.Time.Before(i.to):
			i.new, i.time, i.written = c.new, c.Time, true
		}
	}
	lines := make([]exportLine, 0, len(items))
	for _, i := range items {
		if i.written && (i.old != nil || i.new != nil) && (e.incremental() || i.new != nil) {
			lines = append(lines, i.exportLine)
		}
	}
	slices.SortFunc(lines, func(a, b exportLine) int { return a.key.compare(b.key) })
	e.read = s.now().Truncate(time.Microsecond)
	return lines
}

// skew is how far the clock by which exports are cut is off for an item.
func (s *Server) skew(keys []byte) time.Duration {
	if s.o.Exports.Exact {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write(keys) // which never fails
	return time.Duration(rand.New(rand.NewPCG(s.o.Seed, h.Sum64())).Int64N(int64(2*edgeBlur))) - edgeBlur
}

// readBefore is when the first of the exports was read that end where an incremental one begins; zero = there is
// none. What came later is not in that one, wherever its blurred end lies, and so belongs to this one.
func (s *Server) readBefore(e *export) (first time.Time) {
	for _, o := range s.senders.exports {
		if o.table == e.table && !o.read.IsZero() && o.to.Equal(e.from) && (first.IsZero() || o.read.Before(first)) {
			first = o.read
		}
	}
	return first
}

// exportWriter writes the files of an export.
type exportWriter struct {
	e      *export
	client *s3.Client
	files  int
	chance *rand.Rand
	billed int64
	ended  time.Time
}

func (w *exportWriter) put(ctx context.Context, key string, data []byte) error {
	_, err := w.client.PutObject(ctx, &s3.PutObjectInput{Bucket: &w.e.in.S3Bucket, Key: &key, Body: bytes.NewReader(data)})
	return err
}

// write writes data files of equal ranges of hashes, and then the manifests.
func (w *exportWriter) write(ctx context.Context, lines []exportLine, now func() time.Time) error {
	folder := path.Join(w.e.root(), w.e.id)
	data := path.Join(folder, "data")
	if w.e.incremental() {
		data = path.Join(w.e.root(), "data")
	}
	var files []exportlayout.File
	rest := lines
	for i := range w.files {
		n := len(rest)
		if i < w.files-1 {
			end := segmentStart(i+1, w.files)
			n, _ = slices.BinarySearchFunc(rest, end, func(l exportLine, end uint64) int { return cmp.Compare(l.key.hash, end) })
		}
		f, err := w.writeData(ctx, path.Join(data, exportlayout.FileName(w.chance.IntN)), rest[:n])
		if err != nil {
			return err
		}
		files, rest = append(files, f), rest[n:]
	}
	w.ended = now()
	objects, err := exportlayout.Manifests(w.summary(int64(len(lines))), files)
	if err != nil {
		return err
	}
	for _, o := range objects {
		if err := w.put(ctx, path.Join(folder, o.Name), o.Data); err != nil {
			return err
		}
	}
	return nil
}

func (w *exportWriter) writeData(ctx context.Context, key string, lines []exportLine) (exportlayout.File, error) {
	var object bytes.Buffer
	f := exportlayout.NewDataFile(&object, key)
	var b []byte
	for _, l := range lines {
		b = w.appendLine(b[:0], l)
		if _, err := f.Write(b); err != nil {
			return exportlayout.File{}, fmt.Errorf("data file: %w", err)
		}
	}
	of, err := f.Finish(int64(len(lines)))
	if err != nil {
		return of, err
	}
	return of, w.put(ctx, key, object.Bytes())
}

// appendLine appends a line, and counts what is billed for.
func (w *exportWriter) appendLine(b []byte, l exportLine) []byte {
	image := func(name string, of *row) {
		if of != nil {
			b = append(append(append(append(b, ',', '"'), name...), '"', ':'), of.json...)
			w.billed += int64(of.size)
		}
	}
	if !w.e.incremental() {
		w.billed += int64(l.new.size)
		return append(append(append(b, `{"Item":`...), l.new.json...), "}\n"...)
	}
	b = fmt.Appendf(b, `{"Metadata":{"WriteTimestampMicros":{"N":"%d"}},"Keys":%s`, l.time.UnixMicro(), l.keys)
	image("NewImage", l.new)
	if w.e.view() == bothImages {
		image("OldImage", l.old)
	}
	return append(b, "}\n"...)
}

func (w *exportWriter) summary(items int64) exportlayout.Summary {
	e := w.e
	m := exportlayout.Summary{
		Version: exportlayout.FullVersion, ExportARN: e.arn, StartTime: exportlayout.Time(e.started), EndTime: exportlayout.Time(w.ended),
		TableARN: e.table.arn, TableID: e.table.id, Bucket: e.in.S3Bucket, SSEAlgorithm: e.in.S3SseAlgorithm,
		ManifestFiles: path.Join(e.root(), e.id, "manifest-files.json"), BilledBytes: w.billed, ItemCount: items, OutputFormat: e.in.ExportFormat,
	}
	if e.in.S3Prefix != "" {
		m.Prefix = &e.in.S3Prefix
	}
	if e.in.S3SseKmsKeyId != "" {
		m.SSEKMSKeyID = &e.in.S3SseKmsKeyId
	}
	if e.incremental() {
		m.Version, m.ExportType, m.OutputView = exportlayout.IncrementalVersion, incremental, e.view()
		m.ExportFromTime, m.ExportToTime = exportlayout.Time(e.from), exportlayout.Time(e.to)
	} else {
		m.ExportTime = exportlayout.Time(e.to)
	}
	return m
}
