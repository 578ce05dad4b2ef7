package listing

import (
	"io/fs"
	"path"
	"time"

	"github.com/starlift-etl/starlift/pipeline/blob"
)

// objectInfo describes an object that is no local file, or a folder, as a file.
type objectInfo struct{ of blob.Info }

var _ fs.FileInfo = objectInfo{}

func (o objectInfo) Name() string       { return path.Base(o.of.Name) }
func (o objectInfo) Size() int64        { return o.of.Size }
func (o objectInfo) ModTime() time.Time { return o.of.Modified }
func (o objectInfo) IsDir() bool        { return o.of.IsFolder() }
func (o objectInfo) Sys() any           { return nil }

func (o objectInfo) Mode() fs.FileMode {
	if o.IsDir() {
		return fs.ModeDir
	}
	return 0
}
