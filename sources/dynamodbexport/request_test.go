package dynamodbexport

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awstest/dynamodbtest"
	"github.com/starlift-etl/starlift/sources/internal/exportrequest"
)

// TestRequest: an export is asked for, waited for, read, and not asked for again.
func TestRequest(t *testing.T) {
	w := newWorld(t, dynamodbtest.ExportOptions{Delay: 20 * time.Minute}, Config{})
	w.write(100)
	w.Advance(time.Hour)
	if err := w.open(requested, false); err != nil {
		t.Fatal(err)
	}
	w.run()
	w.check()
	w.kill()
	calls := len(w.Requests("ExportTableToPointInTime", "", ""))
	if err := w.open(requested, false); err != nil {
		t.Fatal(err)
	}
	w.run()
	w.kill()
	if n := len(w.Requests("ExportTableToPointInTime", "", "")); n != calls || calls != 1 {
		t.Errorf("asked %d times, then %d", calls, n)
	}
	if log := w.log.String(); !strings.Contains(log, ":table/shop/export/") || !strings.Contains(log, "COMPLETED") {
		t.Errorf("the log does not tell of it:\n%s", log)
	}
	// What is below the url is read as any export, and nothing of it again.
	if err := w.open(nil, false); err != nil {
		t.Fatal(err)
	}
	w.run()
	w.kill()
	// A backfill that begins anew asks for another one.
	s, err := requested(w.source)
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.(pipeline.Rewinder).Rewind(w.saved)
	if err != nil || len(again) > 0 {
		t.Errorf("rewound to %v, %v", again, err)
	}
}

// TestRequestKilled: killed at any step, with what was read committed or not, it goes on with the same export.
func TestRequestKilled(t *testing.T) {
	w := newWorld(t, dynamodbtest.ExportOptions{Delay: 20 * time.Minute, Files: 3}, Config{})
	w.write(60)
	w.Advance(time.Hour)
	steps := 0
	for done := false; !done; {
		if err := w.open(requested, false); err != nil {
			t.Fatal(err)
		}
		for n := w.rng.IntN(4); n >= 0 && !done; n-- {
			switch err := w.step(n == 0); {
			case errors.Is(err, io.EOF):
				w.commit()
				done = true
			case err != nil:
				t.Fatal(err)
			}
			if w.rng.IntN(3) > 0 {
				w.commit()
			}
		}
		w.kill()
		if steps++; steps > 1000 {
			t.Fatal("it does not get on")
		}
	}
	w.check()
	if _, full := w.windows(); full != 1 {
		t.Errorf("%d exports were asked for", full)
	}
}

// TestRequestFails: an export that fails ends the run and says why; the next run asks for another one.
func TestRequestFails(t *testing.T) {
	w := newWorld(t, dynamodbtest.ExportOptions{Delay: -1}, Config{})
	w.write(10)
	w.Advance(2 * edge)
	if err := w.open(requested, false); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the request and the ARN are saved
		if err := w.step(false); err != nil {
			t.Fatal(err)
		}
	}
	w.FailExports("S3AccessDenied", "no right to write there")
	err := w.step(false)
	if _, failed := errors.AsType[*exportrequest.FailedError](err); !failed || !strings.Contains(err.Error(), "S3AccessDenied: no right to write there") {
		t.Fatalf("got %v", err)
	}
	w.kill()
	if err := w.open(requested, false); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.step(false); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.FinishExports(); err != nil {
		t.Fatal(err)
	}
	w.run()
	w.kill()
	w.check()
	if _, full := w.windows(); full != 2 {
		t.Errorf("%d exports were asked for", full)
	}
}

// TestRequestRefused: what is missing is said before anything is asked for.
func TestRequestRefused(t *testing.T) {
	w := newWorld(t, dynamodbtest.ExportOptions{}, Config{Key: []string{"pk"}})
	if err := w.Create(dynamodbtest.Table{Name: "bare", Key: "pk"}); err != nil {
		t.Fatal(err)
	}
	w.cfg.Table = "bare"
	err := w.open(requested, false)
	if !errors.Is(err, exportrequest.ErrNoRecovery) || len(w.Requests("ExportTableToPointInTime", "", "")) > 0 {
		t.Errorf("got %v", err)
	}
	w.kill()
	for _, c := range []struct{ url, table, says string }{{"data", "shop", "to S3 only"}, {"s3://exports", "", "table is missing"}} {
		s, err := New("shop", Config{URL: c.url, Table: c.table, Key: []string{"pk"}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := requested(s); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// TestWaits: while an export is made, people see which one and since when.
func TestWaits(t *testing.T) {
	w := newWorld(t, dynamodbtest.ExportOptions{Delay: -1}, Config{})
	w.write(5)
	w.Advance(2 * edge)
	if err := w.open(requested, false); err != nil {
		t.Fatal(err)
	}
	defer w.kill()
	for range 2 {
		if err := w.step(false); err != nil {
			t.Fatal(err)
		}
	}
	s := w.source.(*requestSource)
	deadline := time.Now().Add(readTimeout)
	for len(s.Waits()) == 0 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	waits, phases := s.Waits(), s.Phases()
	if len(waits) != 1 || !strings.Contains(waits[0], "a full export: IN_PROGRESS since ") || !strings.Contains(waits[0], "/export/") {
		t.Errorf("it waits for %q", waits)
	}
	if len(phases) != 1 || phases[0].Name != "export" || phases[0].Began.IsZero() || !phases[0].Ended.IsZero() || !strings.Contains(phases[0].Detail, "IN_PROGRESS") {
		t.Errorf("phases %+v", phases)
	}
	if err := w.FinishExports(); err != nil {
		t.Fatal(err)
	}
	w.run()
	w.check()
}
