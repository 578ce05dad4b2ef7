package jobs

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const maskedPipeline = `
name: small
dead_letters: {max_ratio: 1}
sources: {changes: {type: file, path: "changes.ndjson", format: json, key: [id]}}
transforms:
  items:
    type: unnest
    inputs: [changes]
    tables:
      person:
        where: {kind: [person]}
        key: [id]
        columns:
          id: {}
          email: {from: contact.email, mask: true}
          domain: {from: contact.email, split: "@", part: 2, type: int64, on_error: "null"}
          pin: {type: int64, mask: true}
          pins: {expr: "pin / 0 + len(contact.email)", type: int64, on_error: "null"}
          born: {type: date}
          raw: {from: contact, type: json, on_error: "null"}
      phone:
        where: {kind: [phones]}
        explode: {from: phones, as: phone}
        key: [id, number]
        columns: {id: {}, number: {from: phone.number, type: int64, mask: true}}
  again: # the same attributes, masked above
    type: unnest
    inputs: [changes]
    unmatched: ignore
    tables:
      pin: {where: {kind: [person]}, key: [id], columns: {id: {}, code: {from: pin, type: int64}, all: {from: contact, type: json}}}
      call: {where: {kind: [phones]}, explode: {from: phones, as: phone}, key: [id, number], columns: {id: {}, number: {from: phone.number, type: date}}}
  codes:
    type: filter
    inputs: [again.pin]
    expr: "1000 / (code - 900) > 0"
    on_error: dead_letter
  more:
    type: derive
    inputs: [items.person]
    columns: {share: {expr: "100 / (pin - 4700 - 11)", type: double}}
  adults:
    type: filter
    inputs: [more]
    expr: "1000 / (pin - 800 - 15) > 0"
    on_error: dead_letter
sinks:
  log: {type: parquet, inputs: [adults, items.phone], url: log, mode: append}
  code_log: {type: parquet, inputs: [codes, again.call], url: codes, mode: append}
`

// secrets are the values that masked columns read.
var secrets = []string{"ada@secret", "s3cret", "4711", "815", "+39-55", "0x77"}

// TestMasked: what masked columns read is in no message, log line or preview, is
// given to sinks as it is, and is shown when somebody says so.
func TestMasked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "p.yaml"), []byte(maskedPipeline))
	write(t, filepath.Join(dir, "changes.ndjson"), []byte(strings.Join([]string{
		`{"id": "fine", "kind": "person", "pin": 900, "contact": {"email": "ada@secret", "name": "Ada"}}`,
		`{"id": "own", "kind": "person", "pin": "s3cret", "contact": {"email": "ada@secret"}}`,
		`{"id": "other", "kind": "person", "pin": 901, "contact": {"email": "ada@secret"}, "born": "never"}`,
		`{"id": "derived", "kind": "person", "pin": 4711, "contact": {"email": "ada@secret"}}`,
		`{"id": "filtered", "kind": "person", "pin": 815, "contact": {"email": "ada@secret"}}`,
		`{"id": "list", "kind": "phones", "phones": [{"number": "+39-55", "at": "home"}, {"number": "0x77"}]}`,
		`{"id": "broken", "kind": "person", "pin": 4711, "contact": {"email": "ada@secret"`,
		`{"id": "unmatched", "pin": 815}`,
	}, "\n")+"\n"))
	r := fine(t, dir, "run", "p.yaml", "--log-level", "debug")
	list := fine(t, dir, "dead-letters", "list", "p.yaml")
	said := r.err + list.out + fine(t, dir, "dead-letters", "list", "p.yaml", "--output", "json").out
	var shown, unmasked string
	for line := range strings.Lines(list.out) {
		id, _, _ := strings.Cut(line, "  ")
		for _, output := range []string{"text", "json"} {
			shown += fine(t, dir, "dead-letters", "show", "p.yaml", id, "--output", output).out
		}
		unmasked += fine(t, dir, "dead-letters", "show", "p.yaml", id, "--unmask").out
	}
	for _, s := range secrets {
		// Ids and times may have the same digits among others.
		if regexp.MustCompile(`(^|\W)` + regexp.QuoteMeta(s) + `(\W|$)`).MatchString(said + shown) {
			t.Errorf("%s is shown:\n%s\n%s", s, said, shown)
		}
		if !strings.Contains(unmasked, s) {
			t.Errorf("%s is hidden though it was asked for:\n%s", s, unmasked)
		}
	}
	for _, want := range []string{
		"column pin (int64): a masked value is not a number", `column born (date): "never" is not`, "column code (int64): a masked value is not a number", "column number (date): a masked value", "1000 / (code - 900) > 0, of masked values", "column number (int64): a masked value is not a number",
		"column share (double): 100 / (pin - 4700 - 11), of masked values: it can't be computed", "of masked values",
	} {
		if !strings.Contains(strings.ReplaceAll(list.out, `\"`, `"`), want) {
			t.Errorf("%q is not said:\n%s", want, list.out)
		}
	}
	if !strings.Contains(shown, `"contact":{"email":"***"}`) || !strings.Contains(shown, `{"number":"***","at": "home"}`) && !strings.Contains(shown, `{"number":"***","at":"home"}`) || strings.Count(shown, "(not shown: ") != 4 {
		t.Errorf("shown is\n%s", shown)
	}
	d := openDatabase(t)
	if got := d.rows(fmt.Sprintf("SELECT email, pin FROM '%s/log/person/*.parquet'", dir)); got != "ada@secret|900\n" {
		t.Errorf("the sink has %s", got)
	}
	fine(t, dir, "plan", "p.yaml", "--section", "tables").want(t, exitFine, "string, masked", "int64, masked")
	// What the file keeps is the record itself: it has to be read again.
	files, err := filepath.Glob(filepath.Join(dir, "data/dead-letters/small/*.ndjson"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	if kept, err := os.ReadFile(files[0]); err != nil || !strings.Contains(string(kept), "s3cret") {
		t.Errorf("%s, %v", kept, err)
	}
}
