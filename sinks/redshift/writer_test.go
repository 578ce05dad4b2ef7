package redshift

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/apache/arrow/go/v14/arrow/array"
	"github.com/apache/arrow/go/v14/arrow/memory"
	pq "github.com/parquet-go/parquet-go"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/blob"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// noise returns rows whose texts don't compress.
func noise(t testing.TB, table *pipeline.Table, seed uint64, rows, bytes int) *pipeline.Rows {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	b := array.NewRecordBuilder(memory.DefaultAllocator, table.Schema())
	defer b.Release()
	out := &pipeline.Rows{Table: table, Versions: make([]pipeline.Version, rows)}
	text := make([]byte, bytes)
	for i := range rows {
		for j := range text {
			text[j] = byte('!' + r.IntN(90))
		}
		b.Field(0).(*array.Int64Builder).Append(int64(seed)*1_000_000 + int64(i))
		b.Field(1).(*array.StringBuilder).Append(string(text))
		out.Ops = append(out.Ops, pipeline.OpInsert)
	}
	out.Record = b.NewRecord()
	t.Cleanup(out.Record.Release)
	return out
}

func noiseTable(t testing.TB) *pipeline.Table {
	return pipelinetest.TableOf(t, "texts", []string{"id"}, pipelinetest.Column("id", pipeline.Int64), pipelinetest.Column("text", pipeline.String))
}

// writeFiles writes records to a spool's folder.
func writeFiles(t testing.TB, sizes fileSizes, table *pipeline.Table, records ...*pipeline.Rows) (dir string, s *warehouse.StagedTable) {
	t.Helper()
	dir, s = t.TempDir(), &warehouse.StagedTable{Table: table.Name, File: "004"}
	w, err := newFileWriter(dir, table, s, sizes)
	if err != nil {
		t.Fatal(err)
	}
	for _, rows := range records {
		if err := w.Write(rows); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, s
}

// Files are of the sizes that COPY wants, in the order of the rows; what is said of them is so.
func TestFilesAreCut(t *testing.T) {
	const kb = 1 << 10
	table := noiseTable(t)
	var records []*pipeline.Rows
	for i := range uint64(40) {
		records = append(records, noise(t, table, i, 10, kb)) // about 9 KB encoded
	}
	sizes := fileSizes{first: 40 * kb, firstFiles: 2, later: 100 * kb, least: 15 * kb, groupRows: 10}
	dir, s := writeFiles(t, sizes, table, records...)
	var total int64
	for i, f := range s.Files {
		if want := fmt.Sprintf("004-%03d.parquet", i); f.Name != want {
			t.Errorf("file %d is called %s, want %s", i, f.Name, want)
		}
		content, err := os.ReadFile(filepath.Join(dir, f.Name))
		if err != nil {
			t.Fatal(err)
		}
		sum := blob.NewCRC64NVME()
		sum.Write(content)
		if f.Size != int64(len(content)) || f.CRC64NVME != blob.ChecksumText(sum) {
			t.Errorf("%s: said to have %d bytes, %s", f.Name, f.Size, f.CRC64NVME)
		}
		file := openParquet(t, filepath.Join(dir, f.Name))
		if file.NumRows() != f.Rows {
			t.Errorf("%s: said to have %d rows, and has %d", f.Name, f.Rows, file.NumRows())
		}
		first := make([]pq.Row, 1)
		rows := file.RowGroups()[0].Rows()
		if _, err := rows.ReadRows(first); err != nil {
			t.Fatal(err)
		}
		rows.Close()
		if op, id := first[0][0].Int64(), first[0][1].Int64(); op != int64(pipeline.OpInsert) || id != total/10*1_000_000 {
			t.Errorf("%s begins with operation %d, id %d, after %d rows", f.Name, op, id, total)
		}
		total += f.Rows
		if i == len(s.Files)-1 {
			continue
		}
		if limit := sizes.limit(i); f.Size < limit || f.Size > limit+3*sizes.least {
			t.Errorf("%s has %d bytes, and is cut at %d", f.Name, f.Size, limit)
		}
	}
	if len(s.Files) < 5 || total != 400 {
		t.Errorf("%d files with %d rows", len(s.Files), total)
	}
	if all, err := os.ReadDir(dir); err != nil || len(all) != len(s.Files) {
		t.Errorf("%d files in the folder, %v", len(all), err)
	}
}

// What is too little for a file of its own goes to the file before.
func TestLittleIsNoFile(t *testing.T) {
	table := noiseTable(t)
	records := []*pipeline.Rows{noise(t, table, 0, 10, 4<<10), noise(t, table, 1, 1, 10), noise(t, table, 2, 1, 10)}
	_, s := writeFiles(t, fileSizes{first: 1 << 10, firstFiles: 1, later: 1 << 10, least: 10 << 10, groupRows: 1}, table, records...)
	if len(s.Files) != 1 || s.Files[0].Rows != 12 {
		t.Errorf("files %+v", s.Files)
	}
	// A writer without rows has no file, be it closed or not.
	for _, end := range []func(*fileWriter) error{(*fileWriter).Close, (*fileWriter).Abort} {
		staged := &warehouse.StagedTable{Table: table.Name, File: "000"}
		dir := t.TempDir()
		w, err := newFileWriter(dir, table, staged, stagedSizes)
		if err != nil {
			t.Fatal(err)
		}
		if err := end(w); err != nil {
			t.Fatal(err)
		}
		if all, err := os.ReadDir(dir); err != nil || len(all) > 0 || staged.Files != nil {
			t.Errorf("%v, %v, %v", all, staged.Files, err)
		}
	}
}

func openParquet(t testing.TB, path string) *pq.File {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	file, err := pq.OpenFile(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	return file
}
