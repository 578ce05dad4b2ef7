package kpl

import (
	"bufio"
	"bytes"
	"crypto/md5"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

type fixture struct {
	PartitionKey, ExplicitHashKey string
	Data                          []byte
}

func read(t testing.TB, file string) (records []fixture) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r fixture
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
	if err := lines.Err(); err != nil || len(records) == 0 {
		t.Fatal(len(records), err)
	}
	return records
}

// TestProducerLibrary reads what Amazon's own library made.
func TestProducerLibrary(t *testing.T) {
	var a Aggregate
	plain, aggregates := 0, 0
	seen := map[string]bool{} // the library does not keep the order of a key's records
	for _, r := range read(t, "testdata/kpl-1.1.1.jsonl") {
		if !IsAggregate(r.Data) {
			plain++
			continue
		}
		aggregates++
		if err := a.Parse(r.Data); err != nil || a.Len() != 857 {
			t.Fatal(a.Len(), err)
		}
		for i := range a.Len() {
			var user struct {
				K string
				I int
			}
			if err := json.Unmarshal(a.Data(i), &user); err != nil {
				t.Fatal(err)
			}
			if user.K != string(a.PartitionKey(i)) || a.ExplicitHashKey(i) != nil || seen[string(a.Data(i))] {
				t.Errorf("user record %d: %+v of key %s, explicit %q", i, user, a.PartitionKey(i), a.ExplicitHashKey(i))
			}
			seen[string(a.Data(i))] = true
			if start, end := a.Extent(i); !bytes.Equal(r.Data[start:end], a.Data(i)) {
				t.Errorf("user record %d: extent %d to %d", i, start, end)
			}
		}
	}
	if plain != 8 || aggregates != 1 {
		t.Errorf("%d plain, %d aggregates", plain, aggregates)
	}
}

// TestPythonModule reads what the other of Amazon's aggregators made, with explicit hash keys.
func TestPythonModule(t *testing.T) {
	var a Aggregate
	n := 0
	for _, r := range read(t, "testdata/kinesis-aggregation-1.2.3.jsonl") {
		if err := a.Parse(r.Data); err != nil {
			t.Fatal(err)
		}
		for i := range a.Len() {
			hashKey := ""
			if n%3 == 0 && n > 0 {
				hashKey = fmt.Sprint(n) + strings.Repeat("0", 20)
			} else if n == 0 {
				hashKey = "0"
			}
			if want := fmt.Sprintf("{\"i\": %d}\xff\x00", n); string(a.Data(i)) != want || string(a.PartitionKey(i)) != fmt.Sprint("key", n%7) {
				t.Errorf("record %d: %q of %s", n, a.Data(i), a.PartitionKey(i))
			}
			// The module gives every record an explicit hash key: its own, or that of its partition key.
			if explicit := string(a.ExplicitHashKey(i)); hashKey != "" && explicit != hashKey {
				t.Errorf("record %d: explicit hash key %q, want %q", n, explicit, hashKey)
			}
			n++
		}
	}
	if n != 50 {
		t.Errorf("%d records", n)
	}
}

// message wraps a protobuf message as an aggregate.
func message(m []byte) []byte {
	sum := md5.Sum(m)
	return append(append(bytes.Clone(magic), m...), sum[:]...)
}

func text(field protowire.Number, values ...string) (m []byte) {
	for _, v := range values {
		m = protowire.AppendString(protowire.AppendTag(m, field, protowire.BytesType), v)
	}
	return m
}

func number(field protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, field, protowire.VarintType), v)
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func user(parts ...[]byte) []byte { return text(fieldRecords, string(join(parts...))) }

// TestParse: what the format allows and its libraries don't do, and what is broken.
func TestParse(t *testing.T) {
	group := protowire.AppendTag(protowire.AppendTag(nil, 9, protowire.StartGroupType), 9, protowire.EndGroupType)
	inner := message(join(text(1, "a"), user(number(1, 0), text(3, "in"))))
	good := user(number(1, 0), text(3, "d"))
	for _, c := range []struct {
		name string
		data []byte
		want string // of each record key, explicit hash key, data; an error: its text
	}{
		{"one", message(join(text(1, "a"), good)), "a//d"},
		{"none", message(text(1, "a")), ""},
		{"empty message", message(nil), ""},
		{"empty data and key", message(join(text(1, ""), user(number(1, 0), text(3, "")))), "//"},
		{"table behind records", message(join(good, text(1, "a"))), "a//d"},
		{"explicit hash key", message(join(text(1, "a", "b"), text(2, "7"), user(number(1, 1), number(2, 0), text(3, "d")))), "b/7/d"},
		{"fields in another order", message(join(text(1, "a"), user(text(3, "d"), number(1, 0)))), "a//d"},
		{"the last counts", message(join(text(1, "a", "b"), user(number(1, 0), text(3, "d"), text(3, "e"), number(1, 1)))), "b//e"},
		{"tags", message(join(text(1, "a"), user(number(1, 0), text(3, "d"), text(4, string(join(text(1, "k"), text(2, "v"))))))), "a//d"},
		{"unknown fields", message(join(group, number(7, 1), text(1, "a"), text(8, "x"), user(group, text(9, "y"), number(1, 0), text(3, "d"),
			protowire.AppendFixed64(protowire.AppendTag(nil, 10, protowire.Fixed64Type), 1)))), "a//d"},
		{"a known field of another type", message(join(number(1, 5), text(1, "a"), user(text(1, "x"), number(1, 0), number(3, 1), text(3, "d")))), "a//d"},
		{"nested", message(join(text(1, "a"), user(number(1, 0), text(3, string(inner))))), "a//" + string(inner)},
		{"no aggregate", []byte("{}"), "magic"},
		{"magic alone", magic, "ends after 4 bytes"},
		{"short", message(nil)[:19], "ends after 19 bytes"},
		{"other MD5", append(message(join(text(1, "a"), good))[:20], make([]byte, 16)...), "MD5"},
		{"key of no table", message(good), "user record 0: partition key 0 of 0"},
		{"key behind the table", message(join(text(1, "a"), good, user(number(1, 1), text(3, "d")))), "user record 1: partition key 1 of 1"},
		{"key of 64 bits", message(join(text(1, "a"), user(number(1, 1<<32), text(3, "d")))), "partition key 4294967294 of 1"},
		{"hash key behind the table", message(join(text(1, "a"), user(number(1, 0), number(2, 0), text(3, "d")))), "explicit hash key 0 of 0"},
		{"hash key of 64 bits", message(join(text(1, "a"), user(number(1, 0), number(2, 1<<64-1), text(3, "d")))), "explicit hash key 4294967294 of 0"},
		{"no key", message(join(text(1, "a"), user(text(3, "d")))), "user record 0: it has no partition key"},
		{"no data", message(join(text(1, "a"), good, user(number(1, 0)))), "user record 1: it has no data"},
		{"cut", message(join(text(1, "a"), good[:len(good)-1])), "byte"},
		{"cut inside", message(join(text(1, "a"), text(3, string(good[2:len(good)-1])))), "user record 0: byte"},
		{"end of no group", message(protowire.AppendTag(nil, 9, protowire.EndGroupType)), "field 9"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var a Aggregate
			if err := a.Parse(message(join(text(1, "x"), good, good))); err != nil || a.Len() != 2 {
				t.Fatal(err) // what was there before is gone
			}
			err := a.Parse(c.data)
			var got []string
			for i := range a.Len() {
				got = append(got, fmt.Sprintf("%s/%s/%s", a.PartitionKey(i), a.ExplicitHashKey(i), a.Data(i)))
			}
			if err != nil {
				if !errors.Is(err, ErrBroken) || !strings.Contains(err.Error(), c.want) || c.want == "" || len(got) != 0 {
					t.Errorf("%v with %d records, want %q", err, len(got), c.want)
				}
				return
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// TestEveryBit: no change of one bit goes unnoticed, but in the magic bytes, which make it another record.
func TestEveryBit(t *testing.T) {
	data := message(join(text(1, "a", "b"), user(number(1, 1), text(3, "some data"))))
	var a Aggregate
	for bit := range len(data) * 8 {
		broken := bytes.Clone(data)
		broken[bit/8] ^= 1 << (bit % 8)
		if err := a.Parse(broken); !errors.Is(err, ErrBroken) {
			t.Fatalf("bit %d: %v", bit, err)
		}
	}
}

// TestBuilder: what is added is read again, the size is known before, and the aggregate goes where its first
// record belongs.
func TestBuilder(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	var b Builder
	var a Aggregate
	for round := range 50 {
		var want []fixture
		for range r.IntN(40) {
			f := fixture{PartitionKey: fmt.Sprint("key", r.IntN(300)), Data: make([]byte, r.IntN(300))}
			if r.IntN(2) == 0 {
				f.ExplicitHashKey = fmt.Sprint(r.Uint64N(200))
			}
			size := b.SizeWith(f.PartitionKey, f.ExplicitHashKey, f.Data)
			if err := b.Add(f.PartitionKey, f.ExplicitHashKey, f.Data); err != nil {
				t.Fatal(err)
			}
			if got := len(magic) + len(b.keys.message) + len(b.hashKeys.message) + len(b.records) + md5.Size; got != size {
				t.Fatalf("seed %d: %d bytes, and not %d as said before", seed, got, size)
			}
			want = append(want, f)
		}
		if b.Len() != len(want) {
			t.Errorf("seed %d: %d records", seed, b.Len())
		}
		data, hashKey := b.Finish()
		if err := a.Parse(data); err != nil || a.Len() != len(want) {
			t.Fatalf("seed %d, round %d: %d records, %v", seed, round, a.Len(), err)
		}
		for i, f := range want {
			if string(a.PartitionKey(i)) != f.PartitionKey || string(a.ExplicitHashKey(i)) != f.ExplicitHashKey || !bytes.Equal(a.Data(i), f.Data) {
				t.Errorf("seed %d, round %d: record %d is %s, want %+v", seed, round, i, a.PartitionKey(i), f)
			}
			if here, err := (Range{hashKey, hashKey}).Contains(&a, i); i == 0 && (!here || err != nil) {
				t.Errorf("seed %d: the first record belongs elsewhere: %v", seed, err)
			}
		}
	}
	if err := b.Add("a", "x", nil); err == nil || b.Len() != 0 {
		t.Errorf("a hash key that is no number: %v", err)
	}
}

// TestRange: hash keys at the ends of a range, by partition key and explicit.
func TestRange(t *testing.T) {
	key := func(text string) HashKey {
		k, err := ParseHashKey([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	const most = "340282366920938463463374607431768211455"
	if k := key(most); k != (HashKey{255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}) || k.String() != most {
		t.Errorf("%v", k)
	}
	for _, text := range []string{"", "-1", "+1", "1.0", "340282366920938463463374607431768211456", strings.Repeat("0", 40)} {
		if _, err := ParseHashKey([]byte(text)); err == nil {
			t.Errorf("%q is read", text)
		}
	}
	var a Aggregate
	if err := a.Parse(message(join(text(1, "a"), text(2, "10", "x"), user(number(1, 0), text(3, "")), user(number(1, 0), number(2, 0), text(3, "")), user(number(1, 0), number(2, 1), text(3, ""))))); err != nil {
		t.Fatal(err)
	}
	// The MD5 of "a" as a number, from RFC 1321's test suite: 0cc175b9c0f1b6a831c399e269772661.
	const md5OfA = "16955237001963240173058271559858726497"
	for _, c := range []struct {
		from, to string
		record   int
		want     bool
	}{
		{md5OfA, md5OfA, 0, true}, {"0", "16955237001963240173058271559858726496", 0, false}, {"16955237001963240173058271559858726498", most, 0, false},
		{"10", "10", 1, true}, {"11", most, 1, false}, {"0", "9", 1, false},
	} {
		if got, err := (Range{key(c.from), key(c.to)}).Contains(&a, c.record); got != c.want || err != nil {
			t.Errorf("%+v: %v, %v", c, got, err)
		}
	}
	if _, err := (Range{}).Contains(&a, 2); err == nil {
		t.Error("an explicit hash key that is no number")
	}
}

// TestAllocations: none for a user record.
func TestAllocations(t *testing.T) {
	data := read(t, "testdata/kpl-1.1.1.jsonl")
	var a Aggregate
	if n := testing.AllocsPerRun(10, func() {
		for _, r := range data {
			if IsAggregate(r.Data) {
				if err := a.Parse(r.Data); err != nil {
					t.Fatal(err)
				}
			}
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParse(f *testing.F) {
	for _, r := range read(f, "testdata/kinesis-aggregation-1.2.3.jsonl") {
		f.Add(r.Data[len(magic) : len(r.Data)-md5.Size])
	}
	f.Add(join(text(1, "a", "b"), text(2, "7"), user(number(1, 1), number(2, 0), text(3, "d"), text(4, "x"))))
	f.Add([]byte{0x4b, 0x4c})
	f.Fuzz(func(t *testing.T, m []byte) {
		var a Aggregate
		err := a.Parse(message(m))
		want, wantErr := slow(m)
		if (err != nil) != (wantErr != nil) || a.Len() != len(want) {
			t.Fatalf("%d records, %v; want %d, %v", a.Len(), err, len(want), wantErr)
		}
		for i, w := range want {
			if string(a.PartitionKey(i)) != w.PartitionKey || !bytes.Equal(a.Data(i), w.Data) || string(a.ExplicitHashKey(i)) != w.ExplicitHashKey {
				t.Errorf("user record %d: %s %q, want %+v", i, a.PartitionKey(i), a.Data(i), w)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	var a Aggregate
	for _, r := range read(b, "testdata/kpl-1.1.1.jsonl") {
		if !IsAggregate(r.Data) {
			continue
		}
		b.SetBytes(int64(len(r.Data)))
		for b.Loop() {
			if err := a.Parse(r.Data); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*a.Len()), "ns/record")
	}
}
