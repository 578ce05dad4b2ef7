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
// those of a list, at a path.
var cookbookViews = []string{
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

// TestCookbook: each pipeline of the cookbook is short, valid and tested, and gives of its
// sample, in one run and after a second, the rows that SQL reads of the same records.
func TestCookbook(t *testing.T) {
	files, err := filepath.Glob("../configs/cookbook/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range pipelineFiles(files) {
		names = append(names, strings.TrimSuffix(filepath.Base(f), ".yaml"))
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

// TestCookbookPage: what the page shows of pipelines stands in them, and what it leads to is there.
func TestCookbookPage(t *testing.T) {
	files, err := filepath.Glob("../configs/cookbook/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var pipelines strings.Builder
	for _, f := range files {
		pipelines.WriteString(readFile(t, f))
	}
	page := readFile(t, "../docs/cookbook.md")
	shown := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(page, -1)
	if len(shown) < 8 {
		t.Errorf("the page shows %d pieces", len(shown))
	}
	for _, piece := range shown {
		if !strings.Contains(pipelines.String(), piece[1]) {
			t.Errorf("no pipeline of the cookbook has\n%s", piece[1])
		}
	}
	for _, link := range regexp.MustCompile(`\]\(([^)#]+)`).FindAllStringSubmatch(page, -1) {
		if _, err := os.Stat(filepath.Join("../docs", link[1])); err != nil {
			t.Error(err)
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
	if r := fine(t, dir, "dead-letters", "list", path, "--output", "json"); r.out != "" {
		t.Errorf("dead letters:\n%s", r.out)
	}
	d := openDatabase(t)
	for _, view := range cookbookViews {
		d.exec(strings.ReplaceAll(view, "DESIGN", name))
	}
	databases, err := filepath.Glob(filepath.Join(dir, "data", name, "*.duckdb"))
	if err != nil || len(databases) != 1 {
		t.Fatal(databases, err)
	}
	d.exec("ATTACH '" + databases[0] + "' AS w (READ_ONLY)")
	queries := map[string]string{}
	for _, q := range cookbookQuery.FindAllStringSubmatch(readFile(t, "testdata/cookbook/"+name+".sql"), -1) {
		queries[q[1]] = q[2]
	}
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
		d.same(table, got, want)
	}
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
