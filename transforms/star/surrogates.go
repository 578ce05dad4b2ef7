package star

import "github.com/starlift-etl/starlift/pipeline"

// surrogates remembers surrogate keys of members, which never change: most of the
// references of facts need nothing else of a member. It is a cache of two-way
// sets, and forgets.
type surrogates struct {
	slots []surrogate
	n     int

	prefetched int64 // of no meaning, so that it is read
}

type surrogate struct {
	member pipeline.Hash // of the dimension and the whole natural key
	key    int64         // 0 = free
}

const (
	leastSurrogates = 1 << 10
	mostSurrogates  = 1 << 20 // 24 MiB
)

func (s *surrogates) get(member pipeline.Hash) (key int64, ok bool) {
	if s.n == 0 {
		return 0, false
	}
	for _, c := range s.set(member) {
		if c.member == member && c.key != 0 {
			return c.key, true
		}
	}
	return 0, false
}

// prefetch reads where the keys of members may be, all at once, for the gets that
// follow.
func (s *surrogates) prefetch(members []pipeline.Hash) {
	if s.n == 0 {
		return
	}
	for i := range members {
		set := s.set(members[i])
		s.prefetched += set[0].key + set[1].key
	}
}

// set returns the two slots that the member may be in.
func (s *surrogates) set(member pipeline.Hash) []surrogate {
	at := int(member.Lo) & (len(s.slots) - 2)
	return s.slots[at : at+2 : at+2]
}

// put remembers a key in place of the older one of its set.
func (s *surrogates) put(member pipeline.Hash, key int64) {
	if _, ok := s.get(member); ok {
		return
	}
	if s.n*2 >= len(s.slots) && len(s.slots) < mostSurrogates {
		s.grow()
	}
	set := s.set(member)
	if set[1].key == 0 {
		s.n++
	}
	set[0], set[1] = surrogate{member, key}, set[0]
}

func (s *surrogates) grow() {
	old := s.slots
	*s = surrogates{slots: make([]surrogate, max(leastSurrogates, 2*len(old))), prefetched: s.prefetched}
	for _, c := range old {
		if c.key != 0 {
			set := s.set(c.member)
			if set[1].key == 0 {
				s.n++
			}
			set[0], set[1] = c, set[0]
		}
	}
}
