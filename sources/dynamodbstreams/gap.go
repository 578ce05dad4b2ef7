package dynamodbstreams

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
)

// readableFrom returns why a shard can't be read from where the reader is; nil = nothing is known of that kind.
func (r *reader) readableFrom(ctx context.Context) error {
	if l := r.stream.listed.Known(); l != nil && !(*l).gone && !readable(string((*l).view)) {
		return r.gap(r.table.clock.Now(), false, fmt.Errorf("%s of table %s had the view type %s: its records are without new images, and of no use",
			r.table.streamText(r.stream.label), r.table.cfg.Table, (*l).view))
	}
	if r.at.kind == behindRecord { // the service says by itself when what comes next is gone
		return nil
	}
	now := r.table.clock.Now()
	if r.at.kind == behindGap {
		r.know(r.table.away(now))
		return nil
	}
	if r.lost(now) {
		l, err := r.table.list(ctx, r.stream, 0)
		switch {
		case err != nil:
			return err
		case !l.has(r.shard):
			return r.vanished(l.gone)
		}
		return r.trimmed(now)
	}
	return nil
}

// lost reports whether records may have been dropped before they were read: those that came after readUntil, and are
// older now than the retention. Whether there was anything can't be known any longer.
func (r *reader) lost(now time.Time) bool {
	return !r.readUntil.IsZero() && r.readUntil.Before(now.Add(-retention))
}

// trimmedAway decides what it means that the service has dropped the record that comes next, or that was read
// last; nil = nothing is lost: the shard was read until later than what is dropped.
func (r *reader) trimmedAway() error {
	if now := r.table.clock.Now(); r.at.kind == behindRecord && (r.readUntil.IsZero() || r.lost(now)) {
		return r.trimmed(now)
	}
	if r.at.kind == behindRecord {
		r.at.kind = behindGap
	}
	return nil
}

func (r *reader) trimmed(now time.Time) error {
	oldest := now.Add(-retention)
	return r.gap(oldest, true, fmt.Errorf("the stream keeps records for %s, and this shard was read up to %s: what was written from then until %s was dropped unread, if there was anything",
		retention, timeText(r.readUntil), timeText(oldest)))
}

// vanished returns the gap of a shard that the service does not know any longer. It goes with the last of its
// records, so what is lost is older than what streams keep.
func (r *reader) vanished(stream bool) error {
	to := r.table.clock.Now()
	if kept := r.table.away(to); !r.readUntil.After(kept) {
		to = kept
	}
	if stream {
		return r.gap(to, false, fmt.Errorf("%s of table %s is gone, a day after it was disabled or its table deleted, and this shard was not read to its end: what was not read of it is lost",
			r.table.streamText(r.stream.label), r.table.cfg.Table))
	}
	return r.gap(to, false, errors.New("the stream does not have this shard any longer, and it was not read to its end: what was not read of it is gone"))
}

// unknownPlace returns the gap of a shard whose service does not take the place that was read to.
func (r *reader) unknownPlace(err error) error {
	return r.gap(r.table.clock.Now(), true, fmt.Errorf("the stream does not know the record that was read last, so those behind it may be dropped as well: %w", err))
}

// gap returns the gap from where the reader is until a time. rest says that something of the
// shard is left behind it.
func (r *reader) gap(to time.Time, rest bool, why error) error {
	g := &pipeline.GapError{Partition: partitionName(r.stream.label, r.shard), Position: r.at.String(), From: r.readUntil, To: to, Err: why}
	if rest {
		resume := position{from: r.at.from}
		if r.at.kind != atTrimHorizon {
			resume = r.at
			resume.kind = behindGap
		}
		g.Resume = []byte(resume.String())
	}
	return g
}
