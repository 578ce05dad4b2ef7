package engine

import (
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
)

// TestRefusedStart: whoever refuses a start, a sink, another one, the dead letters or
// a source, and whether there is a state or not, nobody was opened that makes
// something, and no file is there that was not, nor one that was is another.
func TestRefusedStart(t *testing.T) {
	refusal := errors.New("not this one")
	for name, refuse := range map[string]func(w *world){
		"the first sink":   func(w *world) { w.settled.Fail = failAt("check", refusal) },
		"the last sink":    func(w *world) { w.log.Fail = failAt("check", refusal) },
		"a source":         func(w *world) { w.source.failOpen = refusal },
		"the dead letters": func(w *world) { w.dead.refusal = refusal },
		"two sinks on one table": func(w *world) {
			w.settled.Names, w.log.Names = []string{"a", "b"}, []string{"c", "b"}
		},
	} {
		for _, state := range []string{"no state", "a state"} {
			t.Run(name+", "+state, func(t *testing.T) {
				w := newWorld(filepath.Join(t.TempDir(), "data", "state"), []change{{"a", 1, 1}, {"b", 2, 2}})
				if state == "a state" {
					if err := w.run(); err != nil {
						t.Fatal(err)
					}
					w.source.changes = append(w.source.changes, change{"a", 3, 3})
				}
				opened := w.settled.Opened + w.log.Opened
				before := pipelinetest.Files(t, filepath.Dir(filepath.Dir(w.dir)))
				refuse(w)
				err := w.run()
				if !errors.Is(err, refusal) && (err == nil || !strings.Contains(err.Error(), "sinks warehouse and lake both write b")) {
					t.Errorf("got error %v", err)
				}
				if after := pipelinetest.Files(t, filepath.Dir(filepath.Dir(w.dir))); !maps.Equal(before, after) {
					t.Errorf("the files were\n%v\nand are\n%v", slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(after)))
				}
				if w.settled.Opened+w.log.Opened != opened {
					t.Error("a sink was opened")
				}
				w.settled.Fail, w.log.Fail, w.source.failOpen, w.dead.refusal = nil, nil, nil, nil
				w.settled.Names = nil
				if err := w.run(); err != nil {
					t.Error(err)
				}
				table, _, _ := want(w.source.changes)
				if !maps.Equal(table, valuesOf(w.settled)) {
					t.Errorf("afterwards the table is %v, want %v", valuesOf(w.settled), table)
				}
			})
		}
	}
}

func failAt(call string, err error) func(string) error {
	return func(c string) error {
		if c == call {
			return err
		}
		return nil
	}
}
