package pipeline

import (
	"context"
	"time"
)

// CallInspector is a Sink that can tell what a call of it waits for: a server's lock,
// for one. Of others the engine sees whether the process does anything.
type CallInspector interface {
	// InspectCall says how the call of Open or Commit that is at work gets on. It comes
	// from another goroutine, again and again while a call takes long, and ends with
	// ctx. It takes nothing from the call: what it needs of a server it asks over a
	// connection of its own.
	InspectCall(ctx context.Context) CallStatus
}

// CallStatus is how a call gets on.
type CallStatus struct {
	// LastProgress is when something of the call was last seen to move; zero = not since
	// the last look.
	LastProgress time.Time
	// WaitsFor says for people what the call waits for, who is in its way and since
	// when, without secrets; empty = not known.
	WaitsFor string
	// Abandoned says that nobody on the other side is at work on the call: to go on
	// waiting is of no use, to try it again may be.
	Abandoned bool
}
