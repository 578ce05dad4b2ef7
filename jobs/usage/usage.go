// Package usage marks errors of the caller of a command (Wrap): in the command line, or in the
// pipeline file that it names. Such a command ends with the exit status of wrong usage.
package usage

import (
	"fmt"
	"strings"

	"github.com/starlift-etl/starlift/pipeline/spec"
)

// Error is an error of the caller.
type Error struct{ error }

// Unwrap returns what was marked.
func (e Error) Unwrap() error { return e.error }

// Wrap marks an error; nil stays nil.
func Wrap(err error) error {
	if err == nil {
		return nil
	}
	return Error{err}
}

// WrongChoice says that a flag takes one of a few words.
func WrongChoice(flag, value string, known ...string) error {
	last := len(known) - 1
	want := known[last]
	if last > 0 {
		want = strings.Join(known[:last], ", ") + " or " + want
	}
	return NotKnown(flag, value, known, "want "+want)
}

// NotKnown returns the error of a flag that names something unknown. It suggests the known name
// that is most like it, and lists the known ones, unless words are given to say instead.
func NotKnown(flag, value string, known []string, words ...string) error {
	if len(words) == 0 {
		words = []string{"known are " + strings.Join(known, ", ")}
	}
	if like := spec.Suggest(value, known); like != "" {
		words = append(words, fmt.Sprintf("did you mean %q?", like))
	}
	return fmt.Errorf("%s %q: %s", flag, value, strings.Join(words, ": "))
}
