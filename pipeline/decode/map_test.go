package decode

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestScanMap(t *testing.T) {
	for _, c := range []struct {
		typed       bool
		value, want string
	}{
		{true, `{"M":{"b":{"S":"x"},"a":{"M":{"a":{"N":"+1"}}}}}`, `a map:{"a":{"N":"+1"}} number:1;b string:x missing:`},
		{true, `{"M":{ }}`, ""},
		{false, `{"z":1,"\u0061b":{"a":2},"a":null}`, `a null:null missing:;ab map:{"a":2} number:2;z number:1 missing:`},
		{false, `{"a":1,"\u0061":2}`, `error name "a" twice in one map at byte 12`},
	} {
		rec, v := scanValue(t, c.value, c.typed)
		var got []string
		err := NewProjection([]Path{{}, {{Name: "a"}}}, c.typed).ScanMap(rec, v, func(i int, key Value, slots []Value) error {
			text, err := AppendText(nil, rec, key)
			if i != len(got) || err != nil {
				t.Errorf("index %d, %v", i, err)
			}
			got = append(got, string(text)+" "+strings.Join(show(string(rec), slots), " "))
			return nil
		})
		if err != nil {
			got = append(got, "error "+err.Error())
		}
		if strings.Join(got, ";") != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.value, strings.Join(got, ";"), c.want)
		}
	}
	rec, v := scanValue(t, `[]`, false)
	if err := NewProjection([]Path{{}}, false).ScanMap(rec, v, nil); err == nil || !strings.Contains(err.Error(), "a list where a map is expected") {
		t.Error(err)
	}
}

// Whatever a map looks like, its members come sorted, with what a naive reader has.
func TestRandomMapsAgreeWithReference(t *testing.T) {
	r := seeded(t)
	want := paths("a", "b[-1]")
	for i := range 2000 {
		typed := i%2 == 0
		rec := []byte(`{"v":` + randomMap(r, 4, typed).spell(r, typed) + `}`)
		image, err := parseTree(rec)
		if err == nil && typed {
			image, err = image.typedMap()
		}
		if err != nil {
			t.Fatal(err)
		}
		tree := image.members[0]
		slots, _, err := scanImage(imageDecoder(paths("v"), typed, false), rec)
		if err != nil {
			t.Fatal(err)
		}
		var keys []string
		err = NewProjection(want, typed).ScanMap(rec, slots[0], func(_ int, key Value, slots []Value) error {
			text, err := AppendText(nil, rec, key)
			if err != nil {
				return err
			}
			keys = append(keys, string(text))
			member := tree.members[slices.Index(tree.names, string(text))]
			for k, p := range want {
				found, err := member.find(p)
				if err != nil {
					return fmt.Errorf("%s: %w", p, err)
				}
				checkValue(t, rec, p, slots[k], found, typed)
			}
			return nil
		})
		if err != nil || !slices.Equal(keys, slices.Sorted(slices.Values(tree.names))) {
			t.Fatalf("%s: keys %q, %v", rec, keys, err)
		}
	}
}
