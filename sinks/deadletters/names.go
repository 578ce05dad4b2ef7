package deadletters

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
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

// files returns the paths of a pipeline's files with a suffix, oldest first.
func files(dir, pipeline, suffix string) ([]string, error) {
	return list(dir, func(name string) bool {
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

// list returns the paths of the folder's files that want says, sorted by name;
// none when there is no folder.
func list(dir string, want func(name string) bool) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var paths []string
	for _, e := range entries {
		if want(e.Name()) {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths, nil
}

// fileOf returns the file that a letter's id names.
func fileOf(id string) string {
	name, _, _ := strings.Cut(id, ":")
	return name
}

func inboxOf(dir, pipeline string) string { return filepath.Join(dir, inboxFolder, pipeline) }

// requests returns the paths of a pipeline's requests.
func requests(dir, pipeline string) ([]string, error) {
	return list(inboxOf(dir, pipeline), func(name string) bool { return strings.HasSuffix(name, suffix) })
}
