package spooled

import (
	"maps"
	"testing"
)

// TestPack: what is packed is there again, also empty files and none; and what is cut off is not
// taken for fewer files.
func TestPack(t *testing.T) {
	for _, files := range [][]File{nil, {{"a", nil}}, {{"a", []byte("rows")}, {"b.insert", make([]byte, 300)}, {"c", []byte{0}}}} {
		packed := Pack(files)
		got, err := Unpack(packed)
		want := map[string]string{}
		for _, f := range files {
			want[f.Name] = string(f.Data)
		}
		if err != nil || !maps.EqualFunc(got, want, func(a []byte, b string) bool { return string(a) == b }) {
			t.Errorf("%v, %v, want %v", got, err, want)
		}
		for n := range len(packed) {
			if got, err := Unpack(packed[:n]); err == nil && len(got) == len(files) {
				t.Errorf("%d of %d bytes are taken for all", n, len(packed))
			}
		}
	}
	for _, packed := range [][]byte{nil, {}, {2}, {1, 0xff}, {1, 1, 'a', 9}} {
		if files, err := Unpack(packed); err == nil {
			t.Errorf("%v is taken for %v", packed, files)
		}
	}
}
