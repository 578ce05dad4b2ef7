package parquet

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/blob/bloburl"
	"github.com/starlift-etl/starlift/pipeline/blob/s3"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// mistakes returns "path: message" of the joined field errors.
func mistakes(err error) []string {
	if err == nil {
		return nil
	}
	var field *spec.FieldError
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var out []string
		for _, e := range many.Unwrap() {
			out = append(out, mistakes(e)...)
		}
		return out
	}
	if errors.As(err, &field) {
		return []string{strings.Join(field.Path, ".") + ": " + field.Message}
	}
	return []string{"not a field error: " + err.Error()}
}

func by(table string, levels ...any) spec.Map[[]spec.Any] {
	var v []spec.Any
	for _, l := range levels {
		v = append(v, spec.Any{Value: l})
	}
	return spec.Map[[]spec.Any]{{Name: table, Value: v}}
}

func TestConfigMistakes(t *testing.T) {
	for _, tc := range []struct {
		name string
		cfg  Config
		want []string
	}{
		{"nothing", Config{}, []string{"url: url is missing: give the folder for the files"}},
		{"s3", Config{URL: "s3://b/p", WriterConfig: bloburl.WriterConfig{Config: awsapi.Config{Endpoint: "there"}, S3: s3.WriterConfig{KMSKey: "k"}}}, []string{`url: "b" can't be the name of a bucket: 3 to 63 letters, digits, dots and hyphens`,
			"endpoint: the endpoint is no URL with http:// or https://, as https://kinesis.eu-central-1.amazonaws.com", "s3.kms_key: kms_key needs sse: aws:kms"}},
		{"all at once", Config{URL: "ftp://x", Mode: "chnages", Compression: "lz4", Roll: Roll{Size: -1, Age: -1}, PartitionBy: by("t", map[string]any{"week": "a"}, 3.0, "a", "a", map[string]any{"day": "a", "year": "a"})}, []string{
			`url: unknown kind of url "ftp": give a local path or s3://bucket/key`, `mode: unknown mode "chnages"`, `compression: unknown compression "lz4"`,
			"roll.size: roll.size must be more than nothing", "roll.age: roll.age must be more than nothing",
			`partition_by.t.0.week: unknown unit "week" of a partition`,
			"partition_by.t.1: a partition is the name of a column, or a unit and a column as in {day: orderdate}",
			`partition_by.t.3: partition "a" is there twice`,
			"partition_by.t.4: a partition is the name of a column, or a unit and a column as in {day: orderdate}"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := New("lake", tc.cfg)
			if diff := cmp.Diff(tc.want, mistakes(err)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	table := pipelinetest.Table("t", "s", "s", "f double", "d date", "_op")
	for _, tc := range []struct {
		name string
		cfg  Config
		want []string
	}{
		{"fine", Config{Mode: "append", PartitionBy: by("t", "s", "d", map[string]any{"year": "d"})}, nil},
		{"unknown table", Config{Mode: "append", PartitionBy: by("x", "s")}, []string{`partition_by.x: this sink gets no table "x"`}},
		{"columns", Config{Mode: "append", PartitionBy: by("t", "x", "f", map[string]any{"day": "s"}, map[string]any{"hour": "d"})}, []string{
			`partition_by.t.0: table "t" has no column "x"`, `partition_by.t.1: column "f" has type double: that makes no folders`,
			`partition_by.t.2.day: column "s" has type string: a day needs a date or a timestamp`, `partition_by.t.3.hour: column "d" has type date: an hour needs a timestamp`}},
		{"a column that the mode adds", Config{Mode: "latest"}, []string{`mode: column "_op" of table "t" has the name of a column that mode latest adds`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.cfg.URL = t.TempDir()
			sink, err := New("lake", tc.cfg)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, mistakes(sink.CheckTables([]*pipeline.Table{table}))); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"DE": "DE", "": "", ".": "%2E", "..": "%2E%2E", "a.b": "a.b", "../x": "..%2Fx", `a\b:c%`: "a%5Cb%3Ac%25", "\x00\n": "%00%0A", "\xff": "%FF", "grün 1": "grün 1", "a=b": "a%3Db",
	} {
		if got := escape(in); got != want {
			t.Errorf("escape(%q) = %q, want %q", in, got, want)
		}
	}
	long := escape(strings.Repeat("ü/", 200))
	other := escape(strings.Repeat("ü/", 200) + "x")
	if len(long) > nameBytesMax || long == other {
		t.Errorf("long names %q and %q", long, other)
	}
}

func TestNamesAreReadBack(t *testing.T) {
	p := prefix("my/shop", "lake-1", "0123456789abcdef0123")
	name := fileName(p, 3, 12345678901, 7)
	if name != "my%2Fshop-lake-1-0123456789abcdef-0000000003-12345678901-007.parquet" {
		t.Fatalf("name is %s", name)
	}
	if first, last, ok := epochsOf(p, name); !ok || first != 3 || last != 12345678901 {
		t.Errorf("epochs %d to %d, %v", first, last, ok)
	}
	if got := temporary("a/" + name); got != "a/."+name+".tmp" { // as older versions have it
		t.Errorf("temporary name %s", got)
	}
	for _, other := range []string{"x" + name, strings.TrimSuffix(name, extension), p + "1-2-3.parquet"} {
		if _, _, ok := epochsOf(p, other); ok {
			t.Errorf("%s is taken for our own", other)
		}
	}
	if !slices.Contains(modeNames, "append") || len(modes) != len(modeNames) {
		t.Error("modes and their names differ")
	}
}
