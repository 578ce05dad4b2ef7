package jobs

import (
	"os"
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
	command("init", "--from", "none.json").want(t, exitFailed, "none.json", "no file matches")
	command("init", "--from", "scan.json", "--sample", "0").want(t, exitUsage, "--sample 0")
}
