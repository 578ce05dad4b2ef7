package dynamodbexport

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/pipeline/awstest/awsfake"
	"github.com/starlift-etl/starlift/pipeline/awstest/dynamodbtest"
)

// follow reads the first export and some windows, between which items are written.
func (w *world) follow(windows int) {
	w.t.Helper()
	for range windows {
		w.write(w.rng.IntN(30))
		w.readUntil(w.reached().Add(time.Second))
	}
}

// settle reads all that was written.
func (w *world) settle() {
	w.t.Helper()
	w.Advance(2 * edge)
	w.readUntil(w.Now())
}

// edge is by how much the fake's exports are blurred.
const edge = time.Minute

// TestFollow: a full export, then windows that meet; the result is the table.
func TestFollow(t *testing.T) {
	w := newWorld(t, dynamodbtest.ExportOptions{Delay: 7 * time.Minute, Files: 3}, every(time.Hour))
	w.write(80)
	if err := w.open(nil, false); err != nil {
		t.Fatal(err)
	}
	w.follow(5)
	w.settle()
	w.kill()
	w.check()
	if n := len(w.checkWindows()); n < 5 {
		t.Errorf("%d windows", n)
	}
	if len(w.saved) != 1 {
		t.Errorf("cursors are left: %v", w.saved)
	}
	for _, n := range w.notices {
		t.Errorf("notice %+v", n)
	}
}

// TestFollowKilled: killed at every step, with what was read committed or not, nothing is asked for twice, nothing is
// read twice, nothing is left out; answers get lost and calls are throttled meanwhile.
func TestFollowKilled(t *testing.T) {
	w := newWorld(t, dynamodbtest.ExportOptions{Delay: 7 * time.Minute, Files: 3}, every(30*time.Minute))
	lose := w.Inject(awsfake.Fault{Effect: awsfake.LoseAnswer, Ratio: 0.1})
	throttle := w.Inject(awsfake.Fault{Effect: awsfake.Refuse, Code: "ThrottlingException", Ratio: 0.1})
	w.write(50)
	for range 30 {
		if err := w.open(nil, false); err != nil {
			t.Fatal(err)
		}
		for n := w.rng.IntN(5); n >= 0; n-- {
			if err := w.step(n == 0); err != nil {
				t.Fatal(err)
			}
			if w.rng.IntN(3) > 0 {
				w.commit()
			}
		}
		w.kill()
		w.write(w.rng.IntN(6))
	}
	if err := w.open(nil, false); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.kill()
	lose()
	throttle()
	w.check()
	if n := len(w.checkWindows()); n < 2 {
		t.Errorf("%d windows", n)
	}
}

// TestFollowAfterStandstill: three days are caught up on in windows of at most 24 hours.
func TestFollowAfterStandstill(t *testing.T) {
	w := newWorld(t, dynamodbtest.ExportOptions{}, every(7*time.Hour))
	w.write(50)
	if err := w.open(nil, false); err != nil {
		t.Fatal(err)
	}
	w.readUntil(w.Now())
	w.kill()
	for range 3 {
		w.write(30)
		w.Advance(24 * time.Hour)
	}
	before, _ := w.windows()
	if err := w.open(nil, false); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.kill()
	w.check()
	all := w.checkWindows()
	for i, want := range []time.Duration{21 * time.Hour, 21 * time.Hour, 21 * time.Hour} {
		if got := all[len(before)+i]; got[1].Sub(got[0]) != want {
			t.Errorf("window %d is of %s, want %s", i, got[1].Sub(got[0]), want)
		}
	}
	if n := len(all) - len(before); n > 5 {
		t.Errorf("%d windows for three days", n)
	}
}

// TestFollowPresent: a full export that is there, with incremental ones behind it, is gone on from; one that is too old
// for that is not read.
func TestFollowPresent(t *testing.T) {
	w := newWorld(t, dynamodbtest.ExportOptions{}, every(time.Hour))
	w.write(40)
	if err := w.open(nil, false); err != nil {
		t.Fatal(err)
	}
	w.follow(3)
	w.kill()
	w.saved, w.rows, w.lines = map[string][]byte{}, map[string]row{}, map[string]bool{} // the state is lost
	if err := w.open(nil, false); err != nil {
		t.Fatal(err)
	}
	w.follow(2)
	w.settle()
	w.kill()
	w.check()
	w.Advance(40 * 24 * time.Hour) // longer than point-in-time recovery reaches
	w.saved, w.rows, w.lines = map[string][]byte{}, map[string]row{}, map[string]bool{}
	if err := w.open(nil, false); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.kill()
	w.check()
	if _, full := w.windows(); full != 2 {
		t.Errorf("%d full exports", full)
	}
}

// setRecovery switches point-in-time recovery on or off.
func (w *world) setRecovery(on bool) {
	w.t.Helper()
	api := dynamodb.NewFromConfig(awstest.Config(w.t, w.Endpoint))
	if _, err := api.UpdateContinuousBackups(w.t.Context(), &dynamodb.UpdateContinuousBackupsInput{TableName: aws.String("shop"),
		PointInTimeRecoverySpecification: &types.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: &on}}); err != nil {
		w.t.Fatal(err)
	}
}

// TestFollowGap: point-in-time recovery that was off is a gap, which is saved and told with its times, and accepted by
// whoever wants to.
func TestFollowGap(t *testing.T) {
	w := newWorld(t, dynamodbtest.ExportOptions{}, every(time.Hour))
	w.write(40)
	if err := w.open(nil, false); err != nil {
		t.Fatal(err)
	}
	w.follow(2)
	w.kill()
	reached := w.reached()
	w.setRecovery(false)
	w.Advance(3 * time.Hour)
	w.setRecovery(true)
	on := w.Now()
	w.Advance(30 * time.Minute)
	if err := w.open(nil, false); err != nil {
		t.Fatal(err)
	}
	var err error
	for err == nil {
		err = w.step(false)
	}
	w.kill()
	gap, ok := errors.AsType[*pipeline.GapError](err)
	if !ok || !errors.Is(err, pipeline.ErrGap) || !gap.From.Equal(reached) || gap.To.Before(on.Truncate(time.Second)) || gap.To.After(on.Add(time.Second)) ||
		gap.Partition != "shop" || gap.Position == "" || !strings.Contains(err.Error(), timeText(gap.From)) || !strings.Contains(err.Error(), timeText(gap.To)) {
		t.Fatalf("got %+v", err)
	}
	saves := w.source.(pipeline.GapReporter)
	gaps, err := saves.Gaps(w.saved)
	if err != nil || len(gaps) != 1 || !gaps[0].Accepted.IsZero() || !gaps[0].From.Equal(gap.From) || !gaps[0].To.Equal(gap.To) || gaps[0].Reason == "" {
		t.Fatalf("saved %+v, %v", gaps, err)
	}
	calls := len(w.Requests("", "shop", ""))
	if err := w.open(nil, false); !errors.Is(err, pipeline.ErrGap) {
		t.Errorf("opened though nobody accepts: %v", err)
	}
	w.kill()
	if len(w.Requests("", "shop", "")) > calls {
		t.Error("it asks DynamoDB before it says so")
	}
	if text := w.source.CursorText(scheduleCursor, w.saved[scheduleCursor]); !strings.Contains(text, "are gone") {
		t.Errorf("the cursor is %q", text)
	}
	if err := w.open(nil, true); err != nil {
		t.Fatal(err)
	}
	w.write(10)
	w.readUntil(w.Now())
	report := w.source.(pipeline.PartitionReporter).Report()
	w.kill()
	if len(report.Gaps) != 1 || report.Gaps[0].Accepted.IsZero() {
		t.Errorf("reported %+v", report.Gaps)
	}
	if len(w.notices) != 1 || w.notices[0].Event != pipeline.EventGapAccepted {
		t.Errorf("notices %+v", w.notices)
	}
}

// TestFollowNewRecovery: where point-in-time recovery has just been switched on, within a second, windows go on
// from the first export without a gap.
func TestFollowNewRecovery(t *testing.T) {
	w := newWorld(t, dynamodbtest.ExportOptions{}, every(time.Hour))
	w.setRecovery(false)
	w.write(20)
	w.Advance(300*time.Millisecond - time.Duration(w.Now().Nanosecond())) // not a whole second
	w.setRecovery(true)
	if err := w.open(nil, false); err != nil {
		t.Fatal(err)
	}
	w.follow(2)
	w.settle()
	w.check()
	w.kill()
}

// TestFollowTroubles: while point-in-time recovery is off or an export fails, the source stays up and says so, and then
// goes on.
func TestFollowTroubles(t *testing.T) {
	w := newWorld(t, dynamodbtest.ExportOptions{}, every(time.Hour))
	w.write(40)
	if err := w.open(nil, false); err != nil {
		t.Fatal(err)
	}
	w.follow(1)
	w.kill()
	heal := w.Inject(awsfake.Fault{Operation: "ExportTableToPointInTime", Effect: awsfake.Refuse, Code: "AccessDeniedException", Message: "not authorized"})
	w.Advance(2 * time.Hour)
	if err := w.open(nil, false); err != nil {
		t.Fatal(err)
	}
	defer w.kill()
	s := w.source.(*IncrementalSource)
	if err := w.step(false); err != nil { // the request is saved
		t.Fatal(err)
	}
	deadline := time.Now().Add(readTimeout)
	var problems []pipeline.SourceProblem
	for len(problems) == 0 && time.Now().Before(deadline) {
		problems = s.Report().Problems
		time.Sleep(time.Millisecond)
	}
	if len(problems) != 1 || !strings.Contains(problems[0].Err.Error(), "not authorized") || problems[0].Since.IsZero() || len(s.Waits()) != 0 {
		t.Fatalf("problems %+v, waits %q", problems, s.Waits())
	}
	if lags := s.Report().Lags; len(lags) != 1 || lags[0].Lag < 2*time.Hour {
		t.Errorf("lags %+v", lags)
	}
	heal()
	w.settle()
	w.check()
	if problems := s.Report().Problems; len(problems) > 0 {
		t.Errorf("still %+v", problems)
	}
	phases := s.Phases()
	if len(phases) != 2 || phases[0].Ended.IsZero() || !phases[1].Ended.IsZero() || phases[1].Began.IsZero() {
		t.Errorf("phases %+v", phases)
	}
	if saved, err := s.SavedPhases(w.saved); err != nil || len(saved) != 2 || saved[0].Ended.IsZero() {
		t.Errorf("saved phases %+v, %v", saved, err)
	}
}

// TestFollowFailedExport: an export of a window that fails is asked for again.
func TestFollowFailedExport(t *testing.T) {
	w := newWorld(t, dynamodbtest.ExportOptions{Delay: -1}, every(time.Hour))
	w.write(20)
	w.Advance(10 * time.Minute)
	if err := w.open(nil, false); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.step(false); err != nil {
			t.Fatal(err)
		}
	}
	w.FailExports("InternalError", "try again")
	for range 2 { // another request and its ARN
		if err := w.step(false); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.FinishExports(); err != nil {
		t.Fatal(err)
	}
	for w.reached().IsZero() {
		if err := w.step(false); err != nil {
			t.Fatal(err)
		}
	}
	w.kill()
	w.check()
	if _, full := w.windows(); full != 2 {
		t.Errorf("%d full exports", full)
	}
	if !strings.Contains(w.log.String(), "InternalError: try again") {
		t.Errorf("the log does not say why:\n%s", w.log.String())
	}
}

// TestFollowGapBeforeRequest: a request that was saved, and that nobody asked for before its time was gone, is a gap as any
// other; a first export of a time that is gone is asked for of another.
func TestFollowGapBeforeRequest(t *testing.T) {
	for _, first := range []bool{true, false} {
		w := newWorld(t, dynamodbtest.ExportOptions{}, every(time.Hour))
		w.write(40)
		heal := func() {}
		refuse := func() {
			heal = w.Inject(awsfake.Fault{Operation: "ExportTableToPointInTime", Effect: awsfake.Refuse, Code: "AccessDeniedException", Message: "not authorized"})
		}
		if first {
			refuse()
		}
		if err := w.open(nil, false); err != nil {
			t.Fatal(err)
		}
		if !first {
			w.follow(1)
			refuse()
			w.Advance(2 * time.Hour)
		}
		for saved := false; !saved; {
			if err := w.step(false); err != nil {
				t.Fatal(err)
			}
			p, err := parseProgress(w.saved[scheduleCursor])
			if err != nil {
				t.Fatal(err)
			}
			saved = p.Request != nil && p.ARN == ""
		}
		w.kill()
		heal()
		w.setRecovery(false)
		w.Advance(3 * time.Hour)
		w.setRecovery(true)
		w.Advance(time.Minute) // nothing can be exported yet
		if err := w.open(nil, false); err != nil {
			t.Fatal(err)
		}
		if !first {
			var err error
			for err == nil {
				err = w.step(false)
			}
			if !errors.Is(err, pipeline.ErrGap) {
				t.Fatalf("got %v", err)
			}
			w.kill()
			if err := w.open(nil, true); err != nil {
				t.Fatal(err)
			}
		}
		w.write(10)
		w.readUntil(w.Now())
		w.kill()
		if first {
			w.check()
		}
	}
}
