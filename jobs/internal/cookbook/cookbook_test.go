package cookbook

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

var update = flag.Bool("update", false, "write the data of configs/cookbook anew")

// TestData: the files of configs/cookbook/data are those that the designs make, small, and
// no others.
func TestData(t *testing.T) {
	const folder = "../../../configs/cookbook/data"
	var made []string
	for _, d := range Designs() {
		for name, want := range d.Files() {
			file := filepath.Join(folder, name)
			made = append(made, file)
			if len(want) == 0 || len(want) > 160<<10 {
				t.Errorf("%s has %d bytes", name, len(want))
			}
			if *update {
				if err := os.WriteFile(file, want, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			got, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s is not what its design makes: go test ./jobs/internal/cookbook -update writes it anew", name)
			}
		}
	}
	there, err := filepath.Glob(folder + "/*")
	if err != nil {
		t.Fatal(err)
	}
	if slices.Sort(made); !slices.Equal(there, made) {
		t.Errorf("there are %v, of designs %v", there, made)
	}
}

// TestDataIsStable: making the data once more gives the same bytes.
func TestDataIsStable(t *testing.T) {
	for _, d := range Designs() {
		again := d.Files()
		for name, data := range d.Files() {
			if !bytes.Equal(data, again[name]) {
				t.Errorf("%s differs", name)
			}
		}
	}
}
