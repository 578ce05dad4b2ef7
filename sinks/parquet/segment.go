package parquet

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/disk"
	"github.com/starlift-etl/starlift/sinks/internal/columnar"
)

// segment is a file of one table's extents in a spool, as the checkpoint lists it.
type segment struct {
	Epoch int64  `json:"epoch"` // whose spool holds it
	First int64  `json:"first"` // the first epoch whose rows it holds; the last is Epoch
	Table string `json:"table"`
	File  string `json:"file"`
	Index int64  `json:"index"` // where its index begins
	Size  int64  `json:"size"`  // of the file, its index included
	// Estimate is about how much Parquet it makes: encoded row groups, and
	// Arrow bytes divided by blockRatio.
	Estimate int64 `json:"estimate"`
}

// blockRatio is about how much smaller rows are as Parquet than as Arrow.
const blockRatio = 3

// extent is where in a segment consecutive rows of one partition are.
type extent struct {
	Folder string `json:"folder,omitempty"`
	At     int64  `json:"at"`
	Bytes  int64  `json:"bytes"`
	// Group is the metadata of an encoded row group in Thrift; none = an Arrow
	// block.
	Group []byte `json:"group,omitempty"`
}

// index ends a segment. The columns are there because the pipeline file may
// change while rows wait.
type index struct {
	Columns []column `json:"columns"`
	Codec   columnar.Codec
	Extents []extent `json:"pieces"`
}

type column struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

func (x *index) columns() ([]pipeline.Column, error) {
	out := make([]pipeline.Column, len(x.Columns))
	for i, c := range x.Columns {
		t, err := pipeline.ParseType(c.Type)
		if err != nil {
			return nil, fmt.Errorf("segment's column %q: %w", c.Name, err)
		}
		out[i] = pipeline.Column{Name: c.Name, Type: t}
	}
	return out, nil
}

// segmentWriter writes a segment.
type segmentWriter struct {
	file *disk.File
	at   int64
	seg  segment
	idx  index
}

func createSegment(spool disk.Spool, seg segment, columns []pipeline.Column, codec columnar.Codec) (*segmentWriter, error) {
	f, err := spool.Create(seg.File, disk.Private)
	if err != nil {
		return nil, err
	}
	w := &segmentWriter{file: f, seg: seg, idx: index{Codec: codec}}
	for _, c := range columns {
		w.idx.Columns = append(w.idx.Columns, column{Name: c.Name, Type: c.Type.String()})
	}
	return w, nil
}

// rowGroupRowsMin is the number of rows of one partition that make a row group of
// their own at the end of an epoch.
const rowGroupRowsMin = 16 << 10

// add appends rows of one partition.
func (w *segmentWriter) add(r partitionRows, enc *columnar.Encoder, schema *arrow.Schema) error {
	if r.rows < rowGroupRowsMin {
		block, err := columnar.AppendBlock(nil, schema, r.records)
		if err != nil {
			return err
		}
		w.seg.Estimate += int64(len(block)) / blockRatio
		return w.write(extent{Folder: r.folder}, block)
	}
	rg, err := enc.Encode(r.records)
	if err != nil {
		return err
	}
	meta, err := thrift.Marshal(new(thrift.CompactProtocol), &rg.Meta)
	if err != nil {
		return fmt.Errorf("row group's metadata: %w", err)
	}
	w.seg.Estimate += int64(len(rg.Data))
	return w.write(extent{Folder: r.folder, Group: meta}, rg.Data)
}

func (w *segmentWriter) write(p extent, data []byte) error {
	p.At, p.Bytes = w.at, int64(len(data))
	n, err := w.file.Write(data)
	w.at += int64(n)
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	w.idx.Extents = append(w.idx.Extents, p)
	return nil
}

// copyFrom appends all extents of another segment with the same columns.
func (w *segmentWriter) copyFrom(r *segmentReader) error {
	for _, p := range r.idx.Extents {
		at := w.at
		n, err := io.Copy(w.file, io.NewSectionReader(r.file, p.At, p.Bytes))
		w.at += n
		if err == nil && n != p.Bytes {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return fmt.Errorf("spool: %w", err)
		}
		p.At = at
		w.idx.Extents = append(w.idx.Extents, p)
	}
	w.seg.Estimate += r.seg.Estimate
	return nil
}

// finish writes the index, syncs the file if it has to outlive the process, and
// closes it.
func (w *segmentWriter) finish(durable bool) (segment, error) {
	text, err := json.Marshal(&w.idx)
	if err != nil {
		return segment{}, errors.Join(fmt.Errorf("spool's index: %w", err), w.abort())
	}
	w.seg.Index = w.at
	w.seg.Size = w.at + int64(len(text))
	_, err = w.file.Write(text)
	if err == nil && durable {
		err = w.file.Sync()
	}
	if err != nil {
		return segment{}, errors.Join(fmt.Errorf("spool: %w", err), w.abort())
	}
	if err := w.file.Close(); err != nil {
		return segment{}, fmt.Errorf("spool: %w", err)
	}
	return w.seg, nil
}

func (w *segmentWriter) abort() error {
	if err := w.file.Close(); err != nil && !errors.Is(err, fs.ErrClosed) {
		return fmt.Errorf("spool: %w", err)
	}
	return nil
}

// segmentReader reads a segment's extents.
type segmentReader struct {
	file *disk.File
	seg  segment
	idx  index
}

func openSegment(spool disk.Spool, seg segment) (*segmentReader, error) {
	f, err := spool.Open(seg.File)
	if err != nil {
		return nil, fmt.Errorf("gathered rows of table %q: %w", seg.Table, err)
	}
	r := &segmentReader{file: f, seg: seg}
	text := make([]byte, seg.Size-seg.Index)
	if _, err := f.ReadAt(text, seg.Index); err != nil {
		return nil, errors.Join(fmt.Errorf("gathered rows of table %q: %w", seg.Table, err), f.Close())
	}
	if err := json.Unmarshal(text, &r.idx); err != nil {
		return nil, errors.Join(fmt.Errorf("gathered rows of table %q: index of %s: %w", seg.Table, f.Name(), err), f.Close())
	}
	return r, nil
}

// copyTo adds the extent's rows to a file.
func (r *segmentReader) copyTo(f *columnar.File, p extent) error {
	section := io.NewSectionReader(r.file, p.At, p.Bytes)
	if p.Group == nil {
		block := make([]byte, p.Bytes)
		if _, err := io.ReadFull(section, block); err != nil {
			return fmt.Errorf("gathered rows: %w", err)
		}
		return columnar.ReadBlock(block, f.Write)
	}
	var meta format.RowGroup
	if err := thrift.Unmarshal(new(thrift.CompactProtocol), p.Group, &meta); err != nil {
		return fmt.Errorf("row group's metadata: %w", err)
	}
	if meta.TotalCompressedSize != p.Bytes {
		return fmt.Errorf("gathered row group has %d bytes, want %d", p.Bytes, meta.TotalCompressedSize)
	}
	// A plain file as the reader lets the kernel copy.
	if _, err := r.file.Seek(p.At, io.SeekStart); err != nil {
		return fmt.Errorf("gathered rows: %w", err)
	}
	return f.Copy(meta, r.file)
}

func (r *segmentReader) close() error {
	if err := r.file.Close(); err != nil {
		return fmt.Errorf("gathered rows: %w", err)
	}
	return nil
}
