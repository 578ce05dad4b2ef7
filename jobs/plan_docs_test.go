package jobs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var plansInDocs = regexp.MustCompile("(?s)    starlift (plan [^\n]*)\n\n```text\n(.*?)```")

// TestPlansInDocs: what the documentation shows of plans is what the commands print. With
// -update it is written anew.
func TestPlansInDocs(t *testing.T) {
	file := inRoot(t, "docs/plan.md")
	doc := readFile(t, file)
	found := plansInDocs.FindAllStringSubmatch(doc, -1)
	if len(found) < 5 {
		t.Fatalf("%d plans found", len(found))
	}
	for _, f := range found {
		r := command(strings.Fields(f[1])...)
		r.want(t, exitFine)
		doc = replaceExample(t, doc, f[0], f[2], r.out)
	}
	updateDoc(t, file, doc)
}

// TestStarInReadme: the picture of the star is that of the quick start.
func TestStarInReadme(t *testing.T) {
	file := inRoot(t, "README.md")
	doc := readFile(t, file)
	shown := regexp.MustCompile("(?s)```mermaid\n(erDiagram\n.*?)```").FindStringSubmatch(doc)
	if shown == nil {
		t.Fatal("there is no picture")
	}
	r := command("plan", "configs/quickstart.yaml", "--format", "er")
	r.want(t, exitFine)
	updateDoc(t, file, replaceExample(t, doc, shown[0], shown[1], r.out))
}

// inRoot makes configs/ be there, as in the repository's root, but no state of pipelines that
// somebody ran. It returns the path of a file of the repository.
func inRoot(t *testing.T, file string) string {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	if err := os.Symlink(filepath.Join(root, "configs"), "configs"); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(root, file)
}

// replaceExample puts what is printed in the place of what a block shows.
func replaceExample(t *testing.T, doc, block, shown, printed string) string {
	t.Helper()
	if shown == printed {
		return doc
	}
	if !*update {
		t.Errorf("it shows\n%s, not\n%s", shown, printed)
	}
	return strings.Replace(doc, block, strings.Replace(block, shown, printed, 1), 1)
}

func updateDoc(t *testing.T, file, doc string) {
	t.Helper()
	if !*update {
		return
	}
	if err := os.WriteFile(file, []byte(doc), 0o644); err != nil {
		t.Fatal(err)
	}
}
