package parquet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/disk"
	"github.com/starlift-etl/starlift/sinks/internal/columnar"
)

// gathered is the segments of one table that have the same columns and codec.
type gathered struct {
	table   string
	columns []pipeline.Column
	codec   columnar.Codec
	first   int64
	readers []*segmentReader
}

// group opens segments, in their order, by table and columns. The caller closes
// the groups.
func (s *Sink) group(segments []segment) (groups []*gathered, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, closeGroups(groups))
		}
	}()
	for _, seg := range segments {
		r, err := openSegment(filepath.Join(s.opening.Spool(seg.Epoch), seg.File), seg)
		if err != nil {
			return groups, err
		}
		at := slices.IndexFunc(groups, func(g *gathered) bool {
			return g.table == seg.Table && g.codec == r.idx.Codec && slices.Equal(g.readers[0].idx.Columns, r.idx.Columns)
		})
		if at >= 0 {
			groups[at].readers = append(groups[at].readers, r)
			groups[at].first = min(groups[at].first, seg.First)
			continue
		}
		g := &gathered{table: seg.Table, codec: r.idx.Codec, first: seg.First, readers: []*segmentReader{r}}
		groups = append(groups, g)
		if g.columns, err = r.idx.columns(); err != nil {
			return groups, err
		}
	}
	return groups, nil
}

func closeGroups(groups []*gathered) error {
	var errs []error
	for _, g := range groups {
		for _, r := range g.readers {
			errs = append(errs, r.close())
		}
	}
	return errors.Join(errs...)
}

// prepareFiles writes the gathered rows as files under temporary names, a table
// a goroutine, and makes them durable. On an error no temporary file is left.
func (s *Sink) prepareFiles(ctx context.Context, segments []segment, last int64) (files []published, err error) {
	groups, err := s.group(segments)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closeGroups(groups)) }()
	writers := make([]*partWriter, len(groups))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, group := range groups {
		// Groups of one table, whose columns changed, number their parts apart.
		writers[i] = &partWriter{sink: s, group: group, last: last, part: partsPerGroup * earlier(groups[:i], group.table)}
		g.Go(func() error { return writers[i].writeAll(ctx) })
	}
	err = g.Wait()
	dirs := map[string]bool{}
	for _, w := range writers {
		files = append(files, w.files...)
		for _, f := range w.files {
			dirs[filepath.Dir(s.local(f.Path))] = true
		}
	}
	if err == nil {
		err = syncDirs(dirs)
	}
	if err != nil {
		for _, f := range files {
			if e := os.Remove(temporary(s.local(f.Path))); e != nil && !errors.Is(e, os.ErrNotExist) {
				err = errors.Join(err, fmt.Errorf("temporary file: %w", e))
			}
		}
		return nil, err
	}
	return files, nil
}

func earlier(groups []*gathered, table string) (n int) {
	for _, g := range groups {
		if g.table == table {
			n++
		}
	}
	return n
}

func syncDirs(dirs map[string]bool) error {
	for dir := range dirs {
		if err := disk.SyncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// local returns the path of a published file in this machine's form.
func (s *Sink) local(p string) string { return filepath.Join(s.cfg.URL, filepath.FromSlash(p)) }

// partWriter writes the files of one table, partition after partition: one is
// open at a time.
type partWriter struct {
	sink    *Sink
	group   *gathered
	last    int64
	part    int
	encoder *columnar.Encoder
	files   []published
	open    *columnar.File
}

// partsPerGroup keeps the parts of groups of one table apart.
const partsPerGroup = 1_000_000

// place is a piece in one of the group's segments.
type place struct {
	reader *segmentReader
	piece  piece
}

func (w *partWriter) writeAll(ctx context.Context) error {
	enc, err := columnar.NewEncoder(w.group.columns, w.group.codec)
	if err != nil {
		return err
	}
	w.encoder = enc
	var places []place
	for _, r := range w.group.readers {
		for _, p := range r.idx.Pieces {
			places = append(places, place{r, p})
		}
	}
	// Stable: the rows of a partition keep their order.
	slices.SortStableFunc(places, func(a, b place) int { return strings.Compare(a.piece.Folder, b.piece.Folder) })
	for i, p := range places {
		if err := ctx.Err(); err != nil {
			return errors.Join(fmt.Errorf("table %q: %w", w.group.table, err), w.abort())
		}
		if i > 0 && p.piece.Folder != places[i-1].piece.Folder {
			if err := w.close(); err != nil {
				return err
			}
		}
		if err := w.add(p); err != nil {
			return errors.Join(fmt.Errorf("table %q: %w", w.group.table, err), w.abort())
		}
	}
	return w.close()
}

// add adds a piece to the open file, or to the next part when that is full.
func (w *partWriter) add(p place) error {
	if w.open != nil && w.open.Size() >= int64(w.sink.cfg.Roll.Size) {
		if err := w.close(); err != nil {
			return err
		}
	}
	if w.open == nil {
		if err := w.create(p.piece.Folder); err != nil {
			return err
		}
	}
	return p.reader.copyTo(w.open, p.piece)
}

func (w *partWriter) create(folder string) error {
	dir := path.Join(escape(w.group.table), folder)
	final := path.Join(dir, fileName(w.sink.prefix, w.group.first, w.last, w.part))
	if err := disk.MakeDir(w.sink.local(dir), disk.Shared); err != nil {
		return err
	}
	if err := w.sink.step("create"); err != nil {
		return err
	}
	to, err := disk.Create(temporary(w.sink.local(final)), disk.Shared)
	if err != nil {
		return fmt.Errorf("parquet file: %w", err)
	}
	f, err := columnar.NewFile(to, w.group.columns, w.encoder)
	if err != nil {
		return err
	}
	w.part++
	w.open = f
	w.files = append(w.files, published{Path: final})
	return nil
}

func (w *partWriter) close() error {
	if w.open == nil {
		return nil
	}
	size, err := w.open.Close()
	w.open = nil
	if err != nil {
		return fmt.Errorf("table %q: %w", w.group.table, err)
	}
	w.files[len(w.files)-1].Size = size
	return nil
}

func (w *partWriter) abort() error {
	if w.open == nil {
		return nil
	}
	f := w.open
	w.open = nil
	return f.Abort()
}
