package kinesistest

import "time"

// paceLimit limits calls and bytes of a second. What passes at once is remembered as
// debt: 10 MB at 2 MB/s keep out the calls of the next five seconds.
type paceLimit struct {
	calls []time.Time // of the last second
	ready time.Time   // when the bytes of the last call are paid for
}

// allow reports whether calls more may pass, and counts them if so. Up to burst of debt is
// allowed.
func (p *paceLimit) allow(now time.Time, calls, perSecond int, burst time.Duration) bool {
	if p.ready.Sub(now) > burst {
		return false
	}
	past := 0
	for past < len(p.calls) && now.Sub(p.calls[past]) >= time.Second {
		past++
	}
	p.calls = p.calls[past:]
	if len(p.calls)+calls > perSecond {
		return false
	}
	for range calls {
		p.calls = append(p.calls, now)
	}
	return true
}

// charge adds bytes to what has to be paid for.
func (p *paceLimit) charge(now time.Time, bytes, perSecond int) {
	if p.ready.Before(now) {
		p.ready = now
	}
	p.ready = p.ready.Add(time.Duration(bytes) * time.Second / time.Duration(perSecond))
}
