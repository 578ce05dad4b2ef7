package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/sources/file/listing"
)

const (
	// namesPerRequest is the number of names that a store lists in one request.
	namesPerRequest = 1000
	// allListedMax bounds the time until all names are listed again, however many there are.
	allListedMax = 10 * time.Minute
	// allListedPause is how many times as long as it took passes at least before all names are
	// listed again.
	allListedPause = 2
	// listingTold is how often people are told of a listing that goes on.
	listingTold = 10 * time.Second
)

// eventListing is the event of notices that names are being listed, which takes long.
const eventListing = "listing"

// objectFinder lists what a path matches in an object store, again and again, and bounds what
// that costs: a request lists a thousand names. Where there are more, it asks at each look
// only for the names behind the last one, which takes one request if nothing is new there; and
// for all names after as many looks as that takes requests, so that it is about two requests
// a look, but at least every allListedMax.
type objectFinder struct {
	source   *Source
	objects  *listing.Objects
	last     string // of the names that were listed, in their order
	listings int    // of all names, so far
	requests int    // of the last one
	allDue   time.Time
	told     map[string]bool // why names could not be listed
}

// look is what a listing shows.
type look struct {
	found []foundObject
	names int
	all   bool  // it is a listing of all names
	err   error // why it was broken off
}

// foundObject is an object that a listing has.
type foundObject struct {
	path string
	info fs.FileInfo
}

// newObjectFinder finds out what the path is: one object, a folder or a pattern.
func (s *Source) newObjectFinder(ctx context.Context) (*objectFinder, error) {
	f := &objectFinder{source: s, told: map[string]bool{}}
	at := s.cfg.Path
	if listing.IsPattern(at) {
		f.objects, _ = s.files.Objects(at)
		return f, nil
	}
	e, err := s.files.Stat(ctx, at)
	folder, names := at, "*"
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("path %q: %w", at, err)
	case err == nil && !e.Info.IsDir():
		folder, _ = s.files.Parent(at)
		names = path.Base(at)
	}
	f.objects, _ = s.files.ObjectsBelow(folder, names)
	return f, nil
}

// look lists all names, if that is due, or those behind the last one.
func (f *objectFinder) look(ctx context.Context) look {
	if f.requests <= 1 || !f.source.now().Before(f.allDue) {
		return f.lookAtAll(ctx)
	}
	l := f.lookBehind(ctx, f.last)
	f.tellError(ctx, l.err)
	return l
}

// lookAtAll lists all names: also those that come before others which were listed already, and
// so shows which are gone.
func (f *objectFinder) lookAtAll(ctx context.Context) look {
	started := f.source.now()
	f.listings++
	l := f.lookBehind(ctx, "")
	l.all = true
	if l.err == nil {
		f.requests = (l.names + namesPerRequest - 1) / namesPerRequest
	}
	f.tellError(ctx, l.err)
	now, poll := f.source.now(), time.Duration(f.source.cfg.Poll)
	f.allDue = now.Add(max(poll, min(time.Duration(f.requests)*poll, allListedMax), allListedPause*now.Sub(started)))
	return l
}

func (f *objectFinder) lookBehind(ctx context.Context, after string) (l look) {
	for e, err := range f.objects.All(ctx, after, func(name string) {
		l.names++
		if name > f.last && !strings.HasSuffix(name, "/") {
			f.last = name
		}
	}) {
		if err != nil {
			l.err = err
			break
		}
		if !e.Info.IsDir() {
			l.found = append(l.found, foundObject{e.Path, e.Info})
		}
	}
	return l
}

// tellError notifies of what keeps names from being listed, once for as long as that is so.
func (f *objectFinder) tellError(ctx context.Context, err error) {
	if err == nil || ctx.Err() != nil {
		clear(f.told)
		f.source.waiting.set(nil)
		return
	}
	text := err.Error()
	if !f.told[text] && len(f.told) < errorsListedMax {
		f.told[text] = true
		f.source.notify(eventUnreadable, "objects can't be listed, trying again: "+text)
	}
	f.source.waiting.set([]string{"objects can't be listed: " + text})
}

// listingProgress tells people of a listing that takes long. It is called now and then while
// that goes on.
type listingProgress struct {
	source *Source
	told   time.Time
}

func (p *listingProgress) listed(folder string, names int) {
	text := fmt.Sprintf("%s: %d names listed so far", folder, names)
	p.source.waiting.set([]string{text})
	now := p.source.now()
	if p.told.IsZero() || names <= namesPerRequest {
		p.told = now // a listing begins
	}
	if now.Sub(p.told) >= listingTold {
		p.told = now
		p.source.env.Notify(pipeline.Notice{Event: eventListing, Message: text})
	}
}
