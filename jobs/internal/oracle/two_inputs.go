package oracle

import (
	"slices"

	"pgregory.net/rapid"
)

// inputPairs are inputs of one table, the one with finer times first. DynamoDB Streams tell seconds and
// sequence numbers, Kinesis milli- or microseconds and an eventID, an incremental export microseconds alone.
var inputPairs = []struct {
	fine, coarse         string
	fineUnit, coarseUnit int64
}{
	{"kinesis", "streams", 1, second},
	{"kinesis", "streams", 1000, second},
	{"export", "streams", 0, second},
	{"export", "kinesis", 0, 1000},
}

// twoInputs draws how writes come through two inputs of their table.
func (d *Delivery) twoInputs(t *rapid.T, writes []Change) {
	pair := rapid.SampledFrom(inputPairs).Draw(t, "inputs")
	fine, coarse := slices.Clone(writes), writes
	if !d.EndsOnly { // else each input has to have all
		fine, coarse = share(t, writes, pair.fine == "export")
	}
	if len(coarse) == 0 { // then nothing would be in the coarser unit
		coarse = writes
	}
	if pair.fine == "export" {
		for i := range fine {
			fine[i].HasOld = fine[i].Old != nil // it does not tell that there was no item
		}
		d.export(t, Source{Name: "export"}, fine)
	} else {
		d.stream(t, pair.fine, fine)
		d.Sources[0].Unit = pair.fineUnit
	}
	d.stream(t, pair.coarse, coarse)
	s := &d.Sources[1]
	s.Unit = pair.coarseUnit
	// The unit has to be known when the first change is settled: versions stay as they were then.
	if i := slices.IndexFunc(s.Files, func(f File) bool { return len(f.Changes) > 0 }); i >= 0 {
		s.Files[i].Stage = 0
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
	ends := Start + int64(rapid.IntRange(0, 10).Draw(t, "ends"))*second + rapid.Int64Range(0, 1000).Draw(t, "ends within")
	begins := ends - rapid.SampledFrom([]int64{0, 200, 2 * second}).Draw(t, "overlap")
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
