package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/jobs/assembly"
	"github.com/starlift-etl/starlift/jobs/status"
	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/engine"
	"github.com/starlift-etl/starlift/pipeline/graph"
)

// freeAddress returns an address that nobody listens at.
func freeAddress(t *testing.T) string {
	t.Helper()
	probe, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer probe.Close()
	return probe.Addr().String()
}

// page gets a page of a running pipeline.
func page(t *testing.T, address, path string) (code int, body string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + address + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// downSink is a sink whose commits fail for as long as it is down.
type downSink struct {
	pipeline.Sink
	down atomic.Bool
	why  error
}

func (s *downSink) Commit(ctx context.Context, r *pipeline.Committable) error {
	if s.down.Load() {
		return s.why
	}
	return s.Sink.Commit(ctx, r)
}

// stopped holds a pipeline at a step until it is let go.
type stopped struct{ reached, release chan struct{} }

func stopAt(a *assembly.Pipeline, step engine.Step, epoch int64) *stopped {
	s := &stopped{make(chan struct{}), make(chan struct{})}
	a.Config.Hook = func(at engine.Step, e int64) error {
		if at == step && e == epoch {
			close(s.reached)
			<-s.release
		}
		return nil
	}
	return s
}

// inBackground runs an assembly; the caller waits for its error.
func inBackground(t *testing.T, a *assembly.Pipeline) chan error {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- (newCLI(nil, nil, os.Stderr)).runPipeline(context.Background(), a) }()
	return ended
}

// eventually waits for a condition of a pipeline that runs.
func eventually(t *testing.T, ended <-chan error, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case err := <-ended:
			t.Fatalf("the run ended, and never %s: %v", what, err)
		case <-tick.C:
		}
	}
}

// shopAt is a shop with a broken record whose pipeline is served at an address.
func shopAt(t *testing.T, set ...string) (a *assembly.Pipeline, dir, address string) {
	t.Helper()
	dir, address = shop(t, 600, 11), freeAddress(t)
	changes := filepath.Join(dir, "changes.ndjson")
	data, err := os.ReadFile(changes)
	if err != nil {
		t.Fatal(err)
	}
	write(t, changes, append([]byte("broken\n"), data...))
	edit(t, filepath.Join(dir, "shop.yaml"), "path: changes.ndjson", "path: "+changes)
	set = append([]string{"sinks.lake.url=" + filepath.Join(dir, "lake")}, set...)
	for key, value := range map[string]string{
		"state.dir": filepath.Join(dir, "state"), "dead_letters.url": filepath.Join(dir, "dead"),
		"sinks.warehouse.dsn": filepath.Join(dir, "shop.duckdb"), "http.listen": address, "dead_letters.max_ratio": "1", "epoch.max_records": "100",
	} {
		set = append(set, key+"="+value)
	}
	if a, err = assembly.Load(filepath.Join(dir, "shop.yaml"), set); err != nil {
		t.Fatal(err)
	}
	return a, dir, address
}

// TestSinkDown: while a sink is down its pipeline is not ready, and says since
// when and why, without secrets; when it is back all is as before.
func TestSinkDown(t *testing.T) {
	lake := filepath.Join(t.TempDir(), "hunter2")
	t.Setenv("SHOP_TOKEN", lake)
	a, _, address := shopAt(t, "sinks.lake.url=${SHOP_TOKEN}")
	sink := &downSink{why: pipeline.TransientFor("connection", errors.New("cannot connect as shop:"+lake))}
	editPlan(a, func(n *graph.Nodes) {
		for i := range n.Sinks {
			if n.Sinks[i].Name == "warehouse" {
				sink.Sink = n.Sinks[i].Sink
				n.Sinks[i].Sink = sink
			}
		}
	})
	before := stopAt(a, engine.StepBegin, 3)
	ended := inBackground(t, a)
	<-before.reached
	if code, body := page(t, address, "/readyz"); code != http.StatusOK || body != "ok\n" {
		t.Errorf("at work: %d %s", code, body)
	}
	sink.down.Store(true)
	close(before.release)
	eventually(t, ended, "was not ready", func() bool { code, _ := page(t, address, "/readyz"); return code != http.StatusOK })
	code, body := page(t, address, "/readyz")
	if code != http.StatusServiceUnavailable || !strings.HasPrefix(body, "sink warehouse: it is down since 20") || !strings.Contains(body, "cannot connect as shop:") {
		t.Errorf("with a sink down: %d %s", code, body)
	}
	st, err := status.Find(context.Background(), statusOf(a))
	if err != nil {
		t.Fatal(err)
	}
	if w := st.Sinks["warehouse"]; st.Running.Ready || len(st.Running.Problems) != 1 || w.Down == nil || w.Retries == 0 || !strings.Contains(w.Problem, "cannot connect") {
		t.Errorf("status with a sink down: %+v, %+v", st.Running, w)
	}
	if st.Running.Pending == 0 || st.Sinks["lake"].Down != nil {
		t.Errorf("pending %d, lake %+v", st.Running.Pending, st.Sinks["lake"])
	}
	_, shown := page(t, address, "/status")
	if all := body + shown; strings.Contains(all, "hunter2") {
		t.Errorf("a secret is shown: %s", all)
	}
	_, metrics := page(t, address, "/metrics")
	if !strings.Contains(metrics, `starlift_retries_total{reason="connection",sink="warehouse"} `) {
		t.Error("no retry among the metrics")
	}
	sink.down.Store(false)
	eventually(t, ended, "was ready again", func() bool { code, _ := page(t, address, "/readyz"); return code == http.StatusOK })
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

// TestStatusOfRunning: a pipeline that runs says how fast and how far it is, and
// status asks it; one that does not run is read from its state, and says the same.
func TestStatusOfRunning(t *testing.T) {
	t.Parallel()
	a, dir, address := shopAt(t)
	at := stopAt(a, engine.StepDone, 3)
	ended := inBackground(t, a)
	<-at.reached
	code, body := page(t, address, "/status")
	st := &status.Status{}
	if err := json.Unmarshal([]byte(body), st); err != nil || code != http.StatusOK {
		t.Fatal(code, err)
	}
	if st.Pipeline != "shop" || st.StateID == "" || st.Epoch != 3 || st.StateBytes == 0 || st.Running == nil {
		t.Fatalf("%s", body)
	}
	src, items, lake := st.Sources["changes"], st.Running.Transforms["items"], st.Sinks["lake"]
	if src.Records < 300 || src.Bytes == 0 || src.RecordRate <= 0 || src.ByteRate <= 0 || src.Partitions != 1 || src.Finished || src.Lag != nil {
		t.Errorf("source: %s", body)
	}
	if items.Rows["order"]["upsert"] == 0 || items.RowRate <= 0 || items.DeadLetters["bad_record"] != 1 || st.DeadLetters["bad_record"] != 1 {
		t.Errorf("transform: %s", body)
	}
	if lake.Rows == 0 || lake.RowRate <= 0 || lake.Retries != 0 || lake.Down != nil || !lake.Gathering || st.Sinks["warehouse"].Published != 3 {
		t.Errorf("sinks: %s", body)
	}
	if l := st.Running; !l.Ready || len(l.Problems) != 0 || l.LastCommit == nil || l.CommitAge < 0 || time.Since(*l.LastCommit) > time.Hour {
		t.Errorf("running: %s", body)
	}
	var out output
	asked := command("status", filepath.Join(dir, "shop.yaml"), "--set", "http.listen="+address, "--set", "state.dir="+filepath.Join(dir, "state"))
	asked.want(t, exitFine, "running since", "ready", "source changes: not at its end, 1 partition, ", " records/s", "sink warehouse: epoch 3 published", "dead letters, bad_record: 1")
	if err := st.Print(&out); err != nil {
		t.Error(err)
	}
	// Without an address it is asked at its socket, and without either, all that can be said is that it runs.
	command("status", filepath.Join(dir, "shop.yaml"), "--set", "state.dir="+filepath.Join(dir, "state")).want(t, exitFine, "running since", "sink warehouse: epoch 3 published")
	if err := os.Remove(filepath.Join(dir, "state", status.SocketName)); err != nil {
		t.Error(err)
	}
	command("status", filepath.Join(dir, "shop.yaml"), "--set", "http.listen="+address, "--set", "state.dir="+filepath.Join(dir, "state")).want(t, exitFine, "running since")
	command("status", filepath.Join(dir, "shop.yaml"), "--set", "state.dir="+filepath.Join(dir, "state")).want(t, exitFailed, "another process has it open", "does not answer at the socket")
	// Another pipeline's answer is not taken for this one's.
	other := command("status", filepath.Join(dir, "shop.yaml"), "--set", "name=other", "--set", "http.listen="+address)
	other.want(t, exitFine, "pipeline other has not run yet")
	close(at.release)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	rest, err := status.Find(context.Background(), statusOf(a))
	if err != nil {
		t.Fatal(err)
	}
	if rest.Running != nil || rest.StateID != st.StateID || !rest.Sources["changes"].Finished || rest.DeadLetters["bad_record"] != 1 {
		t.Errorf("at rest: %+v", rest)
	}
}

// TestReadyAfterStart: a pipeline that waits to commit what an earlier process
// saved is not ready, and one that goes back to its checkpoint says why.
func TestReadyAfterStart(t *testing.T) {
	t.Parallel()
	a, _, address := shopAt(t)
	failed, reached, release := false, make(chan struct{}), make(chan struct{})
	a.Config.Hook = func(step engine.Step, epoch int64) error {
		switch {
		case step == engine.StepPrepare && epoch == 2 && !failed:
			failed = true
			return pipeline.Transient(errors.New("the disk is away"))
		case step == engine.StepBegin && epoch == 2 && failed:
			close(reached)
			<-release
		}
		return nil
	}
	if wrong := status.NewMonitor(statusOf(a)).Problems(); len(wrong) != 1 || !strings.Contains(wrong[0], "is not open") {
		t.Errorf("before the run: %q", wrong)
	}
	ended := inBackground(t, a)
	<-reached
	code, body := page(t, address, "/readyz")
	if code != http.StatusServiceUnavailable || !strings.HasPrefix(body, "the pipeline goes back to its checkpoint again and again, since 20") || !strings.Contains(body, "the disk is away") {
		t.Errorf("after it went back: %d %s", code, body)
	}
	if _, metrics := page(t, address, "/metrics"); !strings.Contains(metrics, "\nstarlift_restarts_total 1\n") {
		t.Error("the metrics do not count that it went back")
	}
	close(release)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if wrong := fmt.Sprint(status.NewMonitor(statusOf(a)).Problems()); strings.Contains(wrong, "away") {
		t.Errorf("after an epoch was committed: %s", wrong)
	}
}

// lossySource is a source that somebody may say to have lost something.
type lossySource struct {
	pipeline.Source
	tell func(pipeline.Notice)
}

func (s *lossySource) Open(ctx context.Context, o pipeline.SourceOptions) error {
	s.tell = o.Env.Notify
	return s.Source.Open(ctx, o)
}

// TestGap: a pipeline that has lost input is not ready, and says what was lost;
// what is noticed besides is no gap.
func TestGap(t *testing.T) {
	t.Parallel()
	a, _, address := shopAt(t)
	source := &lossySource{Source: a.Config.Sources[0].Source}
	editPlan(a, func(n *graph.Nodes) { n.Sources[0].Source = source })
	at := stopAt(a, engine.StepDone, 2)
	ended := inBackground(t, a)
	<-at.reached
	source.tell(pipeline.Notice{Event: "truncated", Message: "changes.ndjson was truncated"})
	if code, body := page(t, address, "/readyz"); code != http.StatusOK {
		t.Errorf("after a notice: %d %s", code, body)
	}
	source.tell(pipeline.Notice{Event: "lost", Message: "changes.ndjson was truncated before it was read", Lost: 77})
	code, body := page(t, address, "/readyz")
	if want := "source changes: 77 bytes were lost before they were read, since the start: changes.ndjson was truncated before it was read\n"; code != http.StatusServiceUnavailable || body != want {
		t.Errorf("after a loss: %d %s", code, body)
	}
	st, err := status.Find(context.Background(), statusOf(a))
	if err != nil || st.Sources["changes"].Lost != 77 || st.Running.Ready {
		t.Errorf("status %+v, %v", st, err)
	}
	close(at.release)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}
