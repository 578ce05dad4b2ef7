package redshift

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/blob"
	"github.com/starlift-etl/starlift/pipeline/blob/bloburl"
	"github.com/starlift-etl/starlift/pipeline/disk"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

const (
	// uploadsMax is the number of files that are uploaded at once.
	uploadsMax = 8
	// removalsMax is how many names are removed by one call: S3 takes as many in a request.
	removalsMax = 1000
)

// s3Loader loads by COPY from S3. It is a loader.
//
// Rows are files of the spool before they are objects: they are synced when an epoch is
// prepared, and what is on S3 is a copy that may be lost, and is made again. So a flush needs no
// S3 until it is committed, and a lifecycle rule that is too eager costs time and no rows.
type s3Loader struct {
	sink  string
	cfg   *S3StageConfig
	sizes fileSizes
	wrap  func(blob.Store) blob.Store // for tests; nil = nothing is put around the store

	store  blob.Store
	folder stageFolder
	tables map[string]*pipeline.Table // that the sink gets, by name
	now    func() time.Time
	moved  atomic.Int64 // when bytes were taken last, in ns since 1970; 0 = never yet
	// staged are the names of what upload has made for an epoch.
	staged map[int64][]string
	// lost is why the last upload had not all files; nil = it had them.
	lost error
}

var _ loader = (*s3Loader)(nil)

// connect makes the store of the stage. It asks nobody yet.
func (l *s3Loader) connect(env pipeline.Env) (err error) {
	if !bloburl.IsRemote(l.cfg.URL) {
		return fmt.Errorf("%q is no folder on S3", l.cfg.URL)
	}
	if l.store, err = l.cfg.Folder(l.cfg.URL, disk.Private, env); err == nil && l.wrap != nil {
		l.store = l.wrap(l.store)
	}
	return err
}

// open implements loader. What is there of this state is of a process that is gone: what is
// still to be committed is uploaded again.
func (l *s3Loader) open(ctx context.Context, o pipeline.SinkOptions) error {
	l.folder, l.now, l.staged, l.tables = folderOf(o, l.sink), o.Env.Now, map[int64][]string{}, map[string]*pipeline.Table{}
	for _, t := range o.Tables {
		l.tables[t.Name] = t
	}
	if err := l.connect(o.Env); err != nil {
		return err
	}
	if _, err := l.removeAll(ctx, l.folder.ofState(), true); err != nil {
		return fmt.Errorf("removing what an earlier process has left: %w", err)
	}
	return nil
}

// removeAll removes the objects below a folder, and uploads that were not finished, or only
// counts them.
func (l *s3Loader) removeAll(ctx context.Context, folder string, remove bool) (count int, err error) {
	var names []string
	flush := func() error {
		defer func() { names = names[:0] }()
		if !remove || len(names) == 0 {
			return nil
		}
		return l.store.Delete(ctx, names...)
	}
	for o, err := range l.store.List(ctx, folder, blob.ListOptions{Recursive: true}) {
		if err != nil {
			return count, err
		}
		count++
		if names = append(names, o.Name); len(names) == removalsMax {
			if err := flush(); err != nil {
				return count, err
			}
		}
	}
	if err := flush(); err != nil {
		return count, err
	}
	for u, err := range l.store.Unfinished(ctx, folder) {
		if err != nil {
			return count, err
		}
		count++
		if !remove {
			continue
		}
		if err := l.store.Discard(ctx, u); err != nil {
			return count, err
		}
	}
	return count, nil
}

// newWriter implements loader.
func (l *s3Loader) newWriter(dir string, t *pipeline.Table, s *warehouse.StagedTable) (warehouse.Writer, error) {
	return newFileWriter(dir, t, s, l.sizes)
}

// stagedObject is an object of a flush.
type stagedObject struct {
	name    string
	content blob.Content
	file    string // of the spool; empty = it is a manifest
	text    []byte // of a manifest
}

// objects lists the objects of a flush. Manifests come last.
func (l *s3Loader) objects(dir string, epoch int64, staged []warehouse.StagedTable) ([]stagedObject, error) {
	var all, manifests []stagedObject
	for i := range staged {
		s, m := &staged[i], manifest{}
		for part, f := range s.Files {
			o := stagedObject{name: l.folder.file(epoch, rowsName(s), part), content: f.Content, file: filepath.Join(dir, f.Name)}
			o.content.PartSize = l.store.PartSize(f.Size)
			m.add(l.store.URL(o.name), f.Size)
			all = append(all, o)
		}
		if len(s.Files) == 0 {
			continue
		}
		text, err := m.text()
		if err != nil {
			return nil, err
		}
		sum := blob.NewCRC64NVME()
		_, _ = sum.Write(text) // never fails
		manifests = append(manifests, stagedObject{name: l.folder.manifest(epoch, rowsName(s)), text: text,
			content: blob.Content{Size: int64(len(text)), CRC64NVME: blob.ChecksumText(sum)}})
	}
	return append(all, manifests...), nil
}

// rowsName names a table's rows on the stage. A flush may have two lots of rows of one table: those
// before and behind a change of its columns.
func rowsName(s *warehouse.StagedTable) string { return s.Table + "-" + s.File }

// upload implements loader. Rows of which there is no file any more are no error of it: an epoch that
// is loaded has none in the spool, and a process that was killed behind it may ask for it again. If the
// token says that it is not, load fails.
func (l *s3Loader) upload(ctx context.Context, dir string, epoch int64, staged []warehouse.StagedTable) error {
	l.lost = nil
	err := l.uploadAll(ctx, dir, epoch, staged)
	if lost := (*lostRowsError)(nil); errors.As(err, &lost) {
		l.lost = lost
		return nil
	}
	return err
}

// lostRowsError says that rows are neither in the spool nor on the stage.
type lostRowsError struct {
	url string
	err error
}

func (e *lostRowsError) Error() string {
	return fmt.Sprintf("the rows of %s are lost: %v: put the file back, or restore the state folder and the spool together", e.url, e.err)
}

// Unwrap returns why the file can't be read.
func (e *lostRowsError) Unwrap() error { return e.err }

// uploadAll makes the objects of an epoch that are not there.
func (l *s3Loader) uploadAll(ctx context.Context, dir string, epoch int64, staged []warehouse.StagedTable) error {
	all, err := l.objects(dir, epoch, staged)
	if err != nil {
		return err
	}
	l.progressed()
	there := map[string]bool{}
	for o, err := range l.store.List(ctx, l.folder.ofEpoch(epoch), blob.ListOptions{Recursive: true}) {
		if err != nil {
			return err
		}
		there[o.Name] = true
	}
	l.progressed()
	names := make([]string, len(all))
	for i, o := range all {
		names[i] = o.name
	}
	l.staged = map[int64][]string{epoch: names}
	uploads, each := errgroup.WithContext(ctx)
	uploads.SetLimit(uploadsMax)
	for _, o := range all {
		if each.Err() != nil {
			break
		}
		uploads.Go(func() error { return l.put(each, o, there[o.name]) })
	}
	if err := uploads.Wait(); err != nil {
		return err
	}
	return ctx.Err() // of which no upload may have heard
}

// put makes an object, unless it is there with the same content.
func (l *s3Loader) put(ctx context.Context, o stagedObject, there bool) error {
	if there {
		if err := l.compare(ctx, o); err == nil || !isOther(err) {
			return err
		}
	}
	defer l.progressed()
	if o.file == "" {
		return blob.WriteAll(ctx, l.store, o.name, o.text, blob.CreateOptions{})
	}
	err := l.store.Upload(ctx, o.file, o.name, blob.UploadOptions{Content: &o.content, Progress: l.progressed})
	if isOther(err) && !errors.Is(err, fs.ErrNotExist) {
		// Nobody else has names in this folder: it is what a copy of the state folder, or one that
		// was put back, has left there.
		if err := l.store.Delete(ctx, o.name); err != nil {
			return err
		}
		err = l.store.Upload(ctx, o.file, o.name, blob.UploadOptions{Content: &o.content, Progress: l.progressed})
	}
	if errors.Is(err, fs.ErrNotExist) {
		if _, gone := os.Stat(o.file); gone != nil {
			return &lostRowsError{l.store.URL(o.name), gone}
		}
	}
	return err
}

// compare returns why an object is not what it has to be; nil = it is.
func (l *s3Loader) compare(ctx context.Context, o stagedObject) error {
	info, err := l.store.Stat(ctx, o.name)
	if err != nil {
		return err
	}
	return o.content.Compare(ctx, l.store, info)
}

// isOther tells whether an object has to be made: it is not there, or holds something else.
func isOther(err error) bool {
	var conflict *blob.ConflictError
	return errors.As(err, &conflict) || errors.Is(err, fs.ErrNotExist)
}

func (l *s3Loader) progressed() { l.moved.Store(l.now().UnixNano()) }

// uploadProgress returns when bytes of files were taken last; zero = never yet.
func (l *s3Loader) uploadProgress() time.Time {
	if ns := l.moved.Load(); ns != 0 {
		return time.Unix(0, ns)
	}
	return time.Time{}
}

// load implements loader.
func (l *s3Loader) load(ctx context.Context, tx *tx, dir string, epoch int64, s *warehouse.StagedTable, to *stageTable) (int64, error) {
	if len(s.Files) == 0 {
		return insertRows(ctx, tx, dir, s, to) // the epoch was written when there was no stage yet
	}
	if l.lost != nil {
		return 0, l.lost
	}
	var want int64
	for _, f := range s.Files {
		want += f.Rows
	}
	url := l.store.URL(l.folder.manifest(epoch, rowsName(s)))
	if _, err := tx.Exec(ctx, l.copyStatement(to, url)); err != nil {
		return 0, (&tableLoad{StagedTable: s, loader: l, schema: tx.Schema, dir: dir, url: url, to: to}).explain(err)
	}
	// The answer to COPY has no count that says what a columnar load has loaded.
	rows, err := tx.Query(ctx, lastCopyCount)
	if err != nil {
		return 0, err
	}
	if len(rows) != 1 || len(rows[0]) != 1 {
		return 0, errors.New("pg_last_copy_count() gave no row")
	}
	n, err := strconv.ParseInt(rows[0][0], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("pg_last_copy_count(): %w", err)
	}
	if n != want {
		return 0, fmt.Errorf("COPY has loaded %d rows, and %s lists files with %d: nothing was committed", n, url, want)
	}
	return n, nil
}

// lastCopyCount asks for the rows that the session's last COPY has loaded
// (https://docs.aws.amazon.com/redshift/latest/dg/PG_LAST_COPY_COUNT.html).
const lastCopyCount = "SELECT pg_last_copy_count()"

// examples implements illustrator.
func (l *s3Loader) examples(s *warehouse.StagedTable, to *stageTable) []string {
	url := fmt.Sprintf("%s/<pipeline>/%s/<state>/<epoch>/%s-<number>.manifest", strings.TrimSuffix(l.cfg.URL, "/"), keyName(l.sink), keyName(s.Table))
	return []string{l.copyStatement(to, url), lastCopyCount}
}

// copyStatement returns the COPY of a manifest. There is no REGION, which is an error with
// Parquet, and no COMPUPDATE; statistics of a table that is dropped at once are of no use
// (https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-columnar.html).
func (l *s3Loader) copyStatement(to *stageTable, manifestURL string) string {
	return fmt.Sprintf("COPY %s (%s)\nFROM %s\n%s\nFORMAT AS PARQUET MANIFEST STATUPDATE OFF", to.name, strings.Join(to.columns, ", "), literal(manifestURL), l.cfg.authorization())
}

// remove implements loader.
func (l *s3Loader) remove(ctx context.Context, epoch int64) error {
	names := l.staged[epoch]
	for len(names) > 0 {
		n := min(len(names), removalsMax)
		if err := l.store.Delete(ctx, names[:n]...); err != nil {
			return fmt.Errorf("removing files of the stage, whose rows are committed: %w", err)
		}
		names = names[n:]
	}
	delete(l.staged, epoch)
	return nil
}

// reset lists what the stage has of a sink, of all of its states, and of sinks that the pipeline
// file has no longer; with r.Do it is removed.
func (l *s3Loader) reset(ctx context.Context, r *pipeline.Reset) (all []pipeline.TargetObject, err error) {
	if err := l.connect(pipeline.NewEnv()); err != nil {
		return nil, err
	}
	l.folder = stageFolder{pipeline: r.Pipeline, sink: l.sink}
	known := map[string]bool{}
	for _, sink := range r.Sinks {
		known[stageFolder{pipeline: r.Pipeline, sink: sink}.ofSink()] = true
	}
	for o, err := range l.store.List(ctx, l.folder.all(), blob.ListOptions{}) {
		if err != nil {
			return nil, err
		}
		if !o.IsFolder() || o.Name != l.folder.ofSink() && known[o.Name] {
			continue
		}
		n, err := l.removeAll(ctx, o.Name, r.Do)
		if err != nil {
			return nil, err
		}
		all = append(all, pipeline.TargetObject{Name: spec.Count(n, "file") + " on the stage, " + l.store.URL(o.Name)})
	}
	return all, nil
}
