package jobs

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/starlift-etl/starlift/jobs/internal/cookbook"
)

// The bounds of a table of the cookbook: lines of block YAML, its name among them, and
// characters of one.
const (
	cookbookLines = 6
	cookbookWidth = 170
)

// cookbookViews read the changes of a design by DuckDB's JSON alone. Of an item i, s is the
// text of an attribute, n the digits of a number, set the elements of a set of texts, and l
// those of a list, at a path. utc is the time of milliseconds.
var cookbookViews = []string{
	`SET TimeZone = 'UTC'`,
	`CREATE MACRO utc(ms) AS make_timestamp(ms * 1000)::TIMESTAMPTZ`,
	`CREATE MACRO s(i, a) AS i->>('$."' || a || '".S')`,
	`CREATE MACRO n(i, a) AS i->>('$."' || a || '".N')`,
	`CREATE MACRO set(i, a) AS (i->('$.' || a || '.SS'))::VARCHAR[]`,
	`CREATE MACRO l(i, a) AS (i->('$.' || a || '.L'))::JSON[]`,
	`CREATE TABLE change AS SELECT eventName AS op, tableName AS tbl, dynamodb.Keys::VARCHAR AS k, dynamodb.NewImage AS i, dynamodb.OldImage AS old,
		dynamodb.ApproximateCreationDateTime AS ts, userIdentity.type IS NOT NULL AS ttl
		FROM read_json('../configs/cookbook/data/DESIGN*.ndjson', format = 'newline_delimited', columns = {eventName: 'VARCHAR', tableName: 'VARCHAR', userIdentity: 'STRUCT("type" VARCHAR)',
			dynamodb: 'STRUCT(ApproximateCreationDateTime BIGINT, Keys JSON, NewImage JSON, OldImage JSON)'})`,
	`CREATE VIEW latest AS SELECT i, ts, tbl FROM change QUALIFY row_number() OVER (PARTITION BY tbl, k ORDER BY ts DESC) = 1 AND op <> 'REMOVE'`,
}

var cookbookQuery = regexp.MustCompile(`(?s)-- (\w+)\n(.*?);\n`)

// cookbookLetters is the name under which a design's queries say which dead letters there are;
// without it there are none.
const cookbookLetters = "dead_letters"

// TestCookbook: each pipeline of the cookbook is short, valid and tested, and gives of its
// sample, in one run and after a second, the rows and types that SQL reads of the same records.
func TestCookbook(t *testing.T) {
	files, err := filepath.Glob("../configs/cookbook/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range pipelineFiles(files) {
		names = append(names, strings.TrimSuffix(filepath.Base(f), ".yaml"))
	}
	if len(names) < 12 {
		t.Errorf("there are %d pipelines", len(names))
	}
	made := map[string]bool{}
	for _, d := range cookbook.Designs() {
		made[d.Name] = true
	}
	page := readFile(t, "../docs/cookbook.md")
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !made[name] {
				t.Errorf("no design of this name makes its sample")
			}
			if !strings.Contains(page, "(../configs/cookbook/"+name+".yaml)") {
				t.Errorf("docs/cookbook.md does not list it")
			}
			runDesign(t, name, wantShort(t, "../configs/cookbook/"+name+".yaml"))
		})
	}
}

// cookbookShapes are the shapes that the page has a section of.
var cookbookShapes = []string{"Adjacency lists", "Overloaded indexes", "Versions as items", "Time to live", "Soft deletes", "Counters", "Time-series buckets", "Lists of maps",
	"Maps of maps", "Sets", "ElectroDB", "Amplify"}

// TestCookbookPage: there is a section of each shape, which leads to a pipeline and shows a piece
// that stands in it, word for word; and what the page leads to is there.
func TestCookbookPage(t *testing.T) {
	page := readFile(t, "../docs/cookbook.md")
	sections := map[string]string{}
	for _, section := range strings.Split(page, "\n## ")[1:] {
		heading, text, _ := strings.Cut(section, "\n")
		sections[heading] = text
		wantShown(t, heading, text)
	}
	for _, shape := range cookbookShapes {
		if sections[shape] == "" {
			t.Errorf("the page has no section %q", shape)
		}
	}
	for _, link := range regexp.MustCompile(`\]\(([^)#]+)`).FindAllStringSubmatch(page, -1) {
		if _, err := os.Stat(filepath.Join("../docs", link[1])); err != nil {
			t.Error(err)
		}
	}
}

// wantShown looks for what a section shows in the pipelines that it leads to.
func wantShown(t *testing.T, heading, text string) {
	t.Helper()
	var pipelines strings.Builder
	for _, link := range regexp.MustCompile(`\]\(\.\./(configs/cookbook/\w+\.yaml)\)`).FindAllStringSubmatch(text, -1) {
		pipelines.WriteString(readFile(t, "../"+link[1]))
	}
	shown := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(text, -1)
	if len(shown) == 0 {
		t.Errorf("section %q shows nothing", heading)
	}
	for _, piece := range shown {
		if !strings.Contains(pipelines.String(), piece[1]) {
			t.Errorf("no pipeline that section %q leads to has\n%s", heading, piece[1])
		}
	}
}

// wantShort looks at how long the tables of a pipeline are, and returns their names, sorted.
func wantShort(t *testing.T, file string) []string {
	var names []string
	inside, count := false, 0
	for n, line := range strings.Split(readFile(t, file), "\n") {
		if width := utf8.RuneCountInString(line); width > cookbookWidth {
			t.Errorf("%s:%d: a line of %d characters", file, n+1, width)
		}
		text := strings.TrimLeft(line, " ")
		if text == "" || text[0] == '#' {
			continue
		}
		switch indent := len(line) - len(text); {
		case indent <= 4:
			inside = line == "    tables:"
		case !inside:
		case indent == 6:
			names, count = append(names, strings.TrimSuffix(text, ":")), 1
		default:
			if count++; count == cookbookLines+1 {
				t.Errorf("%s:%d: table %s has more than %d lines", file, n+1, names[len(names)-1], cookbookLines)
			}
		}
	}
	slices.Sort(names)
	return names
}

func runDesign(t *testing.T, name string, tables []string) {
	dir := t.TempDir()
	configs, err := filepath.Abs("../configs")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(configs, filepath.Join(dir, "configs")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("configs", "cookbook", name+".yaml")
	fine(t, dir, "validate", path)
	fine(t, dir, "test", path).want(t, exitFine, "  ok ")
	fine(t, dir, "run", path)
	fine(t, dir, "run", path)
	letters := filepath.Join(t.TempDir(), "letters.ndjson")
	write(t, letters, []byte(fine(t, dir, "dead-letters", "list", path, "--output", "json").out))
	d := openDatabase(t)
	for _, view := range cookbookViews {
		d.exec(strings.ReplaceAll(view, "DESIGN", name))
	}
	databases, err := filepath.Glob(filepath.Join(dir, "data", name, "*.duckdb"))
	if err != nil || len(databases) != 1 {
		t.Fatal(databases, err)
	}
	d.exec("ATTACH '" + databases[0] + "' AS w (READ_ONLY)")
	queries := map[string]string{cookbookLetters: "SELECT NULL, NULL, NULL WHERE false"}
	for _, q := range cookbookQuery.FindAllStringSubmatch(readFile(t, "testdata/cookbook/"+name+".sql"), -1) {
		queries[q[1]] = q[2]
	}
	d.same("dead letters", fmt.Sprintf(`SELECT reason, "row"."table", "row".element::VARCHAR FROM read_json('%s', format = 'newline_delimited',
		columns = {reason: 'VARCHAR', "row": 'STRUCT("table" VARCHAR, element VARCHAR)'})`, letters), queries[cookbookLetters])
	delete(queries, cookbookLetters)
	if queried := slices.Sorted(maps.Keys(queries)); !slices.Equal(tables, queried) {
		t.Errorf("the pipeline has the tables %v, there are queries of %v", tables, queried)
	}
	for table, want := range queries {
		got := fmt.Sprintf(`SELECT * FROM w."%s"`, table)
		if lake := filepath.Join(dir, "data", name, "archive", table); exists(lake) {
			got = fmt.Sprintf("SELECT * FROM read_parquet('%s/*.parquet')", lake)
		}
		if d.number("SELECT count(*) FROM ("+got+")") == 0 {
			t.Errorf("%s has no rows", table)
		}
		if has, wants := d.types(got), d.types(want); has != wants {
			t.Errorf("%s has columns of the types\n%s\nwant\n%s", table, has, wants)
		}
		d.same(table, got, want)
	}
}

// types lists the types of a query's columns.
func (d *database) types(query string) string {
	d.t.Helper()
	return d.rows("SELECT string_agg(column_type, ', ') FROM (DESCRIBE " + query + ")")
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
