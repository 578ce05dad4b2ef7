package star

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// brought is an upsert that a test brings to a member.
type brought struct {
	version pipeline.Version
	itemKey []byte
}

func (o *brought) message(d *dimension) pipeline.Message {
	b := packed.AppendBytes(appendUpsert(nil, d, &o.version, o.itemKey, 0), []byte("natural key"))
	return pipeline.Message{Body: fmt.Append(b, o.version.New)}
}

// imageChange is a change of an item from one image to another.
func imageChange(time int64, from, to uint64) pipeline.Version {
	return pipeline.Version{Time: time, Old: from, New: to, HasOld: true}
}

// TestLatestAttributes: what epochs bring to a member completes it as if all upserts had come
// at once: by the last image of the newest time and greatest item, with its version.
func TestLatestAttributes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var rows []brought
		seen := map[string]bool{}
		for range rapid.IntRange(1, 8).Draw(t, "changes") {
			from := rapid.Uint64Range(1, 4).Draw(t, "from")
			o := brought{
				version: imageChange(rapid.Int64Range(1, 2).Draw(t, "time"), from, from+rapid.Uint64Range(1, 2).Draw(t, "images on")),
				itemKey: []byte(rapid.SampledFrom([]string{"a", "b"}).Draw(t, "item")),
			}
			o.version.Ordinal = rapid.Int64Range(0, 9).Draw(t, "ordinal")
			if id := fmt.Sprint(o.version.Time, o.version.Old, o.version.New, string(o.itemKey)); !seen[id] {
				seen[id] = true
				rows = append(rows, o)
			}
		}
		epochs := rapid.SliceOfN(rapid.IntRange(0, 2), len(rows), len(rows)).Draw(t, "epochs")
		d := &dimension{}
		e := memberEntry{dimension: d}
		for epoch := range 3 {
			m := &memberPart{work: &scratch{}}
			var messages []pipeline.Message
			for i := range rows {
				if epochs[i] == epoch {
					messages = append(messages, rows[i].message(d))
				}
			}
			e.changed = false
			if err := m.takeUpserts(&e, messages); err != nil {
				t.Fatal(err)
			}
			if e.changed && e.version != e.versions[0].Version {
				t.Fatalf("epoch %d: the version is %v, the attributes are those of %v", epoch, e.version, e.versions[0].Version)
			}
		}
		want := newestUpsert(rows)
		if got := e.versions[0]; got.Version != want || string(got.attributes) != fmt.Sprint(want.New) {
			t.Fatalf("the attributes are %s of %v, want those of %v, of %v in epochs %v", got.attributes, got.Version, want, rows, epochs)
		}
	})
}

// newestUpsert is the model: all upserts of the newest time and greatest item at once.
func newestUpsert(rows []brought) pipeline.Version {
	var best []pipeline.Candidate
	var of brought
	for _, o := range rows {
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

// TestShardsOfVeryMany: the number of a row's shards fits its facts, however
// many they are.
func TestShardsOfVeryMany(t *testing.T) {
	for _, facts := range []int{inlineFactsMax + 1, 1 << 10, 1 << 29, 1<<30 + 1, 1 << 35} {
		r := lookupRow{shards: shardsFor(facts), postings: facts}
		if r.needsResharding() || int(r.shards)*shardFactsMean < facts {
			t.Errorf("%d facts have %d shards, which they do not fit", facts, r.shards)
		}
	}
}
