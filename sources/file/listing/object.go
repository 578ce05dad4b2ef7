package listing

import (
	"io/fs"
	"path"
	"time"

	"github.com/starlift-etl/starlift/pipeline/blob"
)

// ObjectOf returns the object that an Entry's Info describes; ok = it is none of the local disk.
func ObjectOf(info fs.FileInfo) (o blob.Info, ok bool) {
	described, ok := info.(objectInfo)
	return described.of, ok
}

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
