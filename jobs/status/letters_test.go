package status

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline/blob"
	"github.com/starlift-etl/starlift/pipeline/telemetry"
	"github.com/starlift-etl/starlift/sinks/deadletters"
)

func lettersBehind(w blob.Wrapper) deadletters.Folder {
	return deadletters.Folder{Objects: blob.Wrap(blob.NewMemory(), w), Pipeline: "shop"}
}

// TestLettersOutOfReach: where the store of the dead letters does not answer, who asks a running
// pipeline gets the rest of its report in time, from each of several questions at once.
func TestLettersOutOfReach(t *testing.T) {
	t.Parallel()
	m := NewMonitor(&Pipeline{Name: "shop", Recorder: telemetry.New(telemetry.Options{}), Redact: func(text string) string { return text },
		Size: func() (read, total int64) { return 0, 0 }, DeadLetters: lettersBehind(func(ctx context.Context, _ blob.Call, _ func() error) error {
			<-ctx.Done()
			return ctx.Err()
		})})
	server := httptest.NewServer(m.Handler())
	t.Cleanup(server.Close)
	for range 3 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			body, err := get(context.Background(), server.URL+"/status", nil)
			if err != nil {
				t.Fatal(err)
			}
			st := &Status{}
			if err := json.Unmarshal(body, st); err != nil || st.Running == nil || !strings.Contains(st.LettersProblem, "can't be counted") {
				t.Errorf("got %s, %v", body, err)
			}
		})
	}
}

// TestStoredLettersOutOfReach: the report on a pipeline that does not run needs its state only.
func TestStoredLettersOutOfReach(t *testing.T) {
	st, err := Find(context.Background(), &Pipeline{Name: "shop", StateDir: t.TempDir(), Redact: func(text string) string { return strings.ReplaceAll(text, "hunter2", "***") },
		DeadLetters: lettersBehind(func(context.Context, blob.Call, func() error) error { return errors.New("denied to hunter2") })})
	if err != nil || st.LettersProblem != "the dead letters can't be counted: denied to ***" {
		t.Fatalf("got %+v, %v", st, err)
	}
	st.StateID = "0123456789abcdef"
	var text strings.Builder
	if err := st.Print(&text); err != nil || !strings.Contains(text.String(), "\nthe dead letters can't be counted: denied to ***\n") {
		t.Errorf("its text is\n%s\n%v", text.String(), err)
	}
}
