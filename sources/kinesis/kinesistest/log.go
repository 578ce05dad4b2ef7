package kinesistest

import "time"

// Request is one that was answered.
type Request struct {
	At                       time.Time // real time, whatever the fake's clock says
	Operation, Stream, Shard string
	Code                     string // of the error that it was answered with; empty = none
	Effect                   Effect // of the fault that it met; 0 = none
	Records, Bytes           int    // that were read or written

	fail bool // every second entry
}

// maxLog is how many requests the log holds; the older half is dropped when they are more.
const maxLog = 1 << 18

type requestLog struct{ requests []Request }

func (l *requestLog) add(r Request) {
	if len(l.requests) >= maxLog {
		l.requests = append(l.requests[:0], l.requests[maxLog/2:]...)
	}
	l.requests = append(l.requests, r)
}

// Requests returns those of an operation, stream and shard that were answered, in their order; empty =
// of any. The log holds the last 130,000 at least.
func (s *Server) Requests(operation, stream, shard string) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []Request
	for _, r := range s.log.requests {
		if (operation == "" || operation == r.Operation) && (stream == "" || stream == r.Stream) && (shard == "" || shard == r.Shard) {
			found = append(found, r)
		}
	}
	return found
}

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
