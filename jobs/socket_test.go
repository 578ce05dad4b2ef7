package jobs

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/starlift-etl/starlift/pipeline/engine"
)

// TestStatusAtSocket: a pipeline without http is asked at its socket while it
// runs; after a kill its state is read; a start that is refused leaves the socket
// of the process that runs.
func TestStatusAtSocket(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, sub := range []string{"in", strings.Repeat("deep", 30)} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	file := strings.Replace(sensors, `path: "in/*.ndjson"`, `path: "in/*.ndjson", follow: true, poll: 10ms`, 1) +
		"state: {dir: " + strings.Repeat("deep", 30) + "/state}\nepoch: {interval: 10ms}\n"
	write(t, filepath.Join(dir, "sensors.yaml"), []byte(file))
	write(t, filepath.Join(dir, "in/1.ndjson"), []byte(`{"id":"a","celsius":1.5}`+"\n"))
	p := start(t, dir, nil, "run", "sensors.yaml")
	wait(t, p, func() bool {
		return strings.Contains(starlift(t, dir, "status", "sensors.yaml").out, "source readings: not at its end, 1 partition")
	})
	out := fine(t, dir, "status", "sensors.yaml").out
	if !strings.Contains(out, "running since") || !strings.Contains(out, "sink lake: ") {
		t.Errorf("status:\n%s", out)
	}
	starlift(t, dir, "run", "sensors.yaml").want(t, exitFailed, "another process has it open")
	if out := fine(t, dir, "status", "sensors.yaml", "--output", "json").out; !strings.Contains(out, `"commit_age_seconds"`) {
		t.Errorf("status after a refused start:\n%s", out)
	}
	p.signal(t, syscall.SIGKILL)
	p.result().want(t, -1, `"msg":"starting","version":"`, `"pipeline":"sensors","file":"sensors.yaml","sources":"readings (file)","sinks":"lake (parquet)","state":"`, `"epoch":0}`)
	if out := fine(t, dir, "status", "sensors.yaml").out; strings.Contains(out, "running since") {
		t.Errorf("status after a kill:\n%s", out)
	}
}

// TestSavedIsNotPublished: an epoch that is saved and not committed is called so,
// by a pipeline that runs and of one that does not.
func TestSavedIsNotPublished(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "in"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "sensors.yaml"), []byte(strings.Replace(sensors, "{type: parquet, inputs: [items], url: lake, mode: append}", "{type: duckdb, inputs: [items], dsn: lake.duckdb}", 1)))
	write(t, filepath.Join(dir, "in/1.ndjson"), []byte(`{"id":"a"}`+"\n"+`{"id":"b"}`+"\n"))
	args := []string{"run", "sensors.yaml", "--set", "epoch.max_records=1"}
	start(t, dir, []string{envKillAt + "=" + string(engine.StepPublish) + ":1"}, args...).result().want(t, -1)
	want := func(lines ...string) {
		t.Helper()
		out := fine(t, dir, "status", "sensors.yaml").out
		for _, line := range lines {
			if !strings.Contains(out, line) {
				t.Errorf("%q is not said:\n%s", line, out)
			}
		}
	}
	want("epoch 0; epoch 1 is saved, and is committed at the next start\n", "sink lake: nothing published yet, epoch 1 saved and not published yet\n")
	start(t, dir, []string{envKillAt + "=" + string(engine.StepPublish) + ":2"}, args...).result().want(t, -1)
	want("epoch 1; epoch 2 is saved, and is committed at the next start\n", "sink lake: epoch 1 published, epoch 2 saved and not published yet\n")
	if out := fine(t, dir, "status", "sensors.yaml", "--output", "json").out; !strings.Contains(out, `"saved_epoch": 2`) || !strings.Contains(out, `"saved": 2`) || !strings.Contains(out, `"published": 1`) {
		t.Errorf("as JSON:\n%s", out)
	}
	fine(t, dir, args...)
	want("epoch 3\n", "sink lake: epoch 2 published\n") // the third ends the reading, without rows
}
