package jobs

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"

	"github.com/starlift-etl/starlift/jobs/status"
)

// command runs a command in this process.
func command(args ...string) result {
	var out, errs output // the log is the process's: commands beside this one write to it, too
	code := Main(args, strings.NewReader(""), &out, &errs)
	return result{code, out.String(), errs.String()}
}

// TestHelp wants a short text and an example of every command, and every line
// of an example to be of that command.
func TestHelp(t *testing.T) {
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		if c.Name() == "help" || c.Name() == "completion" {
			return
		}
		if c.Short == "" || !strings.Contains(c.Example, c.CommandPath()) {
			t.Errorf("%s: short text %q, example %q", c.CommandPath(), c.Short, c.Example)
		}
		args := append(strings.Fields(c.CommandPath())[1:], "--help")
		r := command(args...)
		r.want(t, exitFine, "Examples:", "Usage:")
		if r.err != "" {
			t.Errorf("%s: stderr %s", c.CommandPath(), r.err)
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(newRoot(newCLI(strings.NewReader(""), io.Discard, io.Discard)))
}

func TestUsage(t *testing.T) {
	good := "testdata/good/shop.yaml"
	for _, c := range []struct {
		args string
		says string
	}{
		{"run --nope", "unknown flag: --nope"},
		{"--nope", "unknown flag: --nope"},
		{"rnu x.yaml", `unknown command "rnu": did you mean "run"?`},
		{"frobnicate", "starlift --help"},
		{"run", "wants one pipeline file"},
		{"run a.yaml b.yaml", "wants one pipeline file"},
		{"run missing.yaml", "missing.yaml: no such file"},
		{"validate", "wants at least one pipeline file"},
		{"validate missing.yaml", "missing.yaml: no such file"},
		{"plan " + good + " --format dot", `--format "dot": want text, mermaid or er`},
		{"plan " + good + " --output xml", `--output "xml": want text or json`},
		{"status " + good + " --output xml", `--output "xml": want text or json`},
		{"backfill " + good + " --source nope", `--source "nope"`},
		{"backfill testdata/good/follow.yaml --source shop_changes", `--source "shop_changes": it is followed and has no end`},
		{"backfill testdata/good/follow.yaml", "every source is followed and has no end"},
		{"run " + good + " --set epoch.max_records", "key=value"},
		{"run " + good + " --set epoch.max_recods=1", `did you mean "max_records"?`},
		{"version please", "wants no arguments"},
		{"version --output xml", `--output "xml": want text or json`},
		{"completion fsh", `completion has no shell "fsh": want bash, zsh, fish or powershell`},
		{"plan " + good + " --format mermade", `did you mean "mermaid"?`},
		{"plan " + good + " --section ddl,tabels", `--section "tabels": want graph, tables, state, star, ddl, statements or all: did you mean "tables"?`},
		{"plan " + good + " --section star", "--section star: there is nothing to show of pipeline shop: it has no star"},
		{"plan " + good + " --section ddl --output json", "--section is about text"},
		{"plan " + good + " --section ddl --lineage all", "--section and --lineage are two things to show"},
		{"plan " + good + " --lineage=", "there is no such table"},
		{"plan " + good + " --lineage ordr", `did you mean "order"?`},
		{"schema please", "wants no arguments"},
		{"--log-level loud version", "want debug, info, warn or error"},
		{"generate nope", "want one of ecommerce"},
	} {
		t.Run(c.args, func(t *testing.T) { command(strings.Fields(c.args)...).want(t, exitUsage, c.says) })
	}
}

func TestValidateCommand(t *testing.T) {
	good, bad := "testdata/good/shop.yaml", "testdata/bad/several.yaml"
	command("validate", good, "testdata/good/minimal.yaml").want(t, exitFine, good+": valid\ntestdata/good/minimal.yaml: valid\n")
	r := command("validate", bad, good, "testdata/bad/cycle.yaml")
	r.want(t, exitUsage, good+": valid\n", bad+":3:9: ", "testdata/bad/cycle.yaml:29:14: ")

	r = command("validate", good, bad, "missing.yaml", "--output", "json")
	r.want(t, exitUsage, "2 of 3 files are not valid")
	var verdicts []struct {
		File     string
		Valid    bool
		Mistakes []struct {
			File, Message string
			Line, Column  int
		}
	}
	if err := json.Unmarshal([]byte(r.out), &verdicts); err != nil {
		t.Fatalf("%v: %s", err, r.out)
	}
	if len(verdicts) != 3 || !verdicts[0].Valid || verdicts[1].Valid || len(verdicts[1].Mistakes) != 7 || len(verdicts[2].Mistakes) != 1 {
		t.Fatalf("%+v", verdicts)
	}
	if m := verdicts[1].Mistakes[0]; m.File != bad || m.Line != 3 || m.Column != 9 || !strings.Contains(m.Message, "intervall") {
		t.Errorf("%+v", m)
	}
}

func TestPlanCommand(t *testing.T) {
	const shop, star, odd, joined = "testdata/good/shop.yaml", "testdata/good/star.yaml", "testdata/good/star_names.yaml", "testdata/good/reference.yaml"
	for name, args := range map[string][]string{
		"plan.txt": {shop, "--section", "all"}, "plan.mermaid": {shop, "--format", "mermaid"}, "plan.json": {shop, "--output", "json"},
		"plan_star.txt": {star, "--section", "all"}, "plan_star.mermaid": {star, "--format", "mermaid"}, "plan_star.json": {star, "--output", "json"},
		"plan_star.er": {star, "--format", "er"}, "plan_names.er": {odd, "--format", "er"},
		"plan_reference.txt": {joined, "--section", "all"}, "plan_reference.json": {joined, "--output", "json"},
		"plan_star_summary.txt": {star}, "plan_star_lineage.txt": {star, "--lineage", "fact_order"}, "plan_star_lineage.json": {star, "--lineage", "facts.fact_order.rest", "--output", "json"},
	} {
		r := command(append([]string{"plan"}, args...)...)
		r.want(t, exitFine)
		golden(t, "testdata/"+name, r.out)
	}
	r := command("plan", shop, "--format", "er")
	r.want(t, exitUsage, "pipeline shop has no star; --format mermaid shows its graph")
	// Sections come in one order, without what is before them in the summary.
	if two := command("plan", star, "--section", "state,graph"); !strings.HasPrefix(two.out, "Graph\n") || strings.Count(two.out, "\n\nState\n") != 1 {
		t.Errorf("%+v", two)
	}
}

func TestSchemaAndVersionCommands(t *testing.T) {
	var schema map[string]any
	if r := command("schema"); r.code != exitFine || json.Unmarshal([]byte(r.out), &schema) != nil || schema["properties"] == nil {
		t.Errorf("%+v", r)
	}
	text := command("version")
	if text.code != exitFine || strings.Count(text.out, "\n") != 1 {
		t.Errorf("%+v", text)
	}
	text.want(t, exitFine, "starlift ", "commit ", runtime.Version(), "DuckDB v1.")
	if flag := command("--version"); flag.code != exitFine || flag.out != text.out {
		t.Errorf("--version prints %q, version %q", flag.out, text.out)
	}
	var b build
	if r := command("version", "--output", "json"); json.Unmarshal([]byte(r.out), &b) != nil || b != thisBuild() {
		t.Errorf("%+v", r)
	}
	b = build{Version: "v1.2.3", Commit: "0123abc-dirty", Time: "2024-05-06T07:08:09Z", Go: "go1.99", Platform: "plan9/arm"}
	if got, want := b.String(), "v1.2.3 (commit 0123abc-dirty of 2024-05-06), go1.99 plan9/arm, without DuckDB"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestMistakesAsJSON: every command that prints JSON prints what is wrong with the
// file as JSON too, with the status of a wrong file.
func TestMistakesAsJSON(t *testing.T) {
	const bad = "testdata/bad/several.yaml"
	want := command("validate", bad, "--output", "json").out
	for _, args := range []string{"plan", "status", "dead-letters list", "dead-letters replay --all", "dead-letters show ID"} {
		words := strings.Fields(args)
		if last := len(words) - 1; words[last] == "ID" {
			words = append(words[:last], bad, "ID")
		} else {
			words = append(words, bad)
		}
		r := command(append(words, "--output", "json")...)
		r.want(t, exitUsage, bad+" is not valid")
		var one, list any
		if json.Unmarshal([]byte(r.out), &one) != nil || json.Unmarshal([]byte(want), &list) != nil || !reflect.DeepEqual([]any{one}, list) {
			t.Errorf("%s prints\n%s, want the same as validate:\n%s", args, r.out, want)
		}
	}
	if r := command("test", bad, "--output", "json"); r.code != exitUsage || r.out != want {
		t.Errorf("test: %+v", r)
	}
	r := command("plan", "missing.yaml", "--output", "json")
	r.want(t, exitUsage, "missing.yaml is not valid")
	if !strings.Contains(r.out, `"message": "pipeline file: open missing.yaml: no such file or directory"`) {
		t.Error(r.out)
	}
}

func TestStatusCommand(t *testing.T) {
	t.Parallel()
	dir := shop(t, 500, 47)
	fine(t, dir, "status", "shop.yaml").want(t, exitFine, "pipeline shop has not run yet")
	if _, err := os.Stat(filepath.Join(dir, "data")); err == nil {
		t.Error("status made a state folder")
	}
	fine(t, dir, "run", "shop.yaml", "--set", "epoch.max_records=100")
	fine(t, dir, "status", "shop.yaml").want(t, exitFine, "pipeline shop, state ", "source changes: read to its end, 1 partition", "sink warehouse: epoch ", "sink lake: epoch ")
	var st status.Status
	if err := json.Unmarshal([]byte(fine(t, dir, "status", "shop.yaml", "--output", "json").out), &st); err != nil {
		t.Fatal(err)
	}
	if st.Pipeline != "shop" || st.Epoch < 5 || st.StateID == "" || st.StateBytes == 0 || !st.Sources["changes"].Finished || st.Sinks["lake"].Gathering {
		t.Errorf("%+v", st)
	}
}

// metrics are those that a run with a dead letter shows from its first epoch on.
var metrics = []string{
	`starlift_records_in_total{node="changes"}`, `starlift_bytes_in_total{node="changes"}`,
	`starlift_rows_out_total{node="items",op="insert",table="customer"}`, `starlift_rows_out_total{node="items",op="upsert",table="order"}`,
	`starlift_dead_letters_total{node="items",reason="bad_record"}`, "starlift_epoch ", `starlift_epoch_duration_seconds_bucket{step="save"`,
	`starlift_epoch_duration_seconds_bucket{step="commit"`, "starlift_commit_age_seconds ", "starlift_queue_depth{", "starlift_state_bytes ",
}

// TestMetricsAndStop looks at a running pipeline, stops it by SIGTERM, and lets
// the next run complete it.
func TestMetricsAndStop(t *testing.T) {
	t.Parallel()
	dir := shop(t, 3000, 53)
	path := filepath.Join(dir, "changes.ndjson")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, append([]byte("broken\n"), data...))
	args := []string{"run", "shop.yaml", "--set", "epoch.max_records=2", "--set", "dead_letters.max_ratio=1"}
	p := start(t, dir, nil, append(args, "--set", "http.listen=127.0.0.1:0")...)
	get := p.http(t)
	if got := get("/healthz"); got != "ok\n" {
		t.Errorf("/healthz: %q", got)
	}
	var missing string
	wait(t, p, func() bool {
		page := get("/metrics")
		missing = ""
		for _, m := range metrics {
			if !strings.Contains(page, "\n"+m) {
				missing = m
			}
		}
		return missing == ""
	})
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	r := p.result()
	r.want(t, exitFine, `"within_seconds":30`, "stopping after this epoch", `"msg":"stopped"`, `"took_seconds":`)
	var st status.Status
	if err := json.Unmarshal([]byte(fine(t, dir, "status", "shop.yaml", "--output", "json").out), &st); err != nil {
		t.Fatal(err)
	}
	if st.Epoch == 0 || st.Sources["changes"].Finished {
		t.Errorf("it did not stop on its way: %+v", st)
	}
	fine(t, dir, "run", "shop.yaml", "--set", "dead_letters.max_ratio=1")
	d := openDatabase(t)
	d.wantShop(dir)
	if n := len(deadLetters(t, dir, "shop.yaml")); n != 1 {
		t.Errorf("%d dead letters, want 1", n)
	}
}
