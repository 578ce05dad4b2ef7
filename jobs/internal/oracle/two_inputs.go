package oracle

import (
	"slices"

	"pgregory.net/rapid"
)

// twoInputs draws how writes come through two inputs of their table: DynamoDB Streams, in seconds with sequence
// numbers, and Kinesis, or an incremental export, in finer times without.
func (d *Delivery) twoInputs(t *rapid.T, writes []Change) {
	other := rapid.SampledFrom([]string{"kinesis", "export"}).Draw(t, "other input")
	fine, coarse := share(t, writes, other == "export")
	if len(coarse) == 0 { // then nothing would be in seconds
		coarse = writes
	}
	if other == "export" {
		d.export(t, Source{Name: "export"}, fine)
	} else {
		d.stream(t, "kinesis", fine)
		d.Sources[0].Unit = rapid.SampledFrom([]int64{1, 1000}).Draw(t, "unit")
	}
	d.stream(t, "streams", coarse)
	streams := &d.Sources[1]
	streams.Unit = second
	// Seconds have to be known of when the first change is settled: versions stay as they were then.
	if i := slices.IndexFunc(streams.Files, func(f File) bool { return len(f.Changes) > 0 }); i >= 0 {
		streams.Files[i].Stage = 0
	}
}

// share draws which writes each of two inputs has, so that they decide what has happened in a second: one of them
// has all, or the one goes on where the other ended, with some in both. An export has no more than that: it does
// not tell of inserts and of time to live what a stream does.
func share(t *rapid.T, writes []Change, export bool) (fine, coarse []Change) {
	ways := []string{"both have all", "the coarse one has all", "the fine one has all", "the fine one goes on", "the coarse one goes on"}
	if export {
		ways = []string{"the coarse one has all"}
	}
	way := rapid.SampledFrom(ways).Draw(t, "share")
	ends := Start + int64(rapid.IntRange(0, 10).Draw(t, "ends"))*second + rapid.Int64Range(0, second).Draw(t, "ends within")
	begins := ends - rapid.SampledFrom([]int64{0, second / 10, 2 * second}).Draw(t, "overlap")
	for _, w := range writes {
		at, some := w.Time+w.Finer, rapid.Bool().Draw(t, "in both")
		isFine, isCoarse := true, true
		switch way {
		case "the coarse one has all":
			isFine = some && (!export || w.Old != nil && !w.TTL)
		case "the fine one has all":
			isCoarse = some
		case "the fine one goes on":
			isFine, isCoarse = at >= begins, at < ends
		case "the coarse one goes on":
			isFine, isCoarse = at < ends, at >= begins
		}
		if isFine {
			fine = append(fine, w)
		}
		if isCoarse {
			coarse = append(coarse, w)
		}
	}
	return fine, coarse
}
