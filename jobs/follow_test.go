package jobs

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// followedShop is a shop whose changes are to be written to in/log.
func followedShop(t *testing.T, records int, seed uint64) (dir string, args []string) {
	t.Helper()
	dir = shop(t, records, seed)
	edit(t, filepath.Join(dir, "shop.yaml"), "path: changes.ndjson", `path: "in/*", follow: true, poll: 10ms`)
	if err := os.Mkdir(filepath.Join(dir, "in"), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir, []string{"run", "shop.yaml", "--log-level", "debug", "--set", "epoch.interval=20ms", "--set", "sinks.lake.roll={size: 64KiB, age: 50ms}"}
}

// rotator writes to a file in pieces of any size, and rotates it.
type rotator struct {
	t      *testing.T
	dir    string
	random *rand.Rand
	rest   []byte
}

func (w *rotator) path(n int) string {
	if n == 0 {
		return filepath.Join(w.dir, "log")
	}
	return filepath.Join(w.dir, "log."+strconv.Itoa(n))
}

func (w *rotator) check(err error) {
	w.t.Helper()
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		w.t.Fatal(err)
	}
}

// write writes the next bytes, wherever they end.
func (w *rotator) write(n int) {
	w.t.Helper()
	f, err := os.OpenFile(w.path(0), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	w.check(err)
	n = min(n, len(w.rest))
	_, err = f.Write(w.rest[:n])
	w.check(errors.Join(err, f.Close()))
	w.rest = w.rest[n:]
}

// endLine writes to the end of the line.
func (w *rotator) endLine() { w.write(bytes.IndexByte(w.rest, '\n') + 1) }

// rotate makes room and moves the file away, by renaming, or by a copy.
func (w *rotator) rotate() {
	w.t.Helper()
	for n := 9; n > 0; n-- {
		w.check(os.Rename(w.path(n), w.path(n+1)))
		w.check(os.Rename(w.path(n)+".gz", w.path(n+1)+".gz"))
	}
	w.endLine()
	if w.random.IntN(2) == 0 {
		w.check(os.Rename(w.path(0), w.path(1)))
	} else {
		data, err := os.ReadFile(w.path(0))
		w.check(err)
		w.check(os.WriteFile(w.path(1), data, 0o600))
		w.check(os.Truncate(w.path(0), 0))
	}
	if w.random.IntN(2) == 0 {
		w.compress(2)
	}
}

func (w *rotator) compress(n int) {
	data, err := os.ReadFile(w.path(n))
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	w.check(err)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err = z.Write(data)
	w.check(errors.Join(err, z.Close()))
	w.check(os.WriteFile(w.path(n)+".gz", packed.Bytes(), 0o600))
	at := time.Now().Add(-time.Minute) // as gzip does, roughly
	w.check(os.Chtimes(w.path(n)+".gz", at, at))
	w.check(os.Remove(w.path(n)))
}

// TestFollowKilled follows a file that is rotated in every way, and kills the
// process again and again.
func TestFollowKilled(t *testing.T) {
	t.Parallel()
	random := seed(t)
	const records = 2000
	dir, args := followedShop(t, records, random.Uint64())
	data, err := os.ReadFile(filepath.Join(dir, "changes.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	w := &rotator{t: t, dir: filepath.Join(dir, "in"), random: random, rest: data}
	args = append(args, "--set", "http.listen=127.0.0.1:0")
	p := start(t, dir, nil, args...)
	kills := 0
	for step := 0; len(w.rest) > 0; step++ {
		w.write(random.IntN(2 * len(data) / 100))
		switch random.IntN(8) {
		case 0:
			w.rotate()
		case 1:
			// Where it is in its work is chance enough.
			waitFor(t, p, "epoch committed")
			if err := p.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			<-p.done
			kills++
			p = start(t, dir, nil, args...)
		}
	}
	d := openDatabase(t)
	d.waitForLog(p, dir)
	waitFor(t, p, "serving metrics") // by then it listens to signals
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.result().want(t, exitFine, `"msg":"stopped"`)
	t.Logf("%d kills", kills)
	d.wantShop(dir)
	d.wantLog(dir)
	wantNoLeftovers(t, dir)
}

// waitFor waits until a running process has said something.
func waitFor(t *testing.T, p *process, text string) {
	t.Helper()
	wait(t, p, func() bool { return bytes.Contains([]byte(p.err.String()), []byte(text)) })
}

// waitForLog waits until the lake has a row for each image of the changes.
func (d *database) waitForLog(p *process, dir string) {
	d.t.Helper()
	want := d.number(fmt.Sprintf(`SELECT count(*) FROM read_json('%s/changes.ndjson', format = 'newline_delimited',
		columns = {eventName: 'VARCHAR', dynamodb: 'STRUCT(NewImage STRUCT(PK JSON))'}) WHERE dynamodb.NewImage IS NOT NULL OR eventName = 'REMOVE'`, dir))
	wait(d.t, p, func() bool {
		files, err := filepath.Glob(dir + "/lake/*/*.parquet")
		if err != nil {
			d.t.Fatal(err)
		}
		return len(files) > 0 && d.number(fmt.Sprintf("SELECT count(*) FROM read_parquet('%s/lake/*/*.parquet', union_by_name = true)", dir)) >= want
	})
}
