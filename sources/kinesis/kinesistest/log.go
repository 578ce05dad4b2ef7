package kinesistest

import (
	"time"

	"github.com/starlift-etl/starlift/pipeline/awstest/awsfake"
)

// Request is one that was answered.
type Request struct {
	At                       time.Time // real time, whatever the fake's clock says
	Operation, Stream, Shard string
	Code                     string // of the error that it was answered with; empty = none
	Effect                   Effect // of the fault that it met; 0 = none
	Records, Bytes           int    // that were read or written
}

// Requests returns those of an operation, stream and shard that were answered, in their order; empty =
// of any. The log holds the last 130,000 at least.
func (s *Server) Requests(operation, stream, shard string) []Request {
	var found []Request
	for _, r := range s.api.Requests(operation, stream, shard) {
		found = append(found, Request{At: r.At, Operation: r.Operation, Stream: r.Resource, Shard: r.Part, Code: r.Code, Effect: r.Effect, Records: r.Records, Bytes: r.Bytes})
	}
	return found
}

// PeakRate returns how many of the requests fell into one second at most, wherever
// that second begins.
func PeakRate(requests []Request) int {
	all := make([]awsfake.Request, len(requests))
	for i, r := range requests {
		all[i].At = r.At
	}
	return awsfake.PeakRate(all)
}
