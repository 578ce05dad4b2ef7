package jobs

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/starlift-etl/starlift/jobs/status"
	"github.com/starlift-etl/starlift/pipeline/engine"
	"github.com/starlift-etl/starlift/sinks/deadletters"
)

const replayPipeline = `
name: small
epoch: {max_records: 2}
dead_letters: {max_ratio: 1}
sources: {changes: {type: file, path: "changes-*.ndjson", format: json, key: [id]}}
transforms:
  items:
    type: unnest
    inputs: [changes]
    tables: {item: {key: [id], columns: {id: {}, n: {type: int64}}}}
  names:
    type: unnest
    inputs: [changes]
    tables: {name: {key: [id], columns: {id: {}, name: {}}}}
sinks:
  log: {type: parquet, inputs: [items, names], url: log, mode: append}
  warehouse: {type: duckdb, inputs: [items], dsn: small.duckdb}
`

const replayChanges = `{"id": "a", "n": 1, "name": "ada"}
{"id": "b", "n": "two", "name": "bo"}
{"id": "c", "n": "three", "name": "cy"}
{"id": "c", "n": 4, "name": "cy"}
{"id": "d", "n": "five", "name": "di"}
broken
{"id": "e", "n": "six", "name": "ed"}
`

// replayFolder has a pipeline whose column n refuses some records, and has run.
func replayFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "p.yaml"), []byte(replayPipeline))
	write(t, filepath.Join(dir, "changes-1.ndjson"), []byte(replayChanges))
	fine(t, dir, "run", "p.yaml")
	return dir
}

// mend lets null stand for what does not fit.
func mend(t *testing.T, dir string) {
	t.Helper()
	edit(t, filepath.Join(dir, "p.yaml"), "n: {type: int64}", `n: {type: int64, on_error: "null"}`)
}

// logged returns the rows of the logs.
func logged(t *testing.T, dir string) string {
	t.Helper()
	d := openDatabase(t)
	return d.rows(fmt.Sprintf(`SELECT string_agg(v, ' ' ORDER BY v) FROM (SELECT id || coalesce(n::VARCHAR, 'null') AS v FROM read_parquet('%[1]s/log/item/*.parquet')
		UNION ALL SELECT id || name FROM read_parquet('%[1]s/log/name/*.parquet'))`, dir))
}

// settledRows returns the rows of the warehouse.
func settledRows(t *testing.T, dir string) string {
	t.Helper()
	d := openDatabase(t)
	d.exec(fmt.Sprintf("ATTACH '%s/small.duckdb' AS w (READ_ONLY)", dir))
	defer d.exec("DETACH w")
	return d.rows("SELECT string_agg(id || coalesce(n::VARCHAR, 'null'), ' ' ORDER BY id) FROM w.main.item")
}

// statuses lists a pipeline's dead letters by the lines of their records.
func statuses(t *testing.T, dir string) (all []string) {
	t.Helper()
	for line := range strings.Lines(fine(t, dir, "dead-letters", "list", "p.yaml", "--output", "json").out) {
		var l struct {
			deadletters.Letter
			Status string
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		again := ""
		if l.ReplayOf != "" {
			again = " again"
		}
		all = append(all, fmt.Sprintf("%s:%d %s %s %s%s", l.Partition, l.Line, l.Node, l.Reason, l.Status, again))
	}
	return all
}

// TestReplay: mended records take effect once, with the versions that they have,
// through the transform that refused them and no other; the broken one is a dead
// letter again.
func TestReplay(t *testing.T) {
	t.Parallel()
	dir := replayFolder(t)
	const file = "changes-1.ndjson:"
	before := []string{file + "2 items bad_value open", file + "3 items bad_value open", file + "5 items bad_value open",
		file + "6 items bad_record open", file + "6 names bad_record open", file + "7 items bad_value open"}
	if diff := cmp.Diff(before, statuses(t, dir)); diff != "" {
		t.Fatal(diff)
	}
	mend(t, dir)
	fine(t, dir, "dead-letters", "replay", "p.yaml", "--reason", "bad_value").want(t, exitFine, "4 dead letters wait to be read again; the next run reads them")
	fine(t, dir, "dead-letters", "replay", "p.yaml", "--all").want(t, exitFine, "2 dead letters wait", "left out: 4 that wait already")
	fine(t, dir, "dead-letters", "list", "p.yaml", "--status", "waiting", "--counts").want(t, exitFine, "bad_value   items  waiting  4")
	r := fine(t, dir, "run", "p.yaml", "--from-now", "items")
	r.want(t, exitFine, `"records":6`, `"dead_letters":2`)
	after := []string{file + "2 items bad_value replayed", file + "3 items bad_value replayed", file + "5 items bad_value replayed",
		file + "6 items bad_record replayed", file + "6 names bad_record replayed", file + "7 items bad_value replayed",
		file + "6 items bad_record open again", file + "6 names bad_record open again"}
	if diff := cmp.Diff(after, statuses(t, dir)); diff != "" && !cmp.Equal(swapped(after), statuses(t, dir)) {
		t.Error(diff)
	}
	// c has a newer change, which wins; the log has the old one too, after it.
	if got, want := settledRows(t, dir), "a1 bnull c4 dnull enull\n"; got != want {
		t.Errorf("the warehouse has\n%s, want\n%s", got, want)
	}
	if got, want := logged(t, dir), "a1 aada bbo bnull c4 ccy ccy cnull ddi dnull eed enull\n"; got != want {
		t.Errorf("the log has\n%s, want\n%s", got, want)
	}
	fine(t, dir, "dead-letters", "replay", "p.yaml", "--reason", "bad_value").want(t, exitFine, "0 dead letters", "left out: 4 that were read again already")
	fine(t, dir, "run", "p.yaml").want(t, exitFine, `"records":0`)
	fine(t, dir, "status", "p.yaml").want(t, exitFine, "dead letters, bad_record: 2\n")
}

// swapped exchanges the last two.
func swapped(s []string) []string {
	n := len(s)
	return append(append([]string{}, s[:n-2]...), s[n-1], s[n-2])
}

// TestReplayKilled kills the process at each step of the epochs in which dead
// letters are read again: each takes effect once, and is marked so.
func TestReplayKilled(t *testing.T) {
	t.Parallel()
	from := replayFolder(t)
	mend(t, from)
	fine(t, from, "dead-letters", "replay", "p.yaml", "--reason", "bad_value")
	plain := t.TempDir()
	copyTree(t, from, plain)
	fine(t, plain, "run", "p.yaml", "--from-now", "items")
	rows, log := settledRows(t, plain), logged(t, plain)
	if strings.Count(log, "null") != 4 {
		t.Fatalf("without a crash the log has\n%s", log)
	}
	first := lastEpochOf(t, from) + 1
	for epoch, steps := range map[int64][]engine.Step{first: {engine.StepSave, engine.StepTell}, first + 1: engine.Steps} {
		for _, step := range steps {
			t.Run(fmt.Sprintf("%s of epoch %d", step, epoch), func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				copyTree(t, from, dir)
				start(t, dir, []string{fmt.Sprintf("%s=%s:%d", envKillAt, step, epoch)}, "run", "p.yaml", "--from-now", "items").result().want(t, -1)
				// What is not marked yet can be asked for again, and is read once all the same.
				fine(t, dir, "dead-letters", "replay", "p.yaml", "--reason", "bad_value")
				fine(t, dir, "run", "p.yaml", "--from-now", "items")
				if got := settledRows(t, dir); got != rows {
					t.Errorf("the warehouse has\n%s, want\n%s", got, rows)
				}
				if got := logged(t, dir); got != log {
					t.Errorf("the log has\n%s, want\n%s", got, log)
				}
				fine(t, dir, "dead-letters", "list", "p.yaml", "--counts").want(t, exitFine, "bad_value   items  replayed  4")
				if left, err := filepath.Glob(filepath.Join(dir, "data/dead-letters/small/inbox/small/*")); err != nil || len(left) > 0 {
					t.Errorf("left in the inbox: %v %v", left, err)
				}
				wantNoLeftovers(t, dir)
			})
		}
	}
}

func lastEpochOf(t *testing.T, dir string) int64 {
	t.Helper()
	var st status.Status
	if err := json.Unmarshal([]byte(fine(t, dir, "status", "p.yaml", "--output", "json").out), &st); err != nil {
		t.Fatal(err)
	}
	return st.Epoch
}

// TestReplayIsNotHeldAgainstTheBudget: a run that ends at the first dead letter
// does not end at one that is refused again.
func TestReplayIsNotHeldAgainstTheBudget(t *testing.T) {
	t.Parallel()
	dir := replayFolder(t)
	fine(t, dir, "dead-letters", "replay", "p.yaml", "--all")
	fine(t, dir, "run", "p.yaml", "--set", "dead_letters.max_ratio=0").want(t, exitFine, `"dead_letters":6`)
	write(t, filepath.Join(dir, "changes-2.ndjson"), []byte("broken, too\n"))
	starlift(t, dir, "run", "p.yaml", "--set", "dead_letters.max_ratio=0").want(t, exitFailed, "too many dead letters")
}

// TestReplayThatEndsTheRun: where a value ends the run, the message names the
// letter, and taking the request out of the inbox is the way on.
func TestReplayThatEndsTheRun(t *testing.T) {
	t.Parallel()
	dir := replayFolder(t)
	fine(t, dir, "dead-letters", "replay", "p.yaml", "--reason", "bad_value")
	set := "transforms.items.tables.item.columns.n.on_error=fail"
	for range 2 {
		starlift(t, dir, "run", "p.yaml", "--from-now", "items", "--set", set).want(t, exitFailed, "reading dead letters again, small-", "changes-1.ndjson:2: node items: bad_value", "inbox")
	}
	remove(t, filepath.Join(dir, "data/dead-letters/small/inbox"))
	fine(t, dir, "run", "p.yaml", "--from-now", "items", "--set", set)
	fine(t, dir, "dead-letters", "list", "p.yaml", "--status", "open", "--counts").want(t, exitFine, "bad_value   items  open    4")
}

// TestReplayWithoutReader: what nobody could read is refused when it is asked for,
// and waits, with a warning, when the pipeline was changed since.
func TestReplayWithoutReader(t *testing.T) {
	t.Parallel()
	dir := replayFolder(t)
	without := strings.NewReplacer("  items:\n    type: unnest\n    inputs: [changes]\n    tables: {item: {key: [id], columns: {id: {}, n: {type: int64}}}}\n", "",
		"[items, names]", "[names]", "  warehouse: {type: duckdb, inputs: [items], dsn: small.duckdb}\n", "")
	write(t, filepath.Join(dir, "without.yaml"), []byte(without.Replace(replayPipeline)))
	starlift(t, dir, "dead-letters", "replay", "without.yaml", "--all").want(t, exitFailed, "no transform items reads changes in the pipeline any longer: put it back")
	fine(t, dir, "dead-letters", "replay", "p.yaml", "--node", "items", "--reason", "bad_value")
	fine(t, dir, "run", "without.yaml", "--from-now", "items,warehouse").want(t, exitFine, "wait in the inbox", "no transform items reads changes")
	fine(t, dir, "dead-letters", "list", "p.yaml", "--status", "waiting", "--counts").want(t, exitFine, "bad_value  items  waiting  4")
}

// TestReplayOfAnotherState: the letters of a state folder that is gone are not
// read again: the new one reads their records from the source.
func TestReplayOfAnotherState(t *testing.T) {
	t.Parallel()
	dir := replayFolder(t)
	fine(t, dir, "dead-letters", "replay", "p.yaml", "--node", "names")
	remove(t, filepath.Join(dir, "data/state"), filepath.Join(dir, "log"), filepath.Join(dir, "small.duckdb"))
	fine(t, dir, "dead-letters", "replay", "p.yaml", "--node", "items").want(t, exitFine, "0 dead letters", "left out: 5 that are of an earlier state folder")
	fine(t, dir, "run", "p.yaml").want(t, exitFine, `"records":7`, "is of another state folder")
	fine(t, dir, "dead-letters", "replay", "p.yaml", "--node", "items").want(t, exitFine, "5 dead letters", "left out: 5 that are of an earlier state folder")
	fine(t, dir, "dead-letters", "list", "p.yaml", "--counts").want(t, exitFine, "outdated  4", "waiting   4")
}

// TestReplayUsage: letters are chosen by id or by flags, and by one of the two.
func TestReplayUsage(t *testing.T) {
	t.Parallel()
	dir := replayFolder(t)
	file := filepath.Join(dir, "p.yaml")
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{file}, "say which dead letters"},
		{[]string{file, "id", "--all"}, "ids, or flags that choose letters, not both"},
		{[]string{file, "--since", "yesterday"}, `--since "yesterday": want a time`},
		{nil, "wants a pipeline file"},
	} {
		command(append([]string{"dead-letters", "replay"}, c.args...)...).want(t, exitUsage, c.says)
	}
	starlift(t, dir, "dead-letters", "replay", "p.yaml", "small-x:1").want(t, exitFailed, `no dead letter "small-x:1"`, "prints the ids")
	starlift(t, dir, "dead-letters", "list", "p.yaml", "--status", "gone").want(t, exitUsage, "known are open, waiting, replayed, outdated")
	if out := fine(t, dir, "dead-letters", "list", "p.yaml", "--until", "1h").out; !strings.HasPrefix(out, "none of the ") {
		t.Errorf("an hour ago there was %s", out)
	}
	id, _, _ := strings.Cut(fine(t, dir, "dead-letters", "list", "p.yaml", "--since", "1h", "--reason", "bad_record").out, "  ")
	var r replayReport
	if err := json.Unmarshal([]byte(fine(t, dir, "dead-letters", "replay", "p.yaml", id, "--output", "json").out), &r); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, r.Request)); err != nil || r.Letters != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	fine(t, dir, "dead-letters", "show", "p.yaml", id).want(t, exitFine, "status:   waiting", "record:\nbroken\n")
}

// TestReplayOfExport: an item of an export keeps the time of the export that it
// was read from, though the source reads another one by now.
func TestReplayOfExport(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	oneItemExport(t, filepath.Join(dir, "old"), "Old", "2024-01-01T00:00:00Z")
	oneItemExport(t, filepath.Join(dir, "new"), "New", "2025-01-01T00:00:00Z")
	file := filepath.Join(dir, "p.yaml")
	write(t, file, []byte(`
name: small
dead_letters: {max_ratio: 1}
sources: {changes: {type: file, path: old, format: dynamodb_export, key: [id]}}
transforms:
  items:
    type: unnest
    inputs: [changes]
    tables: {item: {key: [id], columns: {id: {}, n: {type: int64}, at: {from: $meta.created_at, type: timestamp}, table: {from: $meta.table}}}}
sinks: {log: {type: parquet, inputs: [items], url: log, mode: changes}}
`))
	fine(t, dir, "run", "p.yaml")
	edit(t, file, "path: old", "path: new")
	mend(t, dir)
	fine(t, dir, "dead-letters", "replay", "p.yaml", "--all")
	fine(t, dir, "run", "p.yaml", "--from-now", "items")
	d := openDatabase(t)
	got := d.rows(fmt.Sprintf(`SELECT i.n IS NULL, i.at, i."table" FROM read_parquet('%s/log/item/*.parquet') i ORDER BY 2`, dir))
	if want := "true|2023-12-31 23:55:00 +0000 UTC|Old\ntrue|2024-12-31 23:55:00 +0000 UTC|New\n"; got != want {
		t.Errorf("rows are\n%s, want\n%s", got, want)
	}
}

// TestReplayOfLateChange: a change that came too late is too late again when it is
// read again, also when deletions are remembered for longer from now on: those that
// are forgotten stay so. Its key is not shown where a column of it is masked.
func TestReplayOfLateChange(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "p.yaml"), []byte(`
name: small
state: {tombstones: 1m}
dead_letters: {max_ratio: 0.5}
sources: {changes: {type: file, path: changes.ndjson, format: dynamodb_cdc, follow: true}}
transforms: {items: {type: unnest, inputs: [changes], tables: {item: {key: [id], columns: {id: {from: pk, mask: true}, n: {type: int64}}}}}}
sinks: {warehouse: {type: duckdb, inputs: [items], dsn: small.duckdb}}
`))
	change := func(id string, seconds, n int) string {
		return fmt.Sprintf(`{"eventID": %[1]q, "eventName": "INSERT", "tableName": "t", "dynamodb": {"ApproximateCreationDateTime": %[2]d, "Keys": {"pk": {"S": %[1]q}}, `+
			`"NewImage": {"pk": {"S": %[1]q}, "n": {"N": "%[3]d"}}}}`+"\n", id, 1_700_000_000+seconds, n)
	}
	follow := func(metric string, want float64, set ...string) {
		t.Helper()
		p := start(t, dir, nil, append([]string{"run", "p.yaml", "--log-level", "debug", "--set", "http.listen=127.0.0.1:0"}, set...)...)
		now := p.metric(t, metric)
		wait(t, p, func() bool { return now() == want })
		p.signal(t, syscall.SIGTERM)
		p.result().want(t, exitFine)
	}
	const late = `starlift_dead_letters_total{node="items",reason="too_late"}`
	// The clock is the 64th greatest time.
	var clock strings.Builder
	for i := range 64 {
		clock.WriteString(change("new", 3600+i, i+1))
	}
	write(t, filepath.Join(dir, "changes.ndjson"), []byte(clock.String()))
	follow(`starlift_records_in_total{node="changes"}`, 64)
	write(t, filepath.Join(dir, "changes.ndjson"), []byte(clock.String()+change("late-one", 0, 2)))
	follow(late, 1)
	if got, want := statuses(t, dir), []string{"changes.ndjson:65 items too_late open"}; !cmp.Equal(got, want) {
		t.Fatalf("%v", got)
	}
	list := fine(t, dir, "dead-letters", "list", "p.yaml").out
	if strings.Contains(list, "late-one") || !strings.Contains(list, `item {"pk":"***"}: the change is older`) {
		t.Errorf("listed as %s", list)
	}
	fine(t, dir, "dead-letters", "replay", "p.yaml", "--all")
	follow(late, 1, "--set", "state.tombstones=2h", "--set", "dead_letters.max_ratio=0")
	if got, want := statuses(t, dir), []string{"changes.ndjson:65 items too_late replayed", "changes.ndjson:65 items too_late open again"}; !cmp.Equal(got, want) {
		t.Errorf("%v", got)
	}
	if got, want := settledRows(t, dir), "new64\n"; got != want {
		t.Errorf("the warehouse has %s, want %s", got, want)
	}
}

// oneItemExport lays out an export of a table with one item.
func oneItemExport(t *testing.T, dir, table, at string) {
	t.Helper()
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	item := []byte(`{"Item": {"id": {"S": "a"}, "n": {"S": "one"}}}` + "\n")
	sum := md5.Sum(item)
	write(t, filepath.Join(dir, table+".json"), item)
	write(t, filepath.Join(dir, "manifest-files.json"), fmt.Appendf(nil, `{"itemCount": 1, "md5Checksum": %q, "dataFileS3Key": "%s.json"}`+"\n",
		base64.StdEncoding.EncodeToString(sum[:]), table))
	write(t, filepath.Join(dir, "manifest-summary.json"), fmt.Appendf(nil, `{"version": "2020-06-30", "tableArn": "arn:aws:dynamodb:us-east-1:123456789012:table/%s",
		"exportTime": %q, "itemCount": 1, "outputFormat": "DYNAMODB_JSON", "exportType": "FULL_EXPORT"}`, table, at))
}

// TestReplayWhileRunning: a pipeline that does not end reads what is put into its
// inbox, and takes it out.
func TestReplayWhileRunning(t *testing.T) {
	t.Parallel()
	dir, address := t.TempDir(), freeAddress(t)
	write(t, filepath.Join(dir, "p.yaml"), []byte(replayPipeline))
	write(t, filepath.Join(dir, "changes-1.ndjson"), []byte(replayChanges))
	edit(t, filepath.Join(dir, "p.yaml"), "format: json,", "format: json, follow: true,")
	edit(t, filepath.Join(dir, "p.yaml"), "dead_letters:", "http: {listen: "+address+"}\ndead_letters:")
	follow := func(until ...string) *process {
		p := start(t, dir, nil, "run", "p.yaml", "--from-now", "items")
		wait(t, p, func() bool { return strings.Contains(p.err.String(), `"msg":"serving metrics"`) })
		wait(t, p, func() bool {
			_, metrics := page(t, address, "/metrics")
			return !slices.ContainsFunc(until, func(s string) bool { return !strings.Contains(metrics, s) })
		})
		return p
	}
	end := func(p *process) {
		if err := p.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		p.result().want(t, exitFine, `"msg":"stopped"`)
	}
	end(follow(`starlift_dead_letters_total{node="items",reason="bad_value"} 4`, "\nstarlift_pending_records 0\n"))
	mend(t, dir)
	p := follow("\nstarlift_epoch ")
	fine(t, dir, "dead-letters", "replay", "p.yaml", "--reason", "bad_value").want(t, exitFine, "4 dead letters wait", "within seconds if it runs")
	wait(t, p, func() bool {
		_, metrics := page(t, address, "/metrics")
		left, err := filepath.Glob(filepath.Join(dir, "data/dead-letters/small/inbox/small/*"))
		return err == nil && len(left) == 0 && strings.Contains(metrics, `starlift_dead_letters_replayed_total{node="items",reason="bad_value"} 4`)
	})
	fine(t, dir, "dead-letters", "replay", "p.yaml", "--all").want(t, exitFine, "2 dead letters wait", "left out: 4 that were read again already")
	wait(t, p, func() bool {
		_, metrics := page(t, address, "/metrics")
		return strings.Contains(metrics, `starlift_dead_letters_total{node="names",reason="bad_record"} 1`)
	})
	fine(t, dir, "status", "p.yaml").want(t, exitFine, "running since", "dead letters, bad_record: 2\n")
	end(p)
	if got, want := settledRows(t, dir), "a1 bnull c4 dnull enull\n"; got != want {
		t.Errorf("the warehouse has\n%s, want\n%s", got, want)
	}
	// A backfill ends, though the pipeline is followed and letters wait.
	fine(t, dir, "dead-letters", "replay", "p.yaml", "--all").want(t, exitFine, "2 dead letters wait")
	edit(t, filepath.Join(dir, "p.yaml"), "sources: {", "sources: {bounded: {type: file, path: \"changes-*.ndjson\", format: json, key: [id], table: more}, ")
	edit(t, filepath.Join(dir, "p.yaml"), "  names:\n    type: unnest\n    inputs: [changes]", "  names:\n    type: unnest\n    inputs: [changes, bounded]")
	fine(t, dir, "backfill", "p.yaml").want(t, exitFine, `"records":9`)
}
