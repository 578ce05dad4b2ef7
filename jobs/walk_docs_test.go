package jobs

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// walks are the pages whose commands are run one after the other, in a folder that has the
// files the page shows. Of those that say so, each section begins in a new folder, where what
// stands before the first one was done.
var walks = []struct {
	name     string
	sections bool
}{
	{"getting-started", false},
	{"bootstrap", false},
	{"changing", true},
}

var fencedBlock = regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$")

// TestWalksInDocs does what a page of the documentation tells its reader to do, and holds what
// it shows against what happens. With -update that is written anew.
//
//   - a yaml block is a file, which its first line names in a comment; or a piece of that file
//     as it is then
//   - a diff is made in that file
//   - a console block has commands, behind "$ ", and what they print, but for the log. That of
//     cat is the file's content: a file that is not there yet is made of it
//   - a sql block is a query of the DuckDB file below the folder, and the text block behind it
//     what it gives
//   - a sh block is for AWS, and is not run.
func TestWalksInDocs(t *testing.T) {
	docs, err := filepath.Abs("../docs")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range walks {
		t.Run(page.name, func(t *testing.T) {
			file := filepath.Join(docs, page.name+".md")
			parts := strings.SplitAfter(readFile(t, file), "\n## ")
			if !page.sections {
				parts = []string{strings.Join(parts, "")}
			}
			t.Chdir(t.TempDir())
			w := &walk{t: t}
			doc := w.part(parts[0])
			for _, part := range parts[1:] {
				heading, _, _ := strings.Cut(part, "\n")
				t.Run(heading, func(t *testing.T) {
					t.Chdir(t.TempDir())
					w := &walk{t: t}
					w.part(parts[0])
					doc += w.part(part)
				})
			}
			if w.blocks == 0 {
				t.Error("the page has nothing to try")
			}
			updateDoc(t, file, doc)
		})
	}
}

// walk is the reader of a page.
type walk struct {
	t      *testing.T
	file   string // the pipeline's, of which pieces and diffs are
	query  string
	status int // of the last command
	blocks int
}

// part does what a part of a page says, and returns it with what happened.
func (w *walk) part(text string) string {
	w.t.Helper()
	return fencedBlock.ReplaceAllStringFunc(text, func(block string) string {
		m := fencedBlock.FindStringSubmatch(block)
		w.blocks++
		happened := w.block(m[1], m[2])
		if happened != m[2] && !*update {
			w.t.Errorf("the page shows\n%s\nand this happens:\n%s", m[2], happened)
		}
		return "```" + m[1] + "\n" + happened + "```"
	})
}

// block does what a block says, and returns what it has to show.
func (w *walk) block(language, text string) string {
	w.t.Helper()
	switch language {
	case "yaml":
		w.yaml(text)
	case "diff":
		w.change(text)
	case "console":
		return w.console(text)
	case "sql":
		w.query = text
	case "text":
		return w.answer()
	case "sh":
		for command := range strings.Lines(strings.ReplaceAll(text, "\\\n", "")) {
			if !strings.HasPrefix(command, "aws ") {
				w.t.Errorf("%q is no command of AWS: a console block has those that are run", command)
			}
		}
	default:
		w.t.Errorf("a block of %s is none that can be tried", language)
	}
	return text
}

// yaml makes a file, or looks for a piece of one.
func (w *walk) yaml(text string) {
	w.t.Helper()
	if first, _, _ := strings.Cut(text, "\n"); strings.HasPrefix(first, "# ") && strings.HasSuffix(first, ".yaml") {
		name := strings.TrimPrefix(first, "# ")
		if write(w.t, name, []byte(text)); !strings.HasSuffix(name, "_test.yaml") {
			w.file = name
		}
		return
	}
	if w.file == "" || !strings.Contains(readFile(w.t, w.file), text) {
		w.t.Errorf("%s does not have\n%s", w.file, text)
	}
}

// change makes the changes of a diff, whose pieces are parted by lines of @@.
func (w *walk) change(diff string) {
	w.t.Helper()
	text := readFile(w.t, w.file)
	for _, piece := range strings.Split(diff, "@@\n") {
		var before, after strings.Builder
		for line := range strings.Lines(piece) {
			if line[0] != '+' {
				before.WriteString(line[min(1, len(line)-1):])
			}
			if line[0] != '-' {
				after.WriteString(line[min(1, len(line)-1):])
			}
		}
		if n := strings.Count(text, before.String()); n != 1 {
			w.t.Errorf("%s has this %d times:\n%s", w.file, n, &before)
		}
		text = strings.Replace(text, before.String(), after.String(), 1)
	}
	write(w.t, w.file, []byte(text))
}

var (
	shellWord = regexp.MustCompile(`'[^']*'|[^\s']+`)
	// logLine is one of the log, as it is where no one looks at it.
	logLine = regexp.MustCompile(`(?m)^\{"time":.*\n`)
	// stateID is another one in each run.
	stateID = regexp.MustCompile(`\(state [0-9a-f]{16}\)`)
)

// console runs commands, and returns them with what they print.
func (w *walk) console(text string) string {
	w.t.Helper()
	var b strings.Builder
	for _, part := range strings.Split("\n"+text, "\n$ ")[1:] {
		line, shown, _ := strings.Cut(part, "\n")
		if shown != "" {
			shown = strings.TrimSuffix(shown, "\n") + "\n"
		}
		words := shellWord.FindAllString(line, -1)
		for i, word := range words {
			words[i] = strings.Trim(word, "'")
		}
		fmt.Fprintf(&b, "$ %s\n%s", line, w.command(words, shown))
	}
	return b.String()
}

// command runs one command, and returns what it prints.
func (w *walk) command(words []string, shown string) string {
	w.t.Helper()
	switch {
	case words[0] == "starlift":
		r := command(words[1:]...)
		w.status = r.code
		return stateID.ReplaceAllString(r.out, "(state 4bfb3263b9d6736b)") + logLine.ReplaceAllString(r.err, "")
	case words[0] == "cat" && len(words) == 2:
		if !exists(words[1]) {
			if err := os.MkdirAll(filepath.Dir(words[1]), 0o755); err != nil {
				w.t.Fatal(err)
			}
			write(w.t, words[1], []byte(shown))
		}
		return readFile(w.t, words[1])
	case slices.Equal(words, []string{"echo", "$?"}):
		return fmt.Sprintf("%d\n", w.status)
	}
	w.t.Errorf("%q is no command that can be tried", words)
	return shown
}

// answer is what the last query gives.
func (w *walk) answer() string {
	w.t.Helper()
	if w.query == "" {
		w.t.Fatal("a text block stands behind no query")
	}
	var databases []string
	err := filepath.WalkDir(".", func(path string, _ os.DirEntry, err error) error {
		if strings.HasSuffix(path, ".duckdb") {
			databases = append(databases, path)
		}
		return err
	})
	if err != nil || len(databases) != 1 {
		w.t.Fatalf("there are the databases %q: %v", databases, err)
	}
	d := openDatabase(w.t)
	d.exec("ATTACH '" + databases[0] + "' AS w (READ_ONLY)")
	d.exec("USE w")
	defer d.exec("USE memory; DETACH w")
	query := strings.TrimSuffix(strings.TrimSpace(w.query), ";")
	w.query = ""
	lines := [][]string{strings.Split(strings.TrimSpace(d.rows("SELECT string_agg(column_name, '|') FROM (DESCRIBE "+query+")")), "|")}
	for row := range strings.Lines(d.rows("SELECT coalesce(COLUMNS(*)::VARCHAR, 'null') FROM (" + query + ")")) {
		lines = append(lines, strings.Split(strings.TrimSuffix(row, "\n"), "|"))
	}
	var b strings.Builder
	if err := printLines(&b, lines); err != nil {
		w.t.Fatal(err)
	}
	return b.String()
}
