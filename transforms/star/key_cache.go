package star

import "github.com/starlift-etl/starlift/pipeline"

// keyCache is a cache of the surrogate keys of members, which never change: most of the
// references of facts need nothing else of a member. A member's key has two slots to be in,
// and takes the place of the older key there.
type keyCache struct {
	slots  []cachedKey
	filled int // the number of slots that have a key
	max    int // the number of slots that it may have
}

type cachedKey struct {
	member pipeline.Hash // of the dimension and the whole natural key
	key    int64         // 0 = free
}

const (
	cacheSlotsMin = 1 << 8
	cacheSlotsMax = 1 << 20 // of all parts: 24 MiB
)

func (s *keyCache) get(member pipeline.Hash) (key int64, ok bool) {
	if s.filled == 0 {
		return 0, false
	}
	for _, c := range s.set(member) {
		if c.member == member && c.key != 0 {
			return c.key, true
		}
	}
	return 0, false
}

// set returns the two slots that the member may be in.
func (s *keyCache) set(member pipeline.Hash) []cachedKey {
	at := int(member.Lo) & (len(s.slots) - 2)
	return s.slots[at : at+2 : at+2]
}

// put remembers a key in place of the older one of its set.
func (s *keyCache) put(member pipeline.Hash, key int64) {
	if _, ok := s.get(member); ok {
		return
	}
	if s.filled*2 >= len(s.slots) && len(s.slots) < s.max {
		s.grow()
	}
	set := s.set(member)
	if set[1].key == 0 {
		s.filled++
	}
	set[0], set[1] = cachedKey{member, key}, set[0]
}

func (s *keyCache) grow() {
	old := s.slots
	*s = keyCache{slots: make([]cachedKey, max(cacheSlotsMin, 2*len(old))), max: s.max}
	for _, c := range old {
		if c.key != 0 {
			set := s.set(c.member)
			if set[1].key == 0 {
				s.filled++
			}
			set[0], set[1] = c, set[0]
		}
	}
}
