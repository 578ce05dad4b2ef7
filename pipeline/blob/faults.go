package blob

import (
	"context"
	"errors"
	"sync"
)

// ErrFault is a call that failed because a test wanted it to.
var ErrFault = errors.New("a fault of the test")

// Faults counts calls, and makes one of them fail.
type Faults struct {
	// Err is what it fails with; nil = ErrFault.
	Err error

	mu    sync.Mutex
	seen  int
	at    int // the call that fails; 0 = none
	after bool
	all   bool
	calls []Call
}

// Arm makes the call that comes after so many others fail: before it has any effect, or
// after all of it. If the process is to be taken for dead then, all later calls fail, too,
// before they have any.
func (f *Faults) Arm(others int, after, dead bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen, f.at, f.after, f.all, f.calls = 0, others+1, after, dead, nil
}

// Disarm lets everything pass, and tells whether the call came that was to fail.
func (f *Faults) Disarm() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	failed := f.at > 0 && f.seen >= f.at
	f.at = 0
	return failed
}

// Calls returns those since Arm, in their order.
func (f *Faults) Calls() []Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

// Wrap returns the store whose calls are counted.
func (f *Faults) Wrap(s Store) Store {
	return Wrap(s, func(_ context.Context, c Call, do func() error) error {
		fails, after := f.count(c)
		fault := f.Err
		if fault == nil {
			fault = ErrFault
		}
		switch {
		case !fails:
			return do()
		case after:
			if err := do(); err != nil {
				return errors.Join(fault, err)
			}
		}
		return fault
	})
}

// count counts a call, and says whether it fails, and if so after its effect.
func (f *Faults) count(c Call) (fails, after bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen++
	f.calls = append(f.calls, c)
	return f.at > 0 && (f.seen == f.at || f.all && f.seen > f.at), f.after && f.seen == f.at
}
