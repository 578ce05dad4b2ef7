package file

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/starlift-etl/starlift/pipeline"
)

// TestRotatedReadLost: a rotated file that was read in part and is gone ends the run.
func TestRotatedReadLost(t *testing.T) {
	l := &rotator{t: t, dir: t.TempDir(), how: "rename", names: "dates", clock: time.Now().Add(-time.Hour)}
	l.log("{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n{\"n\":4}\n")
	cfg := Config{Path: l.live(), Format: "dynamodb_cdc"}
	first := readSome(t, testSource(t, cfg, 8), nil, 1)
	l.rotate()
	l.log("{\"m\":1}\n{\"m\":2}\n{\"m\":3}\n")
	second := readSome(t, testSource(t, cfg, 8), first.cursors, 3) // of both files
	unlink(t, l.live()+"-20260301")
	if third := readAll(t, cfg, 8, second.cursors); first.err != nil || second.err != nil || !errors.Is(third.err, pipeline.ErrGap) {
		t.Errorf("errors %v, %v, %v", first.err, second.err, third.err)
	}
}

// TestRotatedReadStopped: a run that reads a file which was rotated, and what came after it, to
// their ends goes on where the one before stopped, wherever that was.
func TestRotatedReadStopped(t *testing.T) {
	for _, how := range []string{"rename", "copytruncate"} {
		for _, names := range []string{"numbers", "dates"} {
			for stop := range 9 {
				t.Run(fmt.Sprintf("%s/%s/%d", how, names, stop), func(t *testing.T) {
					l := &rotator{t: t, dir: t.TempDir(), how: how, names: names, clock: time.Now().Add(-time.Hour)}
					var want []string
					log := func() {
						for range 3 {
							want = append(want, fmt.Sprintf(`{"n":%d}`, len(want)))
							l.log(want[len(want)-1] + "\n")
						}
					}
					log()
					cfg := Config{Path: l.live(), Format: "dynamodb_cdc"}
					first := readSome(t, testSource(t, cfg, 8), nil, 1)
					for range 2 {
						l.rotate()
						log()
					}
					second := readSome(t, testSource(t, cfg, 8), first.cursors, stop)
					third := readAll(t, cfg, 8, second.cursors)
					if first.err != nil || second.err != nil || third.err != nil {
						t.Fatal(first.err, second.err, third.err)
					}
					got := slices.Concat(first.texts(), second.texts(), third.texts())
					slices.Sort(got)
					if d := cmp.Diff(want, got); d != "" {
						t.Errorf("records (-want +got):\n%s", d)
					}
				})
			}
		}
	}
}
