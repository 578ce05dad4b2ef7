package reference

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/scalar"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/pipeline/timespan"
	"github.com/starlift-etl/starlift/transforms/internal/widen"
)

// compiler compiles a node and gathers its mistakes.
type compiler struct {
	cfg      *Config
	join     *Join
	types    map[string]pipeline.Type
	mistakes []error
}

func (c *compiler) wrong(message string, path ...string) {
	c.mistakes = append(c.mistakes, &spec.FieldError{Path: path, Message: message})
}

// New compiles a node for the tables that it reads; it reads nothing. It returns
// all mistakes at once: a join of *spec.FieldError with paths that start at the
// node.
func New(name string, cfg Config, inputs []*pipeline.Table) (*Join, error) {
	j := &Join{name: name, inner: cfg.How == "inner", stamp: cfg.VersionColumn != ""}
	j.delimiter = ','
	j.watch = &watcher{maxAge: time.Duration(cfg.Reference.MaxStaleness), now: time.Now, asked: make(chan struct{}, 1)}
	c := &compiler{cfg: &cfg, join: j, types: map[string]pipeline.Type{}}
	c.readTypes()
	j.normalize = normalization{trim: slices.Contains(cfg.Normalize, "trim"), fold: slices.Contains(cfg.Normalize, "case")}
	for _, e := range cfg.On {
		if j.layout.index(e.Value) >= 0 {
			c.wrong(fmt.Sprintf("column %q of the reference stands for two columns", e.Value), "on", e.Name)
		}
		j.layout.columns = append(j.layout.columns, c.column(e.Value))
	}
	j.layout.key = len(j.layout.columns)
	if j.layout.key == 0 {
		c.wrong("a join needs at least one column to join on", "on")
	}
	for _, e := range cfg.Columns.Map {
		i := j.layout.index(e.Value)
		if i < 0 {
			i = len(j.layout.columns)
			j.layout.columns = append(j.layout.columns, c.column(e.Value))
		}
		j.columns = append(j.columns, i)
	}
	c.source()
	c.reportUnusedTypes()
	for _, in := range inputs {
		c.table(in)
	}
	if len(c.mistakes) > 0 {
		return nil, errors.Join(c.mistakes...)
	}
	return j, nil
}

// source compiles where the reference comes from.
func (c *compiler) source() {
	usual := fileRefresh
	switch s := &c.cfg.Reference.Source; {
	case s.DynamoDBTable.Type != "":
		usual = dynamoDBTableRefresh
		c.dynamoDBTable(&s.DynamoDBTable)
	case s.SQL.Type != "":
		usual = sqlRefresh
		c.sql(&s.SQL)
	default:
		c.file(&s.File)
	}
	c.join.watch.refresh = cmp.Or(time.Duration(c.cfg.Reference.Refresh), usual)
	if stale := c.join.watch.maxAge; stale > 0 && usual != fileRefresh && stale <= c.join.watch.refresh {
		c.wrong(fmt.Sprintf("max_staleness has to be longer than refresh, which is %s: between two looks the reference would be stale", timespan.Text(c.join.watch.refresh)), "reference", "max_staleness")
	}
}

// sourceMistakes adds mistakes whose paths begin at the source.
func (c *compiler) sourceMistakes(errs ...error) {
	for _, err := range errs {
		var bad *spec.FieldError
		if errors.As(err, &bad) {
			moved := *bad
			moved.Path = append([]string{"reference", "source"}, bad.Path...)
			err = &moved
		}
		c.mistakes = append(c.mistakes, err)
	}
}

// file finds out how the file is written.
func (c *compiler) file(s *FileConfig) {
	if s.Path != "" {
		c.sourceMistakes(s.ReaderConfig.Check("path", s.Path)...)
	}
	name := s.Format
	if name == "" {
		name = byExtension[strings.ToLower(filepath.Ext(s.Path))]
	}
	f, ok := formats[name]
	if !ok {
		c.wrong(fmt.Sprintf("the end of %q does not say how the file is written: give its format, csv, ndjson or parquet", s.Path), "reference", "source", "path")
	}
	delimiter, size := utf8.DecodeRuneInString(s.Delimiter)
	switch {
	case s.Delimiter == "":
		delimiter = ','
	case size != len(s.Delimiter), strings.ContainsRune("\"\r\n\uFFFD", delimiter):
		c.wrong(fmt.Sprintf("a delimiter is one character, and no quote or line end: not %q", s.Delimiter), "reference", "source", "delimiter")
	case delimiter != ',' && name != "csv":
		c.wrong("only CSV has a delimiter", "reference", "source", "delimiter")
	}
	c.join.delimiter = delimiter
	c.join.setFile(s.Path, s.ReaderConfig, f)
}

func (c *compiler) readTypes() {
	for _, e := range c.cfg.Reference.Types {
		path := []string{"reference", "types", e.Name}
		t, mistake := scalar.ParseType(e.Value, path...)
		switch {
		case mistake != nil:
			c.mistakes = append(c.mistakes, mistake)
		case t.Base() == pipeline.Binary || t.Base() == pipeline.JSONText:
			c.wrong(fmt.Sprintf("a column of a reference can't be %s", t), path...)
		}
		c.types[e.Name] = t
	}
}

// column returns a column of the reference.
func (c *compiler) column(name string) pipeline.Column {
	t, ok := c.types[name]
	if !ok {
		t = pipeline.Type{Kind: pipeline.String}
	}
	return pipeline.Column{Name: name, Type: t}
}

// reportUnusedTypes reports types of columns that the join does not read: the name is most
// likely wrong.
func (c *compiler) reportUnusedTypes() {
	var known []string
	for _, col := range c.join.layout.columns {
		known = append(known, col.Name)
	}
	for _, e := range c.cfg.Reference.Types {
		if !slices.Contains(known, e.Name) {
			c.mistakes = append(c.mistakes, &spec.FieldError{Path: []string{"reference", "types", e.Name}, Name: e.Name, Known: known,
				Message: fmt.Sprintf("column %q of the reference is neither in on nor in columns", e.Name)})
		}
	}
}

// table compiles the join of one table.
func (c *compiler) table(in *pipeline.Table) {
	t := &table{}
	for i, e := range c.cfg.On {
		at := in.Column(e.Name)
		if at < 0 {
			c.mistakes = append(c.mistakes, &spec.FieldError{Path: []string{"on", e.Name}, Name: e.Name, Known: widen.Names(in),
				Message: fmt.Sprintf("table %q has no column %q", in.Name, e.Name)})
			continue
		}
		if have, want := in.Columns[at].Type, c.join.layout.columns[i].Type; !scalar.Joined(have, want) {
			c.wrong(fmt.Sprintf("column %q of table %q is %s, and column %q of the reference is %s: give its type under types of the reference",
				e.Name, in.Name, have, e.Value, want), "on", e.Name)
		}
		t.key = append(t.key, at)
	}
	var added []widen.AddedColumn
	for i, e := range c.cfg.Columns.Map {
		path := []string{"columns", e.Name}
		if e.Name == e.Value {
			path = []string{"columns", fmt.Sprint(i)}
		}
		added = append(added, widen.AddedColumn{Column: pipeline.Column{Name: e.Name, Type: c.column(e.Value).Type}, Path: path})
	}
	if c.join.stamp {
		added = append(added, widen.AddedColumn{Column: pipeline.Column{Name: c.cfg.VersionColumn, Type: pipeline.Type{Kind: pipeline.Int64}}, Path: []string{"version_column"}})
	}
	var err error
	if t.Layout, err = widen.New(in, added, c.cfg.Drop); err != nil {
		c.mistakes = append(c.mistakes, err)
	}
	c.join.tables = append(c.join.tables, t)
}
