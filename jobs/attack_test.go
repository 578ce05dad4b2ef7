package jobs

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline/engine"
	"github.com/starlift-etl/starlift/pipeline/pgconn/pgtest"
)

var (
	attackFor  = flag.Duration("attack", 0, "how long TestAttack begins new rounds, with bounds for the kills; 0 = a short round")
	attackSeed = flag.Uint64("attack.seed", 0, "the seed of every round of TestAttack; 0 = new ones")
)

// What an attack has to have done, in a minute.
const attackLeast = 200

// attackLanes are the rounds that run side by side, as far as -parallel allows.
const attackLanes = 4

// TestAttack runs rounds. In each, the program is killed again and again, by
// SIGKILL: at every named step of the protocol, at any of its syncs, and at any
// moment; half of the kills take what was not synced as well, as a power cut does.
// Meanwhile a writer appends changes to files, and rotates them: by renaming, with
// writers that keep their handles, by copying and truncating, with compression
// behind it; it drops files into the folder, and appends members to compressed
// ones. The rows go to Parquet in all modes, to DuckDB, and to PostgreSQL, which
// refuses some of them in some rounds; a star is made of them as well.
//
// In the end of a round the program may catch up. Then all sinks, the dead letters
// and the folders are held against the lines that were written, read by means of
// their own: nothing is lost, nothing is there twice, every row is the newest, every
// fact refers to what it should, and nothing is left over.
//
// A round follows from its seed, but for times: -attack.seed runs one again and
// again.
func TestAttack(t *testing.T) {
	a := &attack{dsn: pgtest.DSN(t), steps: map[engine.Step]int{}, began: time.Now(), most: 1000}
	lanes := attackLanes
	if *attackFor == 0 {
		t.Parallel()
		lanes, a.most = 1, 8
	}
	dir := t.TempDir()
	tried := start(t, dir, []string{envSyncs + "=" + filepath.Join(dir, "syncs")}, "version").result()
	a.power, a.noPower = tried.code == exitFine, tried.err
	a.next.Store(uint64(time.Now().UnixNano()) % 1_000_000_000)
	t.Run("lanes", func(t *testing.T) {
		for i := range lanes {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				a.lane(t, i)
			})
		}
	})
	a.report(t)
}

// attack is what all rounds share.
type attack struct {
	dsn       string
	most      int  // kills in a round
	power     bool // syncs can be noted
	noPower   string
	began     time.Time
	next      atomic.Uint64 // seed
	failed    atomic.Bool
	lines     atomic.Int64
	powerCuts atomic.Int64
	syncs     atomic.Int64
	rounds    atomic.Int64
	gaps      atomic.Int64 // rounds in which it was told that something is lost

	mu    sync.Mutex
	kills int
	steps map[engine.Step]int
}

// lane runs rounds, one after the other, every other one on disk.
func (a *attack) lane(t *testing.T, number int) {
	defer func() {
		if t.Failed() {
			a.failed.Store(true)
		}
	}()
	parents := []string{scratch(t), t.TempDir()}
	for n := 0; n == 0 || a.more(); n++ {
		seed := a.next.Add(1)
		if *attackSeed != 0 {
			seed = *attackSeed
		}
		began := time.Now()
		a.newRound(t, seed, parents[(n+number)%2]).run()
		if a.stopped() {
			return
		}
		a.rounds.Add(1)
		t.Logf("seed %d: %.1fs", seed, time.Since(began).Seconds())
	}
}

// more reports whether another round is to be begun: until the time is over, and a
// little longer where a slow machine has not done enough.
func (a *attack) more() bool {
	took := time.Since(a.began)
	return !a.stopped() && (took < *attackFor || took < 2**attackFor && a.short() != "")
}

func (a *attack) stopped() bool { return a.failed.Load() }

// count counts a kill; that of a step or sync only if it was there.
func (a *attack) count(k *attackKill) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.kills++
	switch {
	case k.step != "":
		a.steps[k.step]++
	case k.nth > 0:
		a.syncs.Add(1)
	}
}

// short says what the attack has not done yet that it should.
func (a *attack) short() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var lacks []string
	if least := int(attackLeast * attackFor.Minutes()); a.kills < least {
		lacks = append(lacks, fmt.Sprintf("%d kills of %d", a.kills, least))
	}
	for _, step := range slices.Concat(engine.Steps, stepsOfRefusal) {
		if a.steps[step] == 0 && *attackSeed == 0 {
			lacks = append(lacks, fmt.Sprintf("none at %s", step))
		}
	}
	return strings.Join(lacks, ", ")
}

func (a *attack) report(t *testing.T) {
	t.Helper()
	var steps []string
	for _, step := range slices.Concat(engine.Steps, stepsOfRefusal) {
		steps = append(steps, fmt.Sprintf("%s %d", step, a.steps[step]))
	}
	t.Logf("%d rounds, %d of them with a gap that was told; %d kills in %.0fs: %s, at a sync %d; %d power cuts; %d rows in the logs", a.rounds.Load(), a.gaps.Load(), a.kills, time.Since(a.began).Seconds(),
		strings.Join(steps, ", "), a.syncs.Load(), a.powerCuts.Load(), a.lines.Load())
	if !a.power {
		t.Log("what was not synced could not be taken: " + a.noPower)
	}
	if lacks := a.short(); lacks != "" && *attackFor > 0 && !t.Failed() {
		t.Errorf("too little: %s", lacks)
	}
}

// keep moves a round's folder to where it stays.
func (a *attack) keep(r *attackRound) string {
	a.failed.Store(true)
	to := filepath.Join(os.TempDir(), "starlift-attack", filepath.Base(r.dir))
	err := errors.Join(os.RemoveAll(to), os.MkdirAll(filepath.Dir(to), 0o755))
	if out, mvErr := exec.Command("mv", r.dir, to).CombinedOutput(); err != nil || mvErr != nil {
		return fmt.Sprintf("nothing: %v, %v: %s", err, mvErr, out)
	}
	return to
}
