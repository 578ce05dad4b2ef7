package status

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/state"
	"github.com/starlift-etl/starlift/pipeline/telemetry"
	"github.com/starlift-etl/starlift/sinks/deadletters"
)

// phasedSource is a source that does one thing after the other.
type phasedSource struct {
	pipeline.Source
	phases []pipeline.SourcePhase
}

func (phasedSource) Bounded() bool                        { return false }
func (s phasedSource) Phases() []pipeline.SourcePhase     { return s.phases }
func (phasedSource) CursorText(string, []byte) string     { return "" }
func (s *phasedSource) at(phases ...pipeline.SourcePhase) { s.phases = phases }

// TestPhases: the report, its text, the line of a run and /readyz say which phase a source is in,
// how far and for how long; a source whose snapshot is not read keeps the pipeline from being ready.
func TestPhases(t *testing.T) {
	began := time.Now().Add(-2 * time.Minute).Truncate(time.Second)
	export := pipeline.SourcePhase{Name: "export", Detail: "made at hunter2", Began: began, Done: 250, Total: 1000, Unit: "items"}
	stream := pipeline.SourcePhase{Name: "stream", Began: began}
	source := &phasedSource{phases: []pipeline.SourcePhase{export, stream}}
	recorder := telemetry.New(telemetry.Options{})
	recorder.RunStarted(telemetry.Nodes{Sources: []telemetry.Source{{Name: "shop", Source: source}}})
	recorder.StateOpened(telemetry.StateInfo{Checkpoint: &state.Checkpoint{}})
	recorder.Opened(func() int { return 0 })
	p := &Pipeline{Name: "shop", Sources: []string{"shop"}, Recorder: recorder, DeadLetters: deadletters.Folder{}, Size: func() (int64, int64) { return 0, 0 },
		Redact: func(text string) string { return strings.ReplaceAll(text, "hunter2", "***") }}
	m := NewMonitor(p)
	text := func() string {
		t.Helper()
		s := Source{Phases: phasesOf(p, recorder.Health().Sources["shop"].Phases, began.Add(2*time.Minute))}
		var b strings.Builder
		s.printPhases(&b, "shop")
		return b.String()
	}
	want := "source shop: export, for 2 min, 250 of 1000 items (25 %): made at ***\nsource shop: stream, for 2 min\n"
	if got := text(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if got, want := strings.Join(m.Problems(), "\n"), "source shop: its export is not read and committed yet, so tables are not complete: made at ***"; got != want {
		t.Errorf("the problems are %q, want %q", got, want)
	}
	line := (&Progress{m: m}).phase(recorder.Health())
	if !strings.HasPrefix(line, "shop: export, for ") || !strings.HasSuffix(line, ", 250 of 1000 items (25 %): made at ***") {
		t.Errorf("the line of a run says %q", line)
	}

	export.Ended, export.Detail = began.Add(time.Minute), ""
	source.at(export, stream)
	if got := m.Problems(); len(got) != 0 {
		t.Errorf("when the snapshot is read, the problems are %q", got)
	}
	if got := text(); !strings.HasPrefix(got, "source shop: export, done at "+clock(export.Ended)+" after 1 min, 250 of") {
		t.Errorf("got %s", got)
	}
	raw, err := json.Marshal(phasesOf(p, source.phases, began.Add(2*time.Minute)))
	if want := `"ended":"` + clock(export.Ended) + `","seconds":60,"done":250,"total":1000,"unit":"items"},{"name":"stream","began":`; err != nil || !strings.Contains(string(raw), want) {
		t.Errorf("the report has %s, %v, without %s", raw, err, want)
	}
	source.at(pipeline.SourcePhase{Name: "scan"}, stream)
	if got := text(); !strings.HasPrefix(got, "source shop: scan, not begun\n") {
		t.Errorf("got %s", got)
	}
}

// TestPhasesAndWaits: what a source waits for is not said again where a phase says it.
func TestPhasesAndWaits(t *testing.T) {
	s := Source{Partitions: 1, Phases: []Phase{{Name: "export", Detail: "waits for 12:00"}}, SourceRates: &SourceRates{Waits: []string{"12:00", "a file"}}}
	var b strings.Builder
	s.print(&b, "shop")
	if got := b.String(); strings.Contains(got, "waits: 12:00") || !strings.Contains(got, "source shop waits: a file\n") {
		t.Errorf("got\n%s", got)
	}
}
