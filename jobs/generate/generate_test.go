package generate

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// TestBytesArePinned keeps the promise that a seed names a data set for good. A
// change here changes every data set that users have named.
func TestBytesArePinned(t *testing.T) {
	ctx := t.Context()
	tests := []struct {
		name  string
		write func(io.Writer) (Stats, error)
		want  string
	}{
		{"ecommerce cdc", func(w io.Writer) (Stats, error) {
			return EcommerceCDC(ctx, w, w, Options{Seed: 42, Records: 1012, Duplicates: .01, Late: .01})
		}, "c7561815e434ff8e"},
		{"ecommerce cdc, cut to fit", func(w io.Writer) (Stats, error) {
			return EcommerceCDC(ctx, w, w, Options{Seed: 42, Records: 1000, Duplicates: .01, Late: .01})
		}, "8e6a8f3aba644513"},
		{"ecommerce cdc shuffled, on a base, in µs", func(w io.Writer) (Stats, error) {
			return EcommerceCDC(ctx, w, nil, Options{Seed: 42, Records: 1000, Base: 500, Products: 64, Rate: 7, Micros: true, Shuffle: true, Table: `a "b"`})
		}, "7d5075d5236557ea"},
		{"ecommerce cdc of a size that stays", func(w io.Writer) (Stats, error) {
			return EcommerceCDC(ctx, w, w, Options{Seed: 42, Records: 1000, Live: 200})
		}, "e724d7d0a196619b"},
		{"ecommerce json", func(w io.Writer) (Stats, error) {
			return EcommerceItems(ctx, w, Options{Seed: 42, Records: 1000})
		}, "3a1480c31e33ac18"},
		{"insurance", func(w io.Writer) (Stats, error) {
			return InsuranceCDC(ctx, w, Options{Seed: 42, Records: 1000})
		}, "40ba4404cc586607"},
		{"insurance shuffled with bare numbers", func(w io.Writer) (Stats, error) {
			return InsuranceCDC(ctx, w, Options{Seed: 42, Records: 1000, Shuffle: true, BareNumbers: true})
		}, "fcb3b8b488e3e515"},
		{"insurance json", func(w io.Writer) (Stats, error) {
			return InsuranceItems(ctx, w, Options{Seed: 42, Records: 1000})
		}, "a61ceded175c1264"},
		{"sales", func(w io.Writer) (Stats, error) {
			return Sales(ctx, w, Options{Seed: 42, Records: 1000})
		}, "281ea364a3384402"},
		{"countries", func(w io.Writer) (Stats, error) {
			return Countries(ctx, w, Options{Records: 6, Updated: true})
		}, "52d993223304f7c4"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			stats, err := tt.write(&out)
			if err != nil {
				t.Fatal(err)
			}
			lines := int64(0)
			for line := range bytes.Lines(out.Bytes()) {
				lines++
				if !json.Valid(line) {
					t.Fatalf("not JSON: %s", line)
				}
			}
			if lines != stats.Records+stats.TruthItems {
				t.Errorf("%d lines, the figures say %d", lines, stats.Records+stats.TruthItems)
			}
			sum := sha256.Sum256(out.Bytes())
			if got := hex.EncodeToString(sum[:8]); got != tt.want {
				t.Errorf("the bytes hash to %s, want %s", got, tt.want)
			}
		})
	}
}

// TestSeedsDiffer shows that the seed reaches every kind.
func TestSeedsDiffer(t *testing.T) {
	for name, write := range map[string]func(context.Context, io.Writer, Options) (Stats, error){
		"items": EcommerceItems, "insurance": InsuranceCDC, "insurance items": InsuranceItems, "sales": Sales,
		"cdc": func(ctx context.Context, w io.Writer, o Options) (Stats, error) { return EcommerceCDC(ctx, w, nil, o) },
	} {
		var a, b bytes.Buffer
		if _, err := write(t.Context(), &a, Options{Seed: 1, Records: 3}); err != nil {
			t.Fatal(err)
		}
		if _, err := write(t.Context(), &b, Options{Seed: 2, Records: 3}); err != nil {
			t.Fatal(err)
		}
		if a.String() == b.String() {
			t.Errorf("%s: seeds 1 and 2 give the same", name)
		}
	}
}

func TestOptionsOutOfBounds(t *testing.T) {
	tests := []struct {
		options Options
		want    []string
	}{
		{Options{Records: -1}, []string{"records must be 1 to"}},
		{Options{Products: 3, Window: -1, Rate: 2_000_000}, []string{"products", "window", "rate"}},
		{Options{Late: 1.5, Duplicates: -.1}, []string{"late is a share from 0 to 1, not 1.5", "duplicates"}},
		{Options{Live: -1}, []string{"live must be 0 to"}},
		{Options{Base: -5, Files: -1, Transactions: -1, Keys: -1}, []string{"base", "files", "transactions", "keys"}},
	}
	for _, tt := range tests {
		_, err := EcommerceCDC(t.Context(), io.Discard, nil, tt.options)
		if !errors.Is(err, ErrUsage) {
			t.Errorf("%+v: error %v, want ErrUsage", tt.options, err)
			continue
		}
		for _, want := range tt.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: error %q does not say %q", tt.options, err, want)
			}
		}
	}
}

func TestStopsWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w := writerFunc(func(p []byte) (int, error) {
		cancel() // after the first block
		return len(p), nil
	})
	stats, err := InsuranceCDC(ctx, w, Options{Records: maxRecords})
	if !errors.Is(err, context.Canceled) || stats.Records > 10_000 {
		t.Errorf("error %v after %d records, want context.Canceled within two blocks", err, stats.Records)
	}
}

func TestReportsWriteErrors(t *testing.T) {
	full := errors.New("no space left on device")
	w := writerFunc(func([]byte) (int, error) { return 0, full })
	if _, err := EcommerceCDC(t.Context(), w, nil, Options{Records: maxRecords}); !errors.Is(err, full) {
		t.Errorf("changes: error %v, want %v", err, full)
	}
	if _, err := EcommerceCDC(t.Context(), io.Discard, w, Options{Records: 5000}); !errors.Is(err, full) {
		t.Errorf("truth: error %v, want %v", err, full)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// TestInsuranceShapes counts the sorts of records by a strict parser.
func TestInsuranceShapes(t *testing.T) {
	for _, o := range []Options{{Seed: 7, Records: 5000}, {Seed: 7, Records: 5000, Shuffle: true, BareNumbers: true}} {
		var out bytes.Buffer
		stats, err := InsuranceCDC(t.Context(), &out, o)
		if err != nil {
			t.Fatal(err)
		}
		var rows int64
		seen := map[string]int{}
		for line := range bytes.Lines(out.Bytes()) {
			n, shapes := inspectInsurance(t, line)
			rows += n
			for _, s := range shapes {
				seen[s]++
			}
		}
		if rows != stats.RowsAfterOuterUnnest {
			t.Errorf("the records unnest to %d rows, the figures say %d", rows, stats.RowsAfterOuterUnnest)
		}
		for _, s := range []string{"no requirements", "no list", "empty list", "8 dependents", "partial", insert, modify, remove} {
			if seen[s] < 20 {
				t.Errorf("%d of 5000 records with: %s", seen[s], s)
			}
		}
		if int64(seen[remove]) != stats.Events[remove] {
			t.Errorf("%d removals, the figures say %d", seen[remove], stats.Events[remove])
		}
	}
}

func inspectInsurance(t *testing.T, line []byte) (rows int64, shapes []string) {
	t.Helper()
	type element struct{ M map[string]struct{ S string } }
	type image struct {
		SK           struct{ S string }
		Provider     *struct{ S string }
		Requirements *struct {
			M struct {
				DependentIDs *struct{ L []element } `json:"dependentIds"`
			}
		} `json:"calculationRequirements"`
	}
	var r struct {
		EventName string
		Dynamodb  struct{ NewImage, OldImage *image }
	}
	if err := json.Unmarshal(line, &r); err != nil {
		t.Fatal(err)
	}
	if (r.EventName == remove) != (r.Dynamodb.NewImage == nil) || (r.EventName == remove) != (r.Dynamodb.OldImage != nil) {
		t.Fatalf("images do not fit the event: %s", line)
	}
	shapes = []string{r.EventName}
	im := r.Dynamodb.NewImage
	if im == nil {
		return 1, shapes
	}
	if im.Provider == nil {
		shapes = append(shapes, "partial")
	}
	switch {
	case im.Requirements == nil:
		return 1, append(shapes, "no requirements")
	case im.Requirements.M.DependentIDs == nil:
		return 1, append(shapes, "no list")
	case len(im.Requirements.M.DependentIDs.L) == 0:
		return 1, append(shapes, "empty list")
	}
	list := im.Requirements.M.DependentIDs.L
	different := map[string]bool{}
	for _, e := range list {
		different[e.M["sk"].S] = true
	}
	if len(different) != len(list) {
		t.Fatalf("a dependent is listed twice: %s", line)
	}
	return int64(len(list)), append(shapes, fmt.Sprint(len(list), " dependents"))
}

func TestSalesQuirks(t *testing.T) {
	var out bytes.Buffer
	if _, err := Sales(t.Context(), &out, Options{Seed: 3, Records: 20_000, Keys: 10_000}); err != nil {
		t.Fatal(err)
	}
	keys := map[int]bool{}
	var impossible, short, merged int
	for line := range bytes.Lines(out.Bytes()) {
		var s struct {
			UUID                                                 int
			Region, OrderDate, ShipDate, UnitsSold, TotalRevenue string
			ImpressionTime                                       string
		}
		if err := json.Unmarshal(line, &s); err != nil {
			t.Fatal(err)
		}
		keys[s.UUID] = true
		if s.Region == "AsiaEurope" {
			merged++
		}
		if s.OrderDate == "1/4/10" {
			short++
		}
		ordered, err1 := time.Parse("1/2/06", s.OrderDate)
		shipped, err2 := time.Parse("1/2/06", s.ShipDate)
		if err := errors.Join(err1, err2); err != nil || shipped.Before(ordered) {
			t.Fatalf("dates %q and %q: %v", s.OrderDate, s.ShipDate, err)
		}
		if _, err := time.Parse(time.RFC3339, s.ImpressionTime); err != nil {
			impossible++
		}
	}
	if impossible < 8000 || impossible > 9100 {
		t.Errorf("%d of 20000 impression times are impossible, want 3 in 7", impossible)
	}
	if short == 0 || merged == 0 || len(keys) > 9500 {
		t.Errorf("%d orders on 1/4/10, %d regions merged, %d different keys", short, merged, len(keys))
	}
}

func BenchmarkEcommerceCDC(b *testing.B) {
	var stats Stats
	for b.Loop() {
		var err error
		if stats, err = EcommerceCDC(b.Context(), io.Discard, nil, Options{Records: 20_000, Duplicates: .01, Late: .01}); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(stats.Bytes)
	b.ReportMetric(float64(stats.Records)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

func BenchmarkInsurance(b *testing.B) {
	var stats Stats
	for b.Loop() {
		var err error
		if stats, err = InsuranceCDC(b.Context(), io.Discard, Options{Records: 20_000}); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(stats.Bytes)
	b.ReportMetric(float64(stats.Records)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
