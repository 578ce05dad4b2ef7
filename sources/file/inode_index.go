package file

import (
	"context"
	"path/filepath"

	"github.com/starlift-etl/starlift/sources/file/listing"
)

// inodeIndex holds the paths of the files in folders, by the files' identity. A folder is
// listed once.
type inodeIndex struct {
	files   *listing.Tree
	folders map[string]map[fileID]string
}

func newInodeIndex(files *listing.Tree) *inodeIndex {
	return &inodeIndex{files: files, folders: map[string]map[fileID]string{}}
}

// find returns the path of a file that was at a path, if it is still in that folder; empty =
// it is not.
func (in *inodeIndex) find(ctx context.Context, id fileID, path string) string {
	if !id.known() {
		return ""
	}
	dir := filepath.Dir(path)
	if in.folders[dir] == nil {
		in.folders[dir] = map[fileID]string{}
		entries, err := in.files.ReadDir(ctx, dir)
		if err != nil {
			return "" // the folder is gone, and the file with it
		}
		for _, e := range entries {
			if !e.Link && e.Info.Mode().IsRegular() {
				in.folders[dir][idOf(e.Info)] = e.Path
			}
		}
	}
	return in.folders[dir][id]
}
