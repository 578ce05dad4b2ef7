package redshifttest

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"hash/maphash"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/server"
)

// collection is what was sent: the shortest statement that has each feature, so that it does not
// depend on the order of tests, nor on how many there are.
type collection struct {
	mu      sync.Mutex
	seed    maphash.Seed
	seen    map[uint64]bool   // guarded by mu; texts
	samples map[string]string // guarded by mu; by feature
}

// sent is what sinks have sent to all clusters of this process.
var sent = &collection{seed: maphash.MakeSeed(), seen: map[uint64]bool{}, samples: map[string]string{}}

func (c *collection) add(sql string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	hash := maphash.String(c.seed, sql)
	if c.seen[hash] {
		return
	}
	c.seen[hash] = true
	sql = anonymous(sql)
	for f := range features(sql) {
		if old, ok := c.samples[f]; !ok || shorter(sql, old) < 0 {
			c.samples[f] = sql
		}
	}
}

func shorter(a, b string) int { return cmp.Or(len(a)-len(b), strings.Compare(a, b)) }

// missing returns statements that have the features which are not known, few of them.
func (c *collection) missing(known map[string]bool) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	samples := map[string]bool{}
	for f, sql := range c.samples {
		if !known[f] {
			samples[sql] = true
		}
	}
	known = maps.Clone(known)
	var few []string
	// A long statement may have all that is new of some shorter ones, and not the other way round.
	for _, sql := range slices.Backward(slices.SortedFunc(maps.Keys(samples), shorter)) {
		fresh := false
		for f := range features(sql) {
			fresh = fresh || !known[f]
			known[f] = true
		}
		if fresh {
			few = append(few, sql)
		}
	}
	slices.Sort(few)
	return few
}

var (
	stageURL = regexp.MustCompile(`s3://` + bucket + `/[^/']*/stage/`)
	stateID  = regexp.MustCompile(`[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}`)
	serial   = regexp.MustCompile(`/[0-9]+/`)
	// momentText is a time of now: those of test data are older.
	momentText = regexp.MustCompile(`20[2-9][5-9]-[0-9]{2}-[0-9]{2}[T ][0-9:.]+Z?(?:[+-][0-9:]+)?`)
)

// anonymous takes out of a statement what is another each time.
func anonymous(sql string) string {
	sql = tokenName.ReplaceAllString(sql, "starlift_token_0123456789abcdef")
	sql = stageURL.ReplaceAllString(sql, "s3://bucket/stage/")
	sql = stateID.ReplaceAllString(sql, "STATE")
	if strings.Contains(sql, "s3://bucket/stage/") {
		sql = serial.ReplaceAllString(sql, "/EPOCH/")
	}
	return pretty(sql)
}

// CheckStatements compares what sinks have sent with the golden files: a statement whose shape is
// in none of them is an error, or with -update is written to one of the package. A run of all
// tests with -update forgets what is not sent any more.
func CheckStatements() error {
	dir, err := statementsDir()
	if err != nil {
		return err
	}
	cwd, err := os.Getwd()
	if err != nil {
		return err
	}
	rest := filepath.Join(dir, "rest_of_"+filepath.Base(cwd)+".sql")
	files, err := filepath.Glob(filepath.Join(dir, "*.sql"))
	if err != nil {
		return err
	}
	anew := updating() && flagValue("test.run") == "" && flagValue("test.skip") == ""
	golden := map[string][]string{}
	known := map[string]bool{}
	for _, file := range files {
		if file == rest && anew {
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		golden[file] = statements(string(data))
		for _, sql := range golden[file] {
			maps.Copy(known, features(sql))
		}
	}
	missing := sent.missing(known)
	switch {
	case updating():
		return writeRest(rest, filepath.Base(cwd), append(golden[rest], missing...))
	case len(missing) > 0:
		return fmt.Errorf("%d statements were sent that are in no file of %s (go test -update writes them):\n%s;", len(missing), dir, strings.Join(missing, ";\n"))
	}
	return nil
}

func writeRest(file, of string, all []string) error {
	if len(all) == 0 {
		if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	}
	slices.Sort(all)
	return os.WriteFile(file, []byte(header("What tests of "+of+" send besides, a statement of each shape.")+body(all)), 0o644)
}

// header and body are the text of a golden file.
func header(about string) string {
	var b strings.Builder
	for line := range strings.Lines(about) {
		b.WriteString("-- " + strings.TrimSpace(line) + "\n")
	}
	return b.String()
}

func body(all []string) string {
	var b strings.Builder
	for _, sql := range all {
		b.WriteString("\n" + sql + ";\n")
	}
	return b.String()
}

// story is the text of statements in their order: those of several lines that come again are only
// named, and parameters stand behind a statement.
func story(requests []server.Request) string {
	var b strings.Builder
	numbers := map[string]int{}
	pid := int32(0)
	for _, r := range requests {
		if pid != 0 && r.PID != pid {
			b.WriteString("\n-- By another connection:\n")
		}
		pid = r.PID
		sql := anonymous(r.SQL)
		n, again := numbers[sql]
		switch first, _, long := strings.Cut(sql, "\n"); {
		case again:
			fmt.Fprintf(&b, "\n-- Statement %d again: %s …\n", n, first)
		case long:
			numbers[sql] = len(numbers) + 1
			fmt.Fprintf(&b, "\n-- Statement %d:\n%s;\n", numbers[sql], sql)
		default:
			b.WriteString("\n" + sql + ";\n")
		}
		var values []string
		for i, p := range r.Parameters {
			p = momentText.ReplaceAllString(stateID.ReplaceAllString(tokenName.ReplaceAllString(p, "starlift_token_0123456789abcdef"), "STATE"), "TIME")
			values = append(values, fmt.Sprintf("$%d = %s", i+1, p))
		}
		if values != nil {
			b.WriteString("-- " + strings.Join(values, ", ") + "\n")
		}
	}
	return b.String()
}

// statements splits a golden file.
func statements(text string) []string {
	var all []string
	from := 0
	for _, at := range lexeme.FindAllStringIndex(text, -1) {
		switch {
		case strings.HasPrefix(text[at[0]:], "--"):
			if strings.TrimSpace(text[from:at[0]]) == "" {
				from = at[1]
			}
		case text[at[0]] == ';':
			all = append(all, strings.TrimSpace(text[from:at[0]]))
			from = at[1]
		}
	}
	return all
}

// WantStatements holds statements of a session against a golden file, name.sql, which has them
// in their order below what it is about; with -update it is written.
func (c *Cluster) WantStatements(name, about string, got []server.Request) {
	c.t.Helper()
	dir, err := statementsDir()
	if err != nil {
		c.t.Fatal(err)
	}
	file := filepath.Join(dir, name+".sql")
	text := header(about) + story(got)
	if updating() {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			c.t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		c.t.Fatalf("%v: go test -update writes it", err)
	}
	if string(want) != text {
		c.t.Errorf("%s is not what was sent (go test -update writes it anew):\n%s", file, text)
	}
}

// GoldenStatements returns the statements of the golden files, by file name.
func GoldenStatements() (map[string][]string, error) {
	dir, err := statementsDir()
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.sql"))
	if err != nil {
		return nil, err
	}
	all := map[string][]string{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		all[strings.TrimSuffix(filepath.Base(file), ".sql")] = statements(string(data))
	}
	return all, nil
}

// statementsDir is the folder of the golden files.
func statementsDir() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "sinks", "redshift", "testdata", "statements"), nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("tests do not run in their module")
		}
		dir = parent
	}
}

func updating() bool { return flagValue("update") == "true" }

func flagValue(name string) string {
	if f := flag.Lookup(name); f != nil {
		return f.Value.String()
	}
	return ""
}
