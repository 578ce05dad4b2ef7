package spec

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

type fileSource struct {
	Path      string   `yaml:"path" required:"true" desc:"Where the files are."`
	Format    string   `yaml:"format" required:"true" enum:"dynamodb_cdc,dynamodb_export,json" desc:"What the records are."`
	Key       []string `yaml:"key" desc:"Attributes that identify an item."`
	Version   version  `yaml:"version" desc:"Where records carry their version."`
	Follow    bool     `yaml:"follow" desc:"Wait for more."`
	MaxRecord Bytes    `yaml:"max_record" default:"16MiB" desc:"The longest record."`
}

type version struct {
	From string `yaml:"from" required:"true" desc:"Document path of the version."`
	Type string `yaml:"type" enum:"int64,timestamp,date" default:"int64" desc:"Its type."`
}

type unnestTransform struct {
	Tables    Map[unnestTable] `yaml:"tables" required:"true" desc:"The tables, by name."`
	Unmatched string           `yaml:"unmatched" enum:"dead_letter,ignore,fail" default:"dead_letter" desc:"What becomes of other items."`
}

type unnestTable struct {
	Where   Any               `yaml:"where" desc:"An event pattern."`
	Explode *explode          `yaml:"explode" desc:"Makes a row of each element."`
	Key     []string          `yaml:"key" desc:"The columns that identify a row."`
	Columns Map[unnestColumn] `yaml:"columns" required:"true" desc:"The columns, by name."`
}

type explode struct {
	From  string `yaml:"from" required:"true" desc:"Path of the list."`
	Outer bool   `yaml:"outer" desc:"Keeps items without elements."`
}

type unnestColumn struct {
	From    string `yaml:"from" desc:"A document path."`
	Part    int    `yaml:"part" min:"1" max:"99" desc:"Which part."`
	Type    string `yaml:"type" default:"string" desc:"Its type."`
	OnError string `yaml:"on_error" enum:"dead_letter,null,fail" default:"dead_letter" desc:"What becomes of a bad value."`
}

// check mimics a constructor that returns all its mistakes.
func (u *unnestTransform) check() error {
	var errs []error
	for _, t := range u.Tables {
		var columns []string
		for _, c := range t.Value.Columns {
			columns = append(columns, c.Name)
			if c.Value.Type == "text" {
				errs = append(errs, &FieldError{Path: []string{"tables", t.Name, "columns", c.Name, "type"}, Message: `unknown type "text"`})
			}
		}
		for i, k := range t.Value.Key {
			if _, ok := t.Value.Columns.Get(k); !ok {
				errs = append(errs, &FieldError{
					Path:    []string{"tables", t.Name, "key", fmt.Sprint(i)},
					Message: fmt.Sprintf("table %s has no column %q", t.Name, k), Name: k, Known: columns,
				})
			}
		}
	}
	return errors.Join(errs...)
}

type parquetSink struct {
	URL         string             `yaml:"url" required:"true" desc:"Where the files go."`
	Mode        string             `yaml:"mode" enum:"changes,append,latest" default:"changes" desc:"Which rows."`
	PartitionBy Map[[]partitionBy] `yaml:"partition_by" desc:"The partitions of each table."`
	Roll        struct {
		Size Bytes    `yaml:"size" default:"128MiB" min:"1KiB" desc:"The size of a file."`
		Age  Duration `yaml:"age" default:"60s" min:"1s" desc:"The age of a file."`
	} `yaml:"roll" desc:"When a file is published."`
}

// partitionBy is a column, or {day: column}.
type partitionBy struct{ column, unit string }

func (p *partitionBy) DecodeNode(n *Node) error {
	if n.Kind() != Mapping {
		return n.Decode(&p.column)
	}
	if n.Len() != 1 {
		return errors.New("a partition has one unit, as in {day: column}")
	}
	p.unit = n.Keys()[0]
	if p.unit != "day" && p.unit != "month" {
		return &FieldError{Path: []string{p.unit}, Message: fmt.Sprintf("unknown unit %q", p.unit), Name: p.unit, Known: []string{"day", "month"}}
	}
	return n.Get(p.unit).Decode(&p.column)
}

func (partitionBy) Alternatives() []any { return []any{"", map[string]string{}} }

type duckdbSink struct {
	DSN    string `yaml:"dsn" required:"true" desc:"The file."`
	Schema string `yaml:"schema" default:"main" desc:"The schema."`
}

func testKinds() Kinds {
	return Kinds{
		Sources:    map[string]Kind{"file": {New: func() any { return new(fileSource) }, Desc: "Reads files."}},
		Transforms: map[string]Kind{"unnest": {New: func() any { return new(unnestTransform) }, Desc: "Makes typed tables of items."}},
		Sinks: map[string]Kind{
			"parquet": {New: func() any { return new(parquetSink) }, Desc: "Writes Parquet files."},
			"duckdb":  {New: func() any { return new(duckdbSink) }, Desc: "Writes a DuckDB file."},
		},
	}
}

// directives reads the options that a fixture's leading comments give:
// "# env: NAME=value" and "# set: key=value".
func directives(text string) Options {
	env := map[string]string{}
	opts := Options{Env: func(name string) (string, bool) { v, ok := env[name]; return v, ok }}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if e, ok := strings.CutPrefix(line, "# env: "); ok {
			name, value, _ := strings.Cut(e, "=")
			env[name] = value
		}
		if s, ok := strings.CutPrefix(line, "# set: "); ok {
			opts.Set = append(opts.Set, s)
		}
	}
	return opts
}

// loadFixture loads a file and builds its sound nodes, as a job does.
func loadFixture(t testing.TB, path, name string) (*File, error) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Load(name, data, testKinds(), directives(string(data)))
	if f == nil {
		return nil, err
	}
	for _, e := range f.Transforms {
		if u, ok := e.Value.Config.(*unnestTransform); ok && e.Value.Sound {
			f.Report("transforms", e.Name, u.check())
		}
	}
	return f, f.Err()
}
