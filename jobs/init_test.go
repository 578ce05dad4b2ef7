package jobs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestInitCommand: a draft is valid, shows rows and runs, is never written over a file by itself,
// and mistakes of the command line are said.
func TestInitCommand(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "scan.json", []byte(`{"Items":[
		{"PK":{"S":"USER#ann"},"SK":{"S":"PROFILE"},"email":{"S":"ann@example.com"}},
		{"PK":{"S":"USER#ann"},"SK":{"S":"ORDER#1"},"total":{"N":"9.50"}}],"Count":2}`))
	command("init", "--from", "scan.json", "--out", "shop.yaml").want(t, exitFine, "shop.yaml is written")
	command("validate", "shop.yaml").want(t, exitFine, "shop.yaml: valid")
	command("preview", "shop.yaml").want(t, exitFine, "user_order (items): 1 row", "9.50", "ann@example.com")
	command("run", "shop.yaml").want(t, exitFine)
	command("init", "--from", "scan.json", "--out", "shop.yaml", "--name", "other").want(t, exitUsage, "--force overwrites it")
	text, err := os.ReadFile("shop.yaml")
	if err != nil || !strings.Contains(string(text), "name: scan\n") {
		t.Errorf("the file was overwritten: %v\n%s", err, text)
	}
	command("init", "--from", "scan.json", "--out", "shop.yaml", "--name", "other", "--force").want(t, exitFine)
	command("validate", "shop.yaml").want(t, exitFine)
	command("init", "--from", "scan.json").want(t, exitFine, "name: scan", "where: {PK: [{prefix: \"USER#\"}], SK: [PROFILE]}")
	command("init").want(t, exitUsage, "--from is missing")
	command("init", "--from", "-").want(t, exitUsage, "--from -", "write them to a file")
	command("init", "--from", "none.json").want(t, exitFailed, "none.json", "no file matches")
	command("init", "--from", "scan.json", "--sample", "0").want(t, exitUsage, "--sample 0")
}

// TestInitRuns: the drafts of all sample data are valid, show rows, and run without dead letters.
func TestInitRuns(t *testing.T) {
	files, err := filepath.Glob("../configs/cookbook/data/*.ndjson")
	if err != nil || len(files) < 12 {
		t.Fatal(files, err)
	}
	files = append(files, "../configs/cookbook/data/airline_*.ndjson", "../configs/cookbook/data/sensors_*.ndjson", "../configs/data/shop.ndjson.gz", "../configs/data/insurance.ndjson.gz",
		"../configs/data/sales.ndjson.gz", "../configs/data/countries.ndjson", "../configs/data/export")
	for _, from := range files {
		t.Run(filepath.Base(from), func(t *testing.T) {
			t.Parallel()
			from, err := filepath.Abs(from)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			fine(t, dir, "init", "--from", from, "--out", "draft.yaml")
			fine(t, dir, "validate", "draft.yaml")
			fine(t, dir, "preview", "draft.yaml").want(t, exitFine, " read: ")
			fine(t, dir, "run", "draft.yaml")
			if letters := fine(t, dir, "dead-letters", "list", "draft.yaml", "--output", "json").out; letters != "" {
				t.Errorf("there are dead letters: %s", letters)
			}
			tables, err := filepath.Glob(filepath.Join(dir, "data", "*", "lake", "*"))
			if err != nil || len(tables) == 0 {
				t.Errorf("there are no tables in the lake: %v", err)
			}
		})
	}
}
