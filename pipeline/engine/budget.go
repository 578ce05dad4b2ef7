package engine

import (
	"encoding/json"
	"fmt"
	"maps"
)

const (
	budgetWindowRecords = 10_000 // records that the ratio is taken over
	budgetRecordsMin    = 1_000  // records that it takes before the ratio counts
)

// budget counts dead letters, among the last records (add, exceeded) and among all records of
// the current reading of each source (verdict). It is saved with each epoch, so that a
// restart does not begin to count anew.
type budget struct {
	max      float64
	ring     [budgetWindowRecords/8 + 1]byte // a bit for each of the last records: a dead letter
	n        int64                           // records seen
	bad      int64                           // dead letters in the window
	readings map[string]*readingCount        // by source
	rows     []letterCount                   // rows that sinks refused during the readings
	// refused counts, by sink, the rows refused in this opening that are in the
	// budget already.
	refused map[string]int64
}

type savedBudget struct {
	Ring   []byte                   `json:"ring,omitempty"`
	N      int64                    `json:"n"`
	Bad    int64                    `json:"bad"`
	Passes map[string]*readingCount `json:"passes,omitempty"`
	Rows   []letterCount            `json:"rows,omitempty"`
}

func restoreBudget(maxRatio float64, raw json.RawMessage) (*budget, error) {
	b := &budget{max: maxRatio, readings: map[string]*readingCount{}, refused: map[string]int64{}}
	if raw == nil {
		return b, nil
	}
	var s savedBudget
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("budget of dead letters in the checkpoint: %w", err)
	}
	b.n, b.bad, b.rows = s.N, s.Bad, s.Rows
	copy(b.ring[:], s.Ring)
	maps.Copy(b.readings, s.Passes)
	return b, nil
}

func (b *budget) save() (json.RawMessage, error) {
	s := savedBudget{N: b.n, Bad: b.bad, Passes: b.readings, Rows: b.rows}
	if b.bad > 0 {
		s.Ring = b.ring[:]
	}
	return json.Marshal(s)
}

// add counts one record.
func (b *budget) add(dead bool) {
	at := b.n % budgetWindowRecords
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

// addGood counts n records, none of which is a dead letter.
func (b *budget) addGood(n int64) {
	for ; n > 0 && b.bad > 0; n-- {
		b.add(false)
	}
	b.n += n // no bit is set
}

// mark turns the last record that was counted as none into a dead letter: it became one
// after it was added.
func (b *budget) mark() {
	for i := min(b.n, budgetWindowRecords) - 1; i >= 0; i-- {
		if bit := byte(1) << (i % 8); b.ring[i/8]&bit == 0 {
			b.ring[i/8] |= bit
			b.bad++
			return
		}
	}
}

// addRefused counts the rows that sinks refused in this opening, but for those that it has
// counted before.
func (b *budget) addRefused(all []letterCount) {
	for _, c := range all {
		more := c
		more.N -= b.refused[c.Node]
		b.refused[c.Node] = c.N
		if more.N == 0 {
			continue
		}
		for range more.N {
			b.mark()
		}
		b.rows = addLetters(b.rows, more)
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
	return b.n >= budgetRecordsMin && float64(b.bad) > b.max*float64(min(b.n, budgetWindowRecords))
}
