package file

import (
	"errors"
	"fmt"

	"github.com/starlift-etl/starlift/pipeline"
)

// gapError is a *pipeline.GapError that ends a run, whose reason names the file and the
// place already.
type gapError struct{ gap *pipeline.GapError }

// newGapError returns the error about records behind the cursor that are gone; reason
// says which and why, and lost is the number of bytes that they are known to have had.
func newGapError(c *cursor, reason string, lost int64) error {
	return &gapError{&pipeline.GapError{Partition: c.Path, Position: c.text(), Lost: lost, Err: errors.New(reason + gapRecoveryHint)}}
}

// Error gives the reason.
func (e *gapError) Error() string { return fmt.Sprintf("%v: %v", pipeline.ErrGap, e.gap.Err) }

// Unwrap gives the place.
func (e *gapError) Unwrap() error { return e.gap }
