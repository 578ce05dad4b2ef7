package file

import (
	"context"
	"io"
	"runtime/pprof"
	"slices"
	"strconv"
	"sync"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/blob"
)

const (
	// openMax is the number of files that are read side by side. It does not go by the number of
	// processors, so that the order of the records does not either.
	openMax = 8
	// openInOrder is that of files whose blocks are handed over file by file: the next ones are
	// begun while one is read.
	openInOrder = 3
	// blocksOfReader is the number of blocks that a reader has ahead, in all its parts.
	blocksOfReader = 3
)

// multiReader reads files side by side, each on a goroutine of its own, and hands their blocks
// over in an order that depends on nothing but the files and where reading began in them (I6):
// openMax of the files, in the order of their list, are open; one block of each is taken in turn,
// and waited for; and where one has ended, the next of the list is opened in its place.
// Files of an export are opened when the export before is read to its end, since the cursors say
// up to which time everything was read.
//
// Where the order of reading decides which record is newer, all blocks of one file are taken
// before those of the next.
type multiReader struct {
	source  *Source
	inOrder bool
	readers []*reader     // not started yet, in their order
	started []*fileReader // not open yet: files of the next export
	open    []*fileReader // whose blocks are taken in turn
	lanes   []int         // that no reader has
	ahead   *openAhead
	tasks   sync.WaitGroup
}

// fileReader is a reader that was started.
type fileReader struct {
	*reader
	blocks chan readBlock // closed when the file is read to its end, or can't be read on
	err    error          // why; read after blocks is closed
}

// readBlock is a block of a file, as its records; of = nil: they are positions only.
type readBlock struct {
	records *pipeline.Records
	of      *block
}

// readAll reads the files and returns why it ended, io.EOF when all are read.
func (s *Source) readAll(ctx context.Context, readers []*reader) (err error) {
	m := &multiReader{source: s, readers: readers}
	// What the manifests of an export name has times, of the export or of each change.
	m.inOrder = s.format.ReadOrder() && !slices.ContainsFunc(readers, func(r *reader) bool { return r.in.export != nil })
	lanes := openInOrder
	if !m.inOrder {
		lanes = openMax
		begunFirst(readers)
	}
	for n := range lanes {
		m.lanes = append(m.lanes, n)
	}
	var paths []string
	for _, r := range readers {
		if isObject(r.in.info) {
			paths = append(paths, r.in.path)
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	m.ahead = newOpenAhead(ctx, s.files, paths)
	defer func() {
		cancel()
		m.tasks.Wait()
		if closeErr := m.ahead.close(); closeErr != nil && err == io.EOF {
			err = closeErr
		}
	}()
	return m.run(ctx)
}

// begunFirst puts, of the files of each export, or of no export, those first that are partly
// read: the same are open then as before a restart.
func begunFirst(readers []*reader) {
	for len(readers) > 0 {
		n := slices.IndexFunc(readers, func(r *reader) bool { return r.in.export != readers[0].in.export })
		if n < 0 {
			n = len(readers)
		}
		slices.SortStableFunc(readers[:n], func(a, b *reader) int { return a.isUnread() - b.isUnread() })
		readers = readers[n:]
	}
}

// isUnread is 0 if the file is partly read, else 1.
func (r *reader) isUnread() int {
	if r.at.Offset > 0 {
		return 0
	}
	return 1
}

// run hands over the blocks of all files.
func (m *multiReader) run(ctx context.Context) error {
	turn := 0 // the index of the file that is to give a block
	for {
		m.start(ctx)
		if len(m.open) == 0 {
			if len(m.started) == 0 {
				return io.EOF
			}
			for export := m.started[0].in.export; m.openNext(len(m.open), export); {
			}
			turn = 0
		}
		f := m.open[turn]
		b, more, err := f.next(ctx)
		if err != nil {
			return err
		}
		if !more {
			turn = m.replace(ctx, turn)
			continue
		}
		if b.of != nil && b.of.last && f.counted {
			b.of.end = f.in.endRead()
		}
		if err := m.source.enqueue(ctx, b.records); err != nil {
			return err
		}
		if !m.inOrder && b.of != nil {
			turn = (turn + 1) % len(m.open)
		}
	}
}

// start starts readers, as many as may run at a time.
func (m *multiReader) start(ctx context.Context) {
	for len(m.readers) > 0 && len(m.lanes) > 0 {
		f := &fileReader{reader: m.readers[0], blocks: make(chan readBlock)}
		m.readers[0] = nil // its last block is not kept until the end
		m.readers = m.readers[1:]
		f.lane, m.lanes = m.lanes[0], m.lanes[1:]
		m.source.assignNumber(&f.at)
		f.numbered = true
		f.send = f.queue
		if isObject(f.in.info) {
			opened := m.ahead.next()
			f.reader.open = func(context.Context) (blob.Object, error) { return opened() }
		}
		m.started = append(m.started, f)
		role := "reader " + f.source + " " + strconv.Itoa(f.lane)
		m.tasks.Go(func() {
			pprof.Do(ctx, pprof.Labels("role", role), func(ctx context.Context) { f.err = f.run(ctx) })
			close(f.blocks)
		})
	}
}

// openNext takes the next file that was started among those that give blocks in turn, at an
// index, if it is of the export.
func (m *multiReader) openNext(at int, export *exportReads) bool {
	if len(m.started) == 0 || m.started[0].in.export != export {
		return false
	}
	m.open = slices.Insert(m.open, at, m.started[0])
	m.started = slices.Delete(m.started, 0, 1)
	return true
}

// replace opens the next file in the place of one that has ended, and returns whose turn it is.
func (m *multiReader) replace(ctx context.Context, ended int) (turn int) {
	f := m.open[ended]
	m.open = slices.Delete(m.open, ended, ended+1)
	m.lanes = append(m.lanes, f.lane)
	m.start(ctx)
	at := ended
	if m.inOrder {
		at = len(m.open)
	}
	m.openNext(at, f.in.export)
	return ended % max(1, len(m.open))
}

// queue hands records of the file over to the multiReader.
func (f *fileReader) queue(ctx context.Context, r *pipeline.Records, of *block) error {
	select {
	case f.blocks <- readBlock{r, of}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// next waits for the next block; more = false: there is none, the file is read to its end.
func (f *fileReader) next(ctx context.Context) (b readBlock, more bool, err error) {
	select {
	case b, more = <-f.blocks:
		if !more {
			err = f.err
		}
		return b, more, err
	case <-ctx.Done():
		return b, false, ctx.Err()
	}
}
