package awsfake

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"
)

// Effect is what a fault does.
type Effect uint8

// The effects.
const (
	// Refuse answers with the fault's error, and does nothing.
	Refuse Effect = iota + 1
	// Hang never answers, and does nothing.
	Hang
	// Reset breaks the connection off, and does nothing.
	Reset
	// LoseAnswer does what is asked for, and breaks the connection off.
	LoseAnswer
	// CutBody does what is asked for, and breaks the connection off in the middle of the answer.
	CutBody
	// StallBody does what is asked for, and hangs in the middle of the answer: the
	// connection is half open.
	StallBody
	// DelayAnswer does what is asked for, and answers after the fault's Delay.
	DelayAnswer
	// FailEntries makes every second entry of a batch fail, as if there were no capacity for it.
	FailEntries
	// FailEvent ends a stream of events by the fault's error, in the place of an event with records.
	FailEvent
	// DamageEvent sends an event whose checksum is wrong.
	DamageEvent
)

func (e Effect) done() bool { return e >= LoseAnswer }

// ofEvents reports whether it is one within an answer that is a stream of events: CutBody and
// StallBody are, in the middle of an event.
func (e Effect) ofEvents() bool {
	return e == FailEvent || e == DamageEvent || e == CutBody || e == StallBody
}

// Fault is something that goes wrong with some requests.
type Fault struct {
	// Operation, Resource and Part say with which, as the log names them; empty = with any.
	Operation, Resource, Part string
	Effect                    Effect
	// Code, Message and Status are the error of Refuse; Status 0 = 400.
	Code, Message string
	Status        int
	// Events is how many events with records a stream of them sends before the fault.
	Events int
	// Delay is that of DelayAnswer.
	Delay time.Duration
	// After lets as many requests pass first, and Times as many fail; 0 = until it is removed.
	After, Times int
	// Ratio is how many of the requests fail, by chance; 0 = all.
	Ratio float64
}

type activeFault struct {
	Fault
	passed, hit int
}

// Inject lets requests fail from now on, until remove is called. The first fault that is
// for a request counts.
func (h *Handler) Inject(f Fault) (remove func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	active := &activeFault{Fault: f}
	h.faults = append(h.faults, active)
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.faults = slices.DeleteFunc(h.faults, func(a *activeFault) bool { return a == active })
	}
}

// Heal removes all faults.
func (h *Handler) Heal() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = nil
}

// fault returns the fault that is for a request; nil = there is none.
func (h *Handler) fault(c *Call) *Fault {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range h.faults {
		if !matches(f.Operation, c.Operation) || !matches(f.Resource, c.Resource) || !matches(f.Part, c.Part) {
			continue
		}
		if f.Times > 0 && f.hit >= f.Times {
			continue
		}
		if f.passed < f.After {
			f.passed++
			continue
		}
		if f.Ratio > 0 && h.chance.Float64() >= f.Ratio {
			continue
		}
		f.hit++
		found := f.Fault
		return &found
	}
	return nil
}

// disturb lets an answer fail on its way; false = the fault is none of those.
func (h *Handler) disturb(w http.ResponseWriter, r *http.Request, f *Fault, status int, body []byte) bool {
	switch f.Effect {
	case Hang:
		h.Wait(r, nil)
		panic(http.ErrAbortHandler)
	case DelayAnswer:
		timer := time.NewTimer(f.Delay)
		defer timer.Stop()
		h.Wait(r, timer.C)
		return false
	case Reset, LoseAnswer:
		breakOff(w, nil)
	case CutBody, StallBody:
		var answer bytes.Buffer
		fmt.Fprintf(&answer, "HTTP/1.1 %d %s\r\n", status, http.StatusText(status))
		if err := w.Header().Write(&answer); err != nil {
			panic(err) // into memory
		}
		fmt.Fprintf(&answer, "\r\n%s", body[:len(body)/2])
		if f.Effect == CutBody {
			breakOff(w, answer.Bytes())
			return true
		}
		w.WriteHeader(status)
		_, _ = w.Write(body[:len(body)/2]) // a client that has gone needs no answer
		_ = http.NewResponseController(w).Flush()
		h.Wait(r, nil)
		panic(http.ErrAbortHandler)
	default:
		return false
	}
	return true
}

// Wait returns when the client has gone, the fake is closed, or the time has come.
func (h *Handler) Wait(r *http.Request, timer <-chan time.Time) {
	select {
	case <-r.Context().Done():
	case <-h.closed:
	case <-timer:
	}
}

// breakOff writes what there is of an answer, and breaks the connection off: with a
// reset where nothing was written.
func breakOff(w http.ResponseWriter, answer []byte) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // a connection that can't be taken over is cut by the server
	}
	defer func() { _ = conn.Close() }()
	if len(answer) > 0 {
		_, _ = conn.Write(answer) // what arrives of it is the client's trouble
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
}
