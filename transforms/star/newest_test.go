package star

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/reuse"
)

// imageChange is a change of an item from one image to another.
func imageChange(time int64, from, to uint64) pipeline.Version {
	return pipeline.Version{Time: time, Old: from, New: to, HasOld: true}
}

// TestBringsTheNewest: what members are offered in an epoch completes them as if
// they had been offered all upserts of all epochs at once: by the last image of the
// newest time and greatest item, with its version.
func TestBringsTheNewest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var offers []offer
		seen := map[string]bool{}
		for range rapid.IntRange(1, 8).Draw(t, "changes") {
			from := rapid.Uint64Range(1, 4).Draw(t, "from")
			o := offer{
				version: imageChange(rapid.Int64Range(1, 2).Draw(t, "time"), from, from+rapid.Uint64Range(1, 2).Draw(t, "images on")),
				itemKey: []byte(rapid.SampledFrom([]string{"a", "b"}).Draw(t, "item")),
			}
			o.version.Ordinal = rapid.Int64Range(0, 9).Draw(t, "ordinal")
			if id := fmt.Sprint(o.version.Time, o.version.Old, o.version.New, string(o.itemKey)); !seen[id] {
				seen[id] = true
				offers = append(offers, o)
			}
		}
		epochs := rapid.SliceOfN(rapid.IntRange(0, 2), len(offers), len(offers)).Draw(t, "epochs")
		e := memberEntry{}
		for epoch := range 3 {
			m := &members{all: []memberEntry{{memberState: e.memberState}}, arena: &reuse.Arena{}}
			for i := range offers {
				if epochs[i] == epoch && m.all[0].offered.beats(&offers[i].version, offers[i].itemKey) >= 0 {
					m.all[0].offered.bring(&offers[i].version, offers[i].itemKey, []byte(fmt.Sprint(offers[i].version.New)))
				}
			}
			m.bring()
			if e = m.all[0]; e.changed && e.version != e.brought[0].Version {
				t.Fatalf("epoch %d: the version is %v, the attributes are those of %v", epoch, e.version, e.brought[0].Version)
			}
		}
		want := newestOf(offers)
		if got := e.brought[0]; got.Version != want || string(got.attributes) != fmt.Sprint(want.New) {
			t.Fatalf("the attributes are %s of %v, want those of %v, of %v in epochs %v", got.attributes, got.Version, want, offers, epochs)
		}
	})
}

// newestOf is the model: all upserts of the newest time and greatest item at once.
func newestOf(offers []offer) pipeline.Version {
	var best []pipeline.Candidate
	var of offer
	for _, o := range offers {
		c := pipeline.Candidate{Version: o.version}
		switch {
		case o.version.Time > of.version.Time || o.version.Time == of.version.Time && string(o.itemKey) > string(of.itemKey):
			of, best = o, []pipeline.Candidate{c}
		case o.version.Time == of.version.Time && string(o.itemKey) == string(of.itemKey):
			best = append(best, c)
		}
	}
	return pipeline.Newest(best, func(c *pipeline.Candidate) *pipeline.Candidate { return c }, pipeline.Image{})[0].Version
}

// TestSegmentsOfVeryMany: the number of a row's segments fits its facts, however
// many they are.
func TestSegmentsOfVeryMany(t *testing.T) {
	for _, facts := range []int{maxInline + 1, 1 << 10, 1 << 29, 1<<30 + 1, 1 << 35} {
		r := lookupRow{segments: segmentsFor(facts), count: facts}
		if r.misfit() || int(r.segments)*segmentFill < facts {
			t.Errorf("%d facts have %d segments, which they do not fit", facts, r.segments)
		}
	}
}
