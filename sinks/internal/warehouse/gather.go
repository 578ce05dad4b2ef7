package warehouse

import (
	"encoding/json"
	"errors"

	"github.com/starlift-etl/starlift/pipeline"
)

type Gather struct{}

func (g *Gather) on() bool { return false }

type gathered struct{}

func readGathered(json.RawMessage) (gathered, error) { return gathered{}, nil }

func (s *Sink) beginGathered(number int64) (pipeline.EpochWriter, error) { return nil, errors.New("x") }
