package deadletters

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/starlift-etl/starlift/pipeline/blob"
)

const (
	cleanEvery = time.Hour
	// leftoverAfter is how old the temporary file of a request has to be to be one
	// that nobody is writing any more.
	leftoverAfter = 24 * time.Hour
)

// clean removes the pipeline's letters that are older than the retention.
func (s *Store) clean(ctx context.Context) error {
	s.cleaned = s.o.Now()
	if err := s.cleanInbox(ctx); err != nil || s.o.Retention == 0 {
		return err
	}
	d := Folder{s.objects, s.options.Pipeline}
	waiting, err := d.waiting(ctx)
	if err != nil {
		return err
	}
	awaited := map[string]bool{} // files
	for id := range waiting {
		awaited[fileOf(id)] = true
	}
	found, err := files(ctx, s.objects, d.Pipeline, suffix)
	if err != nil {
		return err
	}
	old, left := []string{}, map[string]bool{}
	for _, f := range found {
		if s.olderThan(s.o.Retention, f.Modified) && !awaited[f.Name] {
			old = append(old, f.Name)
		} else {
			left[f.Name] = true
		}
	}
	if err := s.objects.Delete(ctx, old...); err != nil {
		return err
	}
	if len(old) > 0 && s.o.Log != nil {
		s.o.Log.Info("old dead letters removed", "files", len(old), slog.Duration("older_than", s.o.Retention))
	}
	return s.cleanMarks(ctx, d, left)
}

// cleanMarks removes the names of letters that are in none of the files which are left.
func (s *Store) cleanMarks(ctx context.Context, d Folder, left map[string]bool) error {
	found, err := files(ctx, s.objects, d.Pipeline, markSuffix)
	if err != nil {
		return err
	}
	var useless []string
	for _, f := range found {
		if !s.olderThan(s.o.Retention, f.Modified) {
			continue
		}
		needed := false
		if err := eachMark(ctx, s.objects, f.Name, func(m mark) { needed = needed || left[fileOf(m.ID)] }); err != nil {
			return err
		}
		if !needed {
			useless = append(useless, f.Name)
		}
	}
	return s.objects.Delete(ctx, useless...)
}

// cleanInbox removes what is left of requests that were not finished.
func (s *Store) cleanInbox(ctx context.Context) error {
	inbox := inboxOf(s.options.Pipeline)
	for u, err := range s.objects.Unfinished(ctx, inbox) {
		if err != nil {
			return err
		}
		if !s.olderThan(leftoverAfter, u.Started) {
			continue
		}
		if err := s.objects.Discard(ctx, u); err != nil {
			return err
		}
	}
	// Older versions wrote them to files of their own.
	found, err := list(ctx, s.objects, inbox, func(name string) bool { return strings.HasSuffix(name, tempSuffix) })
	if err != nil {
		return err
	}
	found = slices.DeleteFunc(found, func(f blob.Info) bool { return !s.olderThan(leftoverAfter, f.Modified) })
	return s.objects.Delete(ctx, namesOf(found)...)
}

// olderThan reports whether a time is longer ago than that.
func (s *Store) olderThan(age time.Duration, t time.Time) bool { return s.o.Now().Sub(t) > age }
