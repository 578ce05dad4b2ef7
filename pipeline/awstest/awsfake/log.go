package awsfake

import "time"

// Request is one that was answered.
type Request struct {
	At                        time.Time // real time, whatever the fake's clock says
	Operation, Resource, Part string
	Code                      string // of the error that it was answered with; empty = none
	Effect                    Effect // of the fault that it met; 0 = none
	Records, Bytes            int    // that were read or written
}

// maxLog is how many requests the log holds; the older half is dropped when they are more.
const maxLog = 1 << 18

// addRequest logs one. The lock is held.
func (h *Handler) addRequest(r Request) {
	if len(h.log) >= maxLog {
		h.log = append(h.log[:0], h.log[maxLog/2:]...)
	}
	r.At = time.Now() // under the lock, so that the log is in the order of time
	h.log = append(h.log, r)
}

// Requests returns those of an operation, resource and part that were answered, in their order; empty =
// of any. The log holds the last 130,000 at least.
func (h *Handler) Requests(operation, resource, part string) []Request {
	h.mu.Lock()
	defer h.mu.Unlock()
	var found []Request
	for _, r := range h.log {
		if matches(operation, r.Operation) && matches(resource, r.Resource) && matches(part, r.Part) {
			found = append(found, r)
		}
	}
	return found
}

func matches(wanted, is string) bool { return wanted == "" || wanted == is }

// PeakRate returns how many of the requests fell into one second at most, wherever
// that second begins.
func PeakRate(requests []Request) int {
	peak, first := 0, 0
	for i, r := range requests {
		for r.At.Sub(requests[first].At) >= time.Second {
			first++
		}
		peak = max(peak, i-first+1)
	}
	return peak
}
