package unnest

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/starlift-etl/starlift/pipeline"
)

// covering maps batches of items in the JSON of a format, one after the other,
// and returns what is left to find after all of them.
func covering(t *testing.T, u *Unnest, f *pipeline.Format, wrap func(string) string, batches ...[]string) []string {
	t.Helper()
	type count struct {
		records int64
		found   bool
		near    string
	}
	counts := make([]count, len(u.Paths()))
	mapper := u.NewMapper(everything(u))
	for _, items := range batches {
		var lines []string
		for _, item := range items {
			lines = append(lines, wrap(item))
		}
		b, err := mapper.Map(context.Background(), records(f, lines...))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range b.Coverage {
			n := &counts[c.Path]
			if n.found {
				t.Errorf("%+v is told after it was found", u.Paths()[c.Path])
			}
			n.records, n.found = n.records+c.Records, c.Found
			if c.Near != "" {
				n.near = c.Near
			}
		}
		b.Release()
	}
	var left []string
	for i, c := range counts {
		if p := u.Paths()[i]; !c.found && c.records > 0 {
			left = append(left, fmt.Sprintf("%s %s %q (%s) in none of %d, near %q", p.Table, p.Scope, p.Path, p.Use, c.records, c.near))
		}
	}
	slices.Sort(left)
	return left
}

const coveredTables = `tables:
  trip:
    where: {kind: [trip], cancelled: [{exists: false}]}
    key: [id]
    columns: {id: {}, city: {from: adress.city}, town: {from: address.town}, note: {}, both: {expr: 'note + "-" + (mood ?? "")'}, again: {from: mood}, first: {expr: 'kind[0:1] + string(tags[0])', on_error: 'null'}, any: {from: [wrapped.note, note]}, none: {from: [wrapped.mood, moods]}}
  stop:
    where: {kind: [trip]}
    explode: {from: stops, as: stop, outer: true, ordinal: n}
    key: [id, n]
    columns: {id: {}, name: {from: stop.name}, zip: {from: stop.place.zpi}}
  halt:
    where: {$or: [{kind: [trip]}, {payload.kind: [trip]}]}
    explode: {from: [halts, pauses], as: halt, ordinal: n}
    key: [id, n]
    columns: {id: {}, name: {from: halt.name}}
  plane:
    where: {typ: [plane]}
    key: [id]
    columns: {id: {}, wings: {}}
`

// TestCoverage: what a path is looked for in depends on its place; what leads to
// NULL is found; what is like a missing name in the record is told.
func TestCoverage(t *testing.T) {
	typed := func(item string) string { return change("INSERT", item, "") }
	plain := func(item string) string { return item }
	for _, tc := range []struct {
		name    string
		format  *pipeline.Format
		wrap    func(string) string
		batches [][]string
	}{
		{"DynamoDB JSON", cdcFormat, typed, [][]string{
			{`{"id":{"S":"1"},"kind":{"S":"trip"},"address":{"M":{"city":{"S":"Ulm"},"town":{"NULL":true}}},"stops":{"L":[]}}`, `{"kind":{"S":"car"}}`},
			{`{"id":{"S":"2"},"kind":{"S":"trip"},"tags":{"SS":["t"]},"address":{"M":{}},"note":{"S":"x"},"stops":{"L":[{"M":{"place":{"M":{"zip":{"S":"1"}}}}},{"M":{"name":{"S":"y"}}}]}}`,
				`{"id":{"S":"3"},"kind":{"S":"car"}}`},
		}},
		{"plain JSON", jsonFormat, plain, [][]string{
			{`{"id":"1","kind":"trip","address":{"city":"Ulm","town":null},"stops":[]}`, `{"kind":"car"}`},
			{`{"id":"2","kind":"trip","tags":["t"],"address":{},"note":"x","stops":[{"place":{"zip":"1"}},{"name":"y"}]}`, `{"id":"3","kind":"car"}`},
		}},
	} {
		got := covering(t, compiled(t, coveredTables), tc.format, tc.wrap, tc.batches...)
		want := []string{
			`halt item "halts or pauses" (explode) in none of 2, near ""`,
			`plane table "" (where) in none of 4, near ""`,
			`plane where "typ" (where) in none of 4, near ""`,
			`stop element "stop.place.zpi" (column zip) in none of 1, near "stop.place.zip"`,
			`trip item "adress.city" (column city) in none of 2, near "address.city"`,
			`trip item "mood" (columns both and again) in none of 2, near ""`,
			`trip item "wrapped.mood or moods" (column none) in none of 2, near ""`,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
}

// TestCoverageOfOldImages: what only old images have is no mistyped attribute, and
// a where that takes removed items takes something.
func TestCoverageOfOldImages(t *testing.T) {
	const tables = `tables:
  a: {where: {kind: [a]}, key: [id], columns: {id: {}, gone: {}, never: {}}}
  b: {where: {kind: [b], sub.kind: [x]}, key: [id], columns: {id: {}}}
  c: {where: {kind: [c]}, key: [id], columns: {id: {}}}
`
	records := []string{
		change("MODIFY", `{"id":{"S":"1"},"kind":{"S":"a"}}`, `{"id":{"S":"1"},"kind":{"S":"a"},"gone":{"S":"x"}}`),
		change("REMOVE", "", `{"id":{"S":"2"},"kind":{"S":"b"},"sub":{"M":{"kind":{"S":"x"}}}}`),
	}
	want := []string{`a item "never" (column never) in none of 1, near ""`, `c table "" (where) in none of 1, near ""`}
	if got := covering(t, compiled(t, tables), cdcFormat, func(s string) string { return s }, records); !cmp.Equal(want, got) {
		t.Errorf("left are %q, want %q", got, want)
	}
}

// TestCoverageOfRemovals: what is removed, or does not take effect, tells nothing
// that is wrong: a removal has no item, and a dead letter has one.
func TestCoverageOfRemovals(t *testing.T) {
	u := compiled(t, "tables: {a: {key: [id], columns: {id: {}, n: {type: int64}, m: {}}}}")
	got := covering(t, u, cdcFormat, func(s string) string { return s }, []string{
		change("REMOVE", "", `{"id":{"S":"1"}}`),
		change("MODIFY", `{"id":{"S":"1"},"n":{"S":"no number"}}`, `{"id":{"S":"1"}}`),
		"broken",
	})
	if want := []string{`a item "m" (column m) in none of 1, near ""`}; !cmp.Equal(want, got) {
		t.Errorf("left are %q, want %q", got, want)
	}
}

// TestCoverageInLists: a where looks into lists, where no path leads.
func TestCoverageInLists(t *testing.T) {
	u := compiled(t, `
unmatched: ignore
tables:
	t:
		where: {lines: {sku: [tea], qty: [{numeric: [">", 1]}]}, address: {contry: [DE]}}
		key: [PK]
		columns: {PK: {}}`)
	got := covering(t, u, jsonFormat, func(item string) string { return item },
		[]string{`{"PK":"k","lines":[{"sku":"tea","qty":2}],"address":{"country":"DE"}}`})
	equal(t, "not found", got, `t table "" (where) in none of 1, near ""`, `t where "address.contry" (where) in none of 1, near "address.country"`)
}
