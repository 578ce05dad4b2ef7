package file

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/sources/internal/recordformat"
)

// itemsOf returns n lines of a full export, each with an attribute per name; @ in
// a value is the item's number.
func itemsOf(n int, attributes ...string) []string {
	lines := make([]string, n)
	for i := range lines {
		values := make([]string, len(attributes))
		for k, a := range attributes {
			name, value, _ := strings.Cut(a, "=")
			values[k] = fmt.Sprintf("%q:%s", name, strings.ReplaceAll(value, "@", fmt.Sprint(i)))
		}
		lines[i] = `{"Item":{` + strings.Join(values, ",") + `}}`
	}
	return lines
}

func TestFindKeyOfExport(t *testing.T) {
	keyed := `{"Metadata":{"WriteTimestampMicros":{"N":"1"}},"Keys":{"sk":{"S":"x"},"pk":{"N":"1"}},"NewImage":{}}`
	text, number, same := `={"S":"@"}`, `={"N":"@"}`, `={"S":"x"}`
	tests := []struct {
		name    string
		exports []exportOf
		cfg     Config
		others  []pipeline.Format
		key     string
		want    []string // in the mistake
	}{
		{name: "given", cfg: Config{Options: recordformat.Options{Key: []spec.Paths{{"x"}}}}, key: "x"},
		{name: "another source of the table has it", exports: []exportOf{fullAt(0, itemsOf(1, "a"+text)...)},
			others: []pipeline.Format{{Table: "orders", Key: []string{"o"}}, {Table: "shop"}, {Encoding: pipeline.JSON, Table: "shop", Key: []string{"after.a"}}, {Table: "shop", Key: []string{"a", "b"}}}, key: "a b"},
		{name: "another source of the logical table has it", exports: []exportOf{fullAt(0, itemsOf(1, "a"+text)...)}, cfg: Config{Options: recordformat.Options{Table: "mine"}},
			others: []pipeline.Format{{Table: "mine", Key: []string{"a"}}}, key: "a"},
		{name: "another table", exports: []exportOf{fullAt(0, itemsOf(3, "a"+text)...)},
			others: []pipeline.Format{{Table: "orders", Key: []string{"a"}}}, want: []string{"write `key: [a]`"}},
		{name: "incremental ones only", exports: []exportOf{increment(0, 15, keyed)}},
		{name: "an incremental one beside", exports: []exportOf{fullAt(0, itemsOf(1, "a"+text)...), increment(0, 15), increment(15, 30, keyed)}, key: "pk sk"},
		{name: "usual names", exports: []exportOf{fullAt(0, itemsOf(3, "PK"+same, "SK"+text, "at"+text)...)},
			want: []string{"a full export does not say which", "all of its first 3 items have", "PK, SK, at. If", "write `key: [PK, SK]`"}},
		{name: "usual names that do not tell the items apart", exports: []exportOf{fullAt(0, itemsOf(3, "PK"+same, "SK"+same, "id"+number)...)},
			want: []string{"write `key: [id]`"}},
		{name: "two are needed", exports: []exportOf{fullAt(0, append(itemsOf(2, `a={"S":"1"}`, "b"+number), itemsOf(2, `a={"S":"2"}`, "b"+number)...)...)},
			want: []string{"write `key: [a, b]`"}},
		{name: "none tells them apart", exports: []exportOf{fullAt(0, itemsOf(3, "a"+same, `n={"M":{}}`, `b={"BOOL":true}`)...)},
			want: []string{"a key can be: a. Write `key: [<partition key>, <sort key>]`"}},
		{name: "not in all", exports: []exportOf{fullAt(0, append(itemsOf(2, "a"+text, "id"+text), itemsOf(1, `a={"S":"9"}`)...)...)},
			want: []string{"a key can be: a. If", "write `key: [a]`"}},
		{name: "names that YAML reads otherwise", exports: []exportOf{fullAt(0, itemsOf(2, "a: b"+text)...)}, want: []string{"write `key: [\"a: b\"]`"}},
		{name: "one item", exports: []exportOf{fullAt(0, itemsOf(1, "id"+text)...)}, want: []string{"its first item have", "write `key: [id]`"}},
		{name: "no items", exports: []exportOf{fullAt(0)}, want: []string{"no items to tell by: write `key: [<partition key>"}},
		{name: "nothing there", want: []string{"key is missing", "no manifest-summary.json there"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, e := range tt.exports {
				e.lay(t, dir)
			}
			tt.cfg.Path, tt.cfg.Format = dir, "dynamodb_export"
			s := testSource(t, tt.cfg, 0)
			err := s.FindKey(tt.others)
			if tt.want != nil {
				var field *spec.FieldError
				if !errors.As(err, &field) || !slices.Equal(field.Path, []string{"key"}) {
					t.Fatalf("error %v, want a mistake at key", err)
				}
				wantError(t, err, tt.want...)
				return
			}
			if got := strings.Join(s.Format().Key, " "); err != nil || got != tt.key {
				t.Errorf("key %q, error %v, want %q", got, err, tt.key)
			}
		})
	}
}

// TestFirstItemsOfExport: no more than a thousand are looked at.
func TestFirstItemsOfExport(t *testing.T) {
	dir := t.TempDir()
	e := newExport(t, 2)
	content := strings.Join(append(itemsOf(sampledItems, `id={"N":"@"}`), itemsOf(1, `other={"N":"@"}`)...), "\n")
	stored := gzipOf(t, []byte(content))
	e.files["data/z.json.gz"] = stored
	e.lines[0]["itemCount"], e.lines[0]["md5Checksum"], e.summary["itemCount"] = sampledItems+1, sumOf(stored), sampledItems+1
	e.lay(t, dir)
	wantError(t, testSource(t, exportConfig(dir), 0).FindKey(nil), "its first 1000 items have, and a key can be: id. If", "key: [id]")
}
