package file

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestRotatedWhileBehind: a source that is behind by several rotated files reads them in their
// order while others are rotated, whose names are shifted or which are compressed as they wait to be
// read; and none of them is passed over after the process ends, wherever it does.
func TestRotatedWhileBehind(t *testing.T) {
	for _, how := range []string{"rename", "copytruncate"} {
		for _, names := range []string{"numbers", "dates"} {
			for _, waits := range []string{"plain", "compressed while it waits", "compressed at once"} {
				t.Run(how+"/"+names+"/"+waits, func(t *testing.T) {
					for block := range 9 {
						readBehind(t, how, names, waits, block)
					}
				})
			}
		}
	}
}

// readBehind reads four generations, of three records each, rotates while one block of them is
// handed over, and expects all records, whatever is saved of them before the process ends.
func readBehind(t *testing.T, how, names, waits string, block int) {
	l := &rotator{t: t, dir: t.TempDir(), how: how, names: names, pack: waits == "compressed at once", clock: time.Now().Add(-time.Hour)}
	var want []string
	log := func() {
		for range 3 {
			want = append(want, fmt.Sprintf(`{"n":%03d}`, len(want)))
			l.log(want[len(want)-1] + "\n")
		}
	}
	log()
	r := newRig(t, Config{Path: l.live()})
	r.block = 12
	r.restart()
	r.poll()
	r.save(1)
	r.restart()
	for range 3 {
		l.rotate()
		log()
	}
	blocks := 0
	r.meanwhile = func() {
		if blocks++; blocks != block+1 {
			return
		}
		if l.rotate(); waits == "compressed while it waits" {
			l.compress(3)
		}
		log()
		l.rotate()
		log()
	}
	r.poll()
	r.settle()
	r.settle()
	r.want(want...)
	all := slices.Clone(r.delivered)
	for n := 1 + block%2; n <= len(all); n += 2 {
		again := newRig(t, Config{Path: l.live()})
		again.delivered = slices.Clone(all)
		again.save(n)
		again.restart()
		again.settle()
		again.settle()
		got := again.texts()
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("rotated while block %d was handed over, ended behind %d records: (-want +got):\n%s", block, n, d)
		}
	}
}

// TestCopyWhileOriginalMoves: a copy of a file that is truncated, and renamed while another file is
// read, so that it is not at its path when the copy is looked at, is not read again.
func TestCopyWhileOriginalMoves(t *testing.T) {
	dir := t.TempDir()
	old := time.Now().Add(-time.Hour)
	put := func(name, text string) {
		t.Helper()
		add(t, filepath.Join(dir, name), text)
		if err := os.Chtimes(filepath.Join(dir, name), old, old); err != nil { // so that it is not kept open
			t.Fatal(err)
		}
	}
	r := newRig(t, Config{Path: dir})
	put("a.log", `{"a":1}`+"\n")
	put("0.log", `{"0":1}`+"\n")
	put("a.log.1", "{")
	r.poll()
	put("a.log.1", `"a":1}`+"\n")
	if err := os.Truncate(filepath.Join(dir, "a.log"), 0); err != nil {
		t.Fatal(err)
	}
	put("0.log", `{"0":2}`+"\n")
	r.meanwhile = func() {
		r.meanwhile = nil
		rename(t, filepath.Join(dir, "a.log.1"), filepath.Join(dir, "a.log.2"))
		rename(t, filepath.Join(dir, "a.log"), filepath.Join(dir, "a.log.1"))
	}
	r.settle()
	r.settle()
	r.want(`{"0":1}`, `{"a":1}`, `{"0":2}`)
}

// TestInodeOfOtherLog: a rotated file whose inode a file of another name had, which was read before
// and is gone, is read.
func TestInodeOfOtherLog(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	r := newRig(t, Config{Path: at("{a,b}.log")})
	add(t, at("a.log"), `{"a":1}`+"\n")
	add(t, at("b.log"), `{"b":1}`+"\n")
	r.settle()
	rename(t, at("a.log"), at("a.log.1"))
	add(t, at("a.log"), `{"a":2}`+"\n")
	r.settle()
	r.save(len(r.delivered))
	r.f.close()
	write(t, at("a.log.1"), []byte(`{"b":2}`+"\n")) // as if it was removed and its inode given away
	rename(t, at("b.log"), at("b.log.2"))
	rename(t, at("a.log.1"), at("b.log.1"))
	add(t, at("b.log"), `{"b":3}`+"\n")
	r.open()
	r.settle()
	r.settle()
	got := r.texts()
	slices.Sort(got)
	if d := cmp.Diff([]string{`{"a":1}`, `{"a":2}`, `{"b":1}`, `{"b":2}`, `{"b":3}`}, got); d != "" {
		t.Errorf("records (-want +got):\n%s", d)
	}
}
