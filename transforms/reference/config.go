package reference

import (
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// Config is a reference_join node of a pipeline file.
type Config struct {
	Reference     ReferenceConfig  `yaml:"reference" required:"true" change:"content" desc:"The table that rows are joined to."`
	On            spec.Map[string] `yaml:"on" required:"true" change:"content" desc:"For each column of the rows, the column of the reference that has to be equal. No two rows of the reference may be equal in all of them."`
	How           string           `yaml:"how" default:"left" enum:"left,inner" change:"content" desc:"What becomes of a row without a match: left leaves the added columns null, inner leaves the row out."`
	Columns       ColumnsConfig    `yaml:"columns" change:"content" desc:"The columns of the reference to add: a list of names, or a mapping of new names to columns of the reference. Left out = none."`
	Drop          []string         `yaml:"drop" change:"content" desc:"Columns of the rows that are left out; not those of the key."`
	Normalize     []string         `yaml:"normalize" enum:"trim,case" change:"content" desc:"How texts are compared: trim leaves out white space at both ends, case tells no upper from lower case. Two keys of the reference that become equal count as repeated."`
	VersionColumn string           `yaml:"version_column" change:"content" desc:"Adds an int64 column of this name with the version of the reference that the row was joined to: when the file was changed, in µs since 1970."`
}

// ReferenceConfig is the table that rows are joined to.
type ReferenceConfig struct {
	Source       SourceConfig     `yaml:"source" required:"true" change:"content" desc:"Where the table is."`
	Types        spec.Map[string] `yaml:"types" change:"identity" desc:"The types of the reference's columns, by name: string (also for those left out), bool, int64, double, decimal(p,s), date, timestamp."`
	Refresh      spec.Duration    `yaml:"refresh" default:"10s" min:"1ms" change:"free" desc:"How often the source is looked at. It is loaded again when it has changed."`
	MaxStaleness spec.Duration    `yaml:"max_staleness" min:"1ms" change:"free" desc:"/readyz fails when it has not been known for this long that the version in use is the newest: the file is gone, or can't be loaded. Left out = never."`
}

// SourceConfig is where a reference comes from.
type SourceConfig struct {
	Type      string `yaml:"type" required:"true" enum:"file" change:"content" desc:"What kind of source it is."`
	Path      string `yaml:"path" required:"true" change:"content" desc:"The file, relative to the working directory. Replace it by renaming a finished one onto it."`
	Format    string `yaml:"format" enum:"csv,ndjson,parquet" change:"content" desc:"How the file is written: CSV with a header, JSON objects one a line, or Parquet. Left out = by the end of its name: .csv, .ndjson, .jsonl or .json, .parquet."`
	Delimiter string `yaml:"delimiter" default:"," change:"content" desc:"What stands between the fields of a CSV line: one character."`
}

// ColumnsConfig are the columns that a join adds, by their names in the rows.
type ColumnsConfig struct{ spec.Map[string] }

// DecodeNode implements spec.NodeDecoder.
func (c *ColumnsConfig) DecodeNode(n *spec.Node) error {
	if n.Kind() == spec.Mapping {
		return n.Decode(&c.Map)
	}
	var names []string
	err := n.Decode(&names)
	for _, name := range names {
		c.Map = append(c.Map, spec.Entry[string]{Name: name, Value: name})
	}
	return err
}

// Alternatives implements spec.Alternatives.
func (ColumnsConfig) Alternatives() []any { return []any{[]string{}, spec.Map[string]{}} }
