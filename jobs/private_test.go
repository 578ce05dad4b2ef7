//go:build unix

package jobs

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestPrivate: state and dead letters are their owner's only, whatever the umask,
// and what a sink writes is as the umask says.
func TestPrivate(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "p.yaml"), []byte(`
name: small
dead_letters: {max_ratio: 1}
sources: {changes: {type: file, path: "*.ndjson", format: json, key: [id]}}
transforms: {items: {type: unnest, inputs: [changes], tables: {row: {key: [id], columns: {id: {}, n: {type: int64}}}}}}
sinks: {lake: {type: parquet, inputs: [items], url: data/lake}, warehouse: {type: duckdb, inputs: [items], dsn: data/w.duckdb}}
`))
	write(t, filepath.Join(dir, "changes.ndjson"), []byte(`{"id": "a", "n": 1}`+"\n"+`{"id": "b", "n": "x"}`+"\n"))
	defer syscall.Umask(syscall.Umask(0))
	starlift(t, dir, "run", "p.yaml", "--set", "sinks.lake.roll.age=1h", "--set", "sinks.lake.url=data/other").want(t, exitFine)
	fine(t, dir, "dead-letters", "replay", "p.yaml", "--all")
	for _, root := range []string{"data/state/small", "data/dead-letters/small"} {
		err := filepath.WalkDir(filepath.Join(dir, root), func(path string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if info, err := e.Info(); err != nil || info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s: %v, %v", path, info.Mode(), err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	for _, path := range []string{"data", "data/other/row", "data/w.duckdb"} {
		if info, err := os.Stat(filepath.Join(dir, path)); err != nil || info.Mode().Perm()&0o044 != 0o044 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}
