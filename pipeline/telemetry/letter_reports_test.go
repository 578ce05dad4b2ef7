package telemetry

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
)

// TestFirstReasons: the log tells the first dead letter of a node and reason, and
// after a while the next.
func TestFirstReasons(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w letterReports
		epoch := func(kinds ...string) (told []string) {
			tally := NewTally()
			for i, k := range kinds {
				node, reason, _ := strings.Cut(k, " ")
				tally.CountLetter(&pipeline.DeadLetter{Node: node, Reason: pipeline.Reason(reason), Pos: pipeline.Position{Partition: "f", Line: int64(i)}})
			}
			for _, c := range w.take(tally, time.Now) {
				told = append(told, fmt.Sprint(c.records, " ", c.kind.Node, " ", c.kind.Reason, " ", c.example.Position))
			}
			return told
		}
		for i, step := range []struct {
			wait  time.Duration
			kinds []string
			want  string
		}{
			{0, nil, "[]"},
			{0, []string{"n bad_value", "n bad_value", "n null_key"}, "[2 n bad_value f:0 1 n null_key f:2]"},
			{time.Minute, []string{"n bad_value", "m bad_value"}, "[1 m bad_value f:1]"},
			{time.Hour, []string{"n null_key", "n bad_value"}, "[2 n bad_value f:1 1 n null_key f:0]"},
			{time.Minute, []string{"n bad_value"}, "[]"},
		} {
			time.Sleep(step.wait)
			if got := fmt.Sprint(epoch(step.kinds...)); got != step.want {
				t.Errorf("epoch %d tells %s, want %s", i, got, step.want)
			}
		}
	})
}
