package draft

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline/spec"
)

// Options says what a draft is written with.
type Options struct {
	Name string // of the pipeline; empty = made of the path's
	// DuckDB says that this program has the sink of DuckDB.
	DuckDB bool
}

// Write writes a pipeline file that reads what the sample was taken of.
func Write(out io.Writer, s *Sample, o Options) error {
	var tables []*table
	var designs []*design
	for _, in := range s.inputs {
		d := newDesign(in)
		d.tested = len(s.inputs) > 1
		d.nameEntities()
		for _, e := range d.entities {
			tables = append(tables, d.tablesOf(e)...)
		}
		designs = append(designs, d)
	}
	distinctNames(tables)
	if o.Name == "" {
		o.Name = nameOfPath(s.Path)
	}
	w := &writer{sample: s, design: designs[0], name: o.Name}
	w.head()
	w.sources()
	w.tables(tables)
	w.sinks(tables, o.DuckDB)
	_, err := io.WriteString(out, w.text.String())
	return err
}

// distinctNames gives each table another name.
func distinctNames(tables []*table) {
	taken := map[string]bool{}
	for _, t := range tables {
		name := t.name
		for i := 2; taken[t.name]; i++ {
			t.name = fmt.Sprintf("%s_%d", name, i)
		}
		taken[t.name] = true
	}
}

// nameOfPath makes the name of a pipeline of its input's.
func nameOfPath(path string) string {
	base := filepath.Base(path)
	base, _, _ = strings.Cut(base, ".")
	if name := snake(base); name != "" {
		return name
	}
	return "draft"
}

// writer writes one draft.
type writer struct {
	text   strings.Builder
	sample *Sample
	design *design
	name   string
}

func (w *writer) line(format string, args ...any) {
	fmt.Fprintf(&w.text, format+"\n", args...)
}

func (w *writer) head() {
	s := w.sample
	w.line("# A draft that starlift init made of %s of %s (%s), %d with an item.", spec.Count(s.Records, "record"), comment(s.Path), s.Format, s.items())
	if s.FilesRead < s.Files {
		w.line("# They are of %d of %d files.", s.FilesRead, s.Files)
	}
	if s.Broken > 0 {
		w.line("# %s can't be read.", spec.Count(s.Broken, "record"))
	}
	w.line("# What it guessed is said in comments: look at the keys and the types first.")
	w.line("#")
	w.line("#   starlift validate FILE    checks what you change")
	w.line("#   starlift preview FILE     shows the rows")
	w.line("#   starlift run FILE         makes the tables")
	w.line("")
	w.line("name: %s", quote(w.name))
	w.line("state: {dir: %s}", quote("./data/"+w.name+"/state"))
	w.line("dead_letters: {url: %s}", quote("./data/"+w.name+"/dead-letters"))
	w.line("")
}

func (w *writer) sources() {
	s, d := w.sample, w.design
	keys := []string{"type: file", "path: " + quote(s.Path), "format: " + s.Format}
	note := ""
	switch {
	case s.Format == "dynamodb_cdc" && s.nameless > 0 && len(s.inputs) == 1:
		keys = append(keys, "table: "+quote(firstOf(s.inputs[0].name, w.name)))
		note = "  # records do not name the table"
	case s.Format != "dynamodb_cdc" && len(d.key) > 0:
		keys = append(keys, "key: "+names(d.key))
		if d.keyGuess {
			note = "  # the key is a guess"
		}
	}
	w.line("sources:")
	w.line("  changes: {%s}%s", strings.Join(keys, ", "), note)
	w.line("")
}

func (w *writer) tables(tables []*table) {
	w.line("transforms:")
	w.line("  items:")
	w.line("    type: unnest")
	w.line("    inputs: [changes]")
	if slices.ContainsFunc(w.sample.inputs, func(in *input) bool { return in.softDeletes }) {
		w.line("    ignore: {%s: [true]}  # items that are deleted; a table with on_delete: flag keeps their rows", deletedAttribute)
	}
	w.line("    tables:")
	for _, t := range tables {
		of := "item"
		if w.sample.Format == "dynamodb_cdc" {
			of = "change"
		}
		if t.explode != "" {
			of = "element"
		}
		notes := append([]string{spec.Count(t.items, of)}, t.notes...)
		w.line("      %s:  # %s", quote(t.name), strings.Join(notes, "; "))
		if t.where != "" {
			w.line("        where: %s", t.where)
		}
		if t.explode != "" {
			w.line("        explode: %s", t.explode)
		}
		if len(t.key) > 0 {
			w.line("        key: %s", names(t.key))
		}
		w.line("        columns:")
		for _, c := range t.columns {
			w.line("          %s: {%s}%s", quote(c.name), strings.Join(slices.Concat(c.keys, c.types), ", "), c.comment())
		}
	}
	w.line("")
}

// comment says how often a column's value is there, and what was guessed.
func (c *column) comment() string {
	var notes []string
	if c.present < c.of {
		notes = append(notes, fmt.Sprintf("in %d of %d", c.present, c.of))
	}
	if c.note != "" {
		notes = append(notes, c.note)
	}
	if len(notes) == 0 {
		return ""
	}
	return "  # " + strings.Join(notes, "; ")
}

func (w *writer) sinks(tables []*table, duckDB bool) {
	keyed := true
	for _, t := range tables {
		keyed = keyed && len(t.key) > 0
	}
	w.line("sinks:")
	switch {
	case !keyed:
		w.line("  # Nothing identifies an item, so rows can only be appended. With a key in the source and in")
		w.line("  # the tables there can be settled tables: mode: latest, or a sink of type duckdb.")
		w.line("  lake: {type: parquet, inputs: [items], url: %s, mode: append}", quote("./data/"+w.name+"/lake"))
	default:
		w.line("  lake: {type: parquet, inputs: [items], url: %s, mode: latest}", quote("./data/"+w.name+"/lake"))
		if duckDB {
			w.line("  warehouse: {type: duckdb, inputs: [items], dsn: %s}", quote("./data/"+w.name+"/"+w.name+".duckdb"))
		}
	}
}

// names writes a list of names.
func names(all []string) string {
	quoted := make([]string, len(all))
	for i, n := range all {
		quoted[i] = quote(n)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// comment makes a text fit into a line of a comment.
func comment(s string) string { return strings.Map(printable, s) }

func printable(r rune) rune {
	if r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' || r == 0x85 {
		return '?'
	}
	return r
}
