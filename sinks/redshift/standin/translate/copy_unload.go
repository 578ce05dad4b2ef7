package translate

import (
	"slices"
	"strconv"
	"strings"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/load"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

func sortByPosition(names []string, o options) {
	slices.SortFunc(names, func(a, b string) int { return o.byName[a].Pos - o.byName[b].Pos })
}

// unloadRefused are what a format of UNLOAD does not take (r_UNLOAD).
var unloadRefused = map[string]map[string]bool{
	"":           optionSet(`rowgroupsize`),
	"csv":        optionSet(`fixedwidth escape addquotes rowgroupsize`),
	"json":       optionSet(`fixedwidth escape addquotes delimiter header null rowgroupsize`),
	"parquet":    optionSet(`fixedwidth escape addquotes delimiter header null gzip bzip2 zstd`),
	"fixedwidth": optionSet(`delimiter header rowgroupsize`),
}

// The bounds of an UNLOAD's files.
const (
	megabyte        = 1 << 20
	leastFileSize   = 5 * megabyte
	mostFileSize    = 6200 * megabyte
	leastRowGroup   = 32
	mostRowGroup    = 128
	partitionBy     = "partition by"
	partitionByUses = "include"
)

// unload is UNLOAD (r_UNLOAD).
func (t *translator) unload(st *syntax.Unload) {
	t.plan.Tag = "UNLOAD"
	o := t.newOptions("UNLOAD", st.Options)
	t.bucketURL(o, st.To)
	if limited(st.Query) {
		e := refusal(codeSyntax, "Limit clause is not supported")
		e.Hint = "Put the LIMIT into a subquery."
		t.fail(e)
	}
	t.computes = true
	t.depth++ // the query's positions are those of a text within the client's
	q := t.query(nil, st.Query)
	t.depth--
	if t.err != nil {
		return
	}
	if !q.open {
		for _, c := range q.columns {
			t.plan.Columns = append(t.plan.Columns, c.typ)
		}
	}
	out := load.UnloadOptions{Target: st.To, Access: t.access(o)}
	t.encryption(o)
	t.unloadFormat(o, &out)
	out.Widths = t.unloadWidths(o, q)
	t.unloadColumns(q, out.Format)
	t.unloadFiles(o, &out)
	t.unloadPartitions(o, q, &out)
	if t.err != nil {
		return
	}
	t.plan.Unload = &UnloadPlan{SQL: t.unloaded(q, out.Format), Options: out}
}

// limited tells whether the outer select has a LIMIT, or TOP.
func limited(q *syntax.Query) bool {
	if q.Limit != nil {
		return true
	}
	switch b := q.Body.(type) {
	case *syntax.Select:
		return b.Top != nil
	case *syntax.Query:
		return limited(b)
	}
	return false
}

// unloadFormat finds the format, and refuses what it does not take.
func (t *translator) unloadFormat(o options, out *load.UnloadOptions) {
	t.onlyOne(o, "csv", "json", "parquet", "fixedwidth")
	t.onlyOne(o, "gzip", "bzip2", "zstd")
	format := o.first("csv", "json", "parquet", "fixedwidth")
	for _, option := range t.optionOrder(o) {
		if unloadRefused[format][option] {
			name := format
			if name == "" {
				name = "delimiter"
			}
			t.unsupportedOption(o, option, name)
		}
	}
	out.Format = map[string]load.Format{"csv": load.CSV, "json": load.JSON, "parquet": load.Parquet, "fixedwidth": load.FixedWidth}[format]
	out.Compression = o.compression()
	out.Delimiter = t.character(o, "delimiter")
	out.Header, out.AddQuotes, out.Escape = o.has("header"), o.has("addquotes"), o.has("escape")
	out.Null, out.NullSet = o.text("null"), o.has("null")
}

// unloadWidths are the widths of FIXEDWIDTH, one for each of the query's columns.
func (t *translator) unloadWidths(o options, q result) []int {
	if q.open && o.has("fixedwidth") {
		t.fail(unknownToStandin("FIXEDWIDTH of a query whose columns are not known beforehand"))
	}
	return t.widths(o, len(q.columns))
}

// unloadFiles is what files are made, and what becomes of those that are there.
func (t *translator) unloadFiles(o options, out *load.UnloadOptions) {
	t.onlyOne(o, "allowoverwrite", "cleanpath")
	if o.has("verbose") && !o.has("manifest") {
		t.refuseAt(o.byName["verbose"].Pos, codeSyntax, "VERBOSE needs MANIFEST")
	}
	if o.has("auto") && !o.has("encrypted") {
		t.refuseAt(o.byName["auto"].Pos, codeSyntax, "AUTO needs ENCRYPTED")
	}
	out.Manifest, out.Verbose = o.has("manifest"), o.has("verbose")
	out.AllowOverwrite, out.CleanPath = o.has("allowoverwrite"), o.has("cleanpath")
	out.Serial = o.has("parallel") && !o.on("parallel")
	if o.text("parallel") == "preset" {
		t.refuseAt(o.byName["parallel"].Pos, codeSyntax, `syntax error at or near "preset"`)
	}
	out.Extension = strings.TrimPrefix(o.text("extension"), ".")
	out.MaxFileSize = t.fileSize(o)
	if n := t.rowGroup(o); n > 0 {
		out.RowGroupSize = n * megabyte
	}
}

// fileSize is MAXFILESIZE, between 5 MB and 6.2 GB; without a unit it is in MB.
func (t *translator) fileSize(o options) int64 {
	if !o.has("maxfilesize") {
		return 0
	}
	n, err := strconv.ParseFloat(o.text("maxfilesize"), 64)
	size := n * megabyte
	if unit(o, "maxfilesize") == "gb" {
		size *= 1000
	}
	if err != nil || size < leastFileSize || size > mostFileSize {
		t.refuseAt(o.byName["maxfilesize"].Pos, codeInvalidParameter, "Invalid MAXFILESIZE: it must be between 5 MB and 6.2 GB")
	}
	return int64(size)
}

// rowGroup is ROWGROUPSIZE in MB, a whole number between 32 and 128.
func (t *translator) rowGroup(o options) int64 {
	if !o.has("rowgroupsize") {
		return 0
	}
	n, err := strconv.ParseInt(o.text("rowgroupsize"), 10, 32)
	if unit(o, "rowgroupsize") == "gb" {
		n *= 1000
	}
	if err != nil || n < leastRowGroup || n > mostRowGroup {
		t.refuseAt(o.byName["rowgroupsize"].Pos, codeInvalidParameter, "Invalid ROWGROUPSIZE: it must be a whole number between 32 MB and 128 MB")
	}
	return n
}

func unit(o options, name string) string {
	if v := o.byName[name].Values; len(v) > 1 {
		return v[1].Text
	}
	return "mb"
}

// textOnly are the types that only text and CSV take, and no fixed width.
var textOnly = map[string]bool{typeGeometry: true, typeGeography: true, typeHLL: true, typeVarbyte: true}

// unloaded is the query whose rows are unloaded. Parquet files say the scale of decimals,
// which PostgreSQL does not tell of a sum or a quotient unless it is cast.
func (t *translator) unloaded(q result, format load.Format) string {
	if format != load.Parquet {
		return q.sql
	}
	columns := make([]Column, len(q.columns))
	for i, c := range q.columns {
		columns[i].Name = c.name
		if c.typ.Name == typeNumeric {
			columns[i].Type = storedType(c.typ)
		}
	}
	return t.stored(q, columns)
}

// unloadColumns refuses columns that a format does not take. JSON and Parquet know columns
// by their names, which have to be unique.
func (t *translator) unloadColumns(q result, format load.Format) {
	seen := map[string]bool{}
	for _, c := range q.columns {
		if textOnly[c.typ.Name] && format != load.CSV && format != load.Delimited {
			t.refuse(codeNotSupported, "UNLOAD of column %q of type %s is only supported to text and CSV", c.name, c.typ.Name)
		}
		if (format == load.JSON || format == load.Parquet) && seen[c.name] {
			t.refuse(codeNotSupported, "UNLOAD to JSON and Parquet needs unique column names: %q is there twice", c.name)
		}
		seen[c.name] = true
	}
}

// partitionTypes are those of partition keys.
var partitionTypes = map[string]bool{
	"": true, typeSmallint: true, typeInteger: true, typeBigint: true, typeNumeric: true, typeReal: true, typeBoolean: true,
	typeChar: true, typeVarchar: true, typeDate: true, typeTimestamp: true,
}

// unloadPartitions is PARTITION BY: columns of the query, not all of them unless INCLUDE
// keeps them in the files.
func (t *translator) unloadPartitions(o options, q result, out *load.UnloadOptions) {
	if !o.has(partitionBy) {
		return
	}
	values := o.byName[partitionBy].Values
	// INCLUDE is the last value and no column: the parser puts it behind the list.
	if last := values[len(values)-1]; len(values) > 1 && !last.Quoted && last.Text == partitionByUses {
		out.Include, values = true, values[:len(values)-1]
	}
	for _, v := range values {
		name := t.name(syntax.Ident{Text: v.Text, Quoted: v.Quoted})
		if !q.open && !slices.ContainsFunc(q.columns, func(c output) bool { return c.name == name }) {
			t.refuseAt(o.byName[partitionBy].Pos, codeUndefinedColumn, "column %q named in PARTITION BY does not exist in the query", name)
		}
		for _, c := range q.columns {
			if c.name == name && !partitionTypes[c.typ.Name] {
				t.refuseAt(o.byName[partitionBy].Pos, codeNotSupported, "column %q of type %s cannot be a partition key", name, c.typ.Name)
			}
		}
		if slices.Contains(out.PartitionBy, name) {
			t.refuseAt(o.byName[partitionBy].Pos, codeDuplicateColumn, "column %q appears twice in PARTITION BY", name)
		}
		out.PartitionBy = append(out.PartitionBy, name)
	}
	if !q.open && !out.Include && len(out.PartitionBy) == len(q.columns) {
		t.refuseAt(o.byName[partitionBy].Pos, codeNotSupported, "PARTITION BY leaves no column for the files")
	}
}
