package jobs

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starlift-etl/starlift/pipeline/engine"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// TestLineAMinute: the log has one line a minute, no more, and none before the
// first minute is over. It is not parallel, since the log is the process's.
func TestLineAMinute(t *testing.T) {
	var log output
	before := slog.Default()
	defer slog.SetDefault(before)
	slog.SetDefault(slog.New(slog.NewJSONHandler(&log, nil)))
	synctest.Test(t, func(t *testing.T) {
		a := &assembly{file: &spec.File{}, config: engine.Config{Metrics: engine.NewMetrics()}}
		p := (&streams{err: &log}).progress(newWatch(a))
		defer p.end(false)
		for minute := range 3 {
			if n := strings.Count(log.String(), `"msg":"running"`); n != minute {
				t.Errorf("%d lines after %d minutes:\n%s", n, minute, log.String())
			}
			a.config.Metrics.Records.Add(70)
			time.Sleep(time.Minute)
			synctest.Wait()
		}
	})
	first, _, _ := strings.Cut(log.String(), "\n")
	var line map[string]any
	if err := json.Unmarshal([]byte(first), &line); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{"level": "INFO", "records": 70., "records_per_second": 0., "dead_letters": 0., "retries": 0., "epoch": nil} {
		if line[key] != want {
			t.Errorf("%s is %v, want %v: %s", key, line[key], want, first)
		}
	}
}
