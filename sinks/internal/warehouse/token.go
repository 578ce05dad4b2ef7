package warehouse

import (
	"fmt"

	"github.com/starlift-etl/starlift/pipeline"
)

// TokensTable has the tokens: for each sink of a pipeline with a state folder, the last epoch
// that is in its tables. It lies beside EpochsTable. A commit updates one row in place.
const TokensTable = "starlift_tokens"

// Tokens returns TokensTable.
func Tokens() *pipeline.Table {
	t, err := pipeline.NewTable(TokensTable, []pipeline.Column{
		{Name: "pipeline", Type: pipeline.Type{Kind: pipeline.String}},
		{Name: "state_id", Type: pipeline.Type{Kind: pipeline.String}},
		{Name: "sink", Type: pipeline.Type{Kind: pipeline.String}},
		{Name: "epoch", Type: pipeline.Type{Kind: pipeline.Int64}},
		{Name: "committed_at", Type: pipeline.Type{Kind: pipeline.Timestamp}},
	}, []string{"pipeline", "state_id", "sink"})
	if err != nil {
		panic(err) // the columns are constants
	}
	return t
}

// recoveryHint says how to go on where tables and state do not belong together.
const recoveryHint = "begin anew: starlift reset FILE shows what that takes, and does it with --yes"

// TokenError says that the tables and the state folder are not of one history.
type TokenError struct {
	Sink, Pipeline, StateID string
	Found, Want             int64  // epochs
	Other                   string // the state folder that the tables are of
}

// Error says what was found, why it may be, and how to go on.
func (e *TokenError) Error() string {
	switch {
	case e.Other != "":
		return fmt.Sprintf("sink %q: the tables were written by pipeline %q with another state folder (%s, up to epoch %d), not with this one (%s): "+
			"the state folder was lost or is a new one; put the matching one back, or %s", e.Sink, e.Pipeline, e.Other, e.Found, e.StateID, recoveryHint)
	case e.Found > e.Want:
		return fmt.Sprintf("sink %q: the tables are at epoch %d, the state folder %s expects epoch %d: the state folder is older than the tables "+
			"(restored, or a copy of it has run); put the matching one back, or %s", e.Sink, e.Found, e.StateID, e.Want, recoveryHint)
	}
	return fmt.Sprintf("sink %q: the tables are at epoch %d, the state folder %s expects epoch %d: the tables are older than the state folder "+
		"(restored from a backup, or deleted); put the matching one back, or %s", e.Sink, e.Found, e.StateID, e.Want, recoveryHint)
}

// checkToken compares the token with what the checkpoint says, when a sink is opened.
// other is another state folder with tokens of this pipeline and sink, and
// otherEpoch its last epoch; empty = there is none.
func checkToken(sink string, o *pipeline.SinkOptions, found int64, other string, otherEpoch int64) error {
	switch {
	case found == 0 && o.Published == 0 && other != "":
		return &TokenError{Sink: sink, Pipeline: o.Pipeline, StateID: o.StateID, Other: other, Found: otherEpoch}
	case found == o.Published, o.Pending != nil && found == o.Pending.Epoch:
		return nil
	}
	return &TokenError{Sink: sink, Pipeline: o.Pipeline, StateID: o.StateID, Found: found, Want: o.Published}
}

// alreadyApplied compares the token with a committable, in the transaction that would
// apply it (I5). A token of neither this epoch nor the one before is an error.
func alreadyApplied(sink string, o *pipeline.SinkOptions, c *pipeline.Committable, found int64) (bool, error) {
	switch found {
	case c.Epoch:
		return true, nil
	case c.PreviousEpoch:
		return false, nil
	}
	return false, &TokenError{Sink: sink, Pipeline: o.Pipeline, StateID: o.StateID, Found: found, Want: c.PreviousEpoch}
}

// CheckCount compares the rows that a statement touched with those of the
// committable: anything else means that somebody else has changed the table.
func CheckCount(got, want int64, what string) error {
	if got == want {
		return nil
	}
	return changedByOthers(fmt.Sprintf("%d rows %s, want %d", got, what, want))
}

// changedByOthers is the error of a table that something else has changed.
func changedByOthers(how string) error {
	return fmt.Errorf("%s: the table was changed by something else than this pipeline; put it back, or %s", how, recoveryHint)
}
