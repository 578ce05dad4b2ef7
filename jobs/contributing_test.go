package jobs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A line of the map in CONTRIBUTING: what is to be found, a package, and names in it.
var (
	mapLine = regexp.MustCompile("(?m)^\\| ([^|`]+) \\| `([a-z/]+)` \\| (`[^|]+`) \\|$")
	mapName = regexp.MustCompile("`([^`]+)`")
)

// TestMapLeadsToNames: from README to CONTRIBUTING to the comment of a package to a
// name, for whoever looks where things are done.
func TestMapLeadsToNames(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), "(CONTRIBUTING.md)") {
		t.Error("README does not lead to CONTRIBUTING")
	}
	text, err := os.ReadFile("../CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := mapLine.FindAllStringSubmatch(string(text), -1)
	if len(lines) < 6 {
		t.Fatalf("the map has %d lines", len(lines))
	}
	for _, line := range lines {
		doc, names := declarations(t, filepath.Join("..", line[2]))
		for _, name := range mapName.FindAllStringSubmatch(line[3], -1) {
			switch {
			case !names[name[1]]:
				t.Errorf("%s: package %s has no %s", line[1], line[2], name[1])
			case !regexp.MustCompile(`\b` + regexp.QuoteMeta(name[1]) + `\b`).MatchString(doc):
				t.Errorf("%s: the comment of package %s does not name %s", line[1], line[2], name[1])
			}
		}
	}
}

// declarations returns a package's comment, and the names that it declares: those of
// methods behind their type.
func declarations(t *testing.T, dir string) (doc string, names map[string]bool) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	names = map[string]bool{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if f.Doc != nil {
			doc += f.Doc.Text()
		}
		for _, decl := range f.Decls {
			for name := range declared(decl) {
				if d, ok := decl.(*ast.FuncDecl); ok && d.Recv != nil {
					name = receiver(d.Recv.List[0].Type) + "." + name
				}
				names[name] = true
			}
		}
	}
	return doc, names
}

func receiver(of ast.Expr) string {
	switch x := of.(type) {
	case *ast.StarExpr:
		return receiver(x.X)
	case *ast.IndexExpr:
		return receiver(x.X)
	case *ast.IndexListExpr:
		return receiver(x.X)
	case *ast.Ident:
		return x.Name
	}
	return ""
}

// declared returns the types, functions and methods of a declaration.
func declared(decl ast.Decl) map[string]string {
	names := map[string]string{}
	switch d := decl.(type) {
	case *ast.FuncDecl:
		names[d.Name.Name] = "function"
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			if s, ok := spec.(*ast.TypeSpec); ok {
				names[s.Name.Name] = "type"
			}
		}
	}
	return names
}
