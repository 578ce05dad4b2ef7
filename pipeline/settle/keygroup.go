package settle

import (
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
)

// State is what settling by one policy keeps in a key group.
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

// Keyspace is a table from hashes to values. What an epoch puts is saved with it.
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
	// Scan calls f for up to limit saved entries from a key on, and returns the key to go
	// on at, and whether the end was reached. An entry written since may be newer than
	// what it shows: Lookup tells.
	Scan(from pipeline.Hash, limit int, f func(pipeline.Hash, []byte)) (next pipeline.Hash, end bool, err error)
}

// keyGroup settles the items and row keys of one key group: a part of the state that
// nobody else touches. It works in two phases. The first is by item, and says what
// becomes of row keys; the second is by row key.
type keyGroup struct {
	epochBuffer
	items    itemPhase
	rows     rowPhase
	policies []*policySettler
}

func (g *keyGroup) open(s *Settler, o *Options) error {
	g.items = newItemPhase(s, o, &g.epochBuffer)
	g.rows = newRowPhase(s, o, &g.epochBuffer)
	for i, t := range o.Policies {
		p, err := newPolicySettler(t, s.tables, &g.epochBuffer)
		if err != nil {
			return err
		}
		p.output, p.severalInputs = len(o.Tables)+i, g.items.severalInputs
		g.policies = append(g.policies, p)
	}
	return nil
}

// settle takes the epoch's changes through both phases, by last-writer-wins first and then by
// each policy, since the policies have to know which changes came too late.
func (g *keyGroup) settle(ends []pipeline.SnapshotEnd) (*Result, error) {
	for i := range ends {
		if err := g.items.addMissing(&ends[i]); err != nil {
			return nil, err
		}
	}
	groups := g.byItem()
	keyChanges, err := g.items.run(groups)
	if err != nil {
		return nil, err
	}
	for _, p := range g.policies {
		p.rows.grow(g.added) // those of missing items have no rows
		if err := p.runItems(groups); err != nil {
			return nil, err
		}
	}
	r := g.items.result()
	if r.Rows, err = g.rows.run(keyChanges); err != nil {
		return nil, err
	}
	if err := g.items.sweep(); err != nil {
		return nil, err
	}
	for _, p := range g.policies {
		rows, err := p.runRows()
		if err != nil {
			return nil, err
		}
		if rows != nil {
			r.Rows = append(r.Rows, rows)
		}
	}
	g.items.reset()
	g.reset()
	slices.Sort(r.Rejected)
	return r, nil
}
