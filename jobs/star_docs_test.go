package jobs

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	starTried = regexp.MustCompile("(?s)```yaml\n((?:dimensions|facts):.*?)```\n\n```json\n(.*?)```\n\n```text\n(.*?)```")
	starFrame = regexp.MustCompile(`(?s)(  star:\n.*?inputs: \[items\]\n).*?(\nsinks:)`)
)

// TestExamplesInDocsOfStars: a star, records and its tables, three blocks one
// after the other, are what they say. With -update the last is written anew.
func TestExamplesInDocsOfStars(t *testing.T) {
	t.Parallel()
	const file = "../docs/star.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	doc := string(text)
	frame := wholeFile.FindStringSubmatch(doc)
	blocks := starTried.FindAllStringSubmatch(doc, -1)
	if frame == nil || len(blocks) < 5 {
		t.Fatalf("%d examples found", len(blocks))
	}
	shown := make([]string, len(blocks))
	t.Run("examples", func(t *testing.T) {
		for i, b := range blocks {
			t.Run(strconv.Itoa(i+1), func(t *testing.T) {
				t.Parallel()
				star := strings.ReplaceAll(strings.TrimSpace(b[1]), "\n", "\n    ")
				shown[i] = tryStar(t, starFrame.ReplaceAllString(frame[1], "${1}    "+star+"\n${2}"), strings.Split(b[2], "\n\n"))
			})
		}
	})
	if t.Failed() {
		return // what an example gives is not known
	}
	for i, b := range blocks {
		got := shown[i]
		if got == b[3] {
			continue
		}
		if !*update {
			t.Errorf("%s, example %d gives\n%s", file, i+1, got)
		}
		doc = strings.Replace(doc, b[0], strings.TrimSuffix(b[0], b[3]+"```")+got+"```", 1)
	}
	if *update {
		write(t, file, []byte(doc))
	}
}

// tryStar returns the tables of a star after each run, each on one more file.
func tryStar(t *testing.T, pipeline string, runs []string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "shop.yaml"), []byte(pipeline))
	if err := os.Mkdir(filepath.Join(dir, "changes"), 0o755); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for i, records := range runs {
		write(t, filepath.Join(dir, fmt.Sprintf("changes/%d.ndjson", i+1)), []byte(records+"\n"))
		fine(t, dir, "run", "shop.yaml")
		if len(runs) > 1 {
			fmt.Fprintf(&b, "after run %d\n\n", i+1)
		}
		for _, table := range tablesShown(pipeline) {
			fmt.Fprintf(&b, "%s\n", table)
			if err := printTable(&b, t, filepath.Join(dir, "shop.duckdb"), table); err != nil {
				t.Fatal(err)
			}
			b.WriteByte('\n')
		}
	}
	if dead := fine(t, dir, "dead-letters", "list", "shop.yaml", "--output", "json"); dead.out != "" {
		t.Errorf("dead letters: %s", dead.out)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// tablesShown lists the tables of the star; a calendar is shown only alone.
func tablesShown(pipeline string) []string {
	var tables, calendars []string
	for _, m := range regexp.MustCompile(`(?m)^      ((?:dim|fact)_\w+):(.*)$`).FindAllStringSubmatch(pipeline, -1) {
		if strings.Contains(m[2], "calendar:") {
			calendars = append(calendars, m[1])
			continue
		}
		tables = append(tables, m[1])
	}
	if tables == nil {
		return calendars
	}
	return tables
}

// printTable prints the first rows of a table, sorted.
func printTable(b *strings.Builder, t *testing.T, warehouse, table string) error {
	d := openDatabase(t)
	d.exec("ATTACH '" + warehouse + "' AS w (READ_ONLY)")
	defer d.exec("DETACH w")
	from := fmt.Sprintf(`FROM w."%s"`, table)
	columns := strings.Fields(d.rows(fmt.Sprintf("SELECT string_agg(column_name, ' ') FROM (DESCRIBE %s)", from)))
	lines := [][]string{columns}
	rows := d.rows("SELECT coalesce(COLUMNS(*)::VARCHAR, 'null') FROM (" + from + " ORDER BY ALL LIMIT 4)")
	for row := range strings.Lines(rows) {
		lines = append(lines, strings.Split(strings.TrimSuffix(row, "\n"), "|"))
	}
	return printLines(b, lines)
}
