package settle

import (
	"github.com/starlift-etl/starlift/pipeline"
)

// State is what settling by one policy keeps.
type State struct {
	Items OrderedKeyspace // by item
	Keys  Keyspace        // by row key
}

// OrderedKeyspace is a Keyspace of which a part can be read.
type OrderedKeyspace interface {
	Keyspace
	// Range calls f for every entry from one key up to before another, the zero key standing
	// for the end, in the order of their keys, until it returns an error. Entries are as Lookup
	// finds them. f must not call Lookup or Put; the value is valid during the call.
	Range(from, to pipeline.Hash, f func(key pipeline.Hash, value []byte) error) error
}

// Keyspace is a table from hashes to values. What an epoch puts is saved with it. Several
// goroutines may use it at a time if the keys that they use are of different key groups.
type Keyspace interface {
	// Lookup finds the values of keys, which are sorted and differ; nil = there
	// is none. The values are not to be changed, and valid until the epoch ends.
	Lookup(keys []pipeline.Hash, values [][]byte) error
	// Prefetch reads where some tens of keys are that are about to be put, so that
	// the waits for memory overlap. It changes nothing.
	Prefetch(keys []pipeline.Hash)
	// Put sets the value of a key; nil deletes it. The value is copied.
	Put(key pipeline.Hash, value []byte)
	// PutAll is Put for some tens of keys.
	PutAll(keys []pipeline.Hash, values [][]byte)
	// Scan calls f for up to limit saved entries from a key on and before another one, of
	// the zero key for all, and returns the key to go on at, and whether there are no
	// more. An entry written since may be newer than what it shows: Lookup tells.
	Scan(from, to pipeline.Hash, limit int, f func(pipeline.Hash, []byte)) (next pipeline.Hash, end bool, err error)
}
