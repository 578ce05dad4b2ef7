package jobs

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline/pgconn/pgtest"
)

var attackBugs = flag.String("attack.bugs", "", "the planted bugs that TestAttackFindsBugs has TestAttack find, by their names; all = each of them")

// plantedBug is a fault that an attack has to find. It is a change of a source file
// that only the build of one test binary sees (go build -overlay): the program has
// not a line for it.
type plantedBug struct {
	name, file string // below the root
	line       string // is there once
	wrong      string // is there in its place
}

var plantedBugs = []plantedBug{
	{"token", "sinks/internal/warehouse/token.go", // an epoch that was applied is applied again
		"case c.Epoch:\n\t\treturn true, nil", "case c.Epoch:\n\t\treturn false, nil"},
	{"cursor", "pipeline/engine/splitter.go", // the last record of a block is read again
		"[recs.Partition] = recs.CursorAfter(n)", "[recs.Partition] = recs.CursorAfter(n - 1)"},
	{"skip", "pipeline/engine/splitter.go", // a record behind the end of a block is not read
		"[recs.Partition] = recs.CursorAfter(n)", "[recs.Partition] = recs.CursorAfter(min(n+1, recs.Len()))"},
	{"sync", "sinks/postgres/spool.go", // the spool is not synced
		"if err := f.to.Sync(); err != nil {", "if err := error(nil); err != nil {"},
	{"names", "pipeline/disk/make.go", // names of files are not synced
		"if err := d.Sync(); err != nil {", "if err := error(nil); err != nil {"},
	{"rename", "pipeline/blob/dir.go", // what has its final name is not looked for
		"if err != nil && !d.moved(file, to) {", "if err != nil {"},
	{"committed", "pipeline/engine/protocol.go", // an epoch counts as committed before it is
		"if err := m.c.hook(StepCommit, epoch); err != nil {", "if err := m.store.MarkCommitted(epoch); err != nil {\n\t\treturn err\n\t}\n\tif err := m.c.hook(StepCommit, epoch); err != nil {"},
	{"state", "pipeline/state/save.go", // the changes of one keyspace are not saved
		"for _, d := range u.sorted() {\n\t\tfor", "for _, d := range u.sorted()[min(1, len(u.Deltas)):] {\n\t\tfor"},
	{"gathered", "pipeline/engine/spool.go", // the spool of what is still to be published is deleted
		"; retained[at] {", "; retained[at] && left > 0 {"},
}

// plant writes the file with the bug, and what tells the go command of it.
func (b *plantedBug) plant(t *testing.T, dir string) (overlay string) {
	t.Helper()
	file, err := filepath.Abs(filepath.Join("..", b.file))
	if err != nil {
		t.Fatal(err)
	}
	source := readFile(t, file)
	if n := strings.Count(source, b.line); n != 1 {
		t.Fatalf("bug %s: %s has %d times\n%s\nwant once: plant it elsewhere", b.name, b.file, n, b.line)
	}
	wrong := filepath.Join(dir, filepath.Base(file))
	write(t, wrong, []byte(strings.Replace(source, b.line, b.wrong, 1)))
	text, err := json.Marshal(map[string]any{"Replace": map[string]string{file: wrong}})
	if err != nil {
		t.Fatal(err)
	}
	overlay = filepath.Join(dir, "overlay.json")
	write(t, overlay, text)
	return overlay
}

// TestPlantedBugs: each can be planted.
func TestPlantedBugs(t *testing.T) {
	t.Parallel()
	for _, b := range plantedBugs {
		b.plant(t, t.TempDir())
	}
}

// TestAttackFindsBugs plants bugs, one at a time, and expects that an attack of a
// minute finds each.
func TestAttackFindsBugs(t *testing.T) {
	if *attackBugs == "" {
		t.Skip("-attack.bugs names none")
	}
	names := strings.Split(*attackBugs, ",")
	dsn := pgtest.DSN(t)
	for _, b := range plantedBugs {
		if *attackBugs != "all" && !slices.Contains(names, b.name) {
			continue
		}
		names = slices.DeleteFunc(names, func(name string) bool { return name == b.name || name == "all" })
		t.Run(b.name, func(t *testing.T) {
			dir := t.TempDir()
			binary := filepath.Join(dir, "jobs.test")
			if out, err := exec.Command("go", "test", "-c", "-overlay", b.plant(t, dir), "-o", binary, ".").CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			began := time.Now()
			cmd := exec.Command(binary, "-test.run", "TestAttack$", "-test.parallel", "4", "-attack", "1m")
			cmd.Env = append(os.Environ(), "STARLIFT_TEST_POSTGRES="+dsn)
			out, err := cmd.CombinedOutput()
			_, found, ok := strings.Cut(string(out), "seed ")
			if err == nil || !ok {
				t.Fatalf("it is not found: %v\n%s", err, out)
			}
			t.Logf("found after %.0fs: seed %.600s", time.Since(began).Seconds(), found)
		})
	}
	if len(names) > 0 {
		t.Errorf("there are no bugs %q", names)
	}
}
