package jobs

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline/engine"
)

// TestKilledAtRandom kills the process twenty times, each time a random number
// of epochs and microseconds into its work, and lets it end the next time.
func TestKilledAtRandom(t *testing.T) {
	t.Parallel()
	random := seed(t)
	dir := shop(t, 5000, random.Uint64())
	plain := copyOf(t, dir, "shop.yaml", "changes.ndjson")
	for kills := 0; kills < 20; kills++ {
		if killed := runAndKill(t, dir, random); !killed {
			t.Fatalf("the run ended after %d kills: make epochs smaller", kills)
		}
	}
	fine(t, dir, "run", "shop.yaml")
	fine(t, plain, "run", "shop.yaml")
	d := openDatabase(t)
	d.wantShop(dir)
	d.wantLog(dir)
	d.wantSameLog(dir, plain)
	wantNoLeftovers(t, dir)
}

// runAndKill runs small epochs and kills the process at a random moment. It
// returns false when the process ended first.
func runAndKill(t *testing.T, dir string, random *rand.Rand) bool {
	t.Helper()
	cmd := exec.Command(os.Args[0], "run", "shop.yaml", "--set", "epoch.max_records=50", "--log-level", "debug")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), envStarlift+"=1")
	errs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	epochs, wait := random.IntN(5), time.Duration(random.IntN(40_000))*time.Microsecond
	var said bytes.Buffer
	lines := bufio.NewScanner(io.TeeReader(errs, &said))
	for epochs > 0 && lines.Scan() {
		if strings.Contains(lines.Text(), "epoch committed") {
			epochs--
		}
	}
	killer := time.AfterFunc(wait, func() { _ = cmd.Process.Kill() }) // it may have ended
	defer killer.Stop()
	if _, err := io.Copy(io.Discard, io.TeeReader(errs, &said)); err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	switch code := cmd.ProcessState.ExitCode(); code {
	case 0:
		return false
	case -1:
		return true
	default:
		t.Fatalf("exit status %d: %v\n%s", code, err, said.String())
		return false
	}
}

// TestKilledAtEachStep kills the process at each step of the epoch protocol.
func TestKilledAtEachStep(t *testing.T) {
	t.Parallel()
	dir := shop(t, 800, 5)
	for _, epoch := range []int{1, 3} {
		for _, step := range engine.Steps {
			t.Run(fmt.Sprintf("%s of epoch %d", step, epoch), func(t *testing.T) {
				t.Parallel()
				dir := copyOf(t, dir, "shop.yaml", "changes.ndjson", "truth.ndjson")
				args := []string{"run", "shop.yaml", "--set", "epoch.max_records=200", "--set", "sinks.lake.roll.size=8KiB"}
				at := fmt.Sprintf("%s=%s:%d", envKillAt, step, epoch)
				start(t, dir, []string{at}, args...).result().want(t, -1)
				fine(t, dir, args...)
				d := openDatabase(t)
				d.wantShop(dir)
				d.wantLog(dir)
				wantNoLeftovers(t, dir)
			})
		}
	}
}

// TestEpochsOfAnySize gives the same tables whatever the epochs are.
func TestEpochsOfAnySize(t *testing.T) {
	t.Parallel()
	for _, epoch := range []int{1, 7, 1000, 200_000} {
		t.Run(fmt.Sprint(epoch), func(t *testing.T) {
			t.Parallel()
			records := 5000
			if epoch < 10 && !*long {
				records = 300
			}
			dir := shop(t, records, uint64(epoch))
			fine(t, dir, "run", "shop.yaml", "--set", fmt.Sprint("epoch.max_records=", epoch))
			d := openDatabase(t)
			d.wantShop(dir)
			d.wantLog(dir)
			wantNoLeftovers(t, dir)
		})
	}
}

// TestShuffledInput moves each record by up to fifty places.
func TestShuffledInput(t *testing.T) {
	t.Parallel()
	random := seed(t)
	dir := shop(t, 5000, random.Uint64())
	path := filepath.Join(dir, "changes.ndjson")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, displaced(data, 50, random))
	fine(t, dir, "run", "shop.yaml", "--set", "epoch.max_records=333")
	d := openDatabase(t)
	d.wantShop(dir)
	d.wantLog(dir)
}

// displaced moves each line by up to so many places.
func displaced(data []byte, places int, random *rand.Rand) (moved []byte) {
	type placed struct {
		at   int
		line []byte
	}
	var lines []placed
	for line := range bytes.Lines(data) {
		lines = append(lines, placed{len(lines) + random.IntN(places), line})
	}
	slices.SortStableFunc(lines, func(a, b placed) int { return a.at - b.at })
	for _, l := range lines {
		moved = append(moved, l.line...)
	}
	return moved
}

// TestRunAgain runs on top of a finished run, which changes nothing, and then
// reads everything again, which changes no settled table.
func TestRunAgain(t *testing.T) {
	t.Parallel()
	dir := shop(t, 1000, 7)
	fine(t, dir, "run", "shop.yaml")
	before := tree(t, filepath.Join(dir, "lake"))
	fine(t, dir, "run", "shop.yaml").want(t, exitFine, `"records":0`)
	if after := tree(t, filepath.Join(dir, "lake")); after != before {
		t.Errorf("the lake was\n%s\nand is\n%s", before, after)
	}
	d := openDatabase(t)
	d.wantShop(dir)
	d.wantLog(dir)
	fine(t, dir, "backfill", "shop.yaml", "--set", "epoch.max_records=100")
	d.wantShop(dir)
	fine(t, dir, "backfill", "shop.yaml", "--source", "changes")
	d.wantShop(dir)
}

// copyOf makes a folder with copies of some of another one's files.
func copyOf(t *testing.T, dir string, names ...string) string {
	t.Helper()
	to := t.TempDir()
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(to, name), data)
	}
	return to
}

// wantNoLeftovers looks for spools and unfinished files.
func wantNoLeftovers(t *testing.T, dir string) {
	t.Helper()
	for line := range strings.Lines(tree(t, dir)) {
		name, _, _ := strings.Cut(line, " ")
		inLake := strings.HasPrefix(name, filepath.Join(dir, "lake"))
		done := strings.HasSuffix(name, ".parquet") || filepath.Base(name) == "_starlift_owner.json"
		if strings.Contains(name, "/spool/") || strings.HasSuffix(name, ".tmp") || inLake && !done {
			t.Errorf("left over: %s", line)
		}
	}
}
