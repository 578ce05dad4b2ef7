package parquet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/google/go-cmp/cmp"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

var day = time.Date(2024, 3, 1, 5, 6, 7, 8000, time.UTC)

func TestModes(t *testing.T) {
	in := []order{{op: pipeline.OpUpsert, id: 1, country: "DE", at: day}, {op: pipeline.OpDelete, id: 2}}
	at := fmt.Sprint(day.UnixMicro())
	const position = "00000000000000000000-0000"
	version := func(n int64) string { return pipeline.Version{Time: n}.String() }
	for _, tc := range []struct {
		mode string
		in   []order
		want []string
	}{
		{"", in, []string{"upsert|" + version(1) + "|" + position + "|1|1|DE|" + at, "delete|" + version(2) + "|" + position + "|1|2|<null>|<null>"}},
		{"append", in[:1], []string{"1|DE|" + at}},
		{"latest", []order{{op: pipeline.OpInsert, id: 1}, {op: pipeline.OpUpdate, id: 2}, {op: pipeline.OpDelete, id: 3}}, []string{
			"upsert|" + version(1) + "|1|1|<null>|<null>", "upsert|" + version(2) + "|1|2|<null>|<null>", "delete|" + version(3) + "|1|3|<null>|<null>"}},
	} {
		t.Run("mode "+tc.mode, func(t *testing.T) {
			h := newHarness(t, Config{Mode: tc.mode}, orders())
			h.prepare(true, tc.in)
			if got := h.lines(); len(got) != 0 {
				t.Errorf("before commit there is %q", got)
			}
			h.commit()
			if diff := cmp.Diff(tc.want, h.lines()); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			if got, want := h.files(), []string{"order/shop-lake-0123456789abcdef-0000000001-0000000001-000.parquet"}; !slices.Equal(got, want) {
				t.Errorf("files %q, want %q", got, want)
			}
		})
	}
	t.Run("append takes no delete", func(t *testing.T) {
		h := newHarness(t, Config{Mode: "append"}, orders())
		if _, err := h.tryPrepare(true, in); err == nil || !strings.Contains(err.Error(), "row 1 is a delete") {
			t.Errorf("got error %v", err)
		}
	})
}

func TestRoll(t *testing.T) {
	one := func(id int64) []order { return []order{{id: id}} }
	t.Run("age", func(t *testing.T) {
		h := newHarness(t, Config{Mode: "append", Roll: Roll{Age: spec.Duration(time.Minute)}}, orders())
		for i := range int64(3) {
			h.clock = h.clock.Add(25 * time.Second)
			r := h.prepare(false, one(i))
			if r.Payload != nil || len(r.RetainEpochs) != int(i)+1 {
				t.Fatalf("epoch %d: publishes %s, keeps %d", r.Epoch, r.Payload, r.RetainEpochs)
			}
			h.commit()
		}
		h.clock = h.clock.Add(25 * time.Second)
		if r := h.prepare(false); r.Payload == nil || r.SinkState != nil || r.RetainEpochs != nil {
			t.Fatalf("an epoch without rows does not publish what is old enough: %+v", r)
		}
		h.commit()
		if got, want := h.lines(), []string{"0|<null>|<null>", "1|<null>|<null>", "2|<null>|<null>"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if got := h.files()[0]; !strings.Contains(got, "-0000000001-0000000004-000") {
			t.Errorf("file %s does not carry its epochs", got)
		}
		if r := h.prepare(true); r.Payload != nil {
			t.Errorf("an empty epoch publishes %s", r.Payload)
		}
	})
	t.Run("clock set back", func(t *testing.T) {
		h := newHarness(t, Config{Mode: "append", Roll: Roll{Age: spec.Duration(time.Minute)}}, orders())
		if r := h.prepare(false, one(1)); r.Payload != nil || !r.FlushBy.Equal(h.clock.Add(time.Minute)) {
			t.Fatalf("%+v", r)
		}
		h.commit()
		h.clock = h.clock.Add(-time.Hour)
		if r := h.prepare(false, one(2)); r.Payload == nil || !r.FlushBy.IsZero() {
			t.Fatalf("rows of which nobody knows how old they are wait: %+v", r)
		}
		h.commit()
	})
	t.Run("size", func(t *testing.T) {
		h := newHarness(t, Config{Mode: "append", Roll: Roll{Size: 500 << 10}}, orders())
		var want []string
		epochs := 0
		for id := int64(0); h.saved == nil || h.saved.Payload == nil; epochs++ {
			var in []order
			for range 20_000 {
				in = append(in, order{id: id * 7919, country: fmt.Sprint("c", id)})
				want = append(want, fmt.Sprintf("%d|c%d|<null>", id*7919, id))
				id++
			}
			h.prepare(false, in)
			h.commit()
		}
		if epochs < 2 {
			t.Errorf("rolled after %d epochs", epochs)
		}
		if diff := cmp.Diff(want, h.lines()); diff != "" {
			t.Errorf("-want +got\n%.2000s", diff)
		}
	})
	t.Run("parts", func(t *testing.T) {
		h := newHarness(t, Config{Mode: "append", Roll: Roll{Size: 100 << 10}}, orders())
		var in [][]order
		n := 0
		for range 400 {
			var batch []order
			for range 1000 {
				batch = append(batch, order{id: int64(n) * 7919, country: fmt.Sprint("c", n)})
				n++
			}
			in = append(in, batch)
		}
		h.prepare(true, in...)
		h.commit()
		if got := len(h.files()); got < 3 {
			t.Errorf("%d rows make %d files of 100 KiB", n, got)
		}
		if got := h.lines(); len(got) != n {
			t.Errorf("%d rows, want %d", len(got), n)
		}
	})
}

// TestGatheredRowsAreEncodedAsTheyCome: small epochs make no file, most of their rows are encoded
// long before they are published, and what is left for the epoch that publishes them is bounded.
func TestGatheredRowsAreEncodedAsTheyCome(t *testing.T) {
	h := newHarness(t, Config{Mode: "append", Roll: Roll{Age: spec.Duration(time.Hour)}}, orders())
	h.gather = &gatherLimits{spareMax: 100_000, sparedEpochs: 5, spared: 100_000, looseEpochs: 3, loose: 100_000, encodedEpochs: 10, sparedSegmentsAtLeast: 64, groupRows: 500}
	h.restart(h.sink.cfg)
	must(t, h.open())
	const epochs, perEpoch = 100, 50
	files, pending := 0, 0
	for i := range epochs {
		in := make([]order, perEpoch)
		for j := range in {
			in[j] = order{id: int64(i*perEpoch + j)}
		}
		h.prepare(i == epochs-1, in)
		if i == epochs-1 {
			break
		}
		if _, err := os.Stat(h.Spool(h.Epoch)); err == nil {
			files++
		}
		rows := int64(0) // that are not encoded
		groups, err := h.sink.openGroups(h.sink.pending.Segments)
		must(t, err)
		for _, g := range groups {
			for _, x := range g.extents() {
				if x.extent.Group == nil {
					must(t, x.reader.readBlock(x.extent, func(rec arrow.Record) error {
						rows += rec.NumRows()
						return nil
					}))
				}
			}
		}
		must(t, closeGroups(groups))
		pending = max(pending, int(rows))
	}
	if most := (5 + 1 + (3+1)*(5+1)) * perEpoch; pending > most {
		t.Errorf("up to %d rows wait to be encoded, want at most %d", pending, most)
	}
	if files > epochs/5 {
		t.Errorf("%d of %d epochs make files", files, epochs)
	}
	h.commit()
	if got := len(h.lines()); got != epochs*perEpoch {
		t.Errorf("%d rows, want %d", got, epochs*perEpoch)
	}
}

func TestManyTinyEpochsHaveFewSegments(t *testing.T) {
	h := newHarness(t, Config{Mode: "append", Roll: Roll{Age: spec.Duration(time.Hour)}}, orders())
	var want []string
	for i := range int64(200) {
		r := h.prepare(i == 199, []order{{id: i}})
		if len(r.RetainEpochs) > pendingEpochsMax {
			t.Fatalf("epoch %d keeps %d spools", r.Epoch, len(r.RetainEpochs))
		}
		h.commit()
		if i%50 == 49 {
			h.restart(h.sink.cfg)
			if err := h.open(); err != nil {
				t.Fatal(err)
			}
		}
		want = append(want, fmt.Sprintf("%d|<null>|<null>", i))
	}
	if diff := cmp.Diff(want, h.lines()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if got := h.files(); len(got) != 1 || !strings.Contains(got[0], "-0000000001-0000000200-") {
		t.Errorf("files %q", got)
	}
}

func TestPartitions(t *testing.T) {
	h := newHarness(t, Config{Mode: "append", PartitionBy: byDay()}, orders())
	next := day.AddDate(0, 0, 1)
	h.prepare(false, []order{{id: 1, country: "DE", at: next}, {id: 2, country: "../..", at: day}, {id: 3}}, []order{{id: 4, country: "DE", at: next}})
	h.commit()
	h.prepare(true, []order{{id: 5, country: "a/b:%", at: day}, {id: 6, country: "DE", at: next}, {id: 7, country: ".", at: day}})
	h.commit()
	var got []string
	for _, l := range h.lines() {
		got = append(got, strings.Join(strings.SplitN(l, "|", 3)[:2], "|"))
	}
	slices.Sort(got)
	want := []string{
		"/at_day=2024-03-01/country=%2E 7|.",
		"/at_day=2024-03-01/country=..%2F.. 2|../..",
		"/at_day=2024-03-01/country=a%2Fb%3A%25 5|a/b:%",
		"/at_day=2024-03-02/country=DE 1|DE",
		"/at_day=2024-03-02/country=DE 4|DE",
		"/at_day=2024-03-02/country=DE 6|DE",
		"/at_day=__HIVE_DEFAULT_PARTITION__/country=__HIVE_DEFAULT_PARTITION__ 3|<null>",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// Row groups of their own and leftovers of the same partitions, over epochs.
func TestPartitionsBigAndSmall(t *testing.T) {
	h := newHarness(t, Config{Mode: "append", PartitionBy: byDay()}, orders())
	id := int64(0)
	for epoch := range 3 {
		var in [][]order
		for range 100 {
			var batch []order
			for range 1000 {
				o := order{id: id, country: "big", at: day}
				if id%10 == 0 {
					o.country = fmt.Sprint("small", id%70)
				}
				batch = append(batch, o)
				id++
			}
			in = append(in, batch)
		}
		h.prepare(epoch == 2, in...)
		h.commit()
	}
	if got := len(h.files()); got != 8 {
		t.Errorf("%d files, want one for each of 8 partitions", got)
	}
	last := map[string]int64{}
	seen := 0
	for _, l := range h.lines() {
		folder, row, _ := strings.Cut(l, " ")
		var n int64
		var country string
		if _, err := fmt.Sscanf(strings.ReplaceAll(row, "|", " "), "%d %s", &n, &country); err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(folder, "country="+country) {
			t.Fatalf("row %s is in folder %s", row, folder)
		}
		if before, ok := last[folder]; ok && before >= n {
			t.Fatalf("folder %s: row %d comes after %d", folder, n, before)
		}
		last[folder] = n
		seen++
	}
	if int64(seen) != id {
		t.Errorf("%d rows, want %d", seen, id)
	}
}

func TestOpenRemovesOnlyItsOwnLeftovers(t *testing.T) {
	h := newHarness(t, Config{Mode: "append"}, orders())
	h.prepare(false, []order{{id: 1}})
	h.commit()
	if _, err := h.tryPrepare(true, []order{{id: 2}}); err != nil { // prepared, and never saved
		t.Fatal(err)
	}
	if got := h.files(); len(got) != 0 {
		t.Fatalf("what is not committed is there: %q", got)
	}
	dir := filepath.Join(h.sink.cfg.URL, "order")
	var others []string
	for _, name := range []string{".other-lake-0123456789abcdef-0000000009-0000000009-000.parquet.tmp",
		".shop-lake-ffffffffffffffff-0000000009-0000000009-000.parquet.tmp", "notes.txt", "shop-lake-ffffffffffffffff-0000000009-0000000009-000.parquet"} {
		others = append(others, "order/"+name)
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{".shop-lake-0123456789abcdef-0000000002-0000000002-000.parquet.tmp", // of an older version
		".shop-lake-0123456789abcdef-0000000002-0000000002-000.parquet.0123abcd.tmp", "._starlift_owner.json.0123abcd.tmp"} {
		must(t, os.WriteFile(filepath.Join(dir, name), nil, 0o644))
	}
	h.restart(h.sink.cfg)
	if err := h.open(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(others, h.files()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	for _, o := range others {
		if err := os.Remove(filepath.Join(h.sink.cfg.URL, o)); err != nil {
			t.Fatal(err)
		}
	}
	h.prepare(true, []order{{id: 3}})
	h.commit()
	if got, want := h.lines(), []string{"1|<null>|<null>", "3|<null>|<null>"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q: a gathered row is lost, or an unsaved one is there", got, want)
	}
}

func TestRefusals(t *testing.T) {
	begin := func(t *testing.T) *harness {
		h := newHarness(t, Config{Mode: "append"}, orders())
		h.prepare(true, []order{{id: 1}})
		return h
	}
	final := func(h *harness) string { return h.sink.target.URL(h.fileOf().Path) }
	prepared := func(h *harness) string { return h.sink.spool(h.Epoch).Path(h.fileOf().File) }
	t.Run("an older state", func(t *testing.T) {
		h := begin(t)
		h.commit()
		h.newState(h.State)
		var stale *StaleError
		if err := h.open(); !errors.As(err, &stale) || stale.Found != 1 || !strings.HasPrefix(err.Error(), "folder ") || !strings.Contains(err.Error(), "put back the state folder") {
			t.Errorf("got error %v", err)
		}
	})
	t.Run("another state", func(t *testing.T) {
		h := begin(t)
		h.commit()
		h.newState("fedcba98765432100000")
		var owned *OwnerError
		if err := h.open(); !errors.As(err, &owned) || !strings.Contains(err.Error(), "another state folder (0123456789abcdef0123)") {
			t.Errorf("got error %v", err)
		}
	})
	t.Run("another file under the name", func(t *testing.T) {
		h := begin(t)
		if err := os.WriteFile(final(h), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := h.sink.Commit(context.Background(), h.saved); err == nil || !strings.Contains(err.Error(), "has 1 bytes") {
			t.Errorf("got error %v", err)
		}
	})
	t.Run("a prepared file that is lost", func(t *testing.T) {
		h := begin(t)
		if err := os.Remove(prepared(h)); err != nil {
			t.Fatal(err)
		}
		if err := h.sink.Commit(context.Background(), h.saved); err == nil || !strings.Contains(err.Error(), "is lost") {
			t.Errorf("got error %v", err)
		}
	})
	t.Run("a prepared file that is cut", func(t *testing.T) {
		h := begin(t)
		if err := os.Truncate(prepared(h), 3); err != nil {
			t.Fatal(err)
		}
		if err := h.sink.Commit(context.Background(), h.saved); err == nil || !strings.Contains(err.Error(), "has 3 bytes") {
			t.Errorf("got error %v", err)
		}
	})
	t.Run("gathered rows that are lost", func(t *testing.T) {
		h := newHarness(t, Config{Mode: "append"}, orders())
		h.sink.gather.spareMax = 0
		h.prepare(false, []order{{id: 1}})
		if err := os.RemoveAll(h.Spool(1)); err != nil {
			t.Fatal(err)
		}
		if _, err := h.tryPrepare(true, []order{{id: 2}}); err == nil || !strings.Contains(err.Error(), `gathered rows of table "order"`) {
			t.Errorf("got error %v", err)
		}
		if got := h.files(); len(got) != 0 {
			t.Errorf("files %q are left", got)
		}
	})
	t.Run("gathered rows that are lost by the state", func(t *testing.T) {
		for name, give := range map[string]func([]byte) []byte{"all": func([]byte) []byte { return nil }, "in part": func(b []byte) []byte { return b[:len(b)-1] }} {
			h := newHarness(t, Config{Mode: "append"}, orders())
			h.prepare(false, []order{{id: 1}})
			h.Spooled[1] = give(h.Spooled[1])
			h.restart(h.sink.cfg)
			if err := h.open(); err == nil || !strings.Contains(err.Error(), "gathered rows of epoch 1") {
				t.Errorf("%s: got error %v", name, err)
			}
		}
	})
}

// fileOf returns the only file that is prepared.
func (h *harness) fileOf() finishedFile {
	h.T.Helper()
	files, err := parsePayload(h.saved)
	if err != nil || len(files) != 1 {
		h.T.Fatalf("payload %v, %v", files, err)
	}
	return files[0]
}

// Rows that wait while the pipeline file changes keep the columns they had.
func TestColumnsChangeWhileRowsWait(t *testing.T) {
	h := newHarness(t, Config{Mode: "append"}, orders())
	h.prepare(false, []order{{id: 1, country: "DE", at: day}})
	h.commit()
	h.Tables = []*pipeline.Table{pipelinetest.TableOf(t, "order", []string{"id"}, append(slices.Clone(h.Tables[0].Columns), pipelinetest.Column("note", pipeline.String))...)}
	h.restart(h.sink.cfg)
	if err := h.open(); err != nil {
		t.Fatal(err)
	}
	r, err := h.Write(true, func(e pipeline.EpochWriter) error {
		_, rows := orderRowsOf(h.Tables[0])
		return e.Write(nil, rows)
	})
	h.Must(err)
	h.save(r)
	h.commit()
	want := []string{fmt.Sprintf("1|DE|%d", day.UnixMicro()), "<null>|<null>|<null>|<null>"}
	if diff := cmp.Diff(want, h.lines()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
