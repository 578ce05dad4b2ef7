package file

import (
	"context"
	"errors"
	"io/fs"
)

// matchedFile is a file that the path matches.
type matchedFile struct {
	path    string
	info    fs.FileInfo
	id      fileID
	claimed bool
}

// matchedFiles returns the files that the path matches and that are there, and what kept it
// from finding more. It is never cut off: the files behind would look like ones that are gone.
func (s *Source) matchedFiles() (all []*matchedFile, problems []error) {
	ctx := context.Background()
	found, problems := s.match(ctx)
	for _, e := range found {
		switch {
		case errors.Is(e.Err, fs.ErrNotExist): // it was renamed or removed meanwhile
		case e.Err != nil:
			problems = append(problems, e.Err)
		case e.Info.Mode().IsRegular():
			all = append(all, &matchedFile{path: e.Path, info: e.Info, id: idOf(e.Info)})
		}
	}
	return all, problems
}
