package parquet

import (
	"errors"

	"github.com/starlift-etl/starlift/pipeline/disk"
)

// publishedFile, which Prepare makes, lists, in an epoch's spool, those of its files that are published. A commit
// that is repeated does not make these again: somebody may have deleted one since. What
// can't be known is only what happened between the store's answer and the note.
const publishedFile = "published"

// notePublished notes the names that come, until there are no more. Those that come while
// others are synced share the next sync.
func notePublished(log *disk.Log, names <-chan string) (err error) {
	for name := range names {
		if err != nil {
			continue // what is not noted is looked for when the commit is repeated
		}
		err = log.Add(append([]string{name}, waiting(names)...)...)
	}
	return errors.Join(err, log.Close())
}

// waiting returns the names that are there already.
func waiting(names <-chan string) (all []string) {
	for {
		select {
		case name, ok := <-names:
			if !ok {
				return all
			}
			all = append(all, name)
		default:
			return all
		}
	}
}
