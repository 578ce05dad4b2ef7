package dynamodbexport

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/smithy-go"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/sources/internal/exportrequest"
)

// IncrementalSource reads a full export, and then an incremental one of each window of time, for ever.
type IncrementalSource struct{ *sequence }

var (
	_ pipeline.Source             = (*IncrementalSource)(nil)
	_ pipeline.GapReporter        = (*IncrementalSource)(nil)
	_ pipeline.PartitionReporter  = (*IncrementalSource)(nil)
	_ pipeline.WaitReporter       = (*IncrementalSource)(nil)
	_ pipeline.PhaseReporter      = (*IncrementalSource)(nil)
	_ pipeline.SavedPhaseReporter = (*IncrementalSource)(nil)
)

func newIncrementalSource(s *Source) *IncrementalSource {
	return &IncrementalSource{newSequence(s, scheduleCursor, schedule)}
}

// Bounded implements pipeline.Source.
func (s *IncrementalSource) Bounded() bool { return false }

// Gaps implements pipeline.GapReporter.
func (s *IncrementalSource) Gaps(cursors map[string][]byte) (all []pipeline.Gap, err error) {
	raw := cursors[scheduleCursor]
	if raw == nil {
		return nil, nil
	}
	p, err := parseProgress(raw)
	if err != nil {
		return nil, err
	}
	return p.gaps(s.tableText()), nil
}

func (p *progress) gaps(table string) (all []pipeline.Gap) {
	for _, g := range p.Gaps {
		all = append(all, pipeline.Gap{Partition: table, Position: timeText(g.From), From: g.From, To: g.To, Reason: gapReason, Found: g.Found, Accepted: g.Accepted})
	}
	return all
}

// eventIncomplete is told of exports that leave something out.
const eventIncomplete = "incomplete"

// schedule is the script of an IncrementalSource.
func schedule(ctx context.Context, r *session) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	for {
		if err := r.window(ctx); err != nil {
			return err
		}
	}
}

// begin reads the first export, or those that are there.
func (r *session) begin(ctx context.Context) error {
	if r.progress == nil {
		p, err := r.firstExport(ctx)
		if err != nil {
			return err
		}
		if err := r.save(ctx, p, 1, nil); err != nil {
			return err
		}
	}
	if !r.progress.Reached.IsZero() {
		return nil
	}
	var until time.Time
	var err error
	if r.progress.Present {
		until, err = r.read(ctx, r.cfg.URL, r.cursors)
	} else if err = r.madeAtLast(ctx); err == nil {
		until, err = r.readExport(ctx)
	}
	if errors.Is(err, errTooOld) {
		r.env.Log.Info("the time of the first export can't be exported any longer, so that one of another time is asked for", "what", r.progress.Request.String())
		p, err := r.firstExport(ctx)
		if err != nil {
			return err
		}
		if err := r.save(ctx, p, 1, nil); err != nil {
			return err
		}
		return r.begin(ctx)
	}
	if err != nil {
		return err
	}
	if until.IsZero() {
		return fmt.Errorf("%s: the exports do not say of what time they are", r.cfg.URL)
	}
	reached := until.Truncate(time.Second).UTC()
	if r.progress.Present && reached.Before(until) {
		r.env.Notify(pipeline.Notice{Event: eventIncomplete, Message: fmt.Sprintf("the exports below %s are of %s, and windows are of whole seconds: rows of items that were made in that part of a second, "+
			"and deleted before the first window ends, stay. An export of a whole second (--export-time) has none of that", r.cfg.URL, until.UTC().Format(time.RFC3339Nano))})
	}
	return r.save(ctx, progress{Reached: reached, Complete: r.env.Now().UTC()}, 0, r.finished())
}

// firstExport decides what is read first: what is there, if the windows can go on from it, or else a full
// export that is asked for.
func (r *session) firstExport(ctx context.Context) (progress, error) {
	until, err := r.Source.Source.FullExportUntil(ctx)
	if err != nil {
		return progress{}, err
	}
	back, err := r.client.Recovery(ctx)
	if err != nil {
		return progress{}, err
	}
	// A whole second, since windows are of those: an item of a part of one that is made in it and
	// deleted in the first window is in the full export, but not in that of the window.
	at := back.Latest.Truncate(time.Second).UTC()
	if at.Before(back.Earliest) {
		at = wholeSecond(back.Earliest)
	}
	ask := progress{Request: &exportrequest.Request{ID: exportrequest.NewID(), Asked: r.env.Now().UTC(), At: at}}
	if until.IsZero() {
		return ask, nil
	}
	if until.Before(back.Earliest) {
		r.env.Log.Info("the exports that are there are too old to go on from, so that another one is asked for", "they_reach", timeText(until), "restorable_since", timeText(back.Earliest))
		return ask, nil
	}
	return progress{Present: true}, nil
}

// madeAtLast is made, which asks again for an export that has failed, and stays up whatever lasts.
func (r *session) madeAtLast(ctx context.Context) error {
	return r.atLast(ctx, func(ctx context.Context) error {
		err := r.made(ctx)
		if isRefusedTime(err) {
			return r.tooOld(ctx, err)
		}
		if !lasts(err) {
			return err
		}
		r.env.Log.Warn("an export has failed", "error", err)
		if saveErr := r.askAgain(ctx); saveErr != nil {
			return saveErr
		}
		return err
	})
}

// errTooOld says that what the request that is saved asks for lies before what can be exported, and that DynamoDB
// has not been asked for it before: point-in-time recovery was off since, or the pipeline was for too long.
var errTooOld = errors.New("it lies before the time that point-in-time recovery reaches back to")

// isRefusedTime reports whether DynamoDB does not export what a request asks for, because of its times.
func isRefusedTime(err error) bool {
	refused, is := errors.AsType[smithy.APIError](err)
	return is && slices.Contains([]string{"InvalidExportTimeException", "ValidationException"}, refused.ErrorCode())
}

// tooOld adds errTooOld to the refusal of the request that is saved, if that is why. A time that can't be exported yet is
// waited for.
func (r *session) tooOld(ctx context.Context, refused error) error {
	back, err := r.client.Recovery(ctx)
	if err != nil {
		return errors.Join(refused, err)
	}
	from := r.progress.Request.From
	if !r.progress.Request.Incremental() {
		from = r.progress.Request.At
	}
	if from.Before(back.Earliest) {
		return fmt.Errorf("%w: %w", errTooOld, refused)
	}
	return refused
}

// The pauses after a failure that may last.
const (
	pauseMin = 30 * time.Second
	pauseMax = 15 * time.Minute
)

// atLast does something until it succeeds, ctx ends, or there is a gap. Meanwhile the source reports
// what keeps it from going on. What can't succeed any longer is returned: errTooOld.
func (r *session) atLast(ctx context.Context, do func(ctx context.Context) error) error {
	defer r.problem(nil)
	for pause := pauseMin; ; pause = min(2*pause, pauseMax) {
		err := do(ctx)
		if err == nil || ctx.Err() != nil || errors.Is(err, pipeline.ErrGap) || errors.Is(err, errTooOld) {
			return err
		}
		r.problem(err)
		if err := r.wait(ctx, pause); err != nil {
			return err
		}
	}
}

// window reads one more window.
func (r *session) window(ctx context.Context) error {
	if r.progress.Request == nil {
		if err := r.acceptSaved(ctx); err != nil {
			return err
		}
		next, err := r.nextWindow(ctx)
		if err != nil {
			return err
		}
		if err := r.save(ctx, next, 1, nil); err != nil {
			return err
		}
	}
	switch err := r.madeAtLast(ctx); {
	case errors.Is(err, errTooOld):
		p := *r.progress
		p.Request = nil
		return r.save(ctx, p, 1, nil) // the next look finds the gap
	case err != nil:
		return err
	}
	to := r.progress.Request.To
	if _, err := r.readExport(ctx); err != nil {
		return err
	}
	r.acceptGap = false // a gap from now on is a new one
	return r.save(ctx, progress{Reached: to, Complete: r.progress.Complete, Gaps: r.progress.Gaps}, 0, r.finished())
}

// nextWindow waits until the next window can be exported, and returns what is to be saved of it.
func (r *session) nextWindow(ctx context.Context) (next progress, err error) {
	every := time.Duration(r.cfg.Every)
	for {
		var back exportrequest.Recovery
		err := r.atLast(ctx, func(ctx context.Context) (err error) {
			back, err = r.client.Recovery(ctx)
			return err
		})
		if err != nil {
			return next, err
		}
		next = *r.progress
		next.forgetGaps(r.env.Now())
		if next.Reached.Before(back.Earliest) {
			if err := r.lost(ctx, next, back.Earliest); err != nil {
				return next, err
			}
			continue
		}
		if n := windows(next.Reached, back.Latest, every); n > 0 {
			next.Request = &exportrequest.Request{Asked: r.env.Now().UTC(), From: next.Reached, To: next.Reached.Add(time.Duration(n) * every)}
			return next, nil
		}
		if err := r.untilOver(ctx, next.Reached.Add(every), back.Latest); err != nil {
			return next, err
		}
	}
}

// windows returns how many of a length there are between two times, at most what one export may have.
func windows(from, to time.Time, every time.Duration) int {
	return int(min(to.Sub(from)/every, exportrequest.WindowMax/every))
}

// recheckMin and recheckMax bound the time between two looks whether a window can be exported.
const (
	recheckMin = 10 * time.Second
	recheckMax = 5 * time.Minute
)

// untilOver waits until about when the time before end can be exported, of which it is known
// that the time before latest can.
func (r *session) untilOver(ctx context.Context, end, latest time.Time) error {
	r.waitsUntil(end)
	return r.wait(ctx, min(max(end.Sub(latest), recheckMin), recheckMax))
}

// wholeSecond returns the first whole second that is not before a time.
func wholeSecond(t time.Time) time.Time { return t.Add(time.Second - 1).Truncate(time.Second).UTC() }

// lost deals with a window whose begin can't be exported any longer. Whole seconds are asked for.
func (r *session) lost(ctx context.Context, p progress, earliest time.Time) error {
	to := wholeSecond(earliest)
	p.Gaps = append(p.Gaps[:len(p.Gaps):len(p.Gaps)], lostTime{From: p.Reached, To: to, Found: r.env.Now().UTC()})
	if r.acceptGap {
		return r.accept(ctx, p)
	}
	if err := r.save(ctx, p, 0, nil); err != nil {
		return err
	}
	return p.gapError(r.tableText())
}

// acceptSaved accepts the gap that is saved, if there is one: Open has seen that somebody wants to.
func (r *session) acceptSaved(ctx context.Context) error {
	if r.progress.openGap() == nil {
		return nil
	}
	p := *r.progress
	p.Gaps = append([]lostTime(nil), p.Gaps...)
	return r.accept(ctx, p)
}

// accept goes on behind the gap of p that nobody has accepted.
func (r *session) accept(ctx context.Context, p progress) error {
	g := p.openGap()
	g.Accepted = r.env.Now().UTC()
	p.Reached = g.To
	r.env.Notify(pipeline.Notice{Event: pipeline.EventGapAccepted, Partition: r.tableText(), Position: timeText(g.From),
		Message: fmt.Sprintf("changes from %s to %s are in no export, and are left out (--accept-gap)", timeText(g.From), timeText(g.To))})
	return r.save(ctx, p, 0, nil)
}
