package spec

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzLoad: whatever a file holds, Load returns a file or mistakes with places
// inside the text, and says the same twice.
func FuzzLoad(f *testing.F) {
	paths, err := filepath.Glob("testdata/*/*.yaml")
	if err != nil || len(paths) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, s := range []string{
		"a: &a [*a]", "? a\n: b", "? [a]\n: b", "<<: 1", "<<: [[a]]", "- ", "{", "'", "a: |\n x\n y", "!!", "&", "*", "%", "...", "---",
		"a: {b: c: d}", "name: ${A:-}", "${", "a: \x00", "\xff", "\"\\x\"", strings.Repeat("[", 300), strings.Repeat("- ", 300), strings.Repeat("? ", 300),
		"a: !!binary x", "1: 2", "~: ~", "<<: &x {<<: *x}", "name: [\ufdd0]",
	} {
		f.Add([]byte(s))
	}
	opts := Options{
		Env: func(name string) (string, bool) {
			if isSecretName(name) {
				return name + "-hidden", true
			}
			return name + "-value", len(name) == 1
		},
		Set: []string{"epoch.max_records=7", "sinks.lake.url=x"},
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Load("f.yaml", data, testKinds(), opts)
		if err == nil {
			return
		}
		var all *Errors
		if !errors.As(err, &all) || len(all.Mistakes) == 0 {
			t.Fatalf("%T without mistakes", err)
		}
		lines := strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(data)), "\n")
		for _, m := range all.Mistakes {
			if m.Message == "" || m.Line < 0 || m.Line > len(lines)+1 || m.Line > 0 && m.Column < 1 {
				t.Errorf("%d lines, mistake at %d:%d %q", len(lines), m.Line, m.Column, m.Message)
			}
			if !utf8.ValidString(m.Excerpt) {
				t.Errorf("excerpt %q", m.Excerpt)
			}
			if strings.Contains(m.Error(), "-hidden") && !strings.Contains(string(data), "-hidden") {
				t.Errorf("secret shown: %s", m.Error())
			}
		}
		if _, again := Load("f.yaml", data, testKinds(), opts); again == nil || again.Error() != err.Error() {
			t.Errorf("first: %v\nthen: %v", err, again)
		}
		if file != nil {
			file.Report("sinks", "lake", &FieldError{Path: []string{"roll", "size"}, Message: "x"})
		}
	})
}
