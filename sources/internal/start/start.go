// Package start reads where a pipeline file says that the first reading of a stream begins.
package start

import (
	"fmt"
	"time"
)

// The words of key start.
const (
	TrimHorizon = "trim_horizon" // with the oldest record
	Latest      = "latest"       // with what is new from then on
)

// Start is where a first reading begins.
type Start struct {
	Word string    // TrimHorizon or Latest; empty = At
	At   time.Time // by the service's clock
}

// Parse reads the key; empty is TrimHorizon.
func Parse(text string) (Start, error) {
	if text == "" {
		text = TrimHorizon
	}
	if text == TrimHorizon || text == Latest {
		return Start{Word: text}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return Start{At: at.UTC()}, nil
		}
	}
	return Start{}, fmt.Errorf("%q is no start: give trim_horizon, latest, a time as 2024-05-01T12:00:00Z, or a date as 2024-05-01, which begins at midnight UTC", text)
}
