package jobs

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// insert is a change record that inserts an item: its key and what else it has,
// in DynamoDB JSON.
func insert(key, rest string) string {
	if rest != "" {
		rest = "," + rest
	}
	return fmt.Sprintf(`{"eventName":"INSERT","tableName":"t","dynamodb":{"ApproximateCreationDateTime":1709251200000,"Keys":{"id":%s},"NewImage":{"id":%s%s}}}`,
		key, key, rest)
}

// records are lines of input: each ends in one row of table item, or in a dead
// letter.
var records = []struct {
	name   string
	line   string
	reason string // of the dead letter
	says   string // part of its message
	row    string // of item, where there is no dead letter
}{
	{name: "key of type S", line: insert(`{"S":"s"}`, ""), row: "s|<nil>|<nil>|<nil>|<nil>|<nil>|<nil>"},
	{name: "key of type N", line: insert(`{"N":"7"}`, ""), row: "7|<nil>|<nil>|<nil>|<nil>|<nil>|<nil>"},
	{name: "key of type B", line: insert(`{"B":"AAH/"}`, ""), row: "AAH/|<nil>|<nil>|<nil>|<nil>|<nil>|<nil>"},
	{name: "empty text", line: insert(`{"S":"empty"}`, `"text":{"S":""}`), row: "empty||<nil>|<nil>|<nil>|<nil>|<nil>"},
	{name: "38 digits", line: insert(`{"S":"digits"}`, `"whole":{"N":"12345678901234567890123456789012345678"},"number":{"N":"12345678901234567890123456789012345678"}`),
		row: "digits|<nil>|12345678901234567890123456789012345678|<nil>|12345678901234567890123456789012345678|1.2345678901234568e+37|<nil>"},
	{name: "exponent", line: insert(`{"S":"exponent"}`, `"whole":{"N":"1.5E+3"},"money":{"N":"-125E-2"}`), row: "exponent|<nil>|1500|-1.25|<nil>|<nil>|<nil>"},
	{name: "bare number", line: insert(`{"S":"bare"}`, `"whole":{"N":5}`), row: "bare|<nil>|5|<nil>|<nil>|<nil>|<nil>"},
	{name: "greatest number", line: insert(`{"S":"greatest"}`, `"number":{"N":"9.9999999999999999999999999999999999999E+125"}`),
		row: "greatest|<nil>|<nil>|<nil>|9.9999999999999999999999999999999999999E+125|1e+126|<nil>"},
	{name: "list where a map is expected", line: insert(`{"S":"list"}`, `"address":{"L":[{"S":"Paris"}]}`), row: "list|<nil>|<nil>|<nil>|<nil>|<nil>|<nil>"},
	{name: "empty list of elements", line: insert(`{"S":"no elements"}`, `"elements":{"L":[]}`), row: "no elements|<nil>|<nil>|<nil>|<nil>|<nil>|<nil>"},
	{name: "item of 400 KB", line: insert(`{"S":"large"}`, `"filler":{"S":"`+strings.Repeat("x", 400_000)+`"},"text":{"S":"end"}`), row: "large|end|<nil>|<nil>|<nil>|<nil>|<nil>"},

	{name: "no JSON", line: "hello", reason: "bad_record"},
	{name: "not an object", line: `17`, reason: "bad_record"},
	{name: "broken line", line: insert(`{"S":"broken"}`, "")[:90], reason: "bad_record", says: "ends too early"},
	{name: "no keys", line: `{"eventName":"INSERT","dynamodb":{"ApproximateCreationDateTime":1,"NewImage":{"id":{"S":"x"}}}}`, reason: "bad_record", says: "Keys"},
	{name: "unknown event", line: strings.Replace(insert(`{"S":"event"}`, ""), "INSERT", "UPSERT", 1), reason: "bad_record", says: "UPSERT"},
	{name: "unknown type", line: insert(`{"S":"unknown"}`, `"text":{"Q":"1"}`), reason: "bad_record", says: "unknown DynamoDB type"},
	{name: "key of type M", line: insert(`{"M":{}}`, ""), reason: "bad_record"},
	{name: "invalid UTF-8", line: insert(`{"S":"utf-8"}`, "\"text\":{\"S\":\"a\xff\xfeb\"}"), reason: "bad_record", says: "UTF-8"},
	{name: "number that is none", line: insert(`{"S":"none"}`, `"whole":{"N":"seven"}`), reason: "bad_record"},
	{name: "fraction in a whole number", line: insert(`{"S":"fraction"}`, `"whole":{"N":"1.5"}`), reason: "bad_value", says: "column whole"},
	{name: "number out of range", line: insert(`{"S":"range"}`, `"money":{"N":"123456789.5"}`), reason: "bad_value", says: "out of range"},
	{name: "map where a text is expected", line: insert(`{"S":"map"}`, `"whole":{"M":{}}`), reason: "bad_value", says: "column whole"},
	{name: "repeated element key", line: insert(`{"S":"twice"}`, `"elements":{"L":[{"M":{"name":{"S":"a"}}},{"M":{"name":{"S":"a"}}}]}`), reason: "duplicate_key", says: "table element"},
	{name: "null in the key", line: insert(`{"S":"null"}`, `"elements":{"L":[{"M":{"name":{"S":"a"}}},{"M":{"name":{"NULL":true}}}]}`), reason: "null_key", says: "column name"},
}

// letter is a dead letter as the commands print it.
type letter struct {
	ID, Reason, Message, Node, Source, Partition string
	Line, Epoch                                  int64
	Record                                       string
	Binary                                       []byte `json:"record_base64"`
}

// deadLetters lists a pipeline's dead letters.
func deadLetters(t *testing.T, dir, file string) []letter {
	t.Helper()
	var all []letter
	d := json.NewDecoder(strings.NewReader(fine(t, dir, "dead-letters", "list", file, "--output", "json").out))
	for d.More() {
		var l letter
		if err := d.Decode(&l); err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
	}
	return all
}

// TestRecords has one record of each sort in one file: each comes out as a row
// or as a dead letter with its original bytes, and no row of a dead letter is
// in any table.
func TestRecords(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pipelineFile(t, dir, "items.yaml")
	var input, rows []string
	wantDead := map[int64]int{} // line to record
	for i, r := range records {
		input = append(input, r.line)
		if r.reason != "" {
			wantDead[int64(i+1)] = i
		} else {
			rows = append(rows, r.row)
		}
	}
	write(t, filepath.Join(dir, "items.ndjson"), []byte(strings.Join(input, "\n")))
	fine(t, dir, "run", "items.yaml").want(t, exitFine, fmt.Sprintf(`"dead_letters":%d`, len(wantDead)))

	for _, l := range deadLetters(t, dir, "items.yaml") {
		i, ok := wantDead[l.Line]
		if !ok {
			t.Errorf("dead letter %+v is not wanted", l)
			continue
		}
		delete(wantDead, l.Line)
		t.Run(records[i].name, func(t *testing.T) { checkLetter(t, dir, &l, records[i].line, records[i].reason, records[i].says) })
	}
	for _, i := range wantDead {
		t.Errorf("%s: no dead letter", records[i].name)
	}

	d := openDatabase(t)
	d.exec("ATTACH '" + filepath.Join(dir, "items.duckdb") + "' AS w (READ_ONLY)")
	for _, row := range rows {
		id, _, _ := strings.Cut(row, "|")
		if got := d.rows("SELECT id, text, whole::VARCHAR, money::VARCHAR, exact, about, city FROM w.item WHERE id = '" + id + "'"); got != row+"\n" {
			t.Errorf("row is %swant   %s", got, row)
		}
	}
	if n := d.number("SELECT count(*) FROM w.item"); n != int64(len(rows)) {
		t.Errorf("%d rows, want %d", n, len(rows))
	}
	if n := d.number("SELECT count(*) FROM w.element"); n != 0 {
		t.Errorf("%d elements of items that are dead letters", n)
	}
}

// checkLetter holds a dead letter against its record.
func checkLetter(t *testing.T, dir string, l *letter, line, reason, says string) {
	if l.Reason != reason || !strings.Contains(l.Message, says) || l.Partition != "items.ndjson" || l.Source != "changes" || l.Node != "items" || l.Epoch != 1 {
		t.Errorf("letter %+v, want reason %s and a message with %q", l, reason, says)
	}
	if l.Record != "" || l.Binary != nil {
		t.Errorf("list shows the record: %q %q", l.Record, l.Binary)
	}
	// In this process: there are many of them.
	show := func(args ...string) string {
		r := command(append([]string{"dead-letters", "show", filepath.Join(dir, "items.yaml"), l.ID, "--set", "dead_letters.url=" + filepath.Join(dir, "dead")}, args...)...)
		r.want(t, exitFine)
		return r.out
	}
	shown := show()
	if !strings.HasSuffix(shown, "record:\n"+line+"\n") || !strings.Contains(shown, "position: items.ndjson:") {
		t.Errorf("shown as\n%q", shown)
	}
	var full letter
	if err := json.Unmarshal([]byte(show("--output", "json")), &full); err != nil {
		t.Fatal(err)
	}
	if string(full.Binary) != line && full.Record != line {
		t.Errorf("record is %q %s", full.Record, base64.StdEncoding.EncodeToString(full.Binary))
	}
}

// TestDeadLettersCommand covers what list and show say beside the letters.
func TestDeadLettersCommand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pipelineFile(t, dir, "items.yaml")
	const none = "no dead letters in dead\n"
	for _, more := range []string{"--counts", "--reason=bad_value", "--node=items", "--limit=3"} {
		if out := fine(t, dir, "dead-letters", "list", "items.yaml", more).out; out != none {
			t.Errorf("before the first run, with %s: %q", more, out)
		}
	}
	if out := fine(t, dir, "dead-letters", "list", "items.yaml", "--output", "json").out; out != "" {
		t.Errorf("before the first run, as JSON: %q", out)
	}
	write(t, filepath.Join(dir, "items.ndjson"), []byte("hello\n"+insert(`{"S":"range"}`, `"money":{"N":"123456789.5"}`)))
	fine(t, dir, "run", "items.yaml")
	list := strings.Split(fine(t, dir, "dead-letters", "list", "items.yaml").out, "\n")
	if len(list) != 3 || !strings.Contains(list[0], "  bad_record  items.ndjson:1  items  open  ") ||
		!strings.Contains(list[1], "  bad_value   items.ndjson:2  items  open  table item, column money") {
		t.Errorf("list:\n%s", strings.Join(list, "\n"))
	}
	if out := fine(t, dir, "dead-letters", "list", "items.yaml", "--reason", "bad_value").out; strings.Count(out, "\n") != 1 {
		t.Errorf("list of one reason:\n%s", out)
	}
	fine(t, dir, "dead-letters", "list", "items.yaml", "--limit", "1").want(t, exitFine, "bad_record", "1 of 2 dead letters; --limit 0 prints all\n")
	if out := fine(t, dir, "dead-letters", "list", "items.yaml", "--limit", "1", "--output", "json").out; strings.Count(out, "\n") != 1 {
		t.Errorf("one as JSON:\n%s", out)
	}
	fine(t, dir, "dead-letters", "list", "items.yaml", "--reason", "too_late").want(t, exitFine, "none of the 2 dead letters in dead is as the flags say\n")
	// Those of a node that the file no longer has can be chosen.
	fine(t, dir, "dead-letters", "list", "items.yaml", "--set", "dead_letters.url=elsewhere").want(t, exitFine, "no dead letters in elsewhere")
	renameItems := func(from, to string) {
		edit(t, filepath.Join(dir, "items.yaml"), from+":", to+":")
		edit(t, filepath.Join(dir, "items.yaml"), "["+from+"]", "["+to+"]")
	}
	renameItems("items", "things")
	fine(t, dir, "dead-letters", "list", "items.yaml", "--node", "items", "--counts").want(t, exitFine, "bad_record  items  open    1\n")
	renameItems("things", "items")
	for args, want := range map[string]string{
		"list --reason bad_valu":       `--reason "bad_valu": known are bad_record, bad_value, null_key`,
		"list --reason bad_valu --all": "unknown flag",
		"list --reason BAD_VALUE":      `did you mean "bad_value"?`,
		"list --node itms":             `--node "itms": known are items, `,
		"list --node itms --counts":    `did you mean "items"?`,
		"replay --node itms":           `did you mean "items"?`,
		"replay --reason late":         `--reason "late"`,
		"list --status opne":           `--status "opne": known are open, waiting, replayed, outdated: did you mean "open"?`,
		"list --limit -1":              "--limit -1: want at least 1",
		"list --limit 5 --counts":      "leave one of them out",
	} {
		words := strings.Fields(args)
		starlift(t, dir, append([]string{"dead-letters", words[0], "items.yaml"}, words[1:]...)...).want(t, exitUsage, want)
	}
	starlift(t, dir, "dead-letters", "show", "items.yaml", "no-such:1").want(t, exitFailed, `no dead letter "no-such:1"`, "dead-letters list items.yaml")
	starlift(t, dir, "dead-letters", "show", "items.yaml").want(t, exitUsage, "the id of a dead letter")
	starlift(t, dir, "dead-letters", "replace", "items.yaml").want(t, exitUsage, `no command "replace"`)
}

// TestDeadLetterBudget stops a run with too many broken lines; with a larger
// budget the next run goes on.
func TestDeadLetterBudget(t *testing.T) {
	t.Parallel()
	for _, ratio := range []string{"0.01", "0"} {
		t.Run(ratio, func(t *testing.T) {
			t.Parallel()
			dir := shop(t, 3000, 11)
			path := filepath.Join(dir, "changes.ndjson")
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var broken bytes.Buffer
			n, bad := 0, 0
			for line := range bytes.Lines(data) {
				if n++; n > 1500 && n%20 == 0 {
					bad++
					broken.Write(line[:len(line)/2])
					broken.WriteByte('\n')
				}
				broken.Write(line)
			}
			write(t, path, broken.Bytes())
			args := []string{"run", "shop.yaml", "--set", "epoch.max_records=100", "--set"}
			starlift(t, dir, append(args, "dead_letters.max_ratio="+ratio)...).want(t, exitFailed, "dead letter", "max_ratio")
			fine(t, dir, append(args, "dead_letters.max_ratio=0.5")...)
			openDatabase(t).wantShop(dir)
			if n := len(deadLetters(t, dir, "shop.yaml")); n != bad {
				t.Errorf("%d dead letters, want %d", n, bad)
			}
		})
	}
}
