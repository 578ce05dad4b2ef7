package generate

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func execute(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := Command()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&errs)
	err = cmd.ExecuteContext(t.Context())
	return out.String(), errs.String(), err
}

func TestCommandRefuses(t *testing.T) {
	tests := []struct{ args, want string }{
		{"", "want a kind: ecommerce, insurance, sales, countries"},
		{"bogus", `unknown kind "bogus"`},
		{"sales out.ndjson", `unexpected argument "out.ndjson": the output is named by --out`},
		{"sales --shuffle", "unknown flag: --shuffle"},
		{"sales --records many", `bad usage: --records "many": want a whole number`},
		{"sales --records 1e6", `--records "1e6": want a whole number`},
		{"sales --records 99999999999999999999", `want a whole number that is not as large`},
		{"sales --seed -1", `--seed "-1": want a whole number from 0 on`},
		{"ecommerce --late often", `--late "often": want a number`},
		{"insurance --shuffle=si", `--shuffle "si": want true or false`},
		{"sales --records 0", "--records must be at least 1"},
		{"sales --records -3", "records must be 1 to"},
		{"insurance --form table", `unknown form "table" of insurance: want cdc, export, json`},
		{"insurance --form export", "name it with --out"},
		{"insurance --form json --bare-numbers", "--bare-numbers has no meaning for insurance --form json"},
		{"sales --form cdc", `unknown form "cdc" of sales: want json`},
		{"ecommerce --form json --truth x", "--truth has no meaning for ecommerce --form json"},
		{"ecommerce --form export", "name it with --out"},
		{"ecommerce --late 2", "late is a share from 0 to 1, not 2"},
		{"ecommerce --products 5", "products must be 8 to"},
		{"ecommerce --live 0", "--live must be at least 1"},
		{"ecommerce --form json --live 5", "--live has no meaning for ecommerce --form json"},
		{"ecommerce --window 0", "--window must be at least 1"},
		{"ecommerce --region eu-central-1", "--region has no meaning without --to"},
		{"ecommerce --create", "--create has no meaning without --to"},
		{"sales --rate 5", "--rate has no meaning for sales --form json without --to"},
		{"sales --rate 0 --to kinesis://x", "--rate must be at least 1"},
		{"sales --rate -5 --create --to kinesis://x --region us-east-1 --endpoint http://127.0.0.1:1", "rate must be 1 to"},
		{"sales --to file://x", `--to "file://x": want kinesis://STREAM or dynamodb://TABLE`},
		{"sales --to sales", `--to "sales": want kinesis://STREAM or dynamodb://TABLE`},
		{"sales --to kinesis://", `"" is not the name of a stream`},
		{"sales --to dynamodb://ab", `"ab" is not the name of a table, nor its ARN`},
		{"sales --to kinesis://a --out x", "--out and --to exclude each other"},
		{"sales --to kinesis://a --endpoint localhost:4566", "--endpoint: the endpoint is no URL"},
		{"ecommerce --to dynamodb://shop --aggregate", "--aggregate has no meaning for dynamodb://"},
		{"ecommerce --to dynamodb://shop --late 0.5 --duplicates 0", "--late has no meaning for dynamodb://"},
		{"ecommerce --form export --to kinesis://a", "--to has no meaning for ecommerce --form export"},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			stdout, _, err := execute(t, strings.Fields(tt.args)...)
			if !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want an ErrUsage with %q", err, tt.want)
			}
			if stdout != "" {
				t.Errorf("wrote %q", stdout)
			}
		})
	}
}

func TestCommandWritesToStdout(t *testing.T) {
	stdout, stderr, err := execute(t, "countries")
	if err != nil {
		t.Fatal(err)
	}
	var stats Stats
	if err := json.Unmarshal([]byte(stderr), &stats); err != nil {
		t.Fatal(err)
	}
	if strings.Count(stdout, "\n") != 4 || stats.Records != 4 || stats.Bytes != int64(len(stdout)) {
		t.Errorf("wrote %q with the figures %s", stdout, stderr)
	}
}

func TestCommandWritesFiles(t *testing.T) {
	dir := t.TempDir()
	plain, zipped, truth := filepath.Join(dir, "c.ndjson"), filepath.Join(dir, "c.ndjson.gz"), filepath.Join(dir, "t.ndjson")
	stdout, stderr, err := execute(t, "ecommerce", "--records", "500", "--out", plain, "--truth", truth)
	if err != nil || stderr != "" {
		t.Fatalf("error %v, stderr %q", err, stderr)
	}
	var stats Stats
	if err := json.Unmarshal([]byte(stdout), &stats); err != nil {
		t.Fatal(err)
	}
	if _, _, err := execute(t, "ecommerce", "--records", "500", "--out", zipped); err != nil {
		t.Fatal(err)
	}
	want := read(t, plain)
	if int64(len(want)) != stats.Bytes || int64(bytes.Count(read(t, truth), []byte("\n"))) != stats.TruthItems {
		t.Errorf("the files do not fit the figures %s", stdout)
	}
	zip, err := gzip.NewReader(bytes.NewReader(read(t, zipped)))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(zip); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the compressed file differs (%v)", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.partial")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestCommandLeavesNoPartialFile: a run that fails leaves what was there.
func TestCommandLeavesNoPartialFile(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "c.ndjson")
	if err := os.WriteFile(out, []byte("before"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := execute(t, "ecommerce", "--records", "50", "--out", out, "--truth", filepath.Join(dir, "no", "t.ndjson")); err == nil {
		t.Fatal("a truth file in a missing folder was accepted")
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || string(read(t, out)) != "before" {
		t.Errorf("the folder holds %v", entries)
	}
}

// TestCommandHelp: every kind shows an example and its forms.
func TestCommandHelp(t *testing.T) {
	for _, k := range kinds {
		stdout, _, err := execute(t, k.name, "--help")
		if err != nil || !strings.Contains(stdout, "starlift generate "+k.name) || !strings.Contains(stdout, "--records") {
			t.Errorf("%s: error %v, help %s", k.name, err, stdout)
		}
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
