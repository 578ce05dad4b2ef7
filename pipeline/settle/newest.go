package settle

import "slices"

// enough is the number of a partition's greatest times of which the least is its
// clock: so many changes have to be dated wrongly until the clock is wrong.
const enough = 64

// newest holds the greatest times of some changes. Times come in order, mostly, so
// that one is added behind the others.
type newest struct {
	times []int64 // sorted; the last of them count, enough at most
	floor int64   // what the clock was when it was saved, noTime = it had none: it does not fall
}

func newNewest(floor int64) *newest { return &newest{floor: floor} }

// add takes a time.
func (n *newest) add(t int64) {
	end := len(n.times)
	if end >= enough && t <= n.times[end-enough] {
		return
	}
	if end == 2*enough {
		copy(n.times, n.times[enough:])
		n.times, end = n.times[:enough], enough
	}
	if n.times == nil {
		n.times = make([]int64, 0, 2*enough)
	}
	if end == 0 || t >= n.times[end-1] {
		n.times = append(n.times, t)
		return
	}
	at := end - 1
	for at > 0 && n.times[at-1] > t {
		at--
	}
	n.times = slices.Insert(n.times, at, t)
}

// clock returns the enough-th greatest time, noTime while there are fewer.
func (n *newest) clock() int64 {
	if end := len(n.times); end >= enough {
		return max(n.floor, n.times[end-enough])
	}
	return n.floor
}
