package parquet

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/blob/bloburl"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/sinks/internal/columnar"
)

// Config is a parquet sink in a pipeline file.
type Config struct {
	URL         string               `yaml:"url" required:"true" file:"true" change:"identity" desc:"The folder that gets a folder for each table: a local one, or s3://bucket/prefix."`
	Mode        string               `yaml:"mode" default:"changes" enum:"changes,append,latest" change:"identity" desc:"changes: every change of the log, with _op, _version, _position and _epoch. append: each row of every new image, nothing added. latest: settled changes, one a key and epoch, with _op, _version and _epoch."`
	PartitionBy spec.Map[[]spec.Any] `yaml:"partition_by" change:"identity" desc:"By table: the columns that make its folders, outermost first. A column's name, or one of year, month, day, hour and a column: {day: orderdate}."`
	Roll        Roll                 `yaml:"roll" change:"free" desc:"When gathered rows become files."`
	Compression string               `yaml:"compression" default:"snappy" enum:"snappy,zstd" change:"free" desc:"How pages are compressed."`
	bloburl.WriterConfig
}

// Roll says when gathered rows become files: whichever comes first, and when
// the sources end.
type Roll struct {
	Size spec.Bytes    `yaml:"size" default:"128MiB" change:"free" desc:"When a table has gathered about this much Parquet. Files are about this large at most."`
	Age  spec.Duration `yaml:"age" default:"60s" change:"free" desc:"When the oldest gathered row is this old."`
}

const (
	defaultRollSize = 128 << 20
	defaultRollAge  = spec.Duration(60e9)
)

var (
	modes = map[string]pipeline.Mode{
		"changes": pipeline.Log, "append": pipeline.Appends, "latest": pipeline.Settled,
	}
	modeNames  = []string{"changes", "append", "latest"}
	codecs     = map[string]columnar.Codec{"snappy": columnar.Snappy, "zstd": columnar.Zstd}
	codecNames = []string{"snappy", "zstd"}
)

// setDefaults sets what was left out.
func (c *Config) setDefaults() {
	if c.Mode == "" {
		c.Mode = "changes"
	}
	if c.Compression == "" {
		c.Compression = "snappy"
	}
	if c.Roll.Size == 0 {
		c.Roll.Size = defaultRollSize
	}
	if c.Roll.Age == 0 {
		c.Roll.Age = defaultRollAge
	}
}

// check returns all mistakes that show without the tables.
func (c *Config) check() error {
	var errs []error
	wrong := func(message string, path ...string) {
		errs = append(errs, &spec.FieldError{Path: path, Message: message})
	}
	if c.URL == "" {
		wrong("url is missing: give the folder for the files", "url")
	}
	errs = append(errs, c.CheckFolder("url", c.URL)...)
	if _, ok := modes[c.Mode]; !ok {
		errs = append(errs, &spec.FieldError{Path: []string{"mode"}, Message: fmt.Sprintf("unknown mode %q", c.Mode), Name: c.Mode, Known: modeNames})
	}
	if _, ok := codecs[c.Compression]; !ok {
		errs = append(errs, &spec.FieldError{Path: []string{"compression"}, Message: fmt.Sprintf("unknown compression %q", c.Compression), Name: c.Compression, Known: codecNames})
	}
	if c.Roll.Size < 0 {
		wrong("roll.size must be more than nothing", "roll", "size")
	}
	if c.Roll.Age < 0 {
		wrong("roll.age must be more than nothing", "roll", "age")
	}
	return errors.Join(errs...)
}

// partition is one level of a table's folders.
type partition struct {
	column string
	unit   string // year, month, day or hour; empty = the value itself
}

// name is the level's name in the folder.
func (p partition) name() string {
	if p.unit == "" {
		return p.column
	}
	return p.column + "_" + p.unit
}

var units = []string{"year", "month", "day", "hour"}

// parsePartition reads one entry of partition_by.
func parsePartition(path []string, a spec.Any) (partition, error) {
	switch v := a.Value.(type) {
	case string:
		if v != "" {
			return partition{column: v}, nil
		}
	case map[string]any:
		for unit, column := range v {
			name, ok := column.(string)
			if !slices.Contains(units, unit) {
				return partition{}, &spec.FieldError{Path: append(path, unit), Message: fmt.Sprintf("unknown unit %q of a partition", unit), Name: unit, Known: units}
			}
			if ok && name != "" && len(v) == 1 {
				return partition{column: name, unit: unit}, nil
			}
		}
	}
	return partition{}, &spec.FieldError{Path: path, Message: "a partition is the name of a column, or a unit and a column as in {day: orderdate}"}
}

// parsePartitions reads partition_by, by table.
func parsePartitions(c *Config) (map[string][]partition, error) {
	var errs []error
	out := make(map[string][]partition, len(c.PartitionBy))
	for _, e := range c.PartitionBy {
		var levels []partition
		for i, a := range e.Value {
			path := []string{"partition_by", e.Name, strconv.Itoa(i)}
			p, err := parsePartition(path, a)
			switch {
			case err != nil:
				errs = append(errs, err)
			case slices.ContainsFunc(levels, func(q partition) bool { return q.name() == p.name() }):
				errs = append(errs, &spec.FieldError{Path: path, Message: fmt.Sprintf("partition %q is there twice", p.name())})
			default:
				levels = append(levels, p)
			}
		}
		out[e.Name] = levels
	}
	return out, errors.Join(errs...)
}

// CheckTables tells whether partition_by fits the tables, which are all that the
// sink will get. Mistakes are joined *spec.FieldError.
func (s *Sink) CheckTables(tables []*pipeline.Table) error {
	var errs []error
	names := make([]string, len(tables))
	for i, t := range tables {
		names[i] = t.Name
	}
	for _, e := range s.cfg.PartitionBy {
		at := slices.Index(names, e.Name)
		if at < 0 {
			errs = append(errs, &spec.FieldError{Path: []string{"partition_by", e.Name}, Message: fmt.Sprintf("this sink gets no table %q", e.Name), Name: e.Name, Known: names})
			continue
		}
		for i, p := range s.partitions[e.Name] {
			if err := p.check(tables[at], []string{"partition_by", e.Name, strconv.Itoa(i)}); err != nil {
				errs = append(errs, err)
			}
		}
	}
	for _, t := range tables {
		for _, c := range t.Columns {
			if slices.ContainsFunc(metadataColumns(s.mode), func(l pipeline.Column) bool { return l.Name == c.Name }) {
				errs = append(errs, &spec.FieldError{Path: []string{"mode"}, Message: fmt.Sprintf("column %q of table %q has the name of a column that mode %s adds", c.Name, t.Name, s.cfg.Mode)})
			}
		}
	}
	return errors.Join(errs...)
}

func (p partition) check(t *pipeline.Table, path []string) error {
	if p.unit != "" {
		path = append(path, p.unit)
	}
	at := t.Column(p.column)
	if at < 0 {
		known := make([]string, len(t.Columns))
		for i, c := range t.Columns {
			known[i] = c.Name
		}
		return &spec.FieldError{Path: path, Message: fmt.Sprintf("table %q has no column %q", t.Name, p.column), Name: p.column, Known: known}
	}
	kind := t.Columns[at].Type.Base()
	switch {
	case p.unit == "" && (kind == pipeline.Double || kind == pipeline.Binary || kind == pipeline.JSONText):
		return &spec.FieldError{Path: path, Message: fmt.Sprintf("column %q has type %s: that makes no folders", p.column, t.Columns[at].Type)}
	case p.unit == "hour" && kind != pipeline.Timestamp:
		return &spec.FieldError{Path: path, Message: fmt.Sprintf("column %q has type %s: an hour needs a timestamp", p.column, t.Columns[at].Type)}
	case p.unit != "" && kind != pipeline.Timestamp && kind != pipeline.Date:
		return &spec.FieldError{Path: path, Message: fmt.Sprintf("column %q has type %s: a %s needs a date or a timestamp", p.column, t.Columns[at].Type, p.unit)}
	}
	return nil
}
