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

// members are the members of an epoch: those that its rows and facts touch.
type members struct {
	state pipeline.Keyspace
	long  overflow.Values      // of very many upserts of one time
	next  map[*dimension]int64 // the next key of a sequence
	open  map[*dimension]int64 // members that are inferred
	index byhash.Index
	surrogates
	all   []memberEntry
	fresh int // those before have been looked up

	arena  *reuse.Arena // of the epoch
	finder *byhash.Finder

	scratch    []byte
	keys       []pipeline.Hash
	prefetched int64 // of no meaning, so that it is read
}

// memberEntry is a member that the epoch touches.
type memberEntry struct {
	offered newest // by the epoch's log
	memberState
	dimension *dimension
	hash      pipeline.Hash    // its key in the state
	whole     pipeline.Hash    // of its dimension and natural key; zero = not known here
	version   pipeline.Version // of the change that touched it last
	known     bool             // it is in the state
	long      []byte           // its entry there, if its value is in pages
	changed   bool
	was       shown // how it was given out last
}

func newMembers(state pipeline.Keyspace, finder *byhash.Finder, arena *reuse.Arena) *members {
	return &members{state: state, long: overflow.Values{State: state, InlineBytes: overflow.DefaultInlineBytes}, finder: finder, arena: arena, next: map[*dimension]int64{}, open: map[*dimension]int64{}}
}

// hash returns the hash of a dimension and a natural key.
func (m *members) hash(d *dimension, naturalKey [][]byte) pipeline.Hash {
	m.scratch = append(m.scratch[:0], d.seed...)
	for _, v := range naturalKey {
		m.scratch = append(m.scratch, v...)
	}
	return hashOf(m.scratch)
}

// stateKey returns the key in the state of a member with a hash. A hashed
// dimension's members are kept by their surrogate keys, so that two natural keys
// that share one meet.
func (d *dimension) stateKey(whole pipeline.Hash) pipeline.Hash {
	if !d.hashed {
		return whole
	}
	key := max(1, whole.Hi>>1)
	return pipeline.Hash{Hi: key, Lo: d.id ^ key} // the state's tables want low bits that differ
}

// memberRef is a reference of a fact to a member: its surrogate key, or an entry
// that has it once it is loaded. Neither is the unknown member.
type memberRef struct {
	key int64
	at  int32 // of members.all; -1 = none
}

// remembered returns a reference to a member whose surrogate key is remembered.
func (m *members) remembered(d *dimension, whole pipeline.Hash) (memberRef, bool) {
	if d.onDelete == pipeline.Delete {
		return memberRef{}, false
	}
	key, ok := m.surrogates.get(whole)
	return memberRef{key: key, at: -1}, ok
}

// touch returns the entry of a member, new or there already.
func (m *members) touch(d *dimension, naturalKey [][]byte) (int32, error) {
	whole := m.hash(d, naturalKey)
	m.scratch = packed.JoinRow(m.scratch[:0], naturalKey)
	return m.touchWhole(d, whole, m.scratch)
}

// touchWhole is touch by the hash of the natural key, which is packed; it keeps a
// copy of that.
func (m *members) touchWhole(d *dimension, whole pipeline.Hash, naturalKey []byte) (int32, error) {
	h := d.stateKey(whole)
	i, added := m.index.Add(h, int32(len(m.all)))
	if added {
		m.all = append(m.all, memberEntry{dimension: d, hash: h, whole: whole, memberState: memberState{naturalKey: m.arena.Copy(naturalKey)}})
		return i, nil
	}
	e := &m.all[i]
	switch {
	case e.naturalKey == nil: // touched by its hash, and not loaded yet
		e.naturalKey, e.whole = m.arena.Copy(naturalKey), whole
	case d.hashed:
		return i, e.same(naturalKey)
	}
	return i, nil
}

// prefetch reads the entries of members by their keys in the state, all at once, for
// the touches that follow.
func (m *members) prefetch(keys []pipeline.Hash) {
	m.index.Prefetch(keys)
	for _, key := range keys {
		if i, ok := m.index.Get(key); ok {
			e := &m.all[i]
			m.prefetched += e.offered.time + int64(len(e.naturalKey))
		}
	}
}

// touchHash returns the entry of a member that the state has.
func (m *members) touchHash(d *dimension, h pipeline.Hash) int32 {
	i, added := m.index.Add(h, int32(len(m.all)))
	if added {
		m.all = append(m.all, memberEntry{dimension: d, hash: h})
	}
	return i
}

// same refuses another natural key with the same surrogate key.
func (e *memberEntry) same(naturalKey []byte) error {
	if naturalKey == nil || bytes.Equal(e.naturalKey, naturalKey) {
		return nil
	}
	return fmt.Errorf("dimension %q: two natural keys have one hash, %d: use keys: sequence, or another name for the dimension", e.dimension.name, e.hash.Hi)
}

// load reads the entries touched since the last load, and gives keys to those
// that are new, in the order in which they were touched.
func (m *members) load() error {
	fresh := m.all[m.fresh:]
	var clash, failed error
	err := m.finder.Find(m.state, len(fresh), func(i int32) pipeline.Hash { return fresh[i].hash }, func(i int32, v []byte) {
		e := &fresh[i]
		naturalKey := e.naturalKey
		if v[0] == overflow.Head {
			var err error
			e.long = v
			if v, err = m.long.Whole(e.hash, v); err != nil {
				failed = err
				return
			}
		}
		e.memberState = decodeMember(v)
		e.known = true
		e.was = e.shown(e.dimension)
		clash = cmp.Or(clash, e.same(naturalKey))
	})
	if err = cmp.Or(err, failed, clash); err != nil {
		return err
	}
	for i := range fresh {
		e := &fresh[i]
		m.add(e)
		if e.whole != (pipeline.Hash{}) && e.dimension.onDelete != pipeline.Delete {
			m.surrogates.put(e.whole, e.key)
		}
	}
	m.fresh = len(m.all)
	return nil
}

// add makes a member of an entry that the state does not have.
func (m *members) add(e *memberEntry) {
	if e.known {
		return
	}
	e.changed = true
	if e.dimension.hashed {
		e.key = int64(e.hash.Hi)
		return
	}
	m.next[e.dimension]++
	e.key = m.next[e.dimension]
}

// bring completes the loaded members by what they were offered, unless they have
// newer attributes.
func (m *members) bring() {
	for i := range m.all {
		if e := &m.all[i]; e.offered.seen && e.newest.join(&e.offered) {
			e.version, e.changed = e.newest.brought[0].Version, true
		}
	}
}

// use counts the facts that refer to a member of a dimension that takes
// members away.
func (m *members) use(e *memberEntry, n int64, v *pipeline.Version) {
	if e.dimension.onDelete != pipeline.Delete {
		return
	}
	e.uses += n
	e.version, e.changed = *v, true
}

// flush gives the changed members out and writes them to the state. Those of
// dimensions that take members away stay until the last flush of the epoch: a
// later fact may bring them back.
func (m *members) flush(out *output, last bool) error {
	var kept []memberEntry
	for i := range m.all {
		if i%ahead == 0 {
			m.keys = keysAhead(m.keys, i, m.all, func(e *memberEntry) (pipeline.Hash, bool) { return e.hash, e.changed })
			m.state.Prefetch(m.keys)
		}
		e := &m.all[i]
		if e.dimension.onDelete == pipeline.Delete && !last {
			kept = append(kept, *e)
			continue
		}
		if !e.changed {
			continue
		}
		m.open[e.dimension] += out.member(e)
		m.scratch = e.append(m.scratch[:0], e.dimension.tracks())
		if err := m.long.Put(e.hash, e.long, m.scratch); err != nil {
			return err
		}
	}
	m.index.Clear()
	m.all = append(reuse.Emptied(m.all), kept...)
	m.fresh = len(m.all)
	for i := range m.all {
		m.index.Add(m.all[i].hash, int32(i))
	}
	return nil
}
