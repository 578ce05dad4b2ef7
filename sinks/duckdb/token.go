package duckdb

import (
	"fmt"

	"github.com/starlift-etl/starlift/pipeline"
)

// TokenError says that the tables and the state folder are not of one history.
type TokenError struct {
	Sink, Pipeline, StateID string
	Found, Want             int64  // epochs
	Other                   string // the state folder that the tables are of
}

// Error says what was found, why it may be, and how to go on.
func (e *TokenError) Error() string {
	const way = "put the matching one back, or drop this pipeline's tables and its rows in " + epochsTable +
		", delete the state folder, and backfill"
	switch {
	case e.Other != "":
		return fmt.Sprintf("sink %q: the tables were written by pipeline %q with another state folder (%s, up to epoch %d), not with this one (%s): "+
			"the state folder was lost or is a new one; %s", e.Sink, e.Pipeline, e.Other, e.Found, e.StateID, way)
	case e.Found > e.Want:
		return fmt.Sprintf("sink %q: the tables are at epoch %d, the state folder %s expects epoch %d: the state folder is older than the tables "+
			"(restored, or a copy of it has run); %s", e.Sink, e.Found, e.StateID, e.Want, way)
	}
	return fmt.Sprintf("sink %q: the tables are at epoch %d, the state folder %s expects epoch %d: the tables are older than the state folder "+
		"(restored from a backup, or deleted); %s", e.Sink, e.Found, e.StateID, e.Want, way)
}

// judge compares the token with what the checkpoint says, when the sink is opened.
func judge(sink string, o *pipeline.Opening, found int64, other string, otherEpoch int64) error {
	switch {
	case found == 0 && o.Published == 0 && other != "":
		return &TokenError{Sink: sink, Pipeline: o.Pipeline, StateID: o.StateID, Other: other, Found: otherEpoch}
	case found == o.Published, o.Pending != nil && found == o.Pending.Epoch:
		return nil
	}
	return &TokenError{Sink: sink, Pipeline: o.Pipeline, StateID: o.StateID, Found: found, Want: o.Published}
}
