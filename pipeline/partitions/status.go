package partitions

import (
	"cmp"
	"slices"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
)

const (
	// warnInterval is the least time between two lines of the log about failures: a service
	// that is gone fails all partitions.
	warnInterval = 10 * time.Second
	// overdueAfter is how long after its time an answer for a partition may come before its lag
	// counts as growing.
	overdueAfter = 5 * time.Second
)

// failed counts a failure, tells people of one that lasts, and returns how long to wait.
func (d *dispatcher) failed(f *failures, partition string, err error, now time.Time) (wait time.Duration) {
	wait = f.add(err, now)
	d.retries.WithLabelValues(d.source, f.reason()).Inc()
	if f.lasting(now) && !f.told && now.Sub(d.warned) >= warnInterval {
		f.told, d.warned = true, now
		d.env.Log.Warn("reading fails, and is tried again", "partition", cmp.Or(partition, "all: their discovery"), "since", f.since.UTC(), "error", err)
	}
	return wait
}

// recovered notes that there is no failure any longer.
func (d *dispatcher) recovered(f *failures, partition string) {
	if f.told {
		d.env.Log.Info("reading goes on", "partition", cmp.Or(partition, "all: their discovery"), "failed_for", time.Since(f.since).Round(time.Millisecond))
	}
	*f = failures{}
}

// report says how the partitions are.
func (d *dispatcher) report() (r pipeline.PartitionReport) {
	now := time.Now()
	if d.discoveryFailures.lasting(now) {
		r.Problems = append(r.Problems, d.discoveryFailures.problem(""))
	}
	for _, p := range d.partitions {
		r.Gaps = append(r.Gaps, p.cursor.gaps()...)
		if p.failures.lasting(now) {
			r.Problems = append(r.Problems, p.failures.problem(p.displayName()))
		}
		if lag, known := d.lagOf(p, now); known {
			r.Lags = append(r.Lags, pipeline.PartitionLag{Partition: p.displayName(), Lag: lag})
		}
	}
	sortGaps(r.Gaps)
	slices.SortFunc(r.Problems, func(a, b pipeline.SourceProblem) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Partition, b.Partition))
	})
	slices.SortFunc(r.Lags, func(a, b pipeline.PartitionLag) int {
		return cmp.Or(cmp.Compare(b.Lag, a.Lag), cmp.Compare(a.Partition, b.Partition))
	})
	return r
}

// lagOf returns how far behind a partition is by now. That of one which is not read though it
// should be grows, and so does that of one behind a gap.
func (d *dispatcher) lagOf(p *partition, now time.Time) (lag time.Duration, known bool) {
	if p.cursor.Ended {
		return 0, false
	}
	stuck := p.cursor.Gap != nil || p.failures.count > 0
	if p.lagAt.IsZero() {
		if until := p.cursor.ReadUntil; stuck && !until.IsZero() {
			return max(d.env.Now().Sub(until), 0), true
		}
		return 0, false
	}
	if stuck || p.lag > 0 || now.Sub(p.next) > overdueAfter {
		return p.lag + now.Sub(p.lagAt), true
	}
	return 0, true
}
