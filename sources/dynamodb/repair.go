package dynamodb

import (
	"context"
	"fmt"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
)

// beginRepair finds out since when the stream has all changes, behind what was lost, and what is read
// of the table. Gaps are found when partitions are read for the first time in an opening, so it waits for
// that; a gap that came when the repair had begun makes an older export useless.
func (o *handoff) beginRepair(ctx context.Context) error {
	o.waitsFor("every partition of the stream to be read for the first time, so that its gaps are known")
	if err := o.until(ctx, func() bool { return o.unread == 0 }); err != nil {
		return err
	}
	since := o.s.completeSince(o.phase(), o.time())
	p := o.pass()
	if !since.After(p.Since) {
		return nil // it goes on
	}
	next := *p
	next.Since = since
	if p.Export == nil || !next.takes(p.Export.Time) {
		again := pass{Kind: kindExport, Began: p.Began, Since: since}
		if err := o.s.snapshots.find(ctx, o.env, &again); err != nil {
			return err
		}
		next = again
	}
	raw, saves := o.decide(func(p *pass) { *p = next })
	m := message{records: o.router.position(raw)}
	if next.Export == nil || p.Export == nil || *next.Export != *p.Export {
		// What was read of an older export is forgotten.
		m.ends, m.another, o.cursors = true, true, nil
	}
	if err := o.send(ctx, m); err != nil {
		return err
	}
	return o.committed(ctx, saves)
}

// completeSince returns since when the stream has all changes, behind what was lost: where that is
// not known of a gap, since the gap was accepted. Where no gap is known that the last repair has not mended, someone
// wants one all the same, of what no stream tells: what was written while none was enabled, say. Then it is since the
// repair began.
func (s *Source) completeSince(at *phase, now time.Time) time.Time {
	since := at.Bootstrap.Since
	r, ok := s.stream.(pipeline.PartitionReporter)
	if !ok {
		return now
	}
	if at.Repaired != nil && at.Repaired.Since.After(since) {
		since = at.Repaired.Since
	}
	open := false
	for _, g := range r.Report().Gaps {
		to := g.To
		if to.IsZero() {
			to = g.Accepted
		}
		if to.IsZero() {
			to = now
		}
		if to = to.UTC().Add(time.Second); to.After(since) { // gaps are told in whole seconds
			since, open = to, true
		}
	}
	if !open && at.Repair != nil && at.Repair.Began.After(since) {
		return at.Repair.Began
	}
	return since
}

// itemsPerPart is about how many items of the table a part has in which a repair removes some: what
// an epoch takes.
const itemsPerPart = 100_000

// remove removes the items that the snapshot of a repair does not have, a part after the other. The
// first part waits for all of the snapshot's items to be committed, by saving how many parts there are.
func (o *handoff) remove(ctx context.Context) error {
	p := o.pass()
	if p.Parts == 0 {
		if err := o.change(ctx, func(p *pass) { p.Parts = int(p.Export.Items/itemsPerPart) + 1 }); err != nil {
			return err
		}
	}
	for p = o.pass(); p.Removed < p.Parts; p = o.pass() {
		o.tell(fmt.Sprintf("removes items that the export does not have, in part %d of %d of the table", p.Removed+1, p.Parts))
		end := &pipeline.SnapshotEnd{Table: o.s.table, Time: p.Export.version().UnixMicro(), Part: p.Removed, Parts: p.Parts}
		raw, saves := o.decide(func(p *pass) { p.Removed++ })
		r := o.router.position(raw)
		r.SnapshotEnd = end
		if err := o.send(ctx, message{records: r}); err != nil {
			return err
		}
		if err := o.committed(ctx, saves); err != nil {
			return err
		}
	}
	return nil
}
