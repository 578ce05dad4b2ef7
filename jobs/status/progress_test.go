package status

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starlift-etl/starlift/pipeline/telemetry"
)

// TestLineAMinute: the log has one line a minute, no more, and none before the
// first minute is over. It is not parallel, since the log is the process's.
func TestLineAMinute(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	defer slog.SetDefault(before)
	slog.SetDefault(slog.New(slog.NewJSONHandler(&log, nil)))
	synctest.Test(t, func(t *testing.T) {
		pipeline := &Pipeline{Recorder: telemetry.New(telemetry.Options{}), Size: func() (read, total int64) { return 0, 0 }}
		defer ShowProgress(NewMonitor(pipeline), nil).End(false)
		for minute := range 3 {
			if n := strings.Count(log.String(), `"msg":"running"`); n != minute {
				t.Errorf("%d lines after %d minutes:\n%s", n, minute, log.String())
			}
			pipeline.Recorder.RecordsRead(telemetry.Read{Source: "s", Records: 70})
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

// TestBar: it is never at its end before all is committed, and says so when the
// run was stopped.
func TestBar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		read := int64(0)
		p := &Progress{m: NewMonitor(&Pipeline{Name: "shop", Recorder: telemetry.New(telemetry.Options{}), Size: func() (int64, int64) { return read, 200 }})}
		time.Sleep(time.Minute)
		for _, tc := range []struct {
			read        int64
			ended, last bool
			starts      string
			ends        string
		}{
			{0, false, false, "shop   0 % [          ", "epoch 0"},
			{50, false, false, "shop  25 % [=======   ", "epoch 0  3 min left"},
			{200, false, false, "shop  99 % [==========", "epoch 0"},
			{50, false, true, "shop  25 % [=======   ", "] stopped, 0 records  0 MB/s  epoch 0"},
			{200, false, true, "shop  99 % [==========", "] stopped, 0 records  0 MB/s  epoch 0"},
			{200, true, true, "shop 100 % [==========", "epoch 0"},
		} {
			read, p.ended = tc.read, tc.ended
			text := p.bar()
			if tc.last {
				text = p.lastBar()
			}
			if !strings.HasPrefix(text, tc.starts) || !strings.HasSuffix(text, tc.ends) {
				t.Errorf("at %d of 200: %q", tc.read, text)
			}
		}
	})
}
