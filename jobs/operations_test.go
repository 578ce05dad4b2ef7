package jobs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// awsOperations returns the operations of AWS that the program's code can ask for, each with a
// file that does: where it makes an operation's input.
func awsOperations(t *testing.T) map[string]string {
	t.Helper()
	operations := map[string]string{}
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || len(d.Name()) > 2 && strings.HasPrefix(d.Name(), ".")) {
			return filepath.SkipDir
		}
		dir := path.Dir(strings.TrimPrefix(filepath.ToSlash(file), "../"))
		if d.IsDir() || filepath.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") || forTests(dir) {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			return err
		}
		for name, service := range awsServices(parsed) {
			ast.Inspect(parsed, func(n ast.Node) bool {
				literal, ok := n.(*ast.CompositeLit)
				if !ok {
					return true
				}
				if s, ok := literal.Type.(*ast.SelectorExpr); ok && isIdent(s.X, name) {
					if operation, ok := strings.CutSuffix(s.Sel.Name, "Input"); ok {
						operations[service+":"+operation] = file
					}
				}
				return true
			})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return operations
}

func forTests(dir string) bool {
	for _, only := range testOnly {
		if within(dir, only) {
			return true
		}
	}
	return false
}

func isIdent(e ast.Expr, name string) bool {
	i, ok := e.(*ast.Ident)
	return ok && i.Name == name
}

// awsServices returns by which names a file knows the SDK's clients, and of what.
func awsServices(f *ast.File) map[string]string {
	services := map[string]string{}
	for _, i := range f.Imports {
		service, ok := strings.CutPrefix(strings.Trim(i.Path.Value, `"`), "github.com/aws/aws-sdk-go-v2/service/")
		if !ok || strings.Contains(service, "/") {
			continue
		}
		name := service
		if i.Name != nil {
			name = i.Name.Name
		}
		services[name] = service
	}
	return services
}
