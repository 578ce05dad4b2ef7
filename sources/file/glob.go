package file

import (
	"context"
	"errors"
	"fmt"

	"github.com/starlift-etl/starlift/sources/file/listing"
)

// match returns what the path matches, in order, and what kept it from finding more. Of a
// folder that is what is in it.
func (s *Source) match(ctx context.Context) (found []listing.Entry, problems []error) {
	if s.isFolder(ctx) {
		found, problems = s.files.Contents(ctx, s.cfg.Path)
	} else {
		found, problems = s.files.Match(ctx, s.cfg.Path)
	}
	for i, err := range problems {
		problems[i] = fmt.Errorf("path %q: %w", s.cfg.Path, err)
	}
	return found, problems
}

// isFolder reports whether the path is that of a folder. A pattern of objects is not asked
// for as a name, which would take two requests.
func (s *Source) isFolder(ctx context.Context) bool {
	if listing.IsPattern(s.cfg.Path) && s.files.IsRemote(s.cfg.Path) {
		return false
	}
	at, err := s.files.Stat(ctx, s.cfg.Path)
	return err == nil && at.Info.IsDir()
}

// matchAll is match where nothing may be missing.
func (s *Source) matchAll(ctx context.Context) ([]listing.Entry, error) {
	found, problems := s.match(ctx)
	return found, transient(errors.Join(problems...))
}
