package spec

import (
	"errors"
	"time"
)

// Map is a YAML mapping with names that the user chose. It keeps their order.
type Map[T any] []Entry[T]

// Entry is one name and its value.
type Entry[T any] struct {
	Name  string
	Value T
}

// Get returns the value of the name.
func (m Map[T]) Get(name string) (v T, ok bool) {
	for _, e := range m {
		if e.Name == name {
			return e.Value, true
		}
	}
	return v, false
}

// Any is a YAML value without a schema: map[string]any, []any, string,
// json.Number, bool or nil.
type Any struct{ Value any }

// Duration is a time span as users write it: 500ms, 60s, 8d.
type Duration time.Duration

// Interval is a time span, or Auto.
type Interval time.Duration

// Auto is the interval that users write as auto: not a time decides, but demand.
const Auto Interval = 0

// autoText is how Auto is written.
const autoText = "auto"

// Bytes is a size as users write it: 4096, 64KiB, 128MiB, 1GB.
type Bytes int64

// FieldError is a mistake in the configuration of a node. Path leads from the
// node to the value that is wrong, by keys and indexes ("tables", "order",
// "key", "0"). A node reports all its mistakes at once, by errors.Join.
type FieldError struct {
	Path    []string
	Message string
	// Name and Known, when set, are what was written and what would be right:
	// a did-you-mean is added. Where Name is also the last step of Path, the key
	// is wrong rather than its value.
	Name  string
	Known []string
	// Hint is what to do about it, where more is to be said than a name.
	Hint string
	// Within is the part of the value's text that is wrong; zero = all of it.
	Within Within
}

// BelowKey puts a key before the paths of those mistakes that are *FieldErrors: what has found them
// knows only what is below the key. It returns the same errors.
func BelowKey(key string, errs []error) []error {
	for _, err := range errs {
		if f, ok := errors.AsType[*FieldError](err); ok {
			f.Path = append([]string{key}, f.Path...)
		}
	}
	return errs
}

// Within is a part of a text: a run of characters.
type Within struct{ From, Width int }

// Error returns the message, without place.
func (e *FieldError) Error() string { return e.Message }
