package file

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/starlift-etl/starlift/pipeline"
)

var packings = []string{"plain", "gzip", "gzip of two members", "zstd", "zstd of two frames"}

func TestReadRecords(t *testing.T) {
	long := `{"a":"` + strings.Repeat("x", 300) + `"}`
	tests := []struct {
		name, format, content string
		want                  []string
		lines                 []int64
	}{
		{"lines", "dynamodb_cdc", "{\"a\":1}\n{\"a\":2}\n", []string{`{"a":1}`, `{"a":2}`}, []int64{1, 2}},
		{"no last line end", "dynamodb_cdc", "{\"a\":1}\n{\"a\":2}", []string{`{"a":1}`, `{"a":2}`}, []int64{1, 2}},
		{"carriage returns", "dynamodb_cdc", "{\"a\":1}\r\n{\"a\":2}\r\n", []string{`{"a":1}`, `{"a":2}`}, []int64{1, 2}},
		{"blank lines", "dynamodb_cdc", "\n\n{\"a\":1}\n \t\r\n\n{\"a\":2}\n\n", []string{`{"a":1}`, `{"a":2}`}, []int64{3, 6}},
		{"byte order mark", "dynamodb_cdc", "\ufeff{\"a\":1}\n{\"a\":2}\n", []string{`{"a":1}`, `{"a":2}`}, []int64{1, 2}},
		{"byte order mark, json", "json", "\ufeff[{\"a\":1},\n{\"a\":2}]", []string{`{"a":1}`, `{"a":2}`}, []int64{1, 2}},
		{"nonsense in a record", "dynamodb_cdc", "{\"a\":\nnonsense\n}\n", []string{"{\"a\":\nnonsense\n}"}, []int64{1}},
		{"broken lines are records", "dynamodb_cdc", "nonsense, and\n{\"a\":1\n}}\n{\"b\":2}\n", []string{"nonsense, and", "{\"a\":1\n}", "}", `{"b":2}`}, []int64{1, 2, 3, 4}},
		{"two objects in a line of changes", "dynamodb_cdc", "{}{}\n", []string{"{}", "{}"}, []int64{1, 1}},
		{"several in some lines", "dynamodb_cdc", "{\"a\":1}\n{\"a\":2}{\"a\":3}\n{\"a\":4} , {\"a\":5}\n[{\"a\":6}]\n{\"a\":7}\n",
			[]string{`{"a":1}`, `{"a":2}`, `{"a":3}`, `{"a":4}`, `{"a":5}`, `{"a":6}`, `{"a":7}`}, []int64{1, 2, 2, 3, 3, 4, 5}},
		{"a line and then several lines a record", "dynamodb_cdc", "{\"a\":1}\n{\n  \"a\": {\"b\": 2}\n}\n{\"a\": {\"b\": 3}\n, \"c\": 4}\n{\"a\":5}\n",
			[]string{`{"a":1}`, "{\n  \"a\": {\"b\": 2}\n}", "{\"a\": {\"b\": 3}\n, \"c\": 4}", `{"a":5}`}, []int64{1, 2, 5, 7}},
		{"a line cut off", "dynamodb_cdc", "{\"a\":1}\n{\"a\":{\"b\":2}\n{\"a\":{\"b\":\"3\n{\"a\":[4,\n{\"a\":5}\n", []string{`{"a":1}`, `{"a":{"b":2}`, `{"a":{"b":"3`, `{"a":[4`, `{"a":5}`}, []int64{1, 2, 3, 4, 5}},
		{"a wrong bracket", "dynamodb_cdc", "{\"a\":[1}\nnonsense\n{\"a\":2}\n", []string{`{"a":[1}`, "nonsense", `{"a":2}`}, []int64{1, 2, 3}},
		{"one of several lines is broken", "json", "[\n  {\n    \"a\": \"1,\n    \"l\": [\n      {}\n    ]\n  },\n  {\n    \"a\": 2\n  }\n]\n",
			[]string{"{\n    \"a\": \"1,\n    \"l\": [\n      {}\n    ]\n  }", "{\n    \"a\": 2\n  }"}, []int64{2, 8}},
		{"the last of an array is broken", "json", "[\n{\"a\":1},\n{\"a\":\"2}\n]\n{\"a\":3}\n", []string{`{"a":1}`, `{"a":"2}`, `{"a":3}`}, []int64{2, 3, 5}},
		{"arrays of arrays", "json", "[[{\"a\":1}],[],[[{\"a\":2}],{\"a\":3}]]\n", []string{`{"a":1}`, `{"a":2}`, `{"a":3}`}, []int64{1, 1, 1}},
		{"an array cut off in its line", "dynamodb_cdc", "[{\"a\":1},{\"a\":\n[{\"a\":2}]\n", []string{`{"a":1}`, `{"a":`, `{"a":2}`}, []int64{1, 1, 2}},
		{"longer than a block", "dynamodb_cdc", "{}\n" + long + "\n{}\n", []string{"{}", long, "{}"}, []int64{1, 2, 3}},
		{"json lines", "json", "{\"a\":1}\n\n{\"a\":2}\n", []string{`{"a":1}`, `{"a":2}`}, []int64{1, 3}},
		{"json lines, the first broken", "json", "{\"a\":\"1\n{\"a\":2}\n{\"a\":3}\n", []string{`{"a":"1`, `{"a":2}`, `{"a":3}`}, []int64{1, 2, 3}},
		{"json lines, the first wrong but balanced", "json", "{\"a\":x}\n{\"a\":2}\n", []string{`{"a":x}`, `{"a":2}`}, []int64{1, 2}},
		{"json lines, a later one broken", "json", "{\"a\":1}\n{\"a\":\n{\"a\":3}\n", []string{`{"a":1}`, `{"a":`, `{"a":3}`}, []int64{1, 2, 3}},
		{"concatenated", "json", "{\"a\":1}{\"a\":2} {\"a\":3}\n{\"a\":4}", []string{`{"a":1}`, `{"a":2}`, `{"a":3}`, `{"a":4}`}, []int64{1, 1, 1, 2}},
		{"concatenated, commas between", "json", "{\"a\":1},\n{\"a\":2},\n", []string{`{"a":1}`, `{"a":2}`}, []int64{1, 2}},
		{"over several lines", "json", "{\n \"a\": 1\n}\n{\n \"a\": {\"b\": [1]}\n}\n", []string{"{\n \"a\": 1\n}", "{\n \"a\": {\"b\": [1]}\n}"}, []int64{1, 4}},
		{"brackets in strings", "json", `{"a":"}{\"\\"}{"a":"["}`, []string{`{"a":"}{\"\\"}`, `{"a":"["}`}, []int64{1, 1}},
		{"array", "json", "[{\"a\":1},{\"a\":[2]}]\n", []string{`{"a":1}`, `{"a":[2]}`}, []int64{1, 1}},
		{"array over lines", "json", "[\n{\"a\":1},\n{\"a\":2}\n]\n", []string{`{"a":1}`, `{"a":2}`}, []int64{2, 3}},
		{"arrays", "json", "[{\"a\":1}]\n[]\n[{\"a\":2}]{\"a\":3}", []string{`{"a":1}`, `{"a":2}`, `{"a":3}`}, []int64{1, 3, 3}},
		{"other values in an array", "json", `[1,"a,]",null,[{}],{"a":1}]`, []string{"1", `"a,]"`, "null", "{}", `{"a":1}`}, []int64{1, 1, 1, 1, 1}},
		{"cut off at the end", "json", "{\"a\":1}{\"a\":", []string{`{"a":1}`, `{"a":`}, []int64{1, 1}},
		{"text between", "json", `{"a":1} x {"a":2}]`, []string{`{"a":1}`, "x", `{"a":2}`, "]"}, []int64{1, 1, 1, 1}},
		{"no records", "json", " \n\n ", nil, nil},
		{"empty", "dynamodb_cdc", "", nil, nil},
	}
	for _, tt := range tests {
		for _, packing := range packings {
			for _, block := range []int{1, 7, 64, 0} {
				t.Run(fmt.Sprintf("%s/%s/%d", tt.name, packing, block), func(t *testing.T) {
					path := write(t, filepath.Join(t.TempDir(), "f"), pack(t, packing, []byte(tt.content)))
					cfg := Config{Path: path, Format: tt.format}
					s := readAll(t, cfg, block, nil)
					if s.err != nil {
						t.Fatal(s.err)
					}
					var want []readRecord
					for i, text := range tt.want {
						want = append(want, readRecord{text, tt.lines[i], int64(i)})
					}
					if d := cmp.Diff(want, s.records); d != "" {
						t.Fatalf("records (-want +got):\n%s", d)
					}
					if again := readAll(t, cfg, block, s.cursors); again.err != nil || again.records != nil {
						t.Errorf("after its end, the file gave %v, error %v", again.texts(), again.err)
					}
				})
			}
		}
	}
}

func TestGlob(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b.json", "a.json", "sub/c.json", "sub/deep/d.json", ".hidden.json", "sub/.x/e.json", "a.txt"} {
		write(t, filepath.Join(dir, name), []byte(`{"f":"`+name+`"}`))
	}
	t.Chdir(dir)
	tests := []struct {
		path string
		want []string
		err  string
	}{
		{"*.json", []string{"a.json", "b.json"}, ""},
		{"./**/*.json", []string{"a.json", "b.json", "sub/c.json", "sub/deep/d.json"}, ""},
		{"**", []string{"a.json", "a.txt", "b.json", "sub/c.json", "sub/deep/d.json"}, ""},
		{"{b,a}.json", []string{"a.json", "b.json"}, ""},
		{".hidden.json", []string{".hidden.json"}, ""},
		{"nothing/*.json", nil, `path "nothing/*.json": no file matches (paths are relative to ` + dir},
		{"sub", []string{"sub/c.json"}, ""},
		{"s*b", nil, `path "s*b": only folders match: to read the files in them, write s*b/*`},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			s := readAll(t, Config{Path: tt.path, Format: "json"}, 0, nil)
			if tt.err != "" {
				wantError(t, s.err, tt.err)
				return
			}
			var want []string
			for _, name := range tt.want {
				want = append(want, `{"f":"`+name+`"}`)
			}
			if d := cmp.Diff(want, s.texts()); s.err != nil || d != "" {
				t.Errorf("error %v, records (-want +got):\n%s", s.err, d)
			}
		})
	}
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error %v, want %q in it", err, part)
		}
	}
}

func TestTooLongRecord(t *testing.T) {
	long := `{"a":"` + strings.Repeat("x", 92) + `"}` // 100 bytes
	for _, end := range []string{"\n", "\r\n", ""} {
		for _, block := range []int{1, 50, 101, 1000} {
			path := write(t, filepath.Join(t.TempDir(), "f"), []byte("{}\n\n"+long+end))
			s := readAll(t, Config{Path: path, Format: "dynamodb_cdc", MaxRecord: 100}, block, nil)
			if s.err != nil || len(s.records) != 2 {
				t.Errorf("block %d, end %q: %d records, error %v: a record as long as max_record must be read", block, end, len(s.records), s.err)
			}
			for _, format := range []string{"dynamodb_cdc", "json"} {
				s = readAll(t, Config{Path: path, Format: format, MaxRecord: 99}, block, nil)
				wantError(t, s.err, path+":3: the record is longer than max_record")
				if len(s.records) != 1 {
					t.Errorf("block %d, end %q: records %q before the long one, want 1", block, end, s.texts())
				}
			}
		}
	}
	path := write(t, filepath.Join(t.TempDir(), "f"), []byte(`{}{"a":`+strings.Repeat("[", 1<<20)))
	s := readAll(t, Config{Path: path, Format: "json", MaxRecord: 1000}, 100, nil)
	wantError(t, s.err, path+":1: the record is longer than max_record")
}

func TestBrokenFiles(t *testing.T) {
	content := numbered(3000, 20)
	tests := []struct {
		name    string
		content []byte
		want    string
	}{
		{"gzip cut short", gzipOf(t, content)[:4000], "cut short or damaged in line"},
		{"gzip with half a header", gzipOf(t, content)[:5], "cut short or damaged in line 1"},
		{"gzip without its trailer", gzipOf(t, content)[:len(gzipOf(t, content))-5], "cut short or damaged in line 3001"},
		{"zstd cut short", zstdOf(t, content)[:len(zstdOf(t, content))-50], "cut short or damaged in line"},
		{"zstd with half a header", zstdOf(t, content)[:5], "cut short or damaged in line 1"},
		{"rubbish behind gzip", append(gzipOf(t, content), "rubbish"...), "cut short or damaged in line 3001"},
	}
	all := strings.SplitAfter(string(content), "\n")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := write(t, filepath.Join(t.TempDir(), "f.gz"), tt.content)
			cfg := Config{Path: path, Format: "dynamodb_cdc"}
			s := readAll(t, cfg, 500, nil)
			wantError(t, s.err, path, tt.want)
			for i, text := range s.texts() {
				if text+"\n" != all[i] {
					t.Fatalf("record %d is %s", i, text)
				}
			}
			if strings.Contains(tt.want, "3001") && len(s.records) != 3000 {
				t.Errorf("%d records before the error, want 3000", len(s.records))
			}
			// Again at the same place: the same error. Mended: the rest, and nothing twice.
			wantError(t, readAll(t, cfg, 500, s.cursors).err, tt.want)
			if strings.Contains(tt.name, "rubbish") {
				return // mending it makes it shorter, which is a change
			}
			whole := gzipOf(t, content)
			if strings.HasPrefix(tt.name, "zstd") {
				whole = zstdOf(t, content)
			}
			if len(tt.content) < headBytes && len(s.records) > 0 {
				whole = append(tt.content[:len(tt.content):len(tt.content)], whole[len(tt.content):]...)
			}
			write(t, path, whole)
			rest := readAll(t, cfg, 500, s.cursors)
			if rest.err != nil || len(s.records)+len(rest.records) != 3000 {
				t.Errorf("%d + %d records, error %v", len(s.records), len(rest.records), rest.err)
			}
		})
	}
	t.Run("array not closed", func(t *testing.T) {
		path := write(t, filepath.Join(t.TempDir(), "f"), []byte("[{\"a\":1},\n{\"a\":2}"))
		s := readAll(t, Config{Path: path, Format: "json"}, 0, nil)
		wantError(t, s.err, path+":2: the file ends inside an array")
		if len(s.records) != 2 {
			t.Errorf("records %q", s.texts())
		}
		write(t, path, []byte("[{\"a\":1},\n{\"a\":2},{\"a\":3}]"))
		if s = readAll(t, Config{Path: path, Format: "json"}, 0, s.cursors); s.err != nil || len(s.records) != 1 {
			t.Errorf("mended: records %q, error %v", s.texts(), s.err)
		}
	})
}

func TestReadAndCloseAnyTime(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "f"), gzipOf(t, numbered(20000, 50)))
	s := testSource(t, Config{Path: path, Format: "json"}, 1000)
	if _, err := s.Read(context.Background()); err == nil {
		t.Error("read before it was opened")
	}
	if err := s.Open(context.Background(), pipeline.SourceOptions{Env: pipeline.NewEnv()}); err != nil {
		t.Fatal(err)
	}
	if err := s.Open(context.Background(), pipeline.SourceOptions{Env: pipeline.NewEnv()}); err == nil {
		t.Error("opened twice")
	}
	ctx, cancel := context.WithCancel(context.Background())
	if _, err := s.Read(ctx); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := s.Read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
	for range 2 {
		if err := s.Close(); err != nil { // with a full queue
			t.Error(err)
		}
	}
	if all := readSome(t, s, nil, -1); len(all.records) != 20000 || all.err != nil {
		t.Errorf("opened again: %d records, error %v", len(all.records), all.err)
	}
}

func TestSize(t *testing.T) {
	content := numbered(500, 50)
	for _, packing := range []string{"plain", "gzip"} {
		stored := pack(t, packing, content)
		dir := t.TempDir()
		write(t, filepath.Join(dir, "a"), stored)
		write(t, filepath.Join(dir, "b"), stored)
		s := testSource(t, Config{Path: dir + "/*", Format: "json"}, 1000)
		first := readSome(t, s, nil, 700)
		left := int64(len(stored))
		if packing == "plain" {
			left = int64(len(content)) * 300 / 500
		}
		rest := readSome(t, s, first.cursors, -1)
		if read, total := s.Size(); len(rest.records) != 300 || read != total || total < left-300 || total > left+300 {
			t.Errorf("%s: %d records, read %d of %d bytes, want about %d", packing, len(rest.records), read, total, left)
		}
	}
}

func TestTransient(t *testing.T) {
	for err, want := range map[error]bool{
		syscall.EIO:         true,
		syscall.ESTALE:      true,
		syscall.EINTR:       true,
		os.ErrNotExist:      false,
		os.ErrPermission:    false,
		errors.New("other"): false,
	} {
		wrapped := transient(&os.PathError{Op: "read", Path: "f", Err: err})
		if pipeline.Retryable(wrapped) != want {
			t.Errorf("%v: retryable %v, want %v", err, !want, want)
		}
	}
	r := &reader{in: &input{path: "f"}, at: cursor{Compressed: true}}
	if err := r.readError(fmt.Errorf("gzip: %w", &storedError{&os.PathError{Op: "read", Path: "f", Err: syscall.EIO}})); !pipeline.Retryable(err) {
		t.Errorf("an I/O error below gzip is not retryable: %v", err)
	}
	s := readAll(t, Config{Path: filepath.Join(t.TempDir(), "gone.json"), Format: "json"}, 0, nil)
	if s.err == nil || pipeline.Retryable(s.err) {
		t.Errorf("missing file: error %v", s.err)
	}
}
