package file

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestFiles: the files that a source would read, in order, each by a path that is read alone; of S3
// objects' URLs.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	b := newFakeBucket(t)
	for _, name := range []string{"b.ndjson", "a.ndjson", ".hidden"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("{}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		b.put("in/"+name, []byte("{}\n"))
	}
	local := Config{Path: dir, Format: "dynamodb_cdc"}
	for _, test := range []struct {
		cfg  Config
		want []string
	}{
		{local, []string{filepath.Join(dir, "a.ndjson"), filepath.Join(dir, "b.ndjson")}},
		{b.at("in/*"), []string{"s3://" + b.name + "/in/a.ndjson", "s3://" + b.name + "/in/b.ndjson"}},
	} {
		s, err := New("in", test.cfg)
		if err != nil {
			t.Fatal(err)
		}
		files, err := s.Files(context.Background())
		if err != nil || !cmp.Equal(files, test.want) {
			t.Errorf("the files of %s are %v, %v, want %v", test.cfg.Path, files, err, test.want)
			continue
		}
		alone := test.cfg
		alone.Path = files[0]
		if s, err = New("in", alone); err != nil {
			t.Fatal(err)
		}
		if again, err := s.Files(context.Background()); err != nil || !cmp.Equal(again, files[:1]) {
			t.Errorf("the files of %s are %v, %v", alone.Path, again, err)
		}
	}
}
