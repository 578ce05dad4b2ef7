package kinesis

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/starlift-etl/starlift/pipeline/partitions"
	"github.com/starlift-etl/starlift/sources/kinesis/kinesistest"
	"github.com/starlift-etl/starlift/sources/kinesis/kpl"
)

// aggregateOf returns an aggregate of texts.
func aggregateOf(t *testing.T, texts ...string) []byte {
	t.Helper()
	var b kpl.Builder
	for _, text := range texts {
		if err := b.Add("a", "", []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	data, _ := b.Finish()
	return data
}

func gzipped(t *testing.T, data string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(data)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// putData puts records of one key.
func (r *rig) putData(data ...[]byte) {
	r.t.Helper()
	for _, d := range data {
		_, err := r.fake.Put(streamOf, kinesistest.Entry{PartitionKey: "a", Data: d})
		r.must(err)
	}
}

// TestAggregates of no, one and several user records, plain ones between them: each user
// record has a place of its own.
func TestAggregates(t *testing.T) {
	t.Parallel()
	r := newRig(t, kinesistest.Options{}, 1)
	var empty kpl.Builder
	none, _ := empty.Finish()
	r.putData([]byte("plain"), aggregateOf(t, "a0", "a1", "a2"), none, aggregateOf(t, "one"), gzipped(t, "zipped"), aggregateOf(t, string(gzipped(t, "inner"))), none)
	r.open()
	r.take(7)
	r.nothing(300 * 1e6)
	var places []string
	for _, one := range r.got {
		_, user, within := strings.Cut(one.position, "/")
		places = append(places, fmt.Sprint(one.text, within, user))
	}
	if got, want := strings.Join(places, " "), "plainfalse a0true0 a1true1 a2true2 onetrue0 zippedfalse innertrue0"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	records, err := r.fake.Records(streamOf)
	r.must(err)
	if last := records[len(records)-1].Sequence; !strings.Contains(r.saved(0), last) {
		t.Errorf("the cursor %s is not behind the last record %s", r.saved(0), last)
	}
}

// TestResumeInAggregate: opened behind any record of a page, a source gives the rest.
func TestResumeInAggregate(t *testing.T) {
	t.Parallel()
	r := newRig(t, kinesistest.Options{}, 1)
	r.putData([]byte("plain"), aggregateOf(t, "a0", "a1", "a2"), aggregateOf(t, "one"), []byte("last"))
	all := []string{"plain", "a0", "a1", "a2", "one", "last"}
	for n := 1; n < len(all); n++ {
		r.got, r.cursors = nil, map[string][]byte{}
		r.open(smallRecords)
		for {
			batch, err := r.source.Read(t.Context())
			r.must(err)
			r.save(batch, min(n, batch.Len()))
			if batch.Len() > 0 {
				if batch.Len() != len(all) {
					t.Fatalf("a page of %d", batch.Len())
				}
				break
			}
			r.must(r.source.Committed(t.Context(), r.cursors))
		}
		r.open()
		r.take(len(all) - n)
		r.wantTexts(all[n:]...)
	}
}

// TestBrokenRecords: what can't be unpacked is handed over as it is, and says why; the shard goes
// on behind it.
func TestBrokenRecords(t *testing.T) {
	t.Parallel()
	r := newRig(t, kinesistest.Options{}, 1)
	aggregate := aggregateOf(t, "a0", "a1")
	aggregate[len(aggregate)-1] ^= 1
	zip := gzipped(t, strings.Repeat("x", 100))
	bad := [][]byte{aggregate, zip[:len(zip)-9], []byte("\x1f\x8b no gzip"), aggregateOf(t, string(zip[:20]))}
	r.putData(append(bad, []byte("fine"))...)
	r.open()
	r.take(5)
	for i, want := range []string{"MD5", "gzip", "gzip", "gzip", ""} {
		if got := r.got[i]; !strings.Contains(got.defect, want) || (want == "") != (got.defect == "") {
			t.Errorf("record %d: %q", i, got.defect)
		}
	}
	for i := range bad[:3] {
		if r.got[i].text != string(bad[i]) {
			t.Errorf("record %d is not as it came", i)
		}
	}
	if r.got[4].text != "fine" {
		t.Errorf("the last record is %q", r.got[4].text)
	}
}

// TestInflatedTooLarge: a record that is small while it is compressed.
func TestInflatedTooLarge(t *testing.T) {
	t.Parallel()
	data := gzipped(t, strings.Repeat("x", inflatedBytesMax+1))
	if _, err := inflate(nil, data); err == nil || !strings.Contains(err.Error(), "64 MiB") {
		t.Errorf("got %v", err)
	}
	if out, err := inflate([]byte("a"), gzipped(t, strings.Repeat("x", inflatedBytesMax))); err != nil || len(out) != inflatedBytesMax+1 {
		t.Errorf("%d bytes, %v", len(out), err)
	}
}

// TestProducerLibrary reads what Amazon's own library made, with plain records between.
func TestProducerLibrary(t *testing.T) {
	t.Parallel()
	f, err := os.Open("kpl/testdata/kpl-1.1.1.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	r := newRig(t, kinesistest.Options{}, 1)
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	want := 0
	for lines.Scan() {
		var one struct {
			PartitionKey string
			Data         []byte
		}
		r.must(json.Unmarshal(lines.Bytes(), &one))
		want++
		if kpl.IsAggregate(one.Data) {
			want += 857 - 1
		}
		r.putData(one.Data)
	}
	r.open()
	r.take(want)
	seen := map[string]bool{}
	for _, one := range r.got {
		if !json.Valid([]byte(one.text)) || seen[one.text] {
			t.Fatalf("record %s", one.text)
		}
		seen[one.text] = true
	}
}

// TestInflatedPages: of a page that takes too much memory when it is decompressed the first records are
// taken, and the others are asked for again.
func TestInflatedPages(t *testing.T) {
	t.Parallel()
	r := newRig(t, kinesistest.Options{}, 1)
	var want []string
	for i := range 30 {
		text := fmt.Sprint(i) + strings.Repeat("x", 1<<20)
		want = append(want, text)
		r.putData(gzipped(t, text))
	}
	r.open(smallRecords)
	r.take(30)
	r.wantTexts(want...)
	if n := len(r.fake.Requests("GetShardIterator", streamOf, "")); n < 2 || n > 10 {
		t.Errorf("%d iterators", n)
	}
}

// smallRecords lets the first page of a shard have many records.
func smallRecords(_ *partitions.Options, s *stream) { s.first = 4 << 10 }
