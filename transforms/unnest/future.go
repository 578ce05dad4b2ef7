package unnest

import (
	"fmt"
	"math"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
)

// latestOf returns a time up to which none of the records is from the future: the
// others are looked at one by one. What plain JSON has for a version need not be the
// time of the change.
func latestOf(r *pipeline.Records) int64 {
	switch {
	case r.Format.Encoding == pipeline.JSON:
		return math.MaxInt64
	case r.Arrived == nil:
		return r.Latest(0)
	}
	return math.MinInt64
}

// future says why a change is refused that is dated later than it can have been made.
func (m *mapper) future(dated int64) *failure {
	text := func(at int64) string { return time.UnixMicro(at).UTC().Format(time.RFC3339) }
	what, at := "was read", m.records.EpochTime
	if a := m.records.Arrived; a != nil && a[m.rows.index] > 0 && m.records.Replays == nil {
		what, at = "arrived", a[m.rows.index]
	}
	return &failure{reason: pipeline.ReasonFuture, message: fmt.Sprintf("the change is dated %s, more than a day after it %s, %s: "+
		"the clock of who wrote it is wrong, or that of this machine; read it again when its time has come (starlift dead-letters replay)", text(dated), what, text(at))}
}
