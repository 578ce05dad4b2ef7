package pipeline

// KeyGroups is the number of key groups: parts into which every keyed state is divided for
// good, by the leading bits of the hashes that are its keys. A key group, or a range of
// them, is what one goroutine works on at a time, or one day one process. (The term is
// Flink's, and so is the number, its default maximum parallelism.)
const KeyGroups = 1 << keyGroupBits

const (
	keyGroupBits  = 7
	keyGroupShift = 64 - keyGroupBits
)

// KeyGroup returns the number of the key group that the hash lies in.
func (h Hash) KeyGroup() int { return int(h.Hi >> keyGroupShift) }

// Beside returns h moved into the key group of another hash: what belongs to an entry of the
// state lies where the entry does.
func (h Hash) Beside(o Hash) Hash {
	h.Hi = o.Hi>>keyGroupShift<<keyGroupShift | h.Hi<<keyGroupBits>>keyGroupBits
	return h
}

// KeyGroupRange is a range of key groups: from First up to before End.
type KeyGroupRange struct{ First, End int }

// AllKeyGroups is the range of all key groups.
var AllKeyGroups = KeyGroupRange{0, KeyGroups}

// Has reports whether a hash lies in the range.
func (r KeyGroupRange) Has(h Hash) bool { g := h.KeyGroup(); return r.First <= g && g < r.End }

// From returns the least hash of the range.
func (r KeyGroupRange) From() Hash { return Hash{Hi: uint64(r.First) << keyGroupShift} }

// To returns the hash behind the range; the zero hash stands for the end of all.
func (r KeyGroupRange) To() Hash { return Hash{Hi: uint64(r.End) << keyGroupShift} }

// Message is what one phase of an epoch sends to the key group of a hash, for the next. It
// says all that the receiver needs: within a process it is a piece of memory that the
// sender keeps until the epoch ends, between processes it would be a frame.
type Message struct {
	To Hash
	// Order is set by the exchange: the first 8 bytes of the body as a big-endian number, with
	// zeros for those that it lacks. Most bodies can be put in order by it without reading them
	// again, when they are in no cache any longer.
	Order uint64
	Body  []byte // packed; whoever receives it changes nothing
}

// Runner runs the phases of an epoch. A phase is a function of the state of some key groups,
// of the set of messages that were sent to them, and of the epoch's header (I6): its parts
// share nothing that any of them changes.
type Runner interface {
	// Parts returns into how many parts, up to KeyGroups, the phases of an epoch are divided
	// that has so many messages. All phases of one epoch go by one answer.
	Parts(messages int) int
	// Run calls f for each part of a phase, from 0 to parts-1, on several goroutines at a
	// time and in any order, and returns when all have returned: the error of the lowest
	// part that has one. The name is of the phase, for profiles.
	Run(phase string, parts int, f func(part int) error) error
	// Shuffle may change the order of messages before they are sorted: whatever that
	// changes is a fault of the phase. Only tests make it do anything.
	Shuffle(messages []Message)
}
