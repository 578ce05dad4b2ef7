package star

import "github.com/starlift-etl/starlift/pipeline"

// keyCache is a cache of the surrogate keys of members, which never change: most of the
// references of facts need nothing else of a member. A member's key has two slots to be in,
// and takes the place of the older key there.
//
// Where there are many more members than it has slots, and facts refer to any of them, hardly a
// key is found, and to look for it and to remember it costs more than to ask. Then it stays empty
// for some epochs.
type keyCache struct {
	slots  []cachedKey
	filled int // the number of slots that have a key
	max    int // the number of slots that it may have

	gets, hits int // of the epoch, while it was not empty
	idle       int // the number of epochs that it stays empty for
}

type cachedKey struct {
	member pipeline.Hash // of the dimension and the whole natural key
	key    int64         // 0 = free
}

const (
	cacheSlotsMin = 1 << 8
	cacheSlotsMax = 1 << 20 // of all parts: 24 MiB

	cacheGetsMin = 1 << 7 // what hits are judged by
	// cacheHitRateMin is one hit in so many gets: asking for a key takes some five times of what
	// a get and a put do.
	cacheHitRateMin = 4
	cacheIdleEpochs = 16
)

func (s *keyCache) get(member pipeline.Hash) (key int64, ok bool) {
	if s.filled == 0 {
		return 0, false
	}
	s.gets++
	if key = s.find(member); key != 0 {
		s.hits++
	}
	return key, key != 0
}

// find returns the key of a member; 0 = it is not there.
func (s *keyCache) find(member pipeline.Hash) (key int64) {
	for _, c := range s.set(member) {
		if c.member == member {
			return c.key
		}
	}
	return 0
}

// endEpoch decides whether the next epoch uses the cache: not if too little would be found even
// if it was full.
func (s *keyCache) endEpoch() {
	switch {
	case s.idle > 0:
		s.idle--
	case s.gets >= cacheGetsMin && s.hits*s.max*cacheHitRateMin < s.gets*s.filled:
		*s = keyCache{max: s.max, idle: cacheIdleEpochs}
	}
	s.gets, s.hits = 0, 0
}

// set returns the two slots that the member may be in.
func (s *keyCache) set(member pipeline.Hash) []cachedKey {
	at := int(member.Lo) & (len(s.slots) - 2)
	return s.slots[at : at+2 : at+2]
}

// put remembers a key in place of the older one of its set.
func (s *keyCache) put(member pipeline.Hash, key int64) {
	if s.idle > 0 || s.filled > 0 && s.find(member) != 0 {
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
	s.slots, s.filled = make([]cachedKey, max(cacheSlotsMin, 2*len(old))), 0
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
