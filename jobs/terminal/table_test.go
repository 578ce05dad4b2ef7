package terminal

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestTable: columns stand below each other on a terminal, whatever is in them.
func TestTable(t *testing.T) {
	var out strings.Builder
	list := &Table{out: &out}
	list.Row("id", "名前", "message")
	list.Row("1", "Zoë", "plain")
	list.Row("22", "東京", "")
	list.Row("3", "e\u0301", "two\nlines\tand \x1b[31mred\u202e")
	list.Row("4", "👩‍👩‍👧", "x")
	if err := list.End(); err != nil {
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
	list := &Table{out: &out}
	list.Row("n", "text")
	for i := range 3 * alignedRowsMax {
		list.Row(fmt.Sprint(i*i), "x")
		if len(list.held) >= alignedRowsMax {
			t.Fatal("rows are not printed")
		}
	}
	if err := list.End(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	if len(lines) != 3*alignedRowsMax+2 {
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
	broken := &Table{out: &failing{1}}
	for range 3 * alignedRowsMax {
		broken.Row("x")
	}
	if err := broken.End(); !errors.Is(err, errFull) {
		t.Errorf("error is %v", err)
	}
}
