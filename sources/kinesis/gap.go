package kinesis

import (
	"errors"
	"fmt"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
)

// trimGrace is how long a reading that begins at the trim horizon has to get away from it: the
// oldest records are dropped while they are being read, and are no gap.
const trimGrace = time.Hour

// away returns up to when a shard counts as read whose reading begins at the trim horizon now.
func away(now time.Time, retention time.Duration) time.Time {
	return now.Add(min(0, trimGrace-retention))
}

// trimmed returns the gap of a shard whose records may have been dropped before they were
// read; nil = there is none. What came after readUntil, and is older now than the retention, is
// gone. Whether there was anything can't be known any longer: a service may go on behind what
// is gone without a word.
func (r *reader) trimmed(retention time.Duration, now time.Time) *pipeline.GapError {
	oldest := now.Add(-retention)
	kept := oldest
	if r.atHorizon {
		// What is promised then is what came after the place was set, which readUntil is
		// the retention but for the grace before.
		kept = oldest.Add(trimGrace - retention)
	}
	if r.readUntil.IsZero() || retention == 0 || !r.readUntil.Before(kept) {
		return nil
	}
	return r.gap(oldest, true, fmt.Errorf("the stream keeps records for %s, and this shard was read up to %s: what arrived from then until %s was dropped unread, if there was anything",
		retention, timeText(r.readUntil), timeText(oldest)))
}

// gap returns the gap from where the reader is until a time. rest says that something of the
// shard is left behind it.
func (r *reader) gap(to time.Time, rest bool, why error) *pipeline.GapError {
	g := &pipeline.GapError{Partition: r.shard, Position: r.at.String(), From: r.readUntil, To: to, Err: why}
	if !rest {
		return g
	}
	var resume position
	if r.at.kind == behindRecord || r.at.kind == behindGap {
		resume = r.at
		resume.kind = behindGap
	}
	g.Resume = []byte(resume.String())
	return g
}

// madeAgain returns the gap of a shard whose stream was deleted.
func (r *reader) madeAgain(created time.Time) *pipeline.GapError {
	return r.gap(created, false, fmt.Errorf(
		"stream %s was deleted and made again: the one that was read was made at %s, this one at %s. What was not read of the old one is gone; behind this gap the new one is read from its first record",
		r.stream.cfg.streamText(), timeText(r.created), timeText(created)))
}

// vanished returns the gap of a shard that the service does not know any longer.
func (r *reader) vanished() *pipeline.GapError {
	return r.gap(r.stream.clock.Now(), false, errors.New(
		"the stream does not have this shard any longer, and it was not read to its end: what was not read of it is gone"))
}

// unknownPlace returns the gap of a shard whose service does not take the place that was read to.
func (r *reader) unknownPlace(err error) *pipeline.GapError {
	return r.gap(r.stream.clock.Now(), true, fmt.Errorf(
		"the stream does not know the record that was read last, so those behind it may be dropped as well: %w", err))
}
