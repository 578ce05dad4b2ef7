package settle

import "testing"

// TestHorizon: deletions are forgotten by the source that is furthest behind, and
// by none that may still bring changes of any time.
func TestHorizon(t *testing.T) {
	const none = noClock
	cases := []struct {
		name    string
		times   map[string]int64
		sources map[string]Progress
		want    int64
	}{
		{"followed", map[string]int64{"a": 5000}, map[string]Progress{"a": Following}, 4000},
		{"the one behind", map[string]int64{"a": 5000, "b": 3000}, map[string]Progress{"a": Following, "b": Following}, 2000},
		{"followed, nothing read yet", map[string]int64{"a": 5000}, map[string]Progress{"a": Following, "b": Following}, none},
		{"an archive that is being read", map[string]int64{"a": 5000}, map[string]Progress{"a": Reading}, none},
		{"an archive beside a followed source", map[string]int64{"a": 5000, "b": 9000}, map[string]Progress{"a": Reading, "b": Following}, none},
		{"an archive that was read", map[string]int64{"a": 5000, "b": 9000}, map[string]Progress{"a": Ended, "b": Following}, 8000},
		{"all were read", map[string]int64{"a": 5000, "b": 9000}, map[string]Progress{"a": Ended, "b": Ended}, 8000},
		{"an empty one was read", map[string]int64{"b": 9000}, map[string]Progress{"a": Ended, "b": Ended}, 8000},
		{"nothing was in any", nil, map[string]Progress{"a": Ended, "b": Ended}, none},
		{"versions that are no times", map[string]int64{"a": noClock, "b": 9000}, map[string]Progress{"a": Ended, "b": Following}, none},
		{"a source that is not read any longer", map[string]int64{"gone": 1, "b": 9000}, map[string]Progress{"b": Following}, 8000},
	}
	for _, c := range cases {
		k := newClock(c.times, nil)
		k.begin(c.sources, 1000)
		if k.horizon != c.want {
			t.Errorf("%s: the horizon is %d, want %d", c.name, k.horizon, c.want)
		}
	}
	saved := int64(7000)
	k := newClock(map[string]int64{"a": 5000}, &saved)
	k.begin(map[string]Progress{"a": Following}, 1000)
	if k.horizon != saved {
		t.Errorf("the horizon fell from %d to %d", saved, k.horizon)
	}
}
