package translate

import (
	"strings"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/load"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

// copyFormats are the formats that exclude one another. DELIMITER alone is the one without a
// name.
var copyFormats = []string{"csv", "fixedwidth", "json", "avro", "parquet", "orc", "shapefile"}

// columnarOptions are all that a columnar COPY takes (copy-usage_notes-copy-from-columnar).
// A MAXERROR of 0 is no option of it either, but loaders send it and are not refused.
var columnarOptions = optionSet(`
	parquet orc iam_role credentials access_key_id secret_access_key session_token token
	manifest statupdate acceptinvchars fillrecord explicit_ids serializetojson`)

// refusedOptions are what a text format does not take (copy-parameters-data-format,
// copy-parameters-data-conversion); "" is text between delimiters.
var refusedOptions = map[string]map[string]bool{
	"":           optionSet(`quote serializetojson simplify`),
	"csv":        optionSet(`removequotes escape serializetojson simplify`),
	"fixedwidth": optionSet(`delimiter quote escape removequotes serializetojson simplify`),
	"json": optionSet(`delimiter quote escape fillrecord ignoreblanklines removequotes readratio
		serializetojson simplify`),
	"avro": optionSet(`delimiter quote escape fillrecord ignoreblanklines removequotes readratio
		encoding null serializetojson simplify bzip2 gzip lzop zstd`),
	"shapefile": optionSet(`delimiter quote escape fillrecord ignoreblanklines ignoreheader removequotes readratio
		encoding null serializetojson`),
}

func optionSet(list string) map[string]bool {
	out := map[string]bool{}
	for _, name := range strings.Fields(list) {
		out[name] = true
	}
	return out
}

// copy is COPY (r_COPY).
func (t *translator) copy(st *syntax.Copy) {
	t.plan.Tag = "COPY"
	if st.Stdin {
		t.refuse(codeNotSupported, "COPY FROM STDIN is not supported: COPY loads from Amazon S3, Amazon EMR, Amazon DynamoDB, or a remote host")
		return
	}
	r := t.targetTable(st.Table, "copy to")
	if r == nil {
		return
	}
	o := t.newOptions("COPY", st.Options)
	columns := t.copyColumns(r, st.Columns, o)
	t.bucketURL(o, st.From)
	format := t.copyFormat(o)
	out := load.CopyOptions{Table: r.Name, Source: st.From, Access: t.access(o), Manifest: o.has("manifest")}
	for _, c := range columns {
		out.Columns = append(out.Columns, t.loadColumn(c.Name, c.Type, c.NotNull))
	}
	t.encryption(o)
	t.copyFormatOptions(o, format, &out)
	t.copyConversion(o, &out)
	t.copyLoad(o, &out)
	if t.err != nil {
		return
	}
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	t.plan.Copy = &CopyPlan{Table: Target{OID: r.OID, Name: r.Name}, Options: out, Into: t.table(r) + " (" + t.quoteAll(names) + ")"}
}

// copyColumns are the columns that are loaded: those of the list, or all but the identities,
// which EXPLICIT_IDS brings back. An identity BY DEFAULT takes values as it is
// (copy-parameters-data-conversion, "EXPLICIT_IDS"; copy-parameters-column-mapping).
func (t *translator) copyColumns(r *Relation, list []syntax.Ident, o options) []*Column {
	var out []*Column
	listed := map[string]bool{}
	for _, c := range t.columnsOf(r, list) {
		listed[c.Name] = true
		if c.Identity == "identity" && !o.has("explicit_ids") {
			if len(list) > 0 {
				t.refuse(codeNotSupported, "cannot copy into identity column %q without EXPLICIT_IDS", c.Name)
			}
			continue
		}
		out = append(out, c)
	}
	for i := range r.Columns {
		c := &r.Columns[i]
		switch {
		case len(list) == 0 || listed[c.Name]:
		case c.Identity == "identity" && o.has("explicit_ids"):
			t.refuse(codeSyntax, "identity column %q must be included in the column list with EXPLICIT_IDS", c.Name)
		case c.NotNull && !c.HasDefault && c.Identity == "":
			t.refuse(codeSyntax, "NOT NULL column without DEFAULT must be included in column list")
		}
	}
	return out
}

// copyFormat finds the format, and refuses what it does not take.
func (t *translator) copyFormat(o options) string {
	t.onlyOne(o, copyFormats...)
	t.onlyOne(o, "gzip", "bzip2", "lzop", "zstd")
	format := o.first(copyFormats...)
	columnar := format == "parquet" || format == "orc"
	for _, option := range t.optionOrder(o) {
		switch {
		case columnar && option == "maxerror" && o.text("maxerror") == "0":
		case columnar && !columnarOptions[option], !columnar && refusedOptions[format][option]:
			name := format
			if name == "" {
				name = "delimiter"
			}
			t.unsupportedOption(o, option, name)
		}
	}
	switch format {
	case "avro", "orc", "shapefile":
		t.fail(unknownToStandin("COPY of " + strings.ToUpper(format)))
	}
	for _, option := range []string{"ssh", "readratio"} {
		if o.has(option) {
			t.fail(unknownToStandin("COPY with " + strings.ToUpper(option)))
		}
	}
	return format
}

// optionOrder are the options in the order they were written.
func (t *translator) optionOrder(o options) []string {
	names := make([]string, 0, len(o.byName))
	for n := range o.byName {
		names = append(names, n)
	}
	sortByPosition(names, o)
	return names
}

// copyFormatOptions are what says how rows lie in files.
func (t *translator) copyFormatOptions(o options, format string, out *load.CopyOptions) {
	out.Format = map[string]load.Format{"csv": load.CSV, "fixedwidth": load.FixedWidth, "json": load.JSON, "parquet": load.Parquet}[format]
	out.Compression = o.compression()
	out.SerializeToJSON = o.has("serializetojson")
	out.Text.Delimiter = t.character(o, "delimiter")
	out.Text.Quote = t.character(o, "quote")
	out.Text.Widths = t.widths(o, len(out.Columns))
	if o.has("encoding") {
		out.Text.Encoding = t.among(o, "encoding", "utf8", "utf16", "utf16le", "utf16be", "iso88591")
		if format == "fixedwidth" && out.Text.Encoding != "utf8" {
			t.refuseAt(o.byName["encoding"].Pos, codeNotSupported, "Fixed-width data files must use UTF-8 encoding")
		}
	}
	if format == "json" {
		out.Text.JSONPaths = t.jsonPaths(o, out.Columns)
	}
}

// jsonPaths is JSON's argument (copy-parameters-data-format, "JSON").
func (t *translator) jsonPaths(o options, columns []load.Column) string {
	text := o.text("json")
	switch word := strings.ToLower(text); {
	case text == "" || word == "auto":
		return "auto"
	case word == "auto ignorecase":
		return word
	case word == "noshred":
		if len(columns) != 1 || columns[0].Type.String() != typeSuper {
			t.refuseAt(o.byName["json"].Pos, codeInvalidParameter, "JSON 'noshred' loads into a single column of type SUPER")
		}
		return word
	case strings.HasPrefix(text, "s3://"):
		return text
	}
	t.refuseAt(o.byName["json"].Pos, codeInvalidParameter, "Invalid JSON argument %q: it must be 'auto', 'auto ignorecase', 'noshred', or the S3 path of a JSONPaths file", text)
	return ""
}

// copyConversion is what changes values on their way (copy-parameters-data-conversion).
func (t *translator) copyConversion(o options, out *load.CopyOptions) {
	text := &out.Text
	out.FillRecord = o.has("fillrecord")
	out.AcceptInvalid = o.has("acceptinvchars")
	if out.AcceptInvalid && o.text("acceptinvchars") != "" {
		out.Replacement = t.character(o, "acceptinvchars")
	}
	if strings.Contains(o.text("null"), "\n") {
		t.refuseAt(o.byName["null"].Pos, codeInvalidParameter, "NULL AS cannot be a newline, which ends a line")
	}
	text.IgnoreHeader = t.number(o, "ignoreheader", 0, 1<<31-1)
	text.IgnoreBlankLines = o.has("ignoreblanklines")
	text.Null, text.NullSet = o.text("null"), o.has("null")
	text.EmptyAsNull, text.BlanksAsNull, text.TrimBlanks = o.has("emptyasnull"), o.has("blanksasnull"), o.has("trimblanks")
	text.Escape, text.RemoveQuotes = o.has("escape"), o.has("removequotes")
	text.TruncateColumns, text.RoundDecimals = o.has("truncatecolumns"), o.has("roundec")
	text.AcceptAnyDate = o.has("acceptanydate")
	text.DateFormat, text.TimeFormat = o.text("dateformat"), o.text("timeformat")
	for _, name := range []string{"dateformat", "timeformat"} {
		if o.has(name) && o.text(name) == "" {
			t.refuseAt(o.byName[name].Pos, codeInvalidParameter, "Invalid value for %s", strings.ToUpper(name))
		}
	}
}

// copyLoad is how a load behaves (copy-parameters-data-load).
func (t *translator) copyLoad(o options, out *load.CopyOptions) {
	t.onlyOne(o, "maxerror", "ignoreallerrors")
	out.MaxError = t.number(o, "maxerror", 0, 100000)
	out.IgnoreAllErrors = o.has("ignoreallerrors")
	out.NoLoad = o.has("noload")
	t.number(o, "comprows", 1, 1<<31-1)
	if o.has("statupdate") && o.text("statupdate") == "preset" {
		t.refuseAt(o.byName["statupdate"].Pos, codeSyntax, `syntax error at or near "preset"`)
	}
}
