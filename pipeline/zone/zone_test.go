package zone

import (
	"slices"
	"testing"
	"time"
)

func TestLoad(t *testing.T) {
	berlin, err := Load("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]string{"2024-03-31T00:59:59Z": "01:59:59", "2024-03-31T01:00:00Z": "03:00:00", "1945-06-01T12:00:00Z": "15:00:00"} {
		utc, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := utc.In(berlin).Format(time.TimeOnly); got != want {
			t.Errorf("%s in Berlin is %s, want %s", at, got, want)
		}
	}
	for _, name := range []string{"", "Local", "Europe", "Europe/", "../zone.go", "/etc/localtime", "Mars/Olympus", "europe/berlin"} {
		if z, err := Load(name); err == nil {
			t.Errorf("%q is the zone %s", name, z)
		}
	}
	names := Names()
	for _, name := range names {
		if _, err := Load(name); err != nil {
			t.Error(err)
		}
	}
	if !slices.IsSorted(names) || !slices.Contains(names, "America/Argentina/Buenos_Aires") || len(names) < 500 {
		t.Errorf("there are %d zones", len(names))
	}
}
