package star

import (
	"bytes"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
)

// latestAttributes holds the upserts that have, or may turn out to have, the newest
// attributes of a member: those of one time and item, of which pipeline.Newest tells the
// newest.
type latestAttributes struct {
	seen     bool // there is one; otherwise the member is inferred
	time     int64
	itemKey  []byte
	versions []attributeVersion // of a member's own, the first is the newest
}

// attributeVersion is an upsert with its attributes.
type attributeVersion struct {
	pipeline.Candidate
	attributes []byte // a packed row
}

func candidateOf(b *attributeVersion) *pipeline.Candidate { return &b.Candidate }

// compare compares an upsert with those that are there: 1 = it is newer by time or item,
// 0 = it is of their time and item, -1 = it is older.
func (n *latestAttributes) compare(v *pipeline.Version, itemKey []byte) int {
	switch {
	case !n.seen || v.Time > n.time:
		return 1
	case v.Time < n.time:
		return -1
	}
	return bytes.Compare(itemKey, n.itemKey)
}

// add takes an upsert that is not older.
func (n *latestAttributes) add(v *pipeline.Version, itemKey, attributes []byte) {
	b := attributeVersion{pipeline.Candidate{Version: *v}, attributes}
	if n.compare(v, itemKey) > 0 {
		n.seen, n.time, n.itemKey = true, v.Time, itemKey
		n.versions = append(n.versions[:0], b)
		return
	}
	n.addContender(b)
}

// addContender adds an upsert of the same time and item. Of two rows of one change, the later
// one counts.
func (n *latestAttributes) addContender(b attributeVersion) {
	if i := slices.IndexFunc(n.versions, func(o attributeVersion) bool { return o.Version == b.Version }); i >= 0 {
		n.versions[i].attributes = b.attributes
		return
	}
	n.versions, _ = pipeline.AddCandidate(n.versions, candidateOf, b)
}

// addAll takes the upserts of o, unless they are older, and reports whether it has.
func (n *latestAttributes) addAll(o *latestAttributes) bool {
	switch order := n.compare(&o.versions[0].Version, o.itemKey); {
	case order < 0:
		return false
	case order > 0:
		*n = *o
	default:
		for _, b := range o.versions {
			n.addContender(b)
		}
	}
	// The log does not tell what the image before all of them was, nor how many inputs there are; and what the
	// item was between two of them, if it did not bring the member then, is missing (docs/guarantees.md says so).
	n.versions = pipeline.Newest(n.versions, candidateOf, pipeline.Image{Inputs: true})
	return true
}
