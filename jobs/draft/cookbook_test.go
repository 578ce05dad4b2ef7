package draft

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/jobs/assembly"
	"github.com/starlift-etl/starlift/jobs/preview"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/sources/file"
	"github.com/starlift-etl/starlift/transforms/unnest"
)

// The bounds of a draft beside the pipeline that was written by hand.
const (
	hasMin  = 0.8
	moreMax = 0.3
)

// TestDraftOfCookbook: the draft of each design's data is valid, makes no dead letters where the
// pipeline written by hand makes none, has at least 80 % of its tables and columns, and at most
// 30 % that it has not.
//
// It is counted so. Both pipelines are run on the same records, with the item and the elements of
// explode beside each row, so that it is known what each row is of. A table of the draft is within
// one that was written if all its rows are of the same items and elements as rows there. A written
// table is there if tables within it have all its rows together; its column is there if each of
// them has a column that is the same. Columns are the same if their types are of one family (texts,
// numbers, dates, times, yes or no, JSON and lists) and they come from one path of the item, or
// have the same values in all rows. What $rest or a JSON column has of an item is one column, which
// is there when members of it are, and members of it are not more than was written.
// The draft has more, of all its tables and columns, by those tables that are within none and by
// those columns that no table around theirs has.
func TestDraftOfCookbook(t *testing.T) {
	t.Chdir("../..")
	files, err := filepath.Glob("configs/cookbook/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	designs := 0
	for _, f := range files {
		if strings.HasSuffix(f, "_test.yaml") {
			continue
		}
		designs++
		t.Run(strings.TrimSuffix(filepath.Base(f), ".yaml"), func(t *testing.T) { compareDraft(t, f, "configs/cookbook/data/") })
	}
	if designs < 12 {
		t.Errorf("there are %d designs, want 12", designs)
	}
}

// TestDraftOfOtherDesigns: the same holds for designs that the cookbook has not, and the key of
// their records, which do not name it, is the one that people wrote.
func TestDraftOfOtherDesigns(t *testing.T) {
	t.Chdir("../..")
	files, err := filepath.Glob("jobs/draft/testdata/*.yaml")
	if err != nil || len(files) < 7 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".yaml"), func(t *testing.T) {
			written, drafted := compareDraft(t, f, "jobs/draft/testdata/")
			want, got := asJSON(written.File.Sources[0].Value.Config.(*file.Config).Key), asJSON(drafted.File.Sources[0].Value.Config.(*file.Config).Key)
			if got != want {
				t.Errorf("the key of the draft is %s, want %s", got, want)
			}
		})
	}
}

// compareDraft compares the draft of a pipeline's data in a folder with it.
func compareDraft(t *testing.T, path, folder string) (written, a *assembly.Pipeline) {
	written, err := assembly.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	data := strings.TrimSuffix(filepath.Base(path), ".yaml") + ".ndjson"
	if len(written.File.Sources) > 1 {
		data = strings.TrimSuffix(data, ".ndjson") + "_*.ndjson"
	}
	a, text := drafted(t, folder+data)
	c := newComparison(rowsOf(t, written), rowsOf(t, a))
	letters, _ := lettersOf(t, a)
	wantLetters, _ := lettersOf(t, written)
	t.Logf("has %d of %d, and %d of %d more", c.has, c.written, c.more, c.drafted)
	if float64(c.has) < hasMin*float64(c.written) || float64(c.more) > moreMax*float64(c.drafted) || letters > wantLetters {
		t.Errorf("the draft lacks %v, and has more: %v; %d dead letters, %d of the written one\n%s", c.lacks, c.extra, letters, wantLetters, text)
	}
	return written, a
}

// rowsTable is what is known of a table by its rows.
type rowsTable struct {
	name    string
	columns []rowsColumn
	rows    map[string][]string // the values of the columns, by what the row is of
}

type rowsColumn struct {
	name   string
	family string
	paths  []string // of the item; an element's is its list's with []
}

// wholeItem is the name of a column of the item beside those of a table.
const wholeItem = "the__item" // an element may be called item

// lettersOf returns the number of dead letters that a pipeline makes, and how many rows its tables
// have. It can't be run afterwards.
func lettersOf(t *testing.T, a *assembly.Pipeline) (letters int, rows map[string]int) {
	t.Helper()
	r, err := preview.Run(context.Background(), a, preview.Options{Rows: 1e6, Records: 1e6})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range r.Letters {
		letters += l.Count
	}
	rows = map[string]int{}
	for _, shown := range r.Tables {
		rows[shown.Name] = int(shown.Count)
	}
	return letters, rows
}

// rowsOf runs a pipeline with the item and elements beside each row.
func rowsOf(t *testing.T, a *assembly.Pipeline) (tables []rowsTable) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "rows.yaml")
	var b strings.Builder
	b.WriteString("name: rows\nsources:\n")
	for _, s := range a.File.Sources {
		c := s.Value.Config.(*file.Config)
		fmt.Fprintf(&b, "  %s: {type: file, path: %q, format: %s, key: %s}\n", s.Name, c.Path, c.Format, asJSON(c.Key))
	}
	b.WriteString("transforms:\n")
	var shapes []rowsTable
	for _, n := range a.File.Transforms {
		c, ok := n.Value.Config.(*unnest.Config)
		if !ok {
			continue
		}
		var inputs []string
		for _, in := range n.Value.Inputs {
			inputs = append(inputs, in.Node)
		}
		fmt.Fprintf(&b, "  %s:\n    type: unnest\n    inputs: [%s]\n    unmatched: ignore\n    tables:\n", n.Name, strings.Join(inputs, ", "))
		for _, e := range c.Tables {
			shapes = append(shapes, writeRows(&b, e.Name, e.Value))
		}
	}
	b.WriteString("sinks:\n  lake: {type: parquet, inputs: [" + strings.Join(transformNames(a), ", ") + "], url: ./none, mode: changes}\n")
	if err := os.WriteFile(name, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	rows, err := assembly.Load(name, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, &b)
	}
	r, err := preview.Run(context.Background(), rows, preview.Options{Rows: 1e6, Records: 1e6})
	if err != nil {
		t.Fatal(err)
	}
	for i, shown := range r.Tables {
		shapes[i].fill(shown)
	}
	return shapes
}

// transformNames returns the names of what makes rows of items.
func transformNames(a *assembly.Pipeline) (names []string) {
	for _, n := range a.File.Transforms {
		if _, ok := n.Value.Config.(*unnest.Config); ok {
			names = append(names, n.Name)
		}
	}
	return names
}

// writeRows writes a table without its key, with the item and elements beside its columns.
func writeRows(b *strings.Builder, name string, c unnest.TableConfig) rowsTable {
	t := rowsTable{name: name, rows: map[string][]string{}}
	fmt.Fprintf(b, "      %s:\n", name)
	if c.Where.Value != nil {
		fmt.Fprintf(b, "        where: %s\n", asJSON(c.Where.Value))
	}
	aliases := map[string]string{}
	if c.Explode != nil {
		fmt.Fprintf(b, "        explode: %s\n", asJSON(explodeOf(c.Explode, aliases)))
	}
	b.WriteString("        columns:\n")
	fmt.Fprintf(b, "          %s: {from: $item}\n", wholeItem)
	for _, alias := range slices.Sorted(maps.Keys(aliases)) {
		if kind := aliases[alias]; strings.HasSuffix(kind, "[]") {
			fmt.Fprintf(b, "          the_%s: {from: %s, type: json}\n", alias, alias)
		}
	}
	for _, e := range c.Columns {
		fmt.Fprintf(b, "          %s: %s\n", e.Name, asJSON(columnOf(e.Name, e.Value, aliases)))
		t.columns = append(t.columns, rowsColumn{e.Name, familyOf(e.Value, aliases, e.Name), pathsOf(e.Name, e.Value, aliases)})
	}
	return t
}

func asJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return strings.ReplaceAll(string(b), "${", "$${")
}

// explodeOf returns the keys of explode, and fills aliases with the paths that names stand for.
func explodeOf(e *unnest.ExplodeConfig, aliases map[string]string) map[string]any {
	from := rooted(e.From[0], aliases)
	aliases[e.As] = from + "[]"
	m := map[string]any{"from": e.From, "as": e.As, "outer": e.Outer}
	if e.Key != "" {
		m["key"], aliases[e.Key] = e.Key, from+" key"
	}
	if e.Ordinal != "" {
		m["ordinal"], aliases[e.Ordinal] = e.Ordinal, from+" place"
	}
	if e.Explode != nil {
		m["explode"] = explodeOf(e.Explode, aliases)
	}
	return m
}

// rooted returns a path from the item on.
func rooted(path string, aliases map[string]string) string {
	first, rest, more := strings.Cut(path, ".")
	if first == "" || aliases[first] == "" {
		return strings.ReplaceAll(path, `"`, "")
	}
	if !more {
		return aliases[first]
	}
	if rest == "key" {
		return strings.TrimSuffix(aliases[first], "[]") + " key"
	}
	return aliases[first] + "." + rest
}

// columnOf returns the keys of a column.
func columnOf(name string, c unnest.ColumnConfig, aliases map[string]string) map[string]any {
	m := map[string]any{}
	for key, v := range map[string]string{"after": c.After, "split": c.Split, "extract": c.Extract, "expr": c.Expr, "type": c.Type, "format": c.Format, "zone": c.Zone, "precision": c.Precision} {
		if v != "" {
			m[key] = v
		}
	}
	if aliases[name] == "" || strings.HasSuffix(aliases[name], "[]") {
		m["on_error"] = "null" // a row is one, whatever its values are
	}
	if c.Part > 0 {
		m["part"] = c.Part
	}
	if len(c.From) > 0 {
		m["from"] = spec.Paths(c.From)
	}
	return m
}

// expressionName is a name in an expression that is no function.
var expressionName = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_.]*(?:\b[^(A-Za-z0-9_.]|$)`)

func pathsOf(name string, c unnest.ColumnConfig, aliases map[string]string) (paths []string) {
	from := c.From
	if len(from) == 0 && c.Expr == "" {
		from = spec.Paths{name}
	}
	for _, p := range from {
		paths = append(paths, rooted(p, aliases))
	}
	for _, n := range expressionName.FindAllString(c.Expr, -1) {
		if p := strings.TrimRight(n, " ()[]+-*/?=,!<>"); aliases[p] == "" {
			paths = append(paths, p)
		}
	}
	return paths
}

// familyOf returns the family of a column's type.
func familyOf(c unnest.ColumnConfig, aliases map[string]string, name string) string {
	kind, _, _ := strings.Cut(c.Type, "(")
	switch kind {
	case "", "string", "varchar", "char", "uuid":
		from := name
		if len(c.From) > 0 {
			from = c.From[0]
		}
		switch {
		case kind == "" && strings.HasSuffix(aliases[from], " place"):
			return "number"
		case from == "$item", from == "$rest":
			return "json"
		}
		return "text"
	case "int32", "int64", "decimal", "double":
		return "number"
	case "timestamp", "timestamptz":
		return "timestamp"
	case "list", "json":
		return "json"
	}
	return kind
}

// fill takes the rows of a table as it was shown.
func (t *rowsTable) fill(shown preview.Table) {
	for _, row := range shown.Rows {
		var id, values []string
		for _, v := range row {
			text := "null"
			if v.Value != nil {
				text = *v.Value
			}
			switch {
			case v.Column == "_op":
			case strings.HasPrefix(v.Column, "the_"):
				id = append(id, text)
			default:
				values = append(values, text)
			}
		}
		of := strings.Join(id, " | ")
		t.rows[of] = append(t.rows[of], strings.Join(values, "\x00"))
	}
}

// within reports whether all rows are of what rows of another table are.
func (t *rowsTable) within(other *rowsTable) bool {
	for of := range t.rows {
		if len(other.rows[of]) == 0 {
			return false
		}
	}
	return len(t.rows) > 0
}

// comparison counts what a draft has of a pipeline.
type comparison struct {
	written, has, drafted, more int
	lacks, extra                []string
}

func newComparison(want, got []rowsTable) *comparison {
	c := &comparison{}
	for i := range want {
		w := &want[i]
		c.written += 1 + len(w.columns)
		inside, covered := c.inside(w, got)
		if covered {
			c.has++
		} else {
			c.lacks = append(c.lacks, "table "+w.name)
		}
		for k := range w.columns {
			if len(inside) > 0 && !slices.ContainsFunc(inside, func(g *rowsTable) bool { return !g.hasColumn(w, k) }) {
				c.has++
			} else {
				c.lacks = append(c.lacks, w.name+"."+w.columns[k].name)
			}
		}
	}
	for i := range got {
		g := &got[i]
		c.drafted += 1 + len(g.columns)
		var around []*rowsTable
		for k := range want {
			if g.within(&want[k]) {
				around = append(around, &want[k])
			}
		}
		if len(around) == 0 {
			c.more++
			c.extra = append(c.extra, "table "+g.name)
		}
		for k := range g.columns {
			if !slices.ContainsFunc(around, func(w *rowsTable) bool { return g.isWritten(w, k) }) {
				c.more++
				c.extra = append(c.extra, g.name+"."+g.columns[k].name)
			}
		}
	}
	return c
}

// inside returns the tables within one, and whether they have all its rows.
func (c *comparison) inside(w *rowsTable, got []rowsTable) (inside []*rowsTable, covered bool) {
	all := map[string]bool{}
	for i := range got {
		if got[i].within(w) {
			inside = append(inside, &got[i])
			for of := range got[i].rows {
				all[of] = true
			}
		}
	}
	return inside, len(w.rows) > 0 && len(all) == len(w.rows)
}

// hasColumn reports whether a table has a written column, or members of it.
func (t *rowsTable) hasColumn(w *rowsTable, k int) bool {
	for i := range t.columns {
		if t.same(w, i, k) || w.columns[k].contains(&t.columns[i], w) {
			return true
		}
	}
	return false
}

// isWritten reports whether a written table has a column, or the column as a member of one.
func (t *rowsTable) isWritten(w *rowsTable, i int) bool {
	for k := range w.columns {
		if t.same(w, i, k) || w.columns[k].contains(&t.columns[i], w) {
			return true
		}
	}
	return false
}

// contains reports whether a column of JSON has what another column is of.
func (c *rowsColumn) contains(member *rowsColumn, in *rowsTable) bool {
	if c.family != "json" {
		return false
	}
	return slices.ContainsFunc(member.paths, func(p string) bool {
		if c.paths[0] == "$rest" {
			return !slices.ContainsFunc(in.columns, func(other rowsColumn) bool { return slices.Contains(other.paths, p) })
		}
		return strings.HasPrefix(p, c.paths[0]+".")
	})
}

// same reports whether columns of two tables are the same.
func (t *rowsTable) same(w *rowsTable, i, k int) bool {
	a, b := t.columns[i], w.columns[k]
	if a.family != b.family {
		return false
	}
	if slices.ContainsFunc(a.paths, func(p string) bool { return slices.Contains(b.paths, p) }) {
		return true
	}
	distinct := map[string]bool{}
	for of, rows := range t.rows {
		for n, row := range rows {
			if n >= len(w.rows[of]) {
				return false
			}
			x, y := strings.Split(row, "\x00")[i], strings.Split(w.rows[of][n], "\x00")[k]
			if x != y {
				return false
			}
			distinct[x] = true
		}
	}
	return len(distinct) > 1
}
