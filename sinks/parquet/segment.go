package parquet

import (
	"bytes"
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
	// Spared says that no file was made: what it would hold is with the committable of its epoch.
	Spared bool `json:"spared,omitempty"`
	// Loose says that all of its rows are Arrow blocks.
	Loose bool `json:"loose,omitempty"`
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

// segmentWriter writes a segment. Its file is made when there is too much for a committable.
type segmentWriter struct {
	spool disk.Spool
	file  *disk.File // nil = it is not made
	spare int        // so many bytes at most are kept
	// groupRows is the number of rows of one partition that make a row group of their own at the
	// end of an epoch.
	groupRows int64
	kept      []byte // what the file would hold
	at        int64
	seg       segment
	idx       index
}

// newSegmentWriter starts a segment. Up to spare bytes, it makes no file.
func newSegmentWriter(spool disk.Spool, seg segment, columns []pipeline.Column, codec columnar.Codec, spare int, groupRows int64) *segmentWriter {
	seg.Loose = true
	w := &segmentWriter{spool: spool, spare: spare, groupRows: groupRows, seg: seg, idx: index{Codec: codec}}
	for _, c := range columns {
		w.idx.Columns = append(w.idx.Columns, column{Name: c.Name, Type: c.Type.String()})
	}
	return w
}

// create makes the file, and writes what was kept.
func (w *segmentWriter) create() (err error) {
	if w.file, err = w.spool.Create(w.seg.File, disk.Private); err != nil {
		return err
	}
	kept := w.kept
	w.kept = nil
	return w.append(kept)
}

// append writes data behind what was written.
func (w *segmentWriter) append(data []byte) error {
	if w.file == nil {
		if len(w.kept)+len(data) <= w.spare {
			w.kept = append(w.kept, data...)
			return nil
		}
		if err := w.create(); err != nil {
			return err
		}
	}
	if _, err := w.file.Write(data); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	return nil
}

// rowGroupRowsMin is the usual groupRows.
const rowGroupRowsMin = 16 << 10

// add appends rows of one partition.
func (w *segmentWriter) add(r partitionRows, enc *columnar.Encoder, schema *arrow.Schema) error {
	if r.rows < w.groupRows {
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
	if err := w.append(data); err != nil {
		return err
	}
	p.At, p.Bytes = w.at, int64(len(data))
	w.at += p.Bytes
	w.seg.Loose = w.seg.Loose && p.Group == nil
	w.idx.Extents = append(w.idx.Extents, p)
	return nil
}

// copyExtent appends an extent of another segment with the same columns.
func (w *segmentWriter) copyExtent(r *segmentReader, p extent) error {
	if w.file == nil {
		if err := w.create(); err != nil {
			return err
		}
	}
	data, err := r.open(p)
	if err != nil {
		return err
	}
	n, err := io.Copy(w.file, io.LimitReader(data, p.Bytes))
	if err == nil && n != p.Bytes {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	p.At = w.at
	w.at += n
	w.seg.Loose = w.seg.Loose && p.Group == nil
	w.seg.Estimate += p.estimate()
	w.idx.Extents = append(w.idx.Extents, p)
	return nil
}

// estimate is about how much Parquet the extent makes.
func (p *extent) estimate() int64 {
	if p.Group == nil {
		return p.Bytes / blockRatio
	}
	return p.Bytes
}

// finish writes the index, syncs the file if it has to outlive the process, and
// closes it. Where no file was made, content is what it would hold.
func (w *segmentWriter) finish(durable bool) (seg segment, content []byte, err error) {
	text, err := json.Marshal(&w.idx)
	if err != nil {
		return segment{}, nil, errors.Join(fmt.Errorf("spool's index: %w", err), w.abort())
	}
	w.seg.Index = w.at
	w.seg.Size = w.at + int64(len(text))
	if err := w.append(text); err != nil {
		return segment{}, nil, errors.Join(err, w.abort())
	}
	if w.file == nil {
		w.seg.Spared = true
		return w.seg, w.kept, nil
	}
	if durable {
		if err := w.file.Sync(); err != nil {
			return segment{}, nil, errors.Join(fmt.Errorf("spool: %w", err), w.abort())
		}
	}
	if err := w.file.Close(); err != nil {
		return segment{}, nil, fmt.Errorf("spool: %w", err)
	}
	return w.seg, nil, nil
}

func (w *segmentWriter) abort() error {
	if w.file == nil {
		return nil
	}
	if err := w.file.Close(); err != nil && !errors.Is(err, fs.ErrClosed) {
		return fmt.Errorf("spool: %w", err)
	}
	return nil
}

// segmentReader reads a segment's extents.
type segmentReader struct {
	from segmentSource
	seg  segment
	idx  index
}

// segmentSource is a *disk.File, from which the kernel copies, or what a file would hold.
type segmentSource interface {
	io.Reader
	io.ReaderAt
	io.Seeker
}

// openSegment opens a segment. kept is what its file would hold, if none was made.
func openSegment(spool disk.Spool, seg segment, kept []byte) (*segmentReader, error) {
	r := &segmentReader{from: bytes.NewReader(kept), seg: seg}
	if !seg.Spared {
		f, err := spool.Open(seg.File)
		if err != nil {
			return nil, fmt.Errorf("gathered rows of table %q: %w", seg.Table, err)
		}
		r.from = f
	}
	text := make([]byte, seg.Size-seg.Index)
	if _, err := r.from.ReadAt(text, seg.Index); err != nil {
		return nil, errors.Join(fmt.Errorf("gathered rows of table %q: %w", seg.Table, err), r.close())
	}
	if err := json.Unmarshal(text, &r.idx); err != nil {
		return nil, errors.Join(fmt.Errorf("gathered rows of table %q: index of %s: %w", seg.Table, seg.File, err), r.close())
	}
	return r, nil
}

// open returns what reads from the extent's begin on.
func (r *segmentReader) open(p extent) (io.Reader, error) {
	if _, err := r.from.Seek(p.At, io.SeekStart); err != nil {
		return nil, fmt.Errorf("gathered rows: %w", err)
	}
	return r.from, nil
}

// readBlock calls each with the records of an extent that is an Arrow block.
func (r *segmentReader) readBlock(p extent, each func(arrow.Record) error) error {
	block := make([]byte, p.Bytes)
	if _, err := io.ReadFull(io.NewSectionReader(r.from, p.At, p.Bytes), block); err != nil {
		return fmt.Errorf("gathered rows: %w", err)
	}
	return columnar.ReadBlock(block, each)
}

// copyTo adds the extent's rows to a file.
func (r *segmentReader) copyTo(f *columnar.File, p extent) error {
	if p.Group == nil {
		return r.readBlock(p, f.Write)
	}
	var meta format.RowGroup
	if err := thrift.Unmarshal(new(thrift.CompactProtocol), p.Group, &meta); err != nil {
		return fmt.Errorf("row group's metadata: %w", err)
	}
	if meta.TotalCompressedSize != p.Bytes {
		return fmt.Errorf("gathered row group has %d bytes, want %d", p.Bytes, meta.TotalCompressedSize)
	}
	data, err := r.open(p)
	if err != nil {
		return err
	}
	return f.Copy(meta, data)
}

func (r *segmentReader) close() error {
	if f, ok := r.from.(io.Closer); ok {
		if err := f.Close(); err != nil {
			return fmt.Errorf("gathered rows: %w", err)
		}
	}
	return nil
}
