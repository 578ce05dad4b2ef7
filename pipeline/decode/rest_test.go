package decode

import (
	"slices"
	"strings"
	"testing"
)

func TestRest(t *testing.T) {
	for _, c := range []struct{ taken, value, want string }{
		{"", `{"M":{"a":{"N":"1.50"},"s":{"SS":["b","a"]},"b":{"B":"AA=="}}}`, `{"a":1.50,"s":["a","b"],"b":"AA=="}`},
		{"a m.x", `{"M":{"a":{"S":"q"},"m":{"M":{"x":{"S":"1"},"y":{"N":"2"}}},"z":{"NULL":true}}}`, `{"m":{"y":2},"z":null}`},
		{"m.x m.y", `{"M":{"m":{"M":{"x":{"S":"1"},"y":{"N":"2"}}}}}`, `{}`},
		{"m.x", `{"M":{"m":{"M":{ }},"n":{"L":[]}}}`, `{"m":{},"n":[]}`},
		{"m.x", `{"M":{"m":{"S":"no map"}}}`, `{"m":"no map"}`},
		{"l[0] l[0].x a.l[-1]", `{"M":{"l":{"L":[{"N":"1"}]},"a":{"M":{"l":{"L":[]}}}}}`, `{"l":[1],"a":{"l":[]}}`},
		{"m m.x", `{"M":{"m":{"M":{"x":{"S":"1"},"y":{"N":"2"}}},"a\u0062":{"S":"t"}}}`, `{"a\u0062":"t"}`},
		{"ab", `{"M":{"a\u0062":{"S":"t"},"c":{"BOOL":true}}}`, `{"c":true}`},
		{"a.b.c", `{"M":{"a":{"M":{"b":{"M":{"c":{"S":"x"}}}}},"d":{"S":"y"}}}`, `{"d":"y"}`},
	} {
		rec, v := scanValue(t, c.value, true)
		got, err := NewRest(paths(strings.Fields(c.taken)...)).AppendJSON([]byte("x"), rec, v, true)
		if err != nil || string(got) != "x"+c.want {
			t.Errorf("%s without %q: got %s %v, want x%s", c.value, c.taken, got, err, c.want)
		}
	}
}

// Of random documents and paths, the rest is what a naive reader leaves.
func TestRandomRests(t *testing.T) {
	r := seeded(t)
	all := paths("a", "b.a", "b", "a.b.n", "n.s", "ü", `"".x`, "k[0]", "x.a[1]", "s.a", "n.k", "b.b")
	for i := range 3000 {
		typed := i%2 == 0
		rec := []byte(`{"v":` + randomMap(r, 5, typed).spell(r, typed) + `}`)
		image, err := parseTree(rec)
		if err == nil && typed {
			image, err = image.typedMap()
		}
		if err != nil {
			t.Fatal(err)
		}
		slots, _, err := scanImage(imageDecoder(paths("v"), typed, false), rec)
		if err != nil {
			t.Fatal(err)
		}
		var taken []Path
		for _, p := range all {
			if r.IntN(3) == 0 {
				taken = append(taken, p)
			}
		}
		got, err := NewRest(taken).AppendJSON(nil, rec, slots[0], typed)
		if err != nil && strings.Contains(err.Error(), "base64") {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		compareJSON(t, got, without(image.members[0], nil, taken))
	}
}

// without returns the map without what the paths lead to, nil where it loses all.
func without(t *tree, at Path, taken []Path) *tree {
	left := &tree{kind: Map}
	for i, name := range t.names {
		here, m := append(slices.Clone(at), PathElement{Name: name}), t.members[i]
		switch {
		case slices.ContainsFunc(taken, func(p Path) bool { return slices.Equal(p, here) }):
			continue
		case m.kind == Map && len(m.names) > 0:
			if m = without(m, here, taken); len(m.names) == 0 {
				continue
			}
		}
		left.names, left.members = append(left.names, name), append(left.members, m)
	}
	return left
}
