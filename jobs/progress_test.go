package jobs

import (
	"log/slog"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/starlift-etl/starlift/pipeline/engine"
)

// TestLinesOfReading: a line of progress has the last epoch committed, and no
// epoch while there is none. It is not parallel, since the log is the process's.
func TestLinesOfReading(t *testing.T) {
	var log output
	before := slog.Default()
	defer slog.SetDefault(before)
	slog.SetDefault(slog.New(slog.NewJSONHandler(&log, nil)))
	var observed []int64
	a := &assembly{config: engine.Config{Metrics: engine.NewMetrics(), Observe: func(t engine.Progress) { observed = append(observed, t.Epoch) }}}
	p := (&streams{err: &log}).progress(a)
	defer p.end()
	a.config.Metrics.Records.Store(7)
	p.line()
	a.config.Observe(engine.Progress{Epoch: 3})
	p.line()
	lines := regexp.MustCompile(`"msg":"reading",("epoch":\d+,)?"records":\d+`).FindAllString(log.String(), -1)
	if diff := cmp.Diff([]string{`"msg":"reading","records":7`, `"msg":"reading","epoch":3,"records":7`}, lines); diff != "" {
		t.Errorf("%s\n%s", diff, log.String())
	}
	if diff := cmp.Diff([]int64{3}, observed); diff != "" {
		t.Error(diff)
	}
}
