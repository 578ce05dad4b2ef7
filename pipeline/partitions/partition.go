package partitions

import (
	"cmp"
	"container/heap"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
)

// partition is what the dispatcher knows of one. While a read of it is in flight, reader and
// nothing else is the read's.
type partition struct {
	pipeline.Partition
	cursor cursor
	reader pipeline.PartitionReader // nil = not open

	unsaved   []byte // its first cursor, until that is durable; nil = there is nothing to wait for
	acceptGap bool   // a gap that is found before anything is read is accepted
	scheduled bool   // it is in the schedule, or being read: its parents have ended
	read      bool   // in this opening
	caughtUp  bool   // as it was reported last
	endedAt   int    // of discoveries that had begun, when it ended in this opening
	// namedAt is the number of discoveries that had begun when the end of a parent named it
	// beside parents that are not known; 0 = it waits for no discovery to list these.
	namedAt int

	next      time.Time // when it is read next
	turn      int64     // among those of one time
	at        int       // in the schedule
	begun     time.Time // of the read in flight; zero = there is none
	allowance int       // of that one
	lastBytes int       // that the last read brought

	lag      time.Duration // as the service said at lagAt
	lagAt    time.Time     // zero = it did not
	failures failures      // of its opening and reading
}

// displayName returns what people call the partition.
func (p *partition) displayName() string { return cmp.Or(p.DisplayName, p.Name) }

// schedule holds partitions by when they are to be read next. It is a heap.Interface.
type schedule []*partition

func (s schedule) Len() int { return len(s) }
func (s schedule) Less(i, j int) bool {
	return cmp.Or(s[i].next.Compare(s[j].next), cmp.Compare(s[i].turn, s[j].turn)) < 0
}
func (s schedule) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].at, s[j].at = i, j
}

// Push implements heap.Interface.
func (s *schedule) Push(p any) {
	one := p.(*partition)
	one.at = len(*s)
	*s = append(*s, one)
}

// Pop implements heap.Interface.
func (s *schedule) Pop() any {
	last := len(*s) - 1
	p := (*s)[last]
	(*s)[last] = nil
	*s = (*s)[:last]
	return p
}

func (s *schedule) add(p *partition) { heap.Push(s, p) }
func (s *schedule) first() *partition {
	if len(*s) == 0 {
		return nil
	}
	return (*s)[0]
}
func (s *schedule) takeFirst() *partition { return heap.Pop(s).(*partition) }
