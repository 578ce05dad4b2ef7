package engine

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/telemetry"
)

// TestCountedOnce: rows and dead letters of an epoch that is tried again count
// once, and a pipeline that got on has no problem.
func TestCountedOnce(t *testing.T) {
	changes := append(someChanges(14), change{"x", 1, 100}, change{"y", 2, 200})
	w := newWorld(t.TempDir(), changes)
	left := 3
	w.log.Fail = func(call string) error {
		if call == "prepare" && left > 0 {
			left--
			return pipeline.Transient(errCrash)
		}
		return nil
	}
	c := w.config()
	if err := Run(context.Background(), context.Background(), c); err != nil {
		t.Fatal(err)
	}
	w.check(t)
	_, log, dead := want(changes)
	h := recorder(&c).Health()
	if got := h.Rows[telemetry.RowKind{Node: "t", Table: "value", Op: "upsert"}]; got != int64(len(log)) {
		t.Errorf("%d rows of the log are counted, want %d", got, len(log))
	}
	if got := h.Dead[telemetry.LetterKind{Node: "t", Reason: string(pipeline.ReasonBadValue)}]; got != int64(dead) || dead == 0 {
		t.Errorf("%d dead letters are counted, want %d", got, dead)
	}
	if h.Problem != nil || h.Pending != 0 || h.Working || !h.Sources["s"].Finished || h.Sources["s"].Partitions != 1 || h.LastCommit.IsZero() {
		t.Errorf("health is %+v", h)
	}
}

// TestSinkIsBack: when a sink commits again after it had failed, the log says so,
// and for how long it had; while it fails, nothing that is saved counts as published.
func TestSinkIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		w := newWorld(t.TempDir(), someChanges(4))
		c := w.config()
		c.Limits.CommitTimeout = time.Hour
		observe(&c, slog.New(slog.NewTextHandler(&log, nil)))
		left := 3
		w.settled.Fail = func(call string) error {
			if call != "commit" || left == 0 {
				return nil
			}
			if h := recorder(&c).Health(); h.Epoch != 0 || h.Saved != 1 || h.Sinks["warehouse"].Published != 0 || h.Sinks["warehouse"].Saved != 1 {
				t.Errorf("while it fails: %+v", h)
			}
			left--
			return pipeline.Transient(errCrash)
		}
		var opened []string
		c.Opened = func(id string, epoch int64) { opened = append(opened, fmt.Sprint(len(id), " ", epoch)) }
		err := Run(context.Background(), context.Background(), c)
		if total := recorder(&c).Progress(); err != nil || !total.Ended {
			t.Fatal(total, err)
		}
		if n := strings.Count(log.String(), "sink is back"); n != 1 || !strings.Contains(log.String(), "sink=warehouse epoch=1 after=") {
			t.Errorf("logged:\n%s", log.String())
		}
		if h := recorder(&c).Health(); h.Epoch == 0 || h.Saved != 0 || h.Sinks["warehouse"].Published == 0 || h.Sinks["warehouse"].Saved != 0 {
			t.Errorf("at the end: %+v", h)
		}
		if fmt.Sprint(opened) != "[16 0]" {
			t.Errorf("opened: %q", opened)
		}
	})
}

// TestSinkIsThereAgain: when a pipeline opens after its sink could not be opened, the
// log says so once; when an epoch failed, what says that it got on is the next one.
func TestSinkIsThereAgain(t *testing.T) {
	for _, tt := range []struct {
		fails, want string
	}{
		{"open", `level=INFO msg="sources and sinks are back" after=`},
		{"prepare", ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			w := newWorld(t.TempDir(), someChanges(4))
			c := w.config()
			observe(&c, slog.New(slog.NewTextHandler(&log, nil)))
			left := 3
			w.settled.Fail = func(call string) error {
				if call != tt.fails || left == 0 {
					return nil
				}
				left--
				time.Sleep(time.Second)
				return pipeline.Transient(errCrash)
			}
			if err := Run(context.Background(), context.Background(), c); err != nil {
				t.Fatal(err)
			}
			w.check(t)
			if n := strings.Count(log.String(), "are back"); left > 0 || n > 1 || n == 1 != (tt.want != "") || !strings.Contains(log.String(), tt.want) {
				t.Errorf("%s: the log is\n%s", tt.fails, &log)
			}
		})
	}
}
