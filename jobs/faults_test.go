package jobs

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/starlift-etl/starlift/pipeline/state"
)

// partedShop is a shop whose changes lie in two files, of which only the first
// is there; second puts the other one there.
func partedShop(t *testing.T, records int) (dir string, second func()) {
	t.Helper()
	dir = shop(t, records, 17)
	data, err := os.ReadFile(filepath.Join(dir, "changes.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	middle := len(data)/2 + bytes.IndexByte(data[len(data)/2:], '\n') + 1
	edit(t, filepath.Join(dir, "shop.yaml"), "path: changes.ndjson", `path: "part-*.ndjson"`)
	write(t, filepath.Join(dir, "part-1.ndjson"), data[:middle])
	return dir, func() { write(t, filepath.Join(dir, "part-2.ndjson"), data[middle:]) }
}

func edit(t *testing.T, path, old, replacement string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(data, []byte(old)) {
		t.Fatalf("%s has no %q", path, old)
	}
	write(t, path, bytes.ReplaceAll(data, []byte(old), []byte(replacement)))
}

// copyTree copies a file or folder.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	info, err := os.Stat(from)
	if err != nil {
		t.Fatal(err)
	}
	if info.IsDir() {
		if err := os.CopyFS(to, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
		return
	}
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	write(t, to, data)
}

func remove(t *testing.T, paths ...string) {
	t.Helper()
	for _, p := range paths {
		if err := os.RemoveAll(p); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTruncatedGzip(t *testing.T) {
	t.Parallel()
	dir := shop(t, 3000, 3)
	edit(t, filepath.Join(dir, "shop.yaml"), "path: changes.ndjson", "path: changes.ndjson.gz")
	data, err := os.ReadFile(filepath.Join(dir, "changes.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "changes.ndjson.gz")
	args := []string{"run", "shop.yaml", "--set", "epoch.max_records=100"}
	write(t, path, packed.Bytes()[:packed.Len()*2/3])
	r := starlift(t, dir, args...)
	r.want(t, exitFailed, "changes.ndjson.gz: the compressed file is cut short or damaged", "copy it again")
	t.Log(r.err)
	starlift(t, dir, args...).want(t, exitFailed, "changes.ndjson.gz") // and it stays so
	write(t, path, packed.Bytes())
	fine(t, dir, args...)
	d := openDatabase(t)
	d.wantShop(dir)
	d.wantLog(dir)
}

// TestForeignState runs a pipeline on the state folder of another one.
func TestForeignState(t *testing.T) {
	t.Parallel()
	dir, second := partedShop(t, 600)
	fine(t, dir, "run", "shop.yaml", "--set", "state.dir=state")
	r := starlift(t, dir, "run", "shop.yaml", "--set", "state.dir=state", "--set", "name=other")
	r.want(t, exitFailed, "name was shop, and is other", "state.dir")
	starlift(t, dir, "status", "shop.yaml", "--set", "state.dir=state", "--set", "name=other").want(t, exitFailed, `belongs to pipeline "shop"`)
	second()
	fine(t, dir, "run", "shop.yaml", "--set", "state.dir=state")
	openDatabase(t).wantShop(dir)
}

// TestNewerState opens a state folder of a later format.
func TestNewerState(t *testing.T) {
	t.Parallel()
	dir, second := partedShop(t, 600)
	fine(t, dir, "run", "shop.yaml")
	setVersion := func(version int) {
		db, err := pebble.Open(filepath.Join(dir, "data/state/shop/db"), &pebble.Options{FormatMajorVersion: pebble.FormatNewest, Logger: quiet{}})
		if err != nil {
			t.Fatal(err)
		}
		raw, closer, err := db.Get([]byte("m"))
		if err != nil {
			t.Fatal(err)
		}
		var meta state.Meta
		if err := json.Unmarshal(raw, &meta); err != nil {
			t.Fatal(err)
		}
		if err := closer.Close(); err != nil {
			t.Fatal(err)
		}
		meta.Version = version
		if raw, err = json.Marshal(meta); err != nil {
			t.Fatal(err)
		}
		if err := db.Set([]byte("m"), raw, pebble.Sync); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	setVersion(state.FormatVersion + 1)
	second()
	starlift(t, dir, "run", "shop.yaml").want(t, exitFailed, "written by a newer starlift", "use that version")
	starlift(t, dir, "status", "shop.yaml").want(t, exitFailed, "written by a newer starlift")
	setVersion(state.FormatVersion)
	fine(t, dir, "run", "shop.yaml")
	openDatabase(t).wantShop(dir)
}

// quiet drops Pebble's messages.
type quiet struct{}

func (quiet) Infof(string, ...any)           {}
func (quiet) Errorf(string, ...any)          {}
func (quiet) Fatalf(format string, _ ...any) { panic(format) }

// TestWarehouseAndStateDiffer has a warehouse and a state folder that are not of
// one history, in every way that happens; each is refused with a way back, and
// the way back works.
func TestWarehouseAndStateDiffer(t *testing.T) {
	t.Parallel()
	dir, second := partedShop(t, 600)
	fine(t, dir, "run", "shop.yaml")
	kept := t.TempDir()
	copyTree(t, filepath.Join(dir, "shop.duckdb"), filepath.Join(kept, "shop.duckdb"))
	copyTree(t, filepath.Join(dir, "data/state"), filepath.Join(kept, "state"))
	second()
	fine(t, dir, "run", "shop.yaml")
	const wayBack = "begin anew: starlift reset FILE shows what that takes, and does it with --yes"
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, dir string)
		says   string
	}{
		{"warehouse restored from an older backup", func(t *testing.T, dir string) {
			copyTree(t, filepath.Join(kept, "shop.duckdb"), filepath.Join(dir, "shop.duckdb"))
		}, "the tables are older than the state folder"},
		{"warehouse deleted", func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "shop.duckdb")) },
			"the tables are older than the state folder (restored from a backup, or deleted)"},
		{"copied state folder", func(t *testing.T, dir string) {
			remove(t, filepath.Join(dir, "data/state"))
			copyTree(t, filepath.Join(kept, "state"), filepath.Join(dir, "data/state"))
		}, "the state folder is older than the tables (restored, or a copy of it has run)"},
		{"state folder lost", func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "data/state")) },
			"the state folder was lost or is a new one"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			from := dir
			dir := t.TempDir()
			copyTree(t, from, dir)
			c.damage(t, dir)
			for _, command := range []string{"run", "backfill"} {
				starlift(t, dir, command, "shop.yaml").want(t, exitFailed, c.says, wayBack)
			}
			// The matching parts put back, it runs.
			remove(t, filepath.Join(dir, "data/state"), filepath.Join(dir, "shop.duckdb"))
			copyTree(t, filepath.Join(from, "data/state"), filepath.Join(dir, "data/state"))
			copyTree(t, filepath.Join(from, "shop.duckdb"), filepath.Join(dir, "shop.duckdb"))
			fine(t, dir, "run", "shop.yaml")
			openDatabase(t).wantShop(dir)
			// And the way back that the message tells.
			c.damage(t, dir)
			fine(t, dir, "reset", "shop.yaml", "--yes")
			fine(t, dir, "backfill", "shop.yaml")
			openDatabase(t).wantShop(dir)
		})
	}
}

// TestTwoProcesses starts a second process while the first one runs.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	dir := shop(t, 400, 19)
	args := []string{"run", "shop.yaml", "--set", "epoch.max_records=4"}
	first := start(t, dir, nil, args...)
	state := filepath.Join(dir, "data/state/shop/spool")
	wait(t, first, func() bool { _, err := os.Stat(state); return err == nil })
	starlift(t, dir, args...).want(t, exitFailed, "another process has it open", "stop that one")
	starlift(t, dir, "status", "shop.yaml").want(t, exitFine, "running since") // it is asked
	first.result().want(t, exitFine)
	d := openDatabase(t)
	d.wantShop(dir)
	d.wantLog(dir)
}

// wait waits until something is so while a process runs.
func wait(t *testing.T, p *process, so func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-p.done:
			t.Fatalf("the process ended: %+v", p.result())
		case <-tick.C:
		}
	}
}

// TestDiskFull fills the file system below the state folder or below a sink;
// when there is space again, the next run completes what is missing.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, folder, set string
		says              string
	}{
		{"spool", "data", "name=shop", "no space left on device"},
		{"parquet", "lake", "name=shop", "sink lake"},
		{"duckdb", "warehouse", "sinks.warehouse.dsn=warehouse/shop.duckdb", "sink warehouse"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := shop(t, 5000, 23)
			full := filepath.Join(dir, c.folder)
			resize := smallDisk(t, full)
			args := []string{"run", "shop.yaml", "--set", "epoch.max_records=1000", "--set", "epoch.commit_timeout=1s", "--set", c.set}
			r := starlift(t, dir, args...)
			r.want(t, exitFailed, c.says)
			t.Log(r.err)
			resize("64m")
			fine(t, dir, args...)
			if c.folder == "warehouse" {
				copyTree(t, filepath.Join(full, "shop.duckdb"), filepath.Join(dir, "shop.duckdb"))
			}
			d := openDatabase(t)
			d.wantShop(dir)
			d.wantLog(dir)
		})
	}
}

// TestDiskGrows runs on a file system for the state that is full again and
// again, wherever in the protocol that happens to be, until there is enough. It
// grows by more than a state whose log can't be replayed leaves behind (150 kB),
// which the next one that can be opened removes.
func TestDiskGrows(t *testing.T) {
	t.Parallel()
	dir := shop(t, 3000, 31)
	resize := smallDisk(t, filepath.Join(dir, "data"))
	args := []string{"run", "shop.yaml", "--set", "epoch.max_records=100"}
	for kilobytes := 400; ; kilobytes += 400 {
		r := starlift(t, dir, args...)
		if r.code == exitFine {
			break
		}
		r.want(t, exitFailed, "starlift: ", "no space left on device")
		if strings.Contains(r.err, "goroutine ") || kilobytes > 10_000 {
			t.Fatalf("with %d kB: %s", kilobytes, r.err)
		}
		resize(fmt.Sprintf("%dk", kilobytes))
	}
	d := openDatabase(t)
	d.wantShop(dir)
	d.wantLog(dir)
}

// smallDisk mounts a small file system and returns a function that changes its
// size. Only root can.
func smallDisk(t *testing.T, at string) (resize func(size string)) {
	t.Helper()
	if err := os.MkdirAll(at, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=128k", "starlift-test", at).CombinedOutput(); err != nil {
		t.Skipf("no file system can be mounted: %v: %s", err, out)
	}
	t.Cleanup(func() {
		// Lazily: a process that another test is just starting holds our files until it is.
		if out, err := exec.Command("umount", "-l", at).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return func(size string) {
		t.Helper()
		if out, err := exec.Command("mount", "-o", "remount,size="+size, at).CombinedOutput(); err != nil {
			t.Fatalf("remount: %v: %s", err, out)
		}
	}
}

// TestFileLimit bounds the length of files: every write past it fails, wherever
// that is first. It needs no root.
func TestFileLimit(t *testing.T) {
	t.Parallel()
	dir := shop(t, 5000, 29)
	args := []string{"run", "shop.yaml"}
	r := start(t, dir, []string{envFileSize + "=100000"}, args...).result()
	r.want(t, exitFailed, "file too large")
	t.Log(r.err)
	fine(t, dir, args...)
	d := openDatabase(t)
	d.wantShop(dir)
	d.wantLog(dir)
}
