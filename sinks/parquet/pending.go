package parquet

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow/go/v14/arrow"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/sinks/internal/columnar"
	"github.com/starlift-etl/starlift/sinks/internal/spooled"
)

// pendingSegments is the sink's memory between epochs: what is to be published with a
// later one.
type pendingSegments struct {
	Segments []segment `json:"segments,omitempty"`
	// Since is when the first of their epochs began.
	Since time.Time `json:"since,omitzero"`
}

// gatherLimits say when pending segments are folded into larger ones. There are three sizes: those
// that are spared a file, files of Arrow blocks, and files of row groups. Each row is written once
// in each, and is encoded on the way to the last, so that an epoch that publishes has little left
// to encode, however many epochs it publishes.
type gatherLimits struct {
	spareMax              int // bytes of a segment that is spared a file
	sparedEpochs, spared  int // epochs that have such segments, and bytes of those
	looseEpochs, loose    int // the same of files of Arrow blocks
	encodedEpochs         int // epochs that have files of row groups
	sparedSegmentsAtLeast int // segments of few bytes that are listed before they are folded, whatever there are of tables
	groupRows             int64
}

// defaultGather keeps all that is pending within pendingEpochsMax epochs.
var defaultGather = gatherLimits{spareMax: 128 << 10, sparedEpochs: 32, spared: 1 << 20, looseEpochs: 16, loose: columnar.GroupBytes, encodedEpochs: 16, sparedSegmentsAtLeast: 64, groupRows: rowGroupRowsMin}

// pendingEpochsMax is the number of epochs whose segments wait to be published, at most.
const pendingEpochsMax = 64

// content returns what the file of a segment would hold, if none was made.
func (s *Sink) content(seg *segment) []byte { return s.kept[seg.Epoch][seg.File] }

// setKept takes an epoch's segments that are spared a file.
func (s *Sink) setKept(epoch int64, files []spooled.File) {
	delete(s.kept, epoch)
	for _, f := range files {
		if s.kept[epoch] == nil {
			s.kept[epoch] = map[string][]byte{}
		}
		s.kept[epoch][f.Name] = f.Data
	}
}

// setPending takes what is pending from now on, and forgets what no segment of it needs.
func (s *Sink) setPending(p pendingSegments) {
	s.pending = p
	maps.DeleteFunc(s.kept, func(epoch int64, _ map[string][]byte) bool {
		return !slices.ContainsFunc(p.Segments, func(seg segment) bool { return seg.Spared && seg.Epoch == epoch })
	})
}

// restoreKept takes the pending segments that are spared a file as the state gives them back.
func (s *Sink) restoreKept(packed map[int64][]byte) (err error) {
	s.kept = map[int64]map[string][]byte{}
	for i := range s.pending.Segments {
		seg := &s.pending.Segments[i]
		if !seg.Spared {
			continue
		}
		if s.kept[seg.Epoch] == nil {
			if s.kept[seg.Epoch], err = spooled.Unpack(packed[seg.Epoch]); err != nil {
				return fmt.Errorf("gathered rows of epoch %d: %w", seg.Epoch, err)
			}
		}
		if int64(len(s.content(seg))) != seg.Size {
			return fmt.Errorf("gathered rows of table %q, epoch %d: there are %d bytes, want %d", seg.Table, seg.Epoch, len(s.content(seg)), seg.Size)
		}
	}
	return nil
}

// savePending puts the pending segments into the committable.
func (e *epoch) savePending(p *pendingSegments, r *pipeline.Committable) (err error) {
	if p.Segments, err = e.foldPending(p.Segments); err != nil {
		return err
	}
	var files []spooled.File
	synced := true
	for i := range p.Segments {
		seg := &p.Segments[i]
		if !slices.Contains(r.RetainEpochs, seg.Epoch) {
			r.RetainEpochs = append(r.RetainEpochs, seg.Epoch)
		}
		switch {
		case seg.Epoch != e.number:
		case seg.Spared:
			files = append(files, spooled.File{Name: seg.File, Data: e.sink.content(seg)})
		default:
			synced = false
		}
	}
	if !synced {
		if err := e.spool.Sync(); err != nil {
			return err
		}
	}
	if files != nil {
		r.Spooled = spooled.Pack(files)
	}
	text, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("committable: %w", err)
	}
	r.SinkState, r.FlushBy = text, p.Since.Add(time.Duration(e.sink.cfg.Roll.Age))
	return nil
}

// foldPending folds small segments into larger ones, where there are many.
func (e *epoch) foldPending(segments []segment) (_ []segment, err error) {
	g := &e.sink.gather
	tables := map[string]bool{}
	for i := range segments {
		tables[segments[i].Table] = true
	}
	spared := func(s *segment) bool { return s.Spared }
	if n := countSegments(segments, spared); n.epochs > g.sparedEpochs || n.bytes > int64(g.spared) || n.segments > max(g.sparedSegmentsAtLeast, 2*len(tables)) {
		if segments, err = e.foldRuns(segments, spared, false); err != nil {
			return nil, err
		}
	}
	loose := func(s *segment) bool { return s.Loose && !s.Spared }
	if n := countSegments(segments, loose); n.epochs > g.looseEpochs || n.bytes > int64(g.loose) {
		if segments, err = e.foldRuns(segments, loose, true); err != nil {
			return nil, err
		}
	}
	if n := countSegments(segments, func(s *segment) bool { return !s.Loose }); n.epochs > g.encodedEpochs {
		return e.foldRuns(segments, func(s *segment) bool { return !s.Spared }, true)
	}
	return segments, nil
}

// segmentCount is how much there is of segments.
type segmentCount struct {
	segments, epochs int
	bytes            int64
}

func countSegments(segments []segment, of func(*segment) bool) (n segmentCount) {
	epochs := map[int64]bool{}
	for i := range segments {
		if s := &segments[i]; of(s) {
			n.segments, n.bytes = n.segments+1, n.bytes+s.Size
			epochs[s.Epoch] = true
		}
	}
	n.epochs = len(epochs)
	return n
}

// foldRuns folds each run of a table's segments that has no other segment of the table between, so
// that rows stay in their order. encoded says that what results is not loose, whatever is in it: it
// is not folded with loose ones again.
func (e *epoch) foldRuns(segments []segment, of func(*segment) bool, encoded bool) (all []segment, err error) {
	runs := map[string][]segment{}
	var order []string
	fold := func(table string) error {
		folded, err := e.fold(runs[table])
		for i := range folded {
			folded[i].Loose = folded[i].Loose && !encoded
		}
		all = append(all, folded...)
		delete(runs, table)
		return err
	}
	for _, s := range segments {
		if of(&s) {
			if runs[s.Table] == nil {
				order = append(order, s.Table)
			}
			runs[s.Table] = append(runs[s.Table], s)
			continue
		}
		if runs[s.Table] != nil {
			if err := fold(s.Table); err != nil {
				return nil, err
			}
		}
		all = append(all, s)
	}
	for _, table := range order {
		if runs[table] != nil {
			if err := fold(table); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// fold makes one segment, in this epoch's spool, of those of a table that have the same columns.
func (e *epoch) fold(segments []segment) (folded []segment, err error) {
	groups, err := e.sink.openGroups(segments)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closeGroups(groups)) }()
	for _, g := range groups {
		seg := segment{Epoch: e.number, First: g.first, Table: g.table, File: fmt.Sprintf("%06d.folded", e.folded)}
		e.folded++
		w := newSegmentWriter(e.spool, seg, g.columns, g.codec, 0, e.sink.gather.groupRows)
		if err := g.foldInto(w); err != nil {
			return nil, errors.Join(err, w.abort())
		}
		if seg, _, err = w.finish(true); err != nil {
			return nil, err
		}
		folded = append(folded, seg)
	}
	return folded, nil
}

// extents returns the extents of all of the group's segments, a partition after the other, in
// which they are in their order.
func (g *segmentGroup) extents() (all []segmentExtent) {
	for _, r := range g.readers {
		for _, x := range r.idx.Extents {
			all = append(all, segmentExtent{r, x})
		}
	}
	slices.SortStableFunc(all, func(a, b segmentExtent) int { return strings.Compare(a.extent.Folder, b.extent.Folder) })
	return all
}

// foldInto writes the group's rows to a segment: Arrow blocks of a partition as one, or as a row
// group if that is enough for one.
func (g *segmentGroup) foldInto(w *segmentWriter) error {
	encoder, err := columnar.NewEncoder(g.columns, columnar.Lake, g.codec)
	if err != nil {
		return err
	}
	schema := columnar.SchemaOf(g.columns)
	var waiting columnar.Buffer
	defer waiting.Release()
	flush := func(folder string) error {
		if waiting.Rows == 0 {
			return nil
		}
		defer waiting.Release()
		return w.add(partitionRows{folder: folder, records: waiting.Records, rows: waiting.Rows}, encoder, schema)
	}
	folder := ""
	for _, x := range g.extents() {
		if x.extent.Folder != folder || x.extent.Group != nil {
			if err := flush(folder); err != nil {
				return err
			}
			folder = x.extent.Folder
		}
		if x.extent.Group != nil {
			if err := w.copyExtent(x.reader, x.extent); err != nil {
				return err
			}
			continue
		}
		err := x.reader.readBlock(x.extent, func(rec arrow.Record) error {
			waiting.Add(rec)
			if waiting.Full() {
				return flush(folder)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return flush(folder)
}

// spareFiles makes files of the segments that are small if they are too much together.
func (e *epoch) spareFiles() error {
	size := 0
	for _, t := range e.order {
		size += len(t.writer.kept)
	}
	if size <= spooled.BytesMax {
		return nil
	}
	byBytes := slices.SortedFunc(slices.Values(e.order), func(a, b *tableSpool) int { return cmp.Compare(len(b.writer.kept), len(a.writer.kept)) })
	for _, t := range byBytes {
		if size <= spooled.BytesMax {
			break
		}
		size -= len(t.writer.kept)
		if err := t.writer.create(); err != nil {
			return err
		}
	}
	return nil
}
