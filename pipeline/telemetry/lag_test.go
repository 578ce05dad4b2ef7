package telemetry

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/starlift-etl/starlift/pipeline"
)

// TestLag: it is that of the newest change that was read, and nothing while there
// is nothing more to read.
func TestLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLags(time.Now)
		l.follow("s", nil)
		if _, known := l.of("s", &pipeline.PartitionReport{}); known {
			t.Error("a lag is known before anything is read")
		}
		l.waits("s")
		l.answered("s")
		l.set("s", "p", time.Now().Add(-time.Hour))
		time.Sleep(10 * time.Second)
		if lag, known := l.of("s", &pipeline.PartitionReport{}); !known || lag != time.Hour {
			t.Errorf("while the source is read the lag is %s", lag)
		}
		l.waits("s")
		if lag, _ := l.of("s", &pipeline.PartitionReport{}); lag != time.Hour {
			t.Errorf("as soon as it is waited for, the lag is %s", lag)
		}
		time.Sleep(2 * caughtUpAfter)
		if lag, known := l.of("s", &pipeline.PartitionReport{}); !known || lag != 0 {
			t.Errorf("while it is waited for, the lag is %s", lag)
		}
		l.set("s", "p", time.Now().Add(time.Hour)) // clocks differ
		l.answered("s")
		if lag, _ := l.of("s", &pipeline.PartitionReport{}); lag != 0 {
			t.Errorf("of a change from the future, the lag is %s", lag)
		}
	})
}

// TestLagOfPartitions: a partition that is not read on is not hidden by one that is, until
// it is caught up or gone.
func TestLagOfPartitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLags(time.Now)
		l.follow("s", nil)
		give := func(partition string, old time.Duration, p *pipeline.Progress, dropped ...string) {
			l.answered("s")
			l.progressed("s", &pipeline.Records{Partition: partition, Spans: make([]pipeline.Span, 1), Progress: p, Dropped: dropped})
			l.set("s", partition, time.Now().Add(-old))
			l.waits("s")
		}
		is := func(what string, want time.Duration) {
			t.Helper()
			if lag, known := l.of("s", &pipeline.PartitionReport{}); !known || lag != want {
				t.Errorf("%s: the lag is %s, want %s", what, lag, want)
			}
		}
		give("stuck", time.Hour, &pipeline.Progress{Unread: 1})
		give("read", time.Minute, &pipeline.Progress{CaughtUp: []string{"read"}})
		is("one is stuck", time.Hour)
		time.Sleep(time.Minute)
		is("a minute later, with nothing more to read of the other", time.Hour+time.Minute)
		give("stuck", 2*time.Minute, &pipeline.Progress{CaughtUp: []string{"stuck"}})
		is("it is caught up", 2*time.Minute)
		time.Sleep(2 * caughtUpAfter)
		is("all are", 0)
		l.progressed("s", &pipeline.Records{Progress: &pipeline.Progress{Behind: []string{"read"}}})
		give("read", time.Hour, nil)
		give("stuck", 0, nil, "read")
		is("the one that was behind is gone", 0)
	})
}

// reportedLags is a source that knows how far behind its partitions are.
type reportedLags []pipeline.PartitionLag

func (r reportedLags) Report() pipeline.PartitionReport { return pipeline.PartitionReport{Lags: r} }

// TestReportedLags: what a source says of its partitions goes before what its records tell; the
// partitions have series, as many as are bearable, and each name one.
func TestReportedLags(t *testing.T) {
	l := newLags(time.Now)
	var all reportedLags
	for i := range 300 {
		all = append(all, pipeline.PartitionLag{Partition: strconv.Itoa(i), Lag: time.Duration(300-i) * time.Second})
	}
	all[1].Partition = "0"
	l.follow("s", all)
	l.set("s", "p", time.Now().Add(-time.Hour))
	registry := prometheus.NewRegistry()
	registry.MustRegister(l)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, f := range families {
		got[f.GetName()] = len(f.GetMetric())
		if v := f.GetMetric()[0].GetGauge().GetValue(); v != 300 {
			t.Errorf("the first of %s is %v", f.GetName(), v)
		}
	}
	if got["starlift_source_lag_seconds"] != 1 || got["starlift_source_partition_lag_seconds"] != partitionSeriesMax-1 {
		t.Errorf("there are series %v", got)
	}
}
