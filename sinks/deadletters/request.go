package deadletters

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"time"
)

// requestLine is a line of a request: a letter that is to be read again.
type requestLine struct {
	ID      string `json:"id"`
	StateID string `json:"state_id"`
	*Letter
}

// Request asks for letters to be read again. No pipeline sees it before Submit.
type Request struct{ lines }

// NewRequest returns an empty request.
func (d Folder) NewRequest() (*Request, error) {
	id := make([]byte, 6)
	if _, err := rand.Read(id); err != nil {
		return nil, err
	}
	name := time.Now().UTC().Format("20060102T150405Z") + "-" + hex.EncodeToString(id) + suffix
	return &Request{lines{objects: d.Objects, name: inboxOf(d.Pipeline) + name}}, nil
}

// Add adds a letter.
func (r *Request) Add(ctx context.Context, f *Found) error {
	return r.add(ctx, requestLine{f.ID, f.StateID, f.Letter})
}

// Submit moves the request to the pipeline's inbox, where it is durable, and returns its
// path and the number of its letters. A request without letters is dropped.
func (r *Request) Submit() (path string, letters int64, err error) {
	if r.to == nil {
		return "", 0, nil
	}
	if err := r.finish(); err != nil {
		return "", 0, err
	}
	return r.objects.URL(r.name), r.n, nil
}

// Requests returns the paths of the requests that are waiting or being read.
func (d Folder) Requests(ctx context.Context) (paths []string, err error) {
	found, err := requests(ctx, d.Objects, d.Pipeline)
	for _, f := range found {
		paths = append(paths, d.Objects.URL(f.Name))
	}
	return paths, err
}

// DropRequests removes the requests that Requests returns. The letters that they ask for
// stay.
func (d Folder) DropRequests(ctx context.Context) error {
	found, err := requests(ctx, d.Objects, d.Pipeline)
	if err != nil {
		return err
	}
	return d.Objects.Delete(ctx, namesOf(found)...)
}

// Drop drops a request that was not submitted. An error leaves an unfinished file, which is
// removed after a day.
func (r *Request) Drop() { _ = r.abort() }
