package pipeline

import (
	"context"
	"time"
)

// CallInspector is a Sink that can tell what a call of it waits for: a server's lock,
// for one; or a Source that can tell it of its opening, or a SideInput of its start. Of others
// the engine sees whether the process does anything.
type CallInspector interface {
	// InspectCall reports on the call of Open or Commit that is in progress. The engine
	// calls it from another goroutine, repeatedly while the call takes long; it returns
	// when ctx ends. It must not disturb the call: what it asks a server, it asks over a
	// connection of its own.
	InspectCall(ctx context.Context) CallStatus
}

// CallStatus says whether a call makes progress, and what it waits for.
type CallStatus struct {
	// Unknown says that the sink can't tell: whether the process does anything is looked at
	// instead.
	Unknown bool
	// LastProgress is when the call last made progress; zero = not since the last
	// InspectCall.
	LastProgress time.Time
	// WaitsFor says for people what the call waits for, who is in its way and since
	// when, without secrets; empty = not known.
	WaitsFor string
	// Abandoned says that nobody on the other side works on the call any longer: it has to
	// be tried again.
	Abandoned bool
}

// CallTimer is a Sink whose calls are slow as a rule, or whose target is away at times: a
// cluster that is maintained, for one.
type CallTimer interface {
	// CallTimes is asked whenever a call begins.
	CallTimes() CallTimes
}

// CallTimes says what is usual for the calls of a sink; 0 = as for other sinks.
type CallTimes struct {
	// Silence is how long a call may go without a sign of progress before it is reported,
	// and its target looked at in a fourth of that.
	Silence time.Duration
	// Commit is how long the commit of a saved epoch is tried at least, where the pipeline
	// file does not say epoch.commit_timeout.
	Commit time.Duration
}
