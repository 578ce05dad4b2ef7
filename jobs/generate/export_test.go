package generate

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"encoding/base64"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline/exportlayout"
)

func TestExportIsWhole(t *testing.T) {
	dir := t.TempDir()
	o := Options{Seed: 42, Records: 5000, Files: 3}
	stats, err := EcommerceExport(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	var summary exportlayout.Summary
	readChecked(t, filepath.Join(stats.Folder, "manifest-summary"), &summary)
	if summary.ItemCount != int64(o.Records) || stats.Records != int64(o.Records) {
		t.Errorf("the summary counts %d items, the figures %d, want %d", summary.ItemCount, stats.Records, o.Records)
	}
	items := map[string]map[string]any{}
	list := readChecked(t, filepath.Join(stats.Folder, "manifest-files"), nil)
	files := 0
	for line := range strings.Lines(string(list)) {
		files++
		var f exportlayout.File
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatal(err)
		}
		readDataFile(t, filepath.Join(dir, f.Key), f, items)
	}
	if files != o.Files {
		t.Errorf("%d data files, want %d", files, o.Files)
	}
	// A stream on a base of so many items goes on from exactly this export.
	o.Base = o.Records
	if want := baseItems(t, o); !reflect.DeepEqual(items, want) {
		t.Errorf("the export has %d different items, a stream's base %d, and they differ", len(items), len(want))
	}
	checkAmounts(t, items)
}

// readChecked reads a manifest and verifies its checksum.
func readChecked(t *testing.T, base string, v any) []byte {
	t.Helper()
	data, err := os.ReadFile(base + ".json")
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(base + ".md5")
	if err != nil {
		t.Fatal(err)
	}
	if sum := md5.Sum(data); base64.StdEncoding.EncodeToString(sum[:]) != string(want) {
		t.Errorf("%s: the checksum differs", base)
	}
	if v != nil {
		if err := json.Unmarshal(data, v); err != nil {
			t.Fatal(err)
		}
	}
	return data
}

func readDataFile(t *testing.T, name string, f exportlayout.File, items map[string]map[string]any) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if sum := md5.Sum(data); base64.StdEncoding.EncodeToString(sum[:]) != f.MD5 {
		t.Errorf("%s: the checksum differs", name)
	}
	zip, err := gzip.NewReader(strings.NewReader(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	scanner := bufio.NewScanner(zip)
	for ; scanner.Scan(); lines++ {
		var r struct{ Item map[string]any }
		if err := json.Unmarshal(scanner.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		items[itemKey(r.Item)] = r.Item
	}
	if err := scanner.Err(); err != nil {
		t.Fatal(err)
	}
	if int64(lines) != f.ItemCount {
		t.Errorf("%s has %d lines, the manifest says %d", name, lines, f.ItemCount)
	}
}

// checkAmounts checks that each order's amount is the sum of its lines' prices.
func checkAmounts(t *testing.T, items map[string]map[string]any) {
	t.Helper()
	text := func(item map[string]any, name, kind string) string { return item[name].(map[string]any)[kind].(string) }
	number := func(s string) float64 {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	left := map[string]float64{}
	for _, item := range items {
		switch text(item, "type", "S") {
		case "order":
			left[text(item, "orderid", "S")] += number(text(item, "amount", "N"))
		case "product":
			left[text(item, "orderid", "S")] -= number(text(item, "price", "N"))
		}
	}
	for id, rest := range left {
		if rest > .001 || rest < -.001 {
			t.Errorf("order %s: the amount is off by %v from its lines", id, rest)
		}
	}
}

// TestInsuranceExport: the transactions of an export are those of the items.
func TestInsuranceExport(t *testing.T) {
	dir := t.TempDir()
	o := Options{Seed: 42, Records: 500, Files: 3}
	stats, err := InsuranceExport(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	exported := map[string]string{}
	list := readChecked(t, filepath.Join(stats.Folder, "manifest-files"), nil)
	for line := range strings.Lines(string(list)) {
		var f exportlayout.File
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatal(err)
		}
		items := map[string]map[string]any{}
		readDataFile(t, filepath.Join(dir, f.Key), f, items)
		for _, item := range items {
			exported[item["sk"].(map[string]any)["S"].(string)] = item["OutofPockMax"].(map[string]any)["N"].(string)
		}
	}
	var plain bytes.Buffer
	if _, err := InsuranceItems(t.Context(), &plain, o); err != nil {
		t.Fatal(err)
	}
	listed := map[string]string{}
	for line := range bytes.Lines(plain.Bytes()) {
		var i struct {
			SK           string `json:"sk"`
			OutofPockMax json.Number
		}
		if err := json.Unmarshal(line, &i); err != nil {
			t.Fatal(err)
		}
		listed[i.SK] = i.OutofPockMax.String()
	}
	if len(exported) != o.Records || !maps.Equal(exported, listed) {
		t.Errorf("the export has %d transactions, the items %d, and they differ", len(exported), len(listed))
	}
}

func TestExportOfOneItem(t *testing.T) {
	stats, err := EcommerceExport(t.Context(), t.TempDir(), Options{Records: 1})
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(stats.Folder, "data", "*.json.gz"))
	if err != nil || len(files) != 8 || stats.Items["customer"] != 1 {
		t.Errorf("%d files, items %v, error %v: want 8 files, 7 of them without items", len(files), stats.Items, err)
	}
}
