package deadletters

import (
	"context"
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/starlift-etl/starlift/pipeline/blob"
)

const (
	suffix      = ".ndjson"   // of letters, and of a request
	markSuffix  = ".replayed" // of the names of letters that were read again
	tempSuffix  = ".tmp"
	inboxFolder = "inbox"
)

// epochName is the name without its suffix of an epoch's temporary file, and of
// the file of letters that it is the first in.
func epochName(pipeline, stateID string, epoch int64) string {
	return fmt.Sprintf("%s-%s-%012d", pipeline, stateID, epoch)
}

var epochFile = regexp.MustCompile(`^(.+)-([0-9a-f]{16})-[0-9]{12}(?:\.[0-9]+)?(\.ndjson|\.replayed)$`)

// owner returns the pipeline and the state id that a file's name carries.
func owner(name string) (pipeline, stateID string, ok bool) {
	m := epochFile.FindStringSubmatch(name)
	if m == nil {
		return "", "", false
	}
	return m[1], m[2], true
}

// files returns a pipeline's files with a suffix, oldest first.
func files(ctx context.Context, s blob.Store, pipeline, suffix string) ([]blob.Info, error) {
	return list(ctx, s, "", func(name string) bool {
		p, _, ok := owner(name)
		return ok && p == pipeline && strings.HasSuffix(name, suffix)
	})
}

// isOf reports whether a name is that of a file with a prefix of pipeline and state
// id, and a suffix.
func isOf(name, prefix, suffix string) bool {
	p, id, ok := owner(name)
	return ok && p+"-"+id+"-" == prefix && strings.HasSuffix(name, suffix)
}

// list returns the files in a folder, which is empty or ends with a slash, that want
// wants by the ends of their names, in the order of names.
func list(ctx context.Context, s blob.Store, folder string, want func(name string) bool) (found []blob.Info, err error) {
	for o, err := range s.List(ctx, folder, blob.ListOptions{}) {
		if err != nil {
			return nil, err
		}
		if !o.IsFolder() && want(path.Base(o.Name)) {
			found = append(found, o)
		}
	}
	return found, nil
}

func namesOf(files []blob.Info) (names []string) {
	for _, f := range files {
		names = append(names, f.Name)
	}
	return names
}

// fileOf returns the file that a letter's id names.
func fileOf(id string) string {
	name, _, _ := strings.Cut(id, ":")
	return name
}

func inboxOf(pipeline string) string { return inboxFolder + "/" + pipeline + "/" }

// requests returns a pipeline's requests.
func requests(ctx context.Context, s blob.Store, pipeline string) ([]blob.Info, error) {
	return list(ctx, s, inboxOf(pipeline), func(name string) bool { return strings.HasSuffix(name, suffix) })
}
