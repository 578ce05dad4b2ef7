package status

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/state"
	"github.com/starlift-etl/starlift/pipeline/telemetry"
	"github.com/starlift-etl/starlift/sinks/deadletters"
)

// shardSource is a source of shards that reports what it is told to.
type shardSource struct {
	pipeline.Source
	report pipeline.PartitionReport
}

func (shardSource) Bounded() bool                      { return false }
func (s shardSource) Report() pipeline.PartitionReport { return s.report }

// TestReportOfPartitions: lags, problems and gaps of shards are in the report, in its text, and
// in what keeps the pipeline from being ready, as few as people can read and without secrets.
func TestReportOfPartitions(t *testing.T) {
	since := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var report pipeline.PartitionReport
	for i := range 200 {
		name := fmt.Sprintf("shard-%03d", i)
		report.Lags = append(report.Lags, pipeline.PartitionLag{Partition: name, Lag: time.Duration(200-i) * time.Second})
		report.Problems = append(report.Problems, pipeline.SourceProblem{Partition: name, Since: since, Err: errors.New("denied to hunter2")})
	}
	report.Problems[1].Partition = ""
	gap := pipeline.Gap{Partition: "shard-007", Position: "49", From: since, To: since.Add(time.Hour), Reason: "trimmed, hunter2", Found: since.Add(2 * time.Hour)}
	accepted := gap
	accepted.From, accepted.Accepted = time.Time{}, since.Add(3*time.Hour)
	report.Gaps = []pipeline.Gap{accepted, gap}

	recorder := telemetry.New(telemetry.Options{})
	recorder.RunStarted(telemetry.Nodes{Sources: []telemetry.Source{{Name: "orders", Source: shardSource{report: report}}}})
	recorder.StateOpened(telemetry.StateInfo{Checkpoint: &state.Checkpoint{}})
	p := &Pipeline{Name: "shop", Sources: []string{"orders"}, Recorder: recorder, DeadLetters: deadletters.Folder{}, Size: func() (int64, int64) { return 0, 0 },
		Redact: func(text string) string { return strings.ReplaceAll(text, "hunter2", "***") }}
	m := NewMonitor(p)
	problems := strings.Join(m.Problems(), "\n")
	for _, want := range []string{
		"source orders: partition shard-000 can't be read since 2026-03-01T12:00:00Z, and it is tried again: denied to ***\n",
		"source orders: it can't go on since 2026-03-01T12:00:00Z, and it is tried again: denied",
		"source orders: 197 more of its partitions can't be read",
	} {
		if !strings.Contains(problems, want) {
			t.Errorf("the problems are\n%s\nwithout %q", problems, want)
		}
	}

	st := newStatus(p)
	h := recorder.Health().Sources["orders"]
	st.StateID = "id"
	lag := h.Lag.Seconds()
	st.Sources["orders"] = Source{Partitions: 200, Gaps: gapsOf(p, h.Report.Gaps), SourceRates: &SourceRates{Lag: &lag, PartitionLags: partitionLags(h.Report.Lags)}}
	raw, err := json.Marshal(st)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"partition_lags":[{"partition":"shard-000","lag_seconds":200}`,
		`{"partition":"shard-007","position":"49","from":"2026-03-01T12:00:00Z","to":"2026-03-01T13:00:00Z","reason":"trimmed, ***","found":"2026-03-01T14:00:00Z"}`,
		`"to":"2026-03-01T13:00:00Z","reason":"trimmed, ***","found":"2026-03-01T14:00:00Z","accepted":"2026-03-01T15:00:00Z"`,
	} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("the report is %s, without %s", raw, want)
		}
	}
	if n := strings.Count(string(raw), `"lag_seconds"`); n != lagsMax+1 {
		t.Errorf("it has %d lags", n)
	}
	var text strings.Builder
	if err := st.Print(&text); err != nil {
		t.Fatal(err)
	}
	want := "source orders: not at its end, 200 partitions, 0 records/s, 0.0 MB/s, 3 min 20 s behind\n" +
		"source orders: a gap to 2026-03-01T13:00:00Z in shard-007, behind 49, found at 2026-03-01T14:00:00Z, accepted at 2026-03-01T15:00:00Z: trimmed, ***\n" +
		"source orders: a gap from 2026-03-01T12:00:00Z to 2026-03-01T13:00:00Z in shard-007, behind 49, found at 2026-03-01T14:00:00Z, nobody has accepted it (starlift run --accept-gap): trimmed, ***\n" +
		"source orders: partition shard-000 is 3 min 20 s behind\n"
	if !strings.Contains(text.String(), want) || strings.Count(text.String(), " is ") != lagsTextMax {
		t.Errorf("the text is\n%s\nwant\n%s", text.String(), want)
	}
}
