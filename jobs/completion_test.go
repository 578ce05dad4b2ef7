package jobs

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestCompletion: a shell is offered what each word of a command line may be.
func TestCompletion(t *testing.T) {
	t.Parallel()
	dir := replayFolder(t)
	letters := statuses(t, dir)
	write(t, filepath.Join(dir, "broken.yaml"), []byte("name: x\nsources: {a: {type: fil}}\nsinks: {b: {type: duckdb}}\n"))
	const yaml, none = "yaml yml :8", ":4"
	for _, c := range []struct{ args, want string }{
		{"run", yaml}, {"backfill", yaml}, {"validate", yaml}, {"validate p.yaml", yaml}, {"test p.yaml", yaml}, {"plan", yaml}, {"status", yaml},
		{"dead-letters list", yaml}, {"dead-letters show", yaml}, {"dead-letters replay", yaml},
		{"run p.yaml", none}, {"plan p.yaml", none}, {"dead-letters list p.yaml", none},
		{"plan --output", "text json :4"}, {"plan --format", "text mermaid er :4"}, {"plan --section", "graph tables state star ddl statements all :4"}, {"version --output", "text json :4"},
		{"--log-level", "debug info warn error :4"},
		{"dead-letters list --status", "open waiting replayed outdated :4"},
		{"dead-letters list --reason", "bad_record bad_value null_key duplicate_key unmatched too_late future too_large refused"},
		{"dead-letters list p.yaml --node", "items names log warehouse changes :4"},
		{"dead-letters replay p.yaml --node", "items names log warehouse changes :4"},
		{"dead-letters list broken.yaml --node", "b a :4"}, // what can be read has names
		{"dead-letters list missing.yaml --node", none},
		{"dead-letters show missing.yaml", none},
		{"backfill p.yaml --source", "changes :4"}, {"backfill broken.yaml --source", none},
		{"generate", "countries ecommerce insurance sales :4"}, {"generate ecommerce", none}, {"generate ecommerce --form", "cdc export json :4"},
		{"completion", "bash fish powershell zsh :4"},
		{"demo --dir", ":16"},
	} {
		args := append([]string{"__complete"}, strings.Fields(c.args)...)
		var words []string
		for line := range strings.Lines(fine(t, dir, append(args, "")...).out) {
			word, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
			words = append(words, word)
		}
		if got := strings.Join(words, " "); got != c.want && !(strings.HasPrefix(got, c.want) && strings.HasPrefix(c.args, "dead-letters list --reason")) {
			t.Errorf("%s: offered are %s, want %s", c.args, got, c.want)
		}
	}
	ids := fine(t, dir, "__complete", "dead-letters", "show", "p.yaml", "").out
	if strings.Count(ids, "\n") != len(letters)+1 || !strings.Contains(ids, `.ndjson:1	bad_value: table item, column n (int64): "two" is not a number`) {
		t.Errorf("ids are\n%s", ids)
	}
	first, _, _ := strings.Cut(ids, "\t")
	if again := fine(t, dir, "__complete", "dead-letters", "replay", "p.yaml", first, "").out; strings.Contains(again, first+"\t") || strings.Count(again, "\n") != len(letters) {
		t.Errorf("after one id, ids are\n%s", again)
	}
	if list := command("--help").out; !strings.Contains(list, "\n  completion ") {
		t.Errorf("completion is hidden:\n%s", list)
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		command("completion", shell).want(t, exitFine, "starlift")
	}
}

// TestBashCompletion: the script works in a bash that has nothing else.
func TestBashCompletion(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash")
	}
	dir := t.TempDir()
	for _, name := range []string{"shop.yaml", "shop.csv", "sub/a.yml", "two words.yaml"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), nil)
	}
	script := command("completion", "bash").out
	// What it would ask of the program is answered here.
	script += `
starlift() {
    case "$*" in
    "__complete dead-letters show shop.yaml "*) printf '%s\n' 'shop-1.ndjson:1' 'shop-1.ndjson:2' :4 ;;
    "__complete run "*) printf '%s\n' yaml yml :8 ;;
    esac
}
compopt() { :; } # no completion is under way
try() {
    COMP_LINE="$1" COMP_POINT=${#1} COMP_TYPE=9 COMPREPLY=()
    __start_starlift
    (IFS=,; echo "${COMPREPLY[*]}")
}
cd "$1" || exit
try 'starlift run '
try 'starlift run sh'
try 'starlift run sub/'
try 'starlift dead-letters show shop.yaml shop-1'
try 'starlift dead-letters show shop.yaml shop-1.ndjson:2'
`
	said, err := exec.Command(bash, "--norc", "--noprofile", "-c", script, "bash", dir).CombinedOutput()
	const want = "shop.yaml,sub,two words.yaml\nshop.yaml\nsub/a.yml\nshop-1.ndjson:1,shop-1.ndjson:2\n2\n"
	lines := strings.Split(string(said), "\n")
	first := strings.Split(lines[0], ",")
	slices.Sort(first)
	lines[0] = strings.Join(first, ",")
	if got := strings.Join(lines, "\n"); err != nil || got != want {
		t.Errorf("offered are\n%swant\n%s%v", got, want, err)
	}
}
