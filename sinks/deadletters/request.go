package deadletters

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/starlift-etl/starlift/pipeline/disk"
)

// requested is a line of a request: a letter that is to be read again.
type requested struct {
	ID      string `json:"id"`
	StateID string `json:"state_id"`
	*Letter
}

// Request asks for letters to be read again. Nobody sees it before Place.
type Request struct {
	lines
	dir string
}

// NewRequest returns an empty request.
func (d Folder) NewRequest() (*Request, error) {
	id := make([]byte, 6)
	if _, err := rand.Read(id); err != nil {
		return nil, err
	}
	dir := inboxOf(d.Dir, d.Pipeline)
	name := time.Now().UTC().Format("20060102T150405Z") + "-" + hex.EncodeToString(id) + suffix
	return &Request{lines{path: filepath.Join(dir, name)}, dir}, nil
}

// Add adds a letter.
func (r *Request) Add(f *Found) error { return r.add(requested{f.ID, f.StateID, f.Letter}) }

// Place puts the request where the pipeline finds it, and returns its path and
// how many letters it has; one without letters is dropped. It is durable then.
func (r *Request) Place() (path string, letters int64, err error) {
	if r.f == nil {
		return "", 0, nil
	}
	if _, err := r.finish(); err != nil {
		return "", 0, errors.Join(err, os.Remove(r.path+tempSuffix))
	}
	if err := os.Rename(r.path+tempSuffix, r.path); err != nil {
		return "", 0, err
	}
	return r.path, r.n, disk.SyncDir(r.dir)
}

// Requests returns the paths of the requests that wait, or are being read.
func (d Folder) Requests() ([]string, error) { return requests(d.Dir, d.Pipeline) }

// DropRequests removes them; the letters stay.
func (d Folder) DropRequests() error {
	paths, err := d.Requests()
	for _, path := range paths {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// Drop drops a request that was not placed.
func (r *Request) Drop() { r.abort() }
