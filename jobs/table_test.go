package jobs

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestTable: columns stand below each other on a terminal, whatever is in them.
func TestTable(t *testing.T) {
	var out strings.Builder
	list := &table{out: &out}
	list.row("id", "名前", "message")
	list.row("1", "Zoë", "plain")
	list.row("22", "東京", "")
	list.row("3", "e\u0301", "two\nlines\tand \x1b[31mred\u202e")
	list.row("4", "👩‍👩‍👧", "x")
	if err := list.end(); err != nil {
		t.Fatal(err)
	}
	want := "id  名前  message\n1   Zoë   plain\n22  東京\n3   e\u0301     two lines and �[31mred�\n4   👩‍👩‍👧    x\n"
	if out.String() != want {
		t.Errorf("got\n%s, want\n%s", out.String(), want)
	}
}

type failing struct{ after int }

var errFull = errors.New("the disk is full")

func (f *failing) Write(b []byte) (int, error) {
	if f.after--; f.after < 0 {
		return 0, errFull
	}
	return len(b), nil
}

// TestLongTable: a table of any length is printed in blocks, each at least as wide
// as those before; the first error is told.
func TestLongTable(t *testing.T) {
	var out strings.Builder
	list := &table{out: &out}
	list.row("n", "text")
	for i := range 3 * maxHeld {
		list.row(fmt.Sprint(i*i), "x")
		if len(list.held) >= maxHeld {
			t.Fatal("rows are not printed")
		}
	}
	if err := list.end(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	if len(lines) != 3*maxHeld+2 {
		t.Fatalf("%d lines", len(lines))
	}
	last := 0
	for _, line := range lines[:len(lines)-1] {
		at := strings.LastIndex(line, " ")
		if at < last {
			t.Fatalf("%q is narrower than the one before", line)
		}
		last = at
	}
	broken := &table{out: &failing{1}}
	for range 3 * maxHeld {
		broken.row("x")
	}
	if err := broken.end(); !errors.Is(err, errFull) {
		t.Errorf("error is %v", err)
	}
}
