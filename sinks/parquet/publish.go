package parquet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sync/errgroup"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/blob"
	"github.com/starlift-etl/starlift/pipeline/disk"
)

// payload is what Commit has to do.
type payload struct {
	Files []finishedFile `json:"files"`
}

func parsePayload(r *pipeline.Committable) ([]finishedFile, error) {
	if r.Payload == nil {
		return nil, nil
	}
	var p payload
	if err := json.Unmarshal(r.Payload, &p); err != nil {
		return nil, fmt.Errorf("committable of epoch %d: %w", r.Epoch, err)
	}
	return p.Files, nil
}

// uploadsMax is the number of files that are uploaded at once: many are small, and waiting
// for their answers is what takes the time.
const uploadsMax = 8

// Commit publishes the files of the committable, in any order. What was published is
// noted in the spool, and not looked at again.
func (s *Sink) Commit(ctx context.Context, r *pipeline.Committable) error {
	files, err := parsePayload(r)
	if err != nil {
		return err
	}
	published, err := s.spool(r.Epoch).OpenLog(publishedFile)
	if err != nil {
		return err
	}
	names := make(chan string, uploadsMax)
	var notes errgroup.Group
	notes.Go(func() error { return notePublished(published, names) })
	uploads, ctx := errgroup.WithContext(ctx)
	uploads.SetLimit(uploadsMax)
	for _, f := range files {
		if f.File != "" && published.Has(f.File) || ctx.Err() != nil {
			continue
		}
		uploads.Go(func() error {
			if err := s.publish(ctx, r.Epoch, f); err != nil {
				return err
			}
			if f.File != "" {
				names <- f.File
			}
			return nil
		})
	}
	err = uploads.Wait()
	close(names)
	if err := errors.Join(err, notes.Wait()); err != nil {
		return fmt.Errorf("commit of epoch %d: %w", r.Epoch, err)
	}
	return nil
}

// publish uploads one file. One that was uploaded already is made durable once more (I5).
func (s *Sink) publish(ctx context.Context, epoch int64, f finishedFile) error {
	prepared, name := s.prepared(epoch, f)
	waiting, err := sizeOf(ctx, prepared, name)
	if err != nil {
		return err
	}
	if waiting >= 0 && waiting != f.Size {
		return fmt.Errorf("prepared file %s has %d bytes, want %d: it was changed", prepared.URL(name), waiting, f.Size)
	}
	err = s.target.Upload(ctx, prepared.URL(name), f.Path, blob.UploadOptions{Content: &f.Content, Progress: s.progress.moved})
	var conflict *blob.ConflictError
	switch {
	case errors.As(err, &conflict):
		return fmt.Errorf("%w; nothing was overwritten: if the state folder is a copy that ran elsewhere too, go on with the one that wrote the file; "+
			"if nobody needs the file, delete it, and start again; or %s", err, recoveryHint)
	case waiting < 0 && errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("prepared file %s is lost, and %s is not there either: put it back, or %s", prepared.URL(name), s.target.URL(f.Path), recoveryHint)
	}
	return err
}

// prepared returns where a file waits for its commit.
func (s *Sink) prepared(epoch int64, f finishedFile) (blob.Store, string) {
	if f.File == "" {
		return s.target, temporary(f.Path)
	}
	return blob.File(s.spool(epoch).Path(f.File), disk.Private)
}

// sizeOf returns the size of an object, -1 = there is none.
func sizeOf(ctx context.Context, s blob.Store, name string) (int64, error) {
	info, err := s.Stat(ctx, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return -1, nil
	case err != nil:
		return 0, fmt.Errorf("file: %w", err)
	}
	return info.Size, nil
}
