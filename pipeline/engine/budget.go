package engine

import (
	"encoding/json"
	"fmt"
)

const (
	budgetWindow = 10_000 // records that the ratio is taken over
	budgetMin    = 1_000  // records before which it is not judged
)

// budget counts the dead letters among the last records. It is saved with each
// epoch, so that a restart does not begin with a fresh one.
type budget struct {
	max  float64
	ring [budgetWindow/8 + 1]byte // a bit for each of the last records: a dead letter
	n    int64                    // records seen
	bad  int64                    // dead letters in the window
	// refused are the dead letters of this opening that were marked when sinks
	// refused rows.
	refused int64
}

type savedBudget struct {
	Ring []byte `json:"ring,omitempty"`
	N    int64  `json:"n"`
	Bad  int64  `json:"bad"`
}

func restoreBudget(maxRatio float64, raw json.RawMessage) (*budget, error) {
	b := &budget{max: maxRatio}
	if raw == nil {
		return b, nil
	}
	var s savedBudget
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("budget of dead letters in the checkpoint: %w", err)
	}
	b.n, b.bad = s.N, s.Bad
	copy(b.ring[:], s.Ring)
	return b, nil
}

func (b *budget) save() (json.RawMessage, error) {
	s := savedBudget{N: b.n, Bad: b.bad}
	if b.bad > 0 {
		s.Ring = b.ring[:]
	}
	return json.Marshal(s)
}

// add counts one record.
func (b *budget) add(dead bool) {
	at := b.n % budgetWindow
	bit := byte(1) << (at % 8)
	if b.ring[at/8]&bit != 0 {
		b.bad--
		b.ring[at/8] &^= bit
	}
	b.n++
	if dead {
		b.bad++
		b.ring[at/8] |= bit
	}
}

// mark makes one of the records counted already a dead letter after all.
func (b *budget) mark() {
	for i := min(b.n, budgetWindow) - 1; i >= 0; i-- {
		if bit := byte(1) << (i % 8); b.ring[i/8]&bit == 0 {
			b.ring[i/8] |= bit
			b.bad++
			return
		}
	}
}

// refuse marks dead letters until as many are that sinks refused rows for.
func (b *budget) refuse(refused int64) {
	for ; b.refused < refused; b.refused++ {
		b.mark()
	}
}

// exceeded reports whether the run has to stop.
func (b *budget) exceeded() bool {
	if b.bad == 0 {
		return false
	}
	if b.max == 0 {
		return true
	}
	return b.n >= budgetMin && float64(b.bad) > b.max*float64(min(b.n, budgetWindow))
}
