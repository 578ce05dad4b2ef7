package generate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/starlift-etl/starlift/pipeline/awsapi"
)

// sender sends lines to a target, at a rate, so that what has an order keeps it. One goroutine
// uses it.
//
// Entries wait in a queue and are sent in rounds: requests side by side, in all of which an order
// occurs once. What the service does not take stays where it was in the queue, before what follows
// it, and is sent in the next round. So nothing overtakes, whichever entries of whichever request are
// refused.
type sender struct {
	stop    context.Context // ends the taking of lines
	sending context.Context // ends requests; it outlives stop, so that what was taken is sent
	target  target
	rate    int // records a second; 0 = as many as the target takes
	show    func(s *sender)

	now   func() time.Time
	pause func(ctx context.Context, d time.Duration) error
	retry awsapi.Retry // paces rounds after one of which not all was taken

	queue   []*entry
	waiting time.Time // since when the oldest line waits, in the queue or the target; zero = none does
	begun   time.Time
	lines   int64 // taken, less what the rate has given up on
	tries   int   // rounds in a row of which nothing was taken

	sent, refused, requests int64  // records; entries that were sent again; requests
	reason                  string // why entries were last refused
	shown                   time.Time
}

const (
	// linger is how long a line may wait for others to be sent with it.
	linger = 100 * time.Millisecond
	// debtMax is how far behind its rate a sender may fall and still make up for it.
	debtMax = time.Second
	// triesMax bounds rounds in a row of which the target takes nothing: some minutes.
	triesMax = 60
	// showEvery is how often progress is shown.
	showEvery = 500 * time.Millisecond
)

func newSender(stop, sending context.Context, to target, rate int) *sender {
	return &sender{stop: stop, sending: sending, target: to, rate: rate, show: func(*sender) {}, now: time.Now, pause: awsapi.Sleep,
		retry: awsapi.Retry{Most: 5 * time.Second}}
}

var _ lineWriter = (*sender)(nil)

// Write takes whole lines. It returns once they are in the queue.
func (s *sender) Write(p []byte) (int, error) {
	for line := range bytes.Lines(p) {
		if err := s.await(); err != nil {
			return 0, err
		}
		entries, err := s.target.pack(line)
		if err != nil {
			return 0, err
		}
		if s.waiting.IsZero() {
			s.waiting = s.now()
		}
		s.lines++
		s.queue = append(s.queue, entries...)
		limits := s.target.limits()
		for len(s.queue) >= limits.entries*limits.parallel {
			if err := s.round(); err != nil {
				return 0, err
			}
		}
	}
	return len(p), nil
}

// await waits until the next line is due. What waits would wait longer than linger is sent before.
func (s *sender) await() error {
	if err := s.stop.Err(); err != nil {
		return err
	}
	if s.begun.IsZero() {
		s.begun = s.now()
	}
	if s.rate == 0 {
		return nil
	}
	due := s.dueTime()
	if late := s.now().Sub(due); late > debtMax {
		s.begun = s.begun.Add(late - debtMax)
		due = s.dueTime()
	}
	next := due
	if now := s.now(); now.After(due) {
		next = now
	}
	if !s.waiting.IsZero() && next.Sub(s.waiting) >= linger {
		if err := s.flush(); err != nil {
			return err
		}
	}
	if wait := due.Sub(s.now()); wait > 0 {
		return s.pause(s.stop, wait)
	}
	return nil
}

// dueTime is when the next line is to be taken.
func (s *sender) dueTime() time.Time {
	return s.begun.Add(time.Duration(float64(s.lines) / float64(s.rate) * float64(time.Second)))
}

// Finish sends what waits.
func (s *sender) Finish() error { return s.flush() }

// flush sends what waits.
func (s *sender) flush() error {
	s.queue = append(s.queue, s.target.rest()...)
	for len(s.queue) > 0 {
		if err := s.round(); err != nil {
			return err
		}
	}
	s.waiting = time.Time{}
	return nil
}

// batches returns the requests of a round: of each order, the first entry that waits.
func (s *sender) batches() (all [][]*entry) {
	limits := s.target.limits()
	orders := map[string]bool{}
	var batch []*entry
	size := 0
	for _, e := range s.queue {
		if orders[e.order] {
			continue
		}
		if len(batch) == limits.entries || len(batch) > 0 && size+e.size > limits.bytes {
			if all, batch, size = append(all, batch), nil, 0; len(all) == limits.parallel {
				return all
			}
		}
		orders[e.order] = true
		batch, size = append(batch, e), size+e.size
	}
	return append(all, batch)
}

// round sends the next requests, and leaves in the queue what was not taken.
func (s *sender) round() error {
	batches := s.batches()
	results := make([]struct {
		refused []*entry
		reason  string
		err     error
	}, len(batches))
	var group sync.WaitGroup
	for i := range batches {
		group.Go(func() {
			r := &results[i]
			r.refused, r.reason, r.err = s.target.write(s.sending, batches[i])
		})
	}
	group.Wait()
	done := map[*entry]bool{}
	var errs []error
	refused := 0
	for i, r := range results {
		s.requests++
		if r.err != nil {
			errs = append(errs, r.err)
			continue
		}
		for _, e := range batches[i] {
			done[e] = true
		}
		for _, e := range r.refused {
			delete(done, e)
			s.reason = r.reason
		}
		refused += len(r.refused)
	}
	left := s.queue[:0]
	for _, e := range s.queue {
		if !done[e] {
			left = append(left, e)
			continue
		}
		s.sent += int64(e.records)
	}
	clear(s.queue[len(left):])
	s.queue = left
	s.refused += int64(refused)
	if now := s.now(); now.Sub(s.shown) >= showEvery {
		s.shown = now
		s.show(s)
	}
	if errs != nil {
		return errors.Join(errs...)
	}
	return s.backOff(len(done), refused)
}

// backOff pauses after a round of which not all was taken: the longer, the longer nothing was.
func (s *sender) backOff(done, refused int) error {
	if done > 0 {
		s.tries = 0
	}
	if refused == 0 {
		return nil
	}
	if s.tries++; s.tries == triesMax {
		return fmt.Errorf("nothing was taken in %d tries: %s", triesMax, s.reason)
	}
	retry := s.retry
	retry.Wait = s.pause
	return retry.Pause(s.sending, s.tries)
}
