package settle

import "slices"

// watermarkTimes is the number of a partition's greatest times of which the least is its
// watermark: so many changes have to be dated wrongly until the watermark is wrong.
const watermarkTimes = 64

// watermark holds the greatest times of some changes. Times come in order, mostly, so
// that one is added behind the others.
type watermark struct {
	times []int64 // sorted; the last of them count, watermarkTimes at most
	floor int64   // what the watermark was when it was saved, noTime = there was none: it does not fall
}

func newWatermark(floor int64) *watermark { return &watermark{floor: floor} }

// observe takes a time.
func (w *watermark) observe(t int64) {
	end := len(w.times)
	if end >= watermarkTimes && t <= w.times[end-watermarkTimes] {
		return
	}
	if end == 2*watermarkTimes {
		copy(w.times, w.times[watermarkTimes:])
		w.times, end = w.times[:watermarkTimes], watermarkTimes
	}
	if w.times == nil {
		w.times = make([]int64, 0, 2*watermarkTimes)
	}
	if end == 0 || t >= w.times[end-1] {
		w.times = append(w.times, t)
		return
	}
	at := end - 1
	for at > 0 && w.times[at-1] > t {
		at--
	}
	w.times = slices.Insert(w.times, at, t)
}

// time returns the least of the greatest times, noTime while there are fewer.
func (w *watermark) time() int64 {
	if end := len(w.times); end >= watermarkTimes {
		return max(w.floor, w.times[end-watermarkTimes])
	}
	return w.floor
}
