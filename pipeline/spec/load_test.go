package spec

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the expected output of the fixtures")

// TestBadFixtures compares what is said about each bad file with its .txt file.
func TestBadFixtures(t *testing.T) {
	paths, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".yaml")
		t.Run(name, func(t *testing.T) {
			_, err := loadFixture(t, path, filepath.Base(path))
			if err == nil {
				t.Fatal("no mistake was found")
			}
			var all *Errors
			if !errors.As(err, &all) || len(all.Mistakes) == 0 {
				t.Fatalf("%T is not *Errors", err)
			}
			got, golden := err.Error()+"\n", strings.TrimSuffix(path, ".yaml")+".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestGoodFixtures(t *testing.T) {
	paths, err := filepath.Glob("testdata/good/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			if _, err := loadFixture(t, path, filepath.Base(path)); err != nil {
				t.Error(err)
			}
		})
	}
}

const minimal = `name: shop
sources:
  s: {type: file, path: a, format: json}
transforms:
  t: {type: unnest, inputs: [s], tables: {a: {key: [id], columns: {id: {}, b: {}}}}}
sinks:
  w: {type: duckdb, inputs: [t.a], dsn: x}
`

func load(t *testing.T, text string, opts Options) *File {
	t.Helper()
	f, err := Load("shop.yaml", []byte(text), testKinds(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestSays: what a file says, in whatever way, is told from a default of the same value.
func TestSays(t *testing.T) {
	for _, c := range []struct {
		text string
		set  []string
		want bool
	}{
		{minimal, nil, false},
		{minimal + "epoch: {interval: 1s}\n", nil, false},
		{minimal + "epoch:\n", nil, false},
		{minimal + "epoch: {commit_timeout: 10m}\n", nil, true},
		{minimal, []string{"epoch.commit_timeout=10m"}, true},
	} {
		if got := load(t, c.text, Options{Set: c.set}).Says("epoch", "commit_timeout"); got != c.want {
			t.Errorf("%q with %q: said %v, want %v", strings.TrimPrefix(c.text, minimal), c.set, got, c.want)
		}
	}
}

func TestDefaults(t *testing.T) {
	f := load(t, minimal, Options{})
	got := []any{f.Name, f.Epoch, f.State, f.DeadLetters, f.HTTP}
	want := []any{
		"shop", Epoch{Interval: Auto, MaxRecords: 125_000, MaxBytes: 128 << 20, CommitTimeout: 600e9}, State{"./data/state/shop", 256 << 20, 8 * 24 * 3600e9},
		DeadLetters{"./data/dead-letters/shop", 0.01, 30 * 24 * 3600e9, nil}, HTTP{},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	sink, _ := f.Sinks.Get("w")
	if sink.Type != "duckdb" || sink.Inputs[0].String() != "t.a" || sink.Inputs[0].Table != "a" || !sink.Sound {
		t.Errorf("%+v", sink)
	}
	if c := sink.Config.(*duckdbSink); c.DSN != "x" || c.Schema != "main" {
		t.Errorf("%+v", c)
	}
}

func TestOrderIsKept(t *testing.T) {
	f := load(t, minimal, Options{Set: []string{"transforms.t.tables.a.columns={z: {}, a: {}, id: {}}"}})
	u, _ := f.Transforms.Get("t")
	var names []string
	for _, c := range u.Config.(*unnestTransform).Tables[0].Value.Columns {
		names = append(names, c.Name)
	}
	if diff := cmp.Diff([]string{"z", "a", "id"}, names); diff != "" {
		t.Error(diff)
	}
}

func TestUnsoundNodesAreMarked(t *testing.T) {
	f, err := Load("shop.yaml", []byte(strings.Replace(minimal, "dsn: x", "dns: x", 1)), testKinds(), Options{})
	if err == nil || f == nil {
		t.Fatalf("%v, %v", f, err)
	}
	sink, _ := f.Sinks.Get("w")
	source, _ := f.Sources.Get("s")
	if sink.Sound || !source.Sound {
		t.Errorf("sound: sink %v, source %v", sink.Sound, source.Sound)
	}
}

func TestLocate(t *testing.T) {
	f := load(t, minimal, Options{})
	for _, c := range []struct {
		path      string
		line, col int
	}{
		{"transforms/t/tables/a/key/0", 5, 53},
		{"transforms/t/tables/a/columns/id", 5, 68},
		{"transforms/t/tables/a/columns/nope/deeper", 5, 58},
		{"transforms/t/tables", 5, 34},
		{"sinks/w", 7, 3},
		{"sinks/w/inputs/0", 7, 30},
		{"sinks/w/type", 7, 13},
		{"sinks/nope", 6, 1},
	} {
		p := strings.Split(c.path, "/")
		if m := f.Locate(p[0], p[1], p[2:]...); m.Line != c.line || m.Column != c.col {
			t.Errorf("%s is at %d:%d, want %d:%d", c.path, m.Line, m.Column, c.line, c.col)
		}
	}
}

func TestReport(t *testing.T) {
	secret := "hunter2hunter2"
	f := load(t, strings.Replace(minimal, "dsn: x", "dsn: ${DSN}", 1), Options{
		Env: func(string) (string, bool) { return "postgres://me:" + secret + "@host/db", true },
	})
	inner := &FieldError{Path: []string{"dsn"}, Message: "cannot reach postgres://me:" + secret + "@host/db"}
	f.Report("sinks", "w", errors.Join(inner, errors.New("password "+secret+" was refused")))
	f.Report("sinks", "w", nil)
	err := f.Err()
	if err == nil || strings.Contains(err.Error(), secret) {
		t.Fatalf("secret shown: %v", err)
	}
	want := `shop.yaml:7:3: password **** was refused
    7 |   w: {type: duckdb, inputs: [t.a], dsn: ${DSN}}
      |   ^
shop.yaml:7:41: cannot reach postgres://me:****@host/db
    7 |   w: {type: duckdb, inputs: [t.a], dsn: ${DSN}}
      |                                         ^^^^^^`
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
}

func TestLineEndsAndByteOrderMark(t *testing.T) {
	text := "\ufeff" + strings.ReplaceAll(strings.Replace(minimal, "dsn", "dns", 1), "\n", "\r\n")
	_, err := Load("shop.yaml", []byte(text), testKinds(), Options{})
	if err == nil || !strings.HasPrefix(err.Error(), `shop.yaml:7:36: unknown key "dns": did you mean "dsn"?`) {
		t.Error(err)
	}
}
