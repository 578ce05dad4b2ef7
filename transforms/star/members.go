package star

import (
	"bytes"
	"cmp"
	"fmt"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/byhash"
	"github.com/starlift-etl/starlift/pipeline/overflow"
	"github.com/starlift-etl/starlift/pipeline/packed"
	"github.com/starlift-etl/starlift/pipeline/reuse"
)

// members are the members of an epoch: those that its rows and facts refer to.
type members struct {
	state    pipeline.Keyspace
	long     overflow.Values      // values that are in pages: very many upserts of one time
	lastKey  map[*dimension]int64 // the key of a sequence that was assigned last
	inferred map[*dimension]int64 // the number of inferred members
	index    byhash.Index
	keyCache
	entries []memberEntry
	loaded  int // the number of entries that have been looked up

	arena  *reuse.Arena // of the epoch
	finder *byhash.Finder

	scratch     []byte
	keys        []pipeline.Hash
	prefetchSum int64
}

// memberEntry is a member that the epoch refers to.
type memberEntry struct {
	incoming latestAttributes // of the epoch's log
	memberState
	dimension      *dimension
	stateKey       pipeline.Hash    // its key in the state
	naturalKeyHash pipeline.Hash    // of its dimension and natural key; zero = the entry was made by its key in the state
	version        pipeline.Version // of the change that changed it last
	inState        bool             // it is in the state
	stored         []byte           // its entry there, if its value is in pages; nil else
	changed        bool
	before         memberRow // its row as it was emitted last
}

func newMembers(state pipeline.Keyspace, finder *byhash.Finder, arena *reuse.Arena) *members {
	return &members{state: state, long: overflow.Values{State: state, InlineBytes: overflow.DefaultInlineBytes}, finder: finder, arena: arena, lastKey: map[*dimension]int64{}, inferred: map[*dimension]int64{}}
}

// hashNaturalKey returns the hash of a dimension and a natural key.
func (m *members) hashNaturalKey(d *dimension, naturalKey [][]byte) pipeline.Hash {
	m.scratch = append(m.scratch[:0], d.seed...)
	for _, v := range naturalKey {
		m.scratch = append(m.scratch, v...)
	}
	return hashOf(m.scratch)
}

// stateKey returns the key in the state of the member whose dimension and natural key have
// a hash. Where surrogate keys are hashes, it is made of the surrogate key, so that two
// natural keys that share one are found out.
func (d *dimension) stateKey(naturalKeyHash pipeline.Hash) pipeline.Hash {
	if !d.hashKeys {
		return naturalKeyHash
	}
	key := max(1, naturalKeyHash.Hi>>1)
	return pipeline.Hash{Hi: key, Lo: d.id ^ key} // the state's hash tables go by the low bits
}

// memberRef is a reference of a fact to a member: its surrogate key, or an entry that has
// it once it is loaded. With neither it refers to the unknown member.
type memberRef struct {
	key   int64
	entry int32 // of members.entries; -1 = none
}

// cachedKey returns a reference to a member whose surrogate key is in the cache. Facts that
// refer to members which may be taken away are counted, which needs the entry.
func (m *members) cachedKey(d *dimension, naturalKeyHash pipeline.Hash) (memberRef, bool) {
	if d.onDelete == pipeline.Delete {
		return memberRef{}, false
	}
	key, ok := m.keyCache.get(naturalKeyHash)
	return memberRef{key: key, entry: -1}, ok
}

// entryOf returns the entry of a member, new or there already.
func (m *members) entryOf(d *dimension, naturalKey [][]byte) (int32, error) {
	naturalKeyHash := m.hashNaturalKey(d, naturalKey)
	m.scratch = packed.JoinRow(m.scratch[:0], naturalKey)
	return m.entryByHash(d, naturalKeyHash, m.scratch)
}

// entryByHash is entryOf for a natural key that is packed, and its hash. It copies the key.
func (m *members) entryByHash(d *dimension, naturalKeyHash pipeline.Hash, naturalKey []byte) (int32, error) {
	h := d.stateKey(naturalKeyHash)
	i, added := m.index.Add(h, int32(len(m.entries)))
	if added {
		m.entries = append(m.entries, memberEntry{dimension: d, stateKey: h, naturalKeyHash: naturalKeyHash, memberState: memberState{naturalKey: m.arena.Copy(naturalKey)}})
		return i, nil
	}
	e := &m.entries[i]
	switch {
	case e.naturalKey == nil: // the entry was made by its key in the state, and is not loaded yet
		e.naturalKey, e.naturalKeyHash = m.arena.Copy(naturalKey), naturalKeyHash
	case d.hashKeys:
		return i, e.checkNaturalKey(naturalKey)
	}
	return i, nil
}

// prefetch reads ahead the entries of members by their keys in the state.
func (m *members) prefetch(keys []pipeline.Hash) {
	m.index.Prefetch(keys)
	for _, key := range keys {
		if i, ok := m.index.Get(key); ok {
			e := &m.entries[i]
			m.prefetchSum += e.incoming.time + int64(len(e.naturalKey))
		}
	}
}

// entryByStateKey returns the entry of a member that the state has, or that has an entry
// already.
func (m *members) entryByStateKey(d *dimension, h pipeline.Hash) int32 {
	i, added := m.index.Add(h, int32(len(m.entries)))
	if added {
		m.entries = append(m.entries, memberEntry{dimension: d, stateKey: h})
	}
	return i
}

// checkNaturalKey refuses another natural key that has the same surrogate key.
func (e *memberEntry) checkNaturalKey(naturalKey []byte) error {
	if naturalKey == nil || bytes.Equal(e.naturalKey, naturalKey) {
		return nil
	}
	return fmt.Errorf("dimension %q: two natural keys have one hash, %d: use keys: sequence, or another name for the dimension", e.dimension.name, e.stateKey.Hi)
}

// load reads the entries made since the last load, and assigns keys to members that are
// new, in the order in which their entries were made.
func (m *members) load() error {
	fresh := m.entries[m.loaded:]
	var clash, failed error
	err := m.finder.Find(m.state, len(fresh), func(i int32) pipeline.Hash { return fresh[i].stateKey }, func(i int32, v []byte) {
		e := &fresh[i]
		naturalKey := e.naturalKey
		if v[0] == overflow.Head {
			var err error
			e.stored = v
			if v, err = m.long.Whole(e.stateKey, v); err != nil {
				failed = err
				return
			}
		}
		e.memberState = decodeMember(v)
		e.inState = true
		e.before = e.visible(e.dimension)
		clash = cmp.Or(clash, e.checkNaturalKey(naturalKey))
	})
	if err = cmp.Or(err, failed, clash); err != nil {
		return err
	}
	for i := range fresh {
		e := &fresh[i]
		m.assignKey(e)
		if e.naturalKeyHash != (pipeline.Hash{}) && e.dimension.onDelete != pipeline.Delete {
			m.keyCache.put(e.naturalKeyHash, e.key)
		}
	}
	m.loaded = len(m.entries)
	return nil
}

// assignKey gives a surrogate key to a member that the state does not have.
func (m *members) assignKey(e *memberEntry) {
	if e.inState {
		return
	}
	e.changed = true
	if e.dimension.hashKeys {
		e.key = int64(e.stateKey.Hi)
		return
	}
	m.lastKey[e.dimension]++
	e.key = m.lastKey[e.dimension]
}

// applyAttributes takes what the epoch's log brought to the loaded members, but for those
// that have newer attributes.
func (m *members) applyAttributes() {
	for i := range m.entries {
		if e := &m.entries[i]; e.incoming.seen && e.latestAttributes.addAll(&e.incoming) {
			e.version, e.changed = e.latestAttributes.versions[0].Version, true
		}
	}
}

// addReferences adds to the reference count of a member, if its dimension takes members
// away.
func (m *members) addReferences(e *memberEntry, n int64, v *pipeline.Version) {
	if e.dimension.onDelete != pipeline.Delete {
		return
	}
	e.refCount += n
	e.version, e.changed = *v, true
}

// flush emits the changed members and writes them to the state. Those of dimensions that
// take members away stay until the last flush of the epoch: a later fact may refer to one
// again.
func (m *members) flush(out *output, last bool) error {
	var remaining []memberEntry
	for from, to := range batches(len(m.entries)) {
		batch := m.entries[from:to]
		m.keys = keysOf(m.keys[:0], batch, func(e *memberEntry) (pipeline.Hash, bool) { return e.stateKey, e.changed })
		m.state.Prefetch(m.keys)
		for i := range batch {
			e := &batch[i]
			switch {
			case e.dimension.onDelete == pipeline.Delete && !last:
				remaining = append(remaining, *e)
			case e.changed:
				if err := m.write(e, out); err != nil {
					return err
				}
			}
		}
	}
	m.index.Clear()
	m.entries = append(reuse.Emptied(m.entries), remaining...)
	m.loaded = len(m.entries)
	for i := range m.entries {
		m.index.Add(m.entries[i].stateKey, int32(i))
	}
	return nil
}

// write emits a changed member, and writes it to the state.
func (m *members) write(e *memberEntry, out *output) error {
	m.inferred[e.dimension] += out.member(e)
	m.scratch = e.append(m.scratch[:0], e.dimension.tracks())
	return m.long.Put(e.stateKey, e.stored, m.scratch)
}
