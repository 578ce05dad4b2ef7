package file

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFollowCompressed(t *testing.T) {
	for _, packing := range packings[1:] {
		t.Run(packing, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a.packed")
			content := numbered(200, 50)
			stored := pack(t, packing, content)
			r := newRig(t, Config{Path: path})
			write(t, path, stored[:len(stored)/2])
			r.poll()
			r.want() // it may still be being written
			r.elapse(compressedQuiet)
			r.poll()
			some := len(r.delivered)
			r.save(some)
			r.elapse(cutShortAfter)
			r.poll()
			r.poll()
			if d := cmp.Diff([]string{eventWaiting, eventCutShort}, r.events()); d != "" {
				t.Error(d)
			}
			add(t, path, string(stored[len(stored)/2:]))
			r.restart()
			r.elapse(compressedQuiet)
			r.poll()
			want := strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
			r.want(want...)
			r.save(len(r.delivered))
			r.restart()
			r.poll()
			r.want(want...)
			add(t, path, string(pack(t, packing, []byte("{\"more\":1}\n"))))
			r.poll()
			r.elapse(compressedQuiet)
			r.poll()
			r.want(append(want, `{"more":1}`)...)
		})
	}
	path := filepath.Join(t.TempDir(), "a.gz")
	damaged := gzipOf(t, numbered(2000, 50))
	damaged[len(damaged)-6] ^= 1
	write(t, path, damaged)
	r := newRig(t, Config{Path: path})
	r.elapse(compressedQuiet)
	wantError(t, r.tryPoll(), path, "damaged", "copy it again")
}

// A compressed file that grows is read on by the same process, by members that
// are appended whole and by parts of one.
func TestFollowCompressedGrows(t *testing.T) {
	for _, packing := range []string{"gzip", "zstd"} {
		t.Run(packing, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a")
			r := newRig(t, Config{Path: path})
			grow := func(b []byte) {
				add(t, path, string(b))
				r.poll()
				r.elapse(compressedQuiet)
				r.poll()
			}
			grow(pack(t, packing, []byte("{\"a\":1}\n")))
			r.want(`{"a":1}`)
			grow(pack(t, packing, []byte("{\"a\":2}\n")))
			r.want(`{"a":1}`, `{"a":2}`)
			member := pack(t, packing, []byte("{\"a\":3}\n{\"a\":4}\n"))
			grow(member[:len(member)-7])
			grow(member[len(member)-7:])
			r.want(`{"a":1}`, `{"a":2}`, `{"a":3}`, `{"a":4}`)
		})
	}
}

// A rotated file is not read again when it is copied or compressed, and what a
// truncation took is read from the copy.
func TestFollowCopies(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.log")
	r := newRig(t, Config{Path: filepath.Join(dir, "a*")})
	add(t, path, "{\"a\":1}\n{\"a\":2}\n")
	r.poll()
	add(t, path, "{\"a\":3}\n")
	add(t, path+".1", "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n")
	write(t, path, []byte("{\"b\":1}\n"))
	r.poll()
	want := []string{`{"a":1}`, `{"a":2}`, `{"a":3}`, `{"b":1}`}
	r.want(want...)
	r.save(len(want))
	write(t, path+".1.gz", gzipOf(t, []byte("{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n")))
	unlink(t, path+".1")
	for _, restart := range []bool{false, true, false} {
		if restart {
			r.restart()
		}
		r.elapse(2 * closeIdleAfter)
		r.poll()
		r.poll()
		r.want(want...)
	}
	// Nor when it is replaced by one that has more, as rsync does.
	write(t, filepath.Join(dir, "new"), []byte("{\"b\":1}\n{\"b\":2}\n"))
	rename(t, filepath.Join(dir, "new"), path)
	r.poll()
	r.want(append(want, `{"b":2}`)...)
}

// A compressed file that is written to all the time is read all the same.
func TestFollowCompressedWrittenAllTheTime(t *testing.T) {
	for _, packing := range []string{"gzip", "zstd"} {
		t.Run(packing, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a")
			r := newRig(t, Config{Path: path})
			const members = 60
			var want []string
			for n := range members {
				text := fmt.Sprintf(`{"n":%d,"text":"%0500d"}`, n, n)
				want = append(want, text)
				add(t, path, string(pack(t, packing, []byte(text+"\n"))))
				r.elapse(compressedQuiet / 2)
				stamp := r.s.now()
				if err := os.Chtimes(path, stamp, stamp); err != nil {
					t.Fatal(err)
				}
				r.poll()
				if n == members/2 && len(r.delivered) < members/4 || n == members-1 && len(r.delivered) < members/2 {
					t.Errorf("after %d members %d records were read", n+1, len(r.delivered))
				}
			}
			r.elapse(compressedQuiet)
			r.poll()
			r.want(want...)
		})
	}
}

// A file that is replaced by one with the same content and more, as by rsync or from a
// backup, goes on, however it is stored: followed all the time, or while nothing ran.
func TestFollowReplacedBySame(t *testing.T) {
	for _, packing := range packings {
		for _, down := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/down=%v", packing, down), func(t *testing.T) {
				dir := t.TempDir()
				path := filepath.Join(dir, "a")
				text := strings.Repeat(" ", 300) + "{\"a\":1}\n" + strings.Repeat(" ", 300) + "{\"a\":2}\n"
				write(t, path, pack(t, packing, []byte(text)))
				r := newRig(t, Config{Path: path})
				r.settle()
				r.want(`{"a":1}`, `{"a":2}`)
				r.save(2)
				replaced := filepath.Join(dir, "new")
				write(t, replaced, pack(t, packing, []byte(text+"{\"a\":3}\n")))
				if packing == "gzip" { // what was there is kept as it is
					write(t, replaced, append(pack(t, packing, []byte(text)), pack(t, packing, []byte("{\"a\":3}\n"))...))
				}
				rename(t, replaced, path)
				if down {
					r.restart()
				}
				r.settle()
				r.settle()
				r.want(`{"a":1}`, `{"a":2}`, `{"a":3}`)
				if len(r.notices) > 0 {
					t.Errorf("notices: %v", r.notices)
				}
			})
		}
	}
}
