package file

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/blob"
	"github.com/starlift-etl/starlift/sources/file/export"
)

// What is told of exports.
const (
	eventUnfinished = "unfinished"
	eventLeftOut    = "left_out"
	eventIncomplete = "incomplete"
)

// listExport returns the data files of the exports below the path that are to be
// read, in order: the exports by time, the files of each by their keys.
func (s *Source) listExport(ctx context.Context, cursors map[string][]byte) ([]input, error) {
	found, err := export.Find(ctx, s.files, s.cfg.Path)
	if err != nil {
		return nil, transient(err)
	}
	exports, err := found.OfTable(s.cfg.Table)
	if err != nil {
		return nil, fmt.Errorf("export %s: %w", s.cfg.Path, err)
	}
	read, err := spanOf(cursors)
	if err != nil {
		return nil, err
	}
	if read.Until.IsZero() && !s.exportsBefore.IsZero() {
		read = export.Span{Since: s.exportsBefore, Until: s.exportsBefore}
	}
	plan, err := export.Arrange(exports, read, func(e *export.Export) bool { return begun(e, cursors) })
	if err != nil {
		return nil, fmt.Errorf("export %s: %w", s.cfg.Path, err)
	}
	s.tellExports(found, plan)
	s.exportsUntil = read.Until
	for _, e := range plan.Entries {
		if e.After.Until.After(s.exportsUntil) {
			s.exportsUntil = e.After.Until
		}
	}
	formats := s.formatsOf(plan)
	var inputs []input
	var errs []error
	var locator export.Locator
	for i, step := range plan.Entries {
		own, err := s.inputsOf(ctx, step, cursors, &locator)
		if err != nil {
			if errs = append(errs, err); len(errs) == errorsListedMax {
				break
			}
		}
		for k := range own {
			own[k].format = formats[i]
		}
		inputs = append(inputs, own...)
	}
	return inputs, errors.Join(errs...)
}

// ContinueExports says, before Open, that all changes before a time were read by another source: the exports
// go on there.
func (s *Source) ContinueExports(at time.Time) { s.exportsBefore = at }

// ExportsUntil returns the time before which the exports that Open has found, with those read before, have
// all changes; zero = they do not say.
func (s *Source) ExportsUntil() time.Time { return s.exportsUntil }

// FullExportUntil returns the time up to which the exports below the path reach, if one of them is a
// full one; zero = none is, or none is finished. It may be called without Open.
func (s *Source) FullExportUntil(ctx context.Context) (until time.Time, err error) {
	found, err := export.Look(ctx, s.files, s.cfg.Path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(found.Exports) == 0 {
		return until, nil
	}
	if err != nil {
		return until, transient(err)
	}
	exports, err := found.OfTable(s.cfg.Table)
	if err != nil {
		return until, err
	}
	full := false
	for _, e := range exports {
		full = full || !e.Incremental
		if e.To.After(until) {
			until = e.To
		}
	}
	if !full {
		return time.Time{}, nil
	}
	return until, nil
}

// tellExports tells of the exports that are not read, and of what is missing.
func (s *Source) tellExports(found *export.Found, plan *export.Plan) {
	if len(found.Unfinished) > 0 {
		s.notify(eventUnfinished, "left out: "+export.Unfinished(found.Unfinished)+"; the next run reads what is finished then")
	}
	if n := len(plan.LeftOut); n > 0 {
		text := strings.Join(plan.LeftOut[:min(n, errorsListedMax)], "; ")
		if n > errorsListedMax {
			text += fmt.Sprintf("; and %d more", n-errorsListedMax)
		}
		s.notify(eventLeftOut, "not read: "+text)
	}
	for _, n := range plan.Notices {
		s.notify(eventIncomplete, n)
	}
}

func (s *Source) notify(event, message string) {
	s.env.Notify(pipeline.Notice{Event: event, Message: message})
}

// formatsOf returns the format of each export's records. Incremental ones share
// theirs: each of their records has a time of its own.
func (s *Source) formatsOf(plan *export.Plan) []*pipeline.Format {
	formats := make([]*pipeline.Format, len(plan.Entries))
	byTime := map[int64]*pipeline.Format{}
	for i, step := range plan.Entries {
		at := int64(0)
		if !step.Incremental {
			at = step.To.Add(-pipeline.SnapshotMargin).UnixMicro()
		}
		if byTime[at] == nil {
			f := s.Format()
			f.ExportTime, f.Snapshot = at, !step.Incremental
			if f.Table == "" {
				f.Table = step.Table()
			}
			byTime[at] = &f
		}
		formats[i] = byTime[at]
	}
	return formats
}

// inputsOf returns the data files of an export. One that was read to its end may
// be gone.
func (s *Source) inputsOf(ctx context.Context, step export.Entry, cursors map[string][]byte, l *export.Locator) ([]input, error) {
	var inputs []input
	var errs []error
	reads := &exportReads{after: reachedOf(step.After)}
	for _, f := range step.Files {
		in := input{partition: step.Partition(f), items: f.Items, md5: f.MD5, before: reachedOf(step.Before), export: reads}
		at, err := l.Locate(ctx, step.Export, f)
		if in.path, in.info = at.Path, at.Info; err != nil {
			done, cursorErr := isDone(in.partition, cursors)
			if cursorErr != nil {
				return nil, cursorErr
			}
			if !done && len(errs) < errorsListedMax {
				errs = append(errs, transient(err))
			}
		}
		if raw := cursors[in.partition]; raw != nil {
			if in.at, err = parseCursor(in.partition, raw); err != nil {
				return nil, err
			}
		}
		inputs = append(inputs, in)
	}
	present := inputs[:0]
	for _, in := range inputs {
		if in.path != "" {
			present = append(present, in)
		}
	}
	return present, errors.Join(errs...)
}

// begun reports whether a data file of the export has been read, in this reading.
func begun(e *export.Export, cursors map[string][]byte) bool {
	for _, f := range e.Files {
		raw := cursors[e.Partition(f)]
		if raw == nil {
			continue
		}
		if c, err := parseCursor(e.Partition(f), raw); err != nil || c.Records > 0 {
			return true // what is wrong is said when it is read
		}
	}
	return false
}

func isDone(partition string, cursors map[string][]byte) (bool, error) {
	if cursors[partition] == nil {
		return false, nil
	}
	c, err := parseCursor(partition, cursors[partition])
	return err == nil && c.Done, err
}

// exportProgress is the time of which all changes were read, in µs since 1970: from
// since on and before until; zero = unknown. It is kept in the cursors, so that
// exports may be removed once they are read.
type exportProgress struct {
	Since int64 `json:"since,omitempty"`
	Until int64 `json:"until,omitempty"`
}

// exportReads says how far an export is read: of its files the one that is read to its end as
// the last takes down that it was.
type exportReads struct {
	left  int            // files with records that are not read to their end
	after exportProgress // with the export
}

// startRead counts a file that has records to read.
func (in *input) startRead() (counted bool) {
	if in.export == nil || in.items <= 0 || in.at != nil && in.at.Done {
		return false
	}
	in.export.left++
	return true
}

// endRead returns the progress behind the last record of a file that startRead has counted, in
// the order in which they end.
func (in *input) endRead() exportProgress {
	if in.export.left--; in.export.left > 0 {
		return in.before
	}
	return in.export.after
}

func reachedOf(s export.Span) exportProgress {
	if s.Until.IsZero() {
		return exportProgress{}
	}
	return exportProgress{s.Since.UnixMicro(), s.Until.UnixMicro()}
}

// spanOf returns what has been read.
func spanOf(cursors map[string][]byte) (export.Span, error) {
	var s export.Span
	for partition, raw := range cursors {
		c, err := parseCursor(partition, raw)
		if err != nil {
			return s, err
		}
		if c.Until == 0 {
			continue
		}
		since, until := time.UnixMicro(c.Since), time.UnixMicro(c.Until)
		if s.Until.IsZero() || since.Before(s.Since) {
			s.Since = since
		}
		if until.After(s.Until) {
			s.Until = until
		}
	}
	return s, nil
}

// verifiedInMemoryBytes is how much of objects that were compared with their MD5 is kept in
// memory, of all that are open. For what is more, an object is asked for twice.
const verifiedInMemoryBytes = 64 << 20

// verify compares the MD5 of the whole file with the manifest's, and returns what is to be
// read of it, until release is called. An object whose tag says that MD5 is not read for it.
func (in *input) verify(ctx context.Context, f storedBytes, memory *budget) (verified storedBytes, release func(), err error) {
	release = func() {}
	if in.md5 == "" {
		return f, release, nil
	}
	hash := md5.New()
	o, _ := f.(blob.Object)
	switch isObject := o != nil && o.Info().File() == nil; {
	case isObject && export.TagSaysMD5(o.Info().Tag, in.md5):
		return f, release, nil
	case isObject && memory.take(o.Info().Size):
		release = func() { memory.put(o.Info().Size) }
		content, err := contentOfObject(ctx, f)
		if err != nil {
			release()
			return nil, nil, transient(err)
		}
		_, _ = hash.Write(content) // which never fails
		f = inMemory{bytes.NewReader(content)}
	default:
		if err := hashOf(ctx, f, hash); err != nil {
			return nil, nil, transient(err)
		}
	}
	if sum := hash.Sum(nil); !export.SameMD5(sum, in.md5) {
		release()
		return nil, nil, fmt.Errorf("%s: its MD5 is %s, but manifest-files.json says %s: the file was altered or not copied whole: copy it again",
			in.path, export.TextOfMD5(sum), in.md5)
	}
	return f, release, nil
}

// hashOf hashes all that is stored.
func hashOf(ctx context.Context, f storedBytes, hash io.Writer) (err error) {
	whole, err := f.Range(ctx, 0, -1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, whole.Close()) }()
	// Nothing is counted: progress means the reading, which follows.
	_, err = io.CopyBuffer(hash, &counter{ctx: ctx, r: whole}, make([]byte, readBufferBytes))
	return err
}
