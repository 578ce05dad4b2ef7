package generate

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"maps"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// changeRecord is a change as an independent, strict parser sees it.
type changeRecord struct {
	EventID, EventName, TableName string
	Dynamodb                      struct {
		Created   int64  `json:"ApproximateCreationDateTime"`
		Precision string `json:"ApproximateCreationDateTimePrecision"`
		Keys      map[string]any
		NewImage  map[string]any
		OldImage  map[string]any
	}
}

// TestReplayEndsWithTruth drops repetitions, restores the order by time and
// replays the stream over the base: each old image must be what the table held,
// and what is left the truth.
func TestReplayEndsWithTruth(t *testing.T) {
	tests := []struct {
		name    string
		options Options
	}{
		{"plain", Options{Seed: 1, Records: 5_000}},
		{"repeated and late", Options{Seed: 2, Records: 5_000, Duplicates: .02, Late: .02, Window: 40}},
		{"all late and repeated", Options{Seed: 3, Records: 1_000, Duplicates: 1, Late: 1, Window: 7}},
		{"on a base", Options{Seed: 4, Records: 5_000, Base: 1_000, Duplicates: .02, Late: .02}},
		{"of a size that stays", Options{Seed: 6, Records: 20_000, Live: 1_000, Duplicates: .02, Late: .02}},
		{"smaller than its base, and than an order", Options{Seed: 7, Records: 5_000, Base: 1_000, Live: 1}},
		{"shuffled, in µs, few products", Options{Seed: 5, Records: 3_000, Base: 1, Products: 8, Micros: true, Rate: 90_000, Shuffle: true, Late: .05}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out, truth bytes.Buffer
			stats, err := EcommerceCDC(t.Context(), &out, &truth, tt.options)
			if err != nil {
				t.Fatal(err)
			}
			records := checkDelivery(t, out.Bytes(), tt.options, stats)
			state := baseItems(t, tt.options)
			if len(state) != tt.options.Base {
				t.Fatalf("the base has %d different keys, want %d", len(state), tt.options.Base)
			}
			returned := replay(t, state, records)
			if len(records) >= 5_000 && returned == 0 {
				t.Error("no removed customer came back")
			}
			left := readTruth(t, truth.Bytes())
			if int64(len(left)) != stats.TruthItems {
				t.Errorf("the truth has %d items, the figures say %d", len(left), stats.TruthItems)
			}
			if !reflect.DeepEqual(state, left) {
				t.Errorf("the stream leaves %d items, the truth has %d, and they differ", len(state), len(left))
			}
		})
	}
}

// TestRecordsWritten: of every kind and form, as many records are written as were
// asked for, few ones too, and the truth is still what they leave.
func TestRecordsWritten(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		o := Options{
			Seed: rapid.Uint64().Draw(r, "seed"), Records: rapid.IntRange(1, 120).Draw(r, "records"), Products: 8,
			Base: rapid.SampledFrom([]int{0, 1, 2, 60}).Draw(r, "base"), Live: rapid.SampledFrom([]int{0, 0, 1, 40}).Draw(r, "live"),
			Duplicates: rapid.SampledFrom([]float64{0, .01, .5, 1}).Draw(r, "duplicates"), Late: rapid.SampledFrom([]float64{0, .3, 1}).Draw(r, "late"),
			Window: rapid.IntRange(1, 60).Draw(r, "window"),
		}
		var out, truth bytes.Buffer
		stats, err := EcommerceCDC(t.Context(), &out, &truth, o)
		if err != nil {
			r.Fatal(err)
		}
		records := checkDelivery(t, out.Bytes(), o, stats)
		state := baseItems(t, o)
		replay(t, state, records)
		if !reflect.DeepEqual(state, readTruth(t, truth.Bytes())) {
			r.Error("the truth is not what the records leave")
		}
		for name, write := range map[string]func(context.Context, io.Writer, Options) (Stats, error){
			"items": EcommerceItems, "insurance": InsuranceCDC, "insurance items": InsuranceItems, "sales": Sales, "countries": Countries,
		} {
			var lines bytes.Buffer
			stats, err := write(t.Context(), &lines, Options{Seed: o.Seed, Records: o.Records, Products: 8})
			if n := bytes.Count(lines.Bytes(), []byte{'\n'}); err != nil || n != o.Records || stats.Records != int64(n) {
				r.Errorf("%s: %d lines, %d in the figures, want %d: %v", name, n, stats.Records, o.Records, err)
			}
		}
	})
}

// checkDelivery checks the stream against its figures, and returns its changes
// once each, in the order of their times.
func checkDelivery(t *testing.T, out []byte, o Options, stats Stats) []changeRecord {
	t.Helper()
	var records []changeRecord
	firstAt := map[string]int{}
	events := map[string]int64{}
	var duplicates, position int64
	for line := range bytes.Lines(out) {
		var r changeRecord
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		position++
		if _, again := firstAt[r.EventID]; again {
			duplicates++
			continue
		}
		firstAt[r.EventID] = int(position)
		events[r.EventName]++
		records = append(records, r)
		if (r.Dynamodb.Precision == "MICROSECOND") != o.Micros {
			t.Fatalf("precision %q", r.Dynamodb.Precision)
		}
	}
	var late int64
	greatest := int64(0)
	for i := range records {
		if records[i].Dynamodb.Created < greatest {
			late++
		}
		greatest = max(greatest, records[i].Dynamodb.Created)
	}
	if position != int64(o.Records) {
		t.Errorf("%d records, want %d", position, o.Records)
	}
	if duplicates != stats.Duplicates || position != stats.Records || !maps.Equal(events, stats.Events) {
		t.Errorf("%d records, %d duplicates, events %v; the figures say %+v", position, duplicates, events, stats)
	}
	if late > stats.Late || len(records) >= 1_000 && o.Late > 0 && o.Late < 1 && late < stats.Late/2 {
		t.Errorf("%d late records show, the figures say %d", late, stats.Late)
	}
	slices.SortStableFunc(records, func(a, b changeRecord) int { return cmp.Compare(a.Dynamodb.Created, b.Dynamodb.Created) })
	return records
}

func itemKey(image map[string]any) string {
	pk, sk := image["PK"], image["SK"]
	if pk == nil { // insurance
		pk, sk = image["pk"], image["sk"]
	}
	return pk.(map[string]any)["S"].(string) + " " + sk.(map[string]any)["S"].(string)
}

// baseItems renders the table before the first change, through the same walk
// that exports use.
func baseItems(t *testing.T, o Options) map[string]map[string]any {
	t.Helper()
	o, err := o.withDefaults(1, "t")
	if err != nil {
		t.Fatal(err)
	}
	s := newShop(o)
	items := map[string]map[string]any{}
	var it item
	s.walk(o.Base, func(r ref) bool {
		s.render(&it, &r, 0)
		var image map[string]any
		if err := json.Unmarshal(it.appendTo(nil, nil), &image); err != nil {
			t.Fatal(err)
		}
		items[itemKey(image)] = image
		return true
	})
	return items
}

// replay applies the changes to state, and counts keys that came back.
func replay(t *testing.T, state map[string]map[string]any, records []changeRecord) (returned int) {
	t.Helper()
	removed := map[string]bool{}
	for _, r := range records {
		key := itemKey(r.Dynamodb.Keys)
		held, ok := state[key]
		if ok == (r.EventName == insert) {
			t.Fatalf("%s of %s, in the table before: %v", r.EventName, key, ok)
		}
		if ok && !reflect.DeepEqual(held, r.Dynamodb.OldImage) {
			t.Fatalf("%s of %s: the table held %v, the old image is %v", r.EventName, key, held, r.Dynamodb.OldImage)
		}
		if reflect.DeepEqual(r.Dynamodb.OldImage, r.Dynamodb.NewImage) {
			t.Fatalf("%s of %s changes nothing", r.EventName, key)
		}
		if r.EventName == remove {
			delete(state, key)
			removed[key] = true
			continue
		}
		if itemKey(r.Dynamodb.NewImage) != key {
			t.Fatalf("the image's key is not %s: %v", key, r.Dynamodb.NewImage)
		}
		if r.EventName == insert && removed[key] {
			returned++
		}
		state[key] = r.Dynamodb.NewImage
	}
	return returned
}

func readTruth(t *testing.T, truth []byte) map[string]map[string]any {
	t.Helper()
	items := map[string]map[string]any{}
	var last []byte
	for line := range bytes.Lines(truth) {
		var r struct{ Item map[string]any }
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		if bytes.Compare(last, line) >= 0 {
			t.Fatalf("not sorted: %s after %s", line, last)
		}
		last = line
		items[itemKey(r.Item)] = r.Item
	}
	return items
}
