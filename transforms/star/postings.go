package star

import (
	"encoding/binary"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// postingShard is a part of the facts that refer to one row.
type postingShard struct {
	key   pipeline.Hash
	row   int32
	facts []byte
}

// shardKey returns the key in the state of a row's shard, in the row's key group.
func (l *lookupPart) shardKey(row pipeline.Hash, shards, i int32) pipeline.Hash {
	l.scratch = packed.AppendHash(append(l.scratch[:0], tagShard), row)
	l.scratch = binary.AppendUvarint(l.scratch, uint64(shards))
	l.scratch = binary.AppendUvarint(l.scratch, uint64(i))
	return hashOf(l.scratch).Beside(row)
}

// shardOf returns the shard of a fact.
func shardOf(fact pipeline.Hash, shards int32) int32 { return int32(fact.Lo & uint64(shards-1)) }

// loadShards reads shards by key; missing ones are empty.
func (l *lookupPart) loadShards(shards []postingShard) error {
	return l.work.finder.Find(l.state, len(shards), func(i int32) pipeline.Hash { return shards[i].key }, func(i int32, v []byte) {
		shards[i].facts = v
	})
}

// appendShards appends the keys of all of a row's shards.
func (l *lookupPart) appendShards(dst []postingShard, row int32) []postingShard {
	r := &l.entries[row]
	for i := range r.shards {
		dst = append(dst, postingShard{key: l.shardKey(r.hash, r.shards, i), row: row})
	}
	return dst
}

// flushShards writes the deltas of the rows to their shards, and spreads the facts of rows
// over more or fewer shards where they have become too many or too few.
func (l *lookupPart) flushShards() error {
	if err := l.applyDeltas(); err != nil {
		return err
	}
	var rows []int32
	for i := range l.entries {
		if r := &l.entries[i]; r.changed && r.needsResharding() {
			rows = append(rows, int32(i))
		}
	}
	return l.reshard(rows)
}

// needsResharding reports whether the row has too many facts, or far too few, for the
// number of its shards.
func (r *lookupRow) needsResharding() bool {
	if r.shards == 0 {
		return len(r.facts) > inlineFactsMax*hashBytes
	}
	shards := int(r.shards)
	return r.postings > shards*2*shardFactsMean || r.postings < shards*shardFactsMean/8
}

// applyDeltas writes the shards that facts were added to or removed from.
func (l *lookupPart) applyDeltas() error {
	var shards []postingShard
	at := map[pipeline.Hash]int{}
	var changes []shardChange
	for i := range l.entries {
		r := &l.entries[i]
		if r.delta == nil {
			continue
		}
		for _, list := range [][]pipeline.Hash{r.delta.removed, r.delta.added} {
			for _, fact := range list {
				key := l.shardKey(r.hash, r.shards, shardOf(fact, r.shards))
				if _, ok := at[key]; !ok {
					at[key] = 0
					shards = append(shards, postingShard{key: key, row: int32(i)})
				}
				changes = append(changes, shardChange{key, fact})
			}
		}
		r.postings += len(r.delta.added) - len(r.delta.removed)
	}
	if len(shards) == 0 {
		return nil
	}
	if err := l.loadShards(shards); err != nil {
		return err
	}
	for i := range shards {
		at[shards[i].key] = i
		shards[i].facts = slices.Clone(shards[i].facts)
	}
	next := 0
	for i := range l.entries {
		r := &l.entries[i]
		if r.delta == nil {
			continue
		}
		for range r.delta.removed {
			s := &shards[at[changes[next].shard]]
			s.facts = without(s.facts, packed.AppendHash(l.scratch[:0], changes[next].fact))
			next++
		}
		for range r.delta.added {
			s := &shards[at[changes[next].shard]]
			s.facts = packed.AppendHash(s.facts, changes[next].fact)
			next++
		}
		r.delta = nil
	}
	l.putShards(shards)
	return nil
}

type shardChange struct {
	shard pipeline.Hash
	fact  pipeline.Hash
}

func (l *lookupPart) putShards(shards []postingShard) {
	for _, s := range shards {
		if len(s.facts) == 0 {
			s.facts = nil
		}
		l.state.Put(s.key, s.facts)
	}
}

// reshard spreads the facts of rows over as many shards as they need.
func (l *lookupPart) reshard(rows []int32) error {
	var old []postingShard
	for _, row := range rows {
		old = l.appendShards(old, row)
	}
	if err := l.loadShards(old); err != nil {
		return err
	}
	facts := map[int32][]byte{}
	for _, s := range old {
		facts[s.row] = append(facts[s.row], s.facts...)
	}
	var all []postingShard
	for i := range old {
		all = append(all, postingShard{key: old[i].key}) // its entry is deleted
	}
	for _, row := range rows {
		r := &l.entries[row]
		if r.shards == 0 {
			facts[row] = r.facts
			r.postings = len(r.facts) / hashBytes
		}
		if r.postings <= inlineFactsMax {
			r.facts, r.shards = facts[row], 0
			continue
		}
		r.facts, r.shards = nil, shardsFor(r.postings)
		all = append(all, l.distribute(row, facts[row])...)
	}
	l.putShards(all)
	return nil
}

// shardsFor returns the number of shards for so many facts.
func shardsFor(facts int) int32 {
	n := 2
	for n*shardFactsMean < facts {
		n *= 2
	}
	return int32(n)
}

// distribute returns the shards of a row.
func (l *lookupPart) distribute(row int32, facts []byte) []postingShard {
	r := &l.entries[row]
	shards := l.appendShards(nil, row)
	for at := 0; at < len(facts); at += hashBytes {
		h := hashAt(facts, at)
		s := &shards[shardOf(h, r.shards)]
		s.facts = packed.AppendHash(s.facts, h)
	}
	return shards
}
