package engine

import (
	"encoding/json"
	"errors"

	"github.com/starlift-etl/starlift/pipeline"
)

// merger makes the rows of a table by a policy.
type merger interface {
	Add(b *pipeline.Batch, first int64) error
	Settled(rows *pipeline.Rows)
	Finish(dead []int64) (*pipeline.Rows, error)
	Save() (json.RawMessage, error)
}

func newMerger(*step, *merged, int64) (merger, error) {
	return nil, errors.New("rows can't be merged, flagged or kept yet")
}
