package parquet

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"path"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/blob"
	"github.com/starlift-etl/starlift/pipeline/disk"
	"github.com/starlift-etl/starlift/sinks/internal/columnar"
)

// segmentGroup is the segments of one table that have the same columns and codec.
type segmentGroup struct {
	table   string
	columns []pipeline.Column
	codec   columnar.Codec
	first   int64 // epoch
	readers []*segmentReader
}

// openGroups opens segments, in their order, by table and columns. The caller closes
// the groups.
func (s *Sink) openGroups(segments []segment) (groups []*segmentGroup, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, closeGroups(groups))
		}
	}()
	for _, seg := range segments {
		r, err := openSegment(s.spool(seg.Epoch), seg, s.content(&seg))
		if err != nil {
			return groups, err
		}
		at := slices.IndexFunc(groups, func(g *segmentGroup) bool {
			return g.table == seg.Table && g.codec == r.idx.Codec && slices.Equal(g.readers[0].idx.Columns, r.idx.Columns)
		})
		if at >= 0 {
			groups[at].readers = append(groups[at].readers, r)
			groups[at].first = min(groups[at].first, seg.First)
			continue
		}
		g := &segmentGroup{table: seg.Table, codec: r.idx.Codec, first: seg.First, readers: []*segmentReader{r}}
		groups = append(groups, g)
		if g.columns, err = r.idx.columns(); err != nil {
			return groups, err
		}
	}
	return groups, nil
}

func closeGroups(groups []*segmentGroup) error {
	var errs []error
	for _, g := range groups {
		for _, r := range g.readers {
			errs = append(errs, r.close())
		}
	}
	return errors.Join(errs...)
}

// finishedFile is a file of rows that waits in the spool until it is published.
type finishedFile struct {
	Path string `json:"path"` // below the url, with slashes
	// Content is its size, and where files are sent over a network the checksum that was
	// taken while it was written.
	blob.Content
	// File is its name in the epoch's spool. Empty = an older version has written it
	// under a temporary name beside Path.
	File string `json:"file,omitempty"`
}

// writeFiles writes the rows of segments as files to a spool, a table a goroutine.
// Their names are not durable yet.
func (s *Sink) writeFiles(ctx context.Context, spool disk.Spool, segments []segment, last int64) (files []finishedFile, err error) {
	groups, err := s.openGroups(segments)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closeGroups(groups)) }()
	writers := make([]*fileWriter, len(groups))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, group := range groups {
		// Groups of one table, whose columns changed, number their parts apart.
		w := &fileWriter{spool: spool, spoolName: fmt.Sprintf("%03d", i), group: group, rollSize: int64(s.cfg.Roll.Size), part: partsPerGroup * earlier(groups[:i], group.table),
			remote: s.remote, partSize: s.target.PartSize}
		w.name = func(folder string) string {
			return path.Join(escape(group.table), folder, fileName(s.prefix, group.first, last, w.part))
		}
		writers[i] = w
		g.Go(func() error {
			if err := w.writeAll(ctx); err != nil {
				return fmt.Errorf("table %q: %w", group.table, errors.Join(err, w.abort()))
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for _, w := range writers {
		files = append(files, w.files...)
	}
	return files, nil
}

func earlier(groups []*segmentGroup, table string) (n int) {
	for _, g := range groups {
		if g.table == table {
			n++
		}
	}
	return n
}

// partsPerGroup separates the numbers of parts of groups of one table.
const partsPerGroup = 1_000_000

// fileWriter writes the files of one group, partition after partition: one is open at
// a time.
type fileWriter struct {
	spool     disk.Spool
	spoolName string // how its files' names in the spool begin
	group     *segmentGroup
	name      func(folder string) string // of the next part
	rollSize  int64
	part      int
	encoder   *columnar.Encoder
	files     []finishedFile
	open      *columnar.File // the last of the files; nil = it is closed
	remote    bool           // files are sent over a network, and have a checksum for that
	partSize  func(size int64) int64
	sum       hash.Hash64 // of the open file; nil = none is taken
}

// segmentExtent is an extent in one of the group's segments.
type segmentExtent struct {
	reader *segmentReader
	extent extent
}

func (w *fileWriter) writeAll(ctx context.Context) error {
	encoder, err := columnar.NewEncoder(w.group.columns, columnar.Lake, w.group.codec)
	if err != nil {
		return err
	}
	w.encoder = encoder
	all := w.group.extents()
	for i, x := range all {
		if err := ctx.Err(); err != nil {
			return err
		}
		if i > 0 && x.extent.Folder != all[i-1].extent.Folder {
			if err := w.close(); err != nil {
				return err
			}
		}
		if err := w.add(x); err != nil {
			return err
		}
	}
	return w.close()
}

// add adds rows to the open file, or to the next part when that is full.
func (w *fileWriter) add(x segmentExtent) error {
	if w.open != nil && w.open.Size() >= w.rollSize {
		if err := w.close(); err != nil {
			return err
		}
	}
	if w.open == nil {
		if err := w.create(x.extent.Folder); err != nil {
			return err
		}
	}
	return x.reader.copyTo(w.open, x.extent)
}

func (w *fileWriter) create(folder string) error {
	f := finishedFile{Path: w.name(folder), File: fmt.Sprintf("%s-%06d%s", w.spoolName, len(w.files), extension)}
	to, err := w.spool.Create(f.File, disk.Shared) // as the url's files are
	if err != nil {
		return err
	}
	w.sum = nil
	output := columnar.Output(to)
	if w.remote {
		w.sum = blob.NewCRC64NVME()
		output = &columnar.ChecksumOutput{Output: to, Sum: w.sum}
	}
	if w.open, err = columnar.NewFile(output, w.encoder); err != nil {
		return err
	}
	w.part++
	w.files = append(w.files, f)
	return nil
}

func (w *fileWriter) close() error {
	if w.open == nil {
		return nil
	}
	size, err := w.open.Close()
	w.open = nil
	if err != nil {
		return err
	}
	f := &w.files[len(w.files)-1]
	f.Content = blob.Content{Size: size, PartSize: w.partSize(size)}
	if w.sum != nil {
		f.CRC64NVME = blob.ChecksumText(w.sum)
	}
	return nil
}

func (w *fileWriter) abort() error {
	if w.open == nil {
		return nil
	}
	f := w.open
	w.open = nil
	return f.Abort()
}
