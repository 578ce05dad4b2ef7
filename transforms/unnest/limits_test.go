package unnest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
)

// limited maps records with other limits of elements and of rows that are left out.
func limited(t *testing.T, u *Unnest, elements, drops int, lines ...string) *pipeline.Batch {
	t.Helper()
	m := u.NewMapper(everything(u)).(*mapper)
	m.rows.elementsMax, m.rows.dropsMax = elements, drops
	b, err := m.Map(t.Context(), records(cdcFormat, lines...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Release)
	check(t, b)
	return b
}

func numbers(n int) string {
	return `{"L":[` + strings.TrimSuffix(strings.Repeat(`{"N":"1"},`, n), ",") + `]}`
}

// TestElementsOfAnItem: lists beside each other make as many rows as their sizes multiplied,
// also where all of these are left out; an item with too many is refused, and has no rows to
// delete later.
func TestElementsOfAnItem(t *testing.T) {
	u := compiled(t, `
tables:
	pair:
		explode: {from: all, as: e, explode: {from: e.left, as: l, ordinal: i, explode: {from: e.right, as: r, ordinal: j}}}
		key: [id, i, j]
		columns: {id: {}, i: {}, j: {}, r: {type: date, on_error: drop_row}}`)
	image := func(left, right int, text string) string {
		lists := fmt.Sprintf(`{"M":{"left":%s,"right":%s}}`, numbers(left), strings.ReplaceAll(numbers(right), `{"N":"1"}`, text))
		return `{"id":{"S":"1"},"all":{"L":[` + lists + `]}}`
	}
	const day, bad = `{"S":"2024-02-29"}`, `{"S":"never"}`
	b := limited(t, u, 9, 3,
		insert(image(2, 3, day)), // 1 + 2 + 2·3
		insert(image(2, 4, day)),
		insert(image(3, 1, bad)),
		insert(image(2, 2, bad)),
		change("MODIFY", image(1, 1, day), image(2, 4, day)),
		change("MODIFY", image(1, 1, day), image(1, 2, day)))
	equal(t, "pair", dump(b, "pair"),
		`0 upsert "1" 1 1 2024-02-29`, `0 upsert "1" 1 2 2024-02-29`, `0 upsert "1" 1 3 2024-02-29`,
		`0 upsert "1" 2 1 2024-02-29`, `0 upsert "1" 2 2 2024-02-29`, `0 upsert "1" 2 3 2024-02-29`,
		`4 upsert "1" 1 1 2024-02-29`, `5 delete "1" 1 2 2024-02-29`, `5 upsert "1" 1 1 2024-02-29`)
	got := letters(b)
	if len(got) != 5 || !strings.HasPrefix(got[4], "bad_value: more than 3 rows of the item are to be left out, the next: table pair, column r (date)") {
		t.Fatalf("dead letters\n\t%s", strings.Join(got, "\n\t"))
	}
	equal(t, "the first", got[:1],
		"too_large: table pair: explode comes to more than 9 elements of one item; where levels look at lists beside each other, each element of the one comes with each of the other: make a table of each list")
	for i, letter := range got[1:4] {
		if b.DeadLetters[i+1].Row == nil || !strings.HasSuffix(letter, fmt.Sprintf("element 1.%d.1", i+1)) {
			t.Errorf("letter %s, want one of a row, element 1.%d.1", letter, i+1)
		}
	}
}

// TestSizeOfRows: what bounds the rows of a change is what they take, texts or not.
func TestSizeOfRows(t *testing.T) {
	u := compiled(t, `
tables:
	t:
		key: [id]
		columns: {id: {}, text: {}, n: {type: int64}, day: {type: date}, price: {type: "decimal(30,2)"}, flag: {type: bool}, at: {type: timestamp}, x: {type: double}}`)
	m := u.NewMapper(everything(u)).(*mapper)
	b := &m.tables[0]
	b.start(0)
	const rows, text = 100, 7
	for range rows {
		for i := range b.columns {
			if c := &b.columns[i]; c.variable() {
				c.text(make([]byte, text))
			} else {
				c.null()
			}
		}
		b.endRow(pipeline.OpUpsert)
	}
	const want = 2*(text+4) + 8 + 4 + 16 + 1 + 8 + 8 + 5
	if got := b.size(0); got != rows*want || b.size(rows-1) != want {
		t.Errorf("%d bytes, want %d; the last row %d", got, rows*want, b.size(rows-1))
	}
}
