package disk

import (
	"os"
	"testing"
)

// TestLog: what was added is there in the next process, and a line that was cut off is not,
// nor does it spoil those that are added behind it.
func TestLog(t *testing.T) {
	spool := NewSpool(t.TempDir())
	add := func(has, hasNot string, names ...string) {
		t.Helper()
		l, err := spool.OpenLog("done")
		if err != nil {
			t.Fatal(err)
		}
		if has != "" && !l.Has(has) || l.Has(hasNot) {
			t.Errorf("%q %v, %q %v", has, l.Has(has), hasNot, l.Has(hasNot))
		}
		for _, name := range names {
			if err := l.Add(name); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := spool.CreateLog("done"); err != nil {
			t.Fatal(err)
		}
	}
	add("", "a", "a", "b")
	if err := spool.CreateLog("done"); err != nil { // it stays as it is
		t.Fatal(err)
	}
	add("b", "c")
	f, err := os.OpenFile(spool.Path("done"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("c"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	add("a", "c", "d")
	add("d", "cd")
	if text, err := os.ReadFile(spool.Path("done")); err != nil || string(text) != "a\nb\nd\n" {
		t.Errorf("%q, %v", text, err)
	}
	if err := spool.Clear(); err != nil {
		t.Fatal(err)
	}
	add("", "a", "e") // the spool is deleted: nothing is made
	if _, err := os.Stat(spool.Path("done")); !os.IsNotExist(err) {
		t.Errorf("it is there again: %v", err)
	}
}
