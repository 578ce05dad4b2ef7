// Package definition compares a pipeline file with the one that a state was built
// by, and says of each change whether the state can go on with it.
//
// A state keeps what it was built by: every key of the file in a canonical form
// (spec.Setting), without secrets, and which nodes were changed from which epoch
// on. It is written at a start, once nothing can refuse it any longer and before the
// first epoch is saved under it.
//
// What a change means is said by tag change of the key:
//
//   - free: it is taken;
//   - identity: it is refused. Rows, keys and versions in the state and in the
//     tables are of what the file said before: a renamed node would read or write
//     all of it a second time, another key or version would not meet what is there;
//   - content: it holds for what is read from the next epoch on, and is refused
//     unless that is asked for. Rows that are there stay as they are until their
//     items change; deletes find them, since the state has their keys.
//
// Names that come or go are judged together: where one of a mapping goes and another
// one comes, it may be one that was renamed. A source that was never read, and a
// state without an epoch, take everything.
package definition

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline/spec"
)

// Definition is what a state was built by.
type Definition struct {
	Salt     []byte         `json:"salt"` // of the hashes of secrets
	Settings []spec.Setting `json:"settings"`
	// Switches says since when the nodes are what they are, the last change of each.
	Switches []Switch `json:"switches,omitempty"`
}

// Switch is a change of a node's content that a state was told to take.
type Switch struct {
	Node  string   `json:"node"`
	Epoch int64    `json:"epoch"` // the first one that was made with it
	Keys  []string `json:"keys"`  // of the pipeline file, that were changed
}

// Parse reads a Definition as the state keeps it; nil for nothing.
func Parse(raw []byte) (*Definition, error) {
	if raw == nil {
		return nil, nil
	}
	d := &Definition{}
	if err := json.Unmarshal(raw, d); err != nil {
		return nil, fmt.Errorf("definition of the pipeline in the state: %w", err)
	}
	return d, nil
}

// Verdict is what becomes of a change.
type Verdict string

// The verdicts.
const (
	Taken   Verdict = "taken"
	FromNow Verdict = "from_now"
	Refused Verdict = "refused"
)

// Change is one change of a pipeline file that a state has something to say of.
type Change struct {
	Key     string      `json:"key"` // path of the pipeline file
	Node    string      `json:"node,omitempty"`
	Kind    spec.Change `json:"change"`
	Verdict Verdict     `json:"verdict"`
	Was     string      `json:"was,omitempty"`
	Is      string      `json:"is,omitempty"`
	// Message says what was changed, and Hint how to go on where it is refused. File,
	// Line and Column are where.
	*spec.Mistake
}

// Found is what a state folder holds.
type Found struct {
	Definition *Definition // nil = none yet
	Epoch      int64       // the last one that is saved
	// Read reports whether anything of a source was read.
	Read func(source string) bool
}

// Input is one table, or without Table all changes, that a node reads.
type Input struct{ Section, Reader, Node, Table string }

// Of returns the definition of a pipeline file. The salt is that of an earlier one,
// or nil.
func Of(f *spec.File, inputs []Input, salt []byte) (*Definition, error) {
	d := &Definition{Salt: salt}
	if salt == nil {
		d.Salt = make([]byte, 16)
		if _, err := rand.Read(d.Salt); err != nil {
			return nil, err
		}
	}
	d.Settings = f.Settings(d.Salt)
	for _, in := range inputs {
		path := []string{in.Section, in.Reader, "inputs", in.Node}
		if in.Table != "" {
			path[3] += "." + in.Table
		}
		d.Settings = append(d.Settings, spec.Setting{Path: path, Change: spec.Content, Name: true})
	}
	spec.SortSettings(d.Settings)
	return d, nil
}

// Compare says how the file differs from what the state was built by, and returns
// the definition that the state is to keep once it goes on with the file. fromNow
// names the nodes whose content may change.
func Compare(found *Found, f *spec.File, inputs []Input, fromNow []string) ([]Change, *Definition, error) {
	var salt []byte
	if found.Definition != nil {
		salt = found.Definition.Salt
	}
	is, err := Of(f, inputs, salt)
	if err != nil || found.Definition == nil || found.Epoch == 0 {
		return nil, is, err
	}
	j := &judge{found: found, file: f, fromNow: fromNow, all: spec.Compare(found.Definition.Settings, is.Settings, is.Salt)}
	for i := range j.all {
		j.judge(&j.all[i])
	}
	is.Switches = j.switches()
	return j.changes, is, nil
}

// Nodes lists the nodes that a definition has, of every section.
func (d *Definition) Nodes() []string {
	var names []string
	if d == nil {
		return nil
	}
	for _, s := range d.Settings {
		if len(s.Path) == 2 && s.Name && slices.Contains(sections, s.Path[0]) {
			names = append(names, s.Path[1])
		}
	}
	return names
}

var sections = []string{"sources", "transforms", "sinks"}

// Key writes a path as people do.
func Key(path []string) string { return strings.Join(path, ".") }
