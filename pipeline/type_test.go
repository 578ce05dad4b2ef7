package pipeline

import (
	"strings"
	"testing"
)

// TestListTypes: a list has the type of its elements, written and read.
func TestListTypes(t *testing.T) {
	for _, text := range []string{"list(string)", "list(int32)", "list(decimal(10,2))", "list(varchar(20))", "list(timestamptz)", "list(uuid)"} {
		parsed, err := ParseType(text)
		if err != nil || parsed.String() != text || parsed.Kind != List || parsed.Base() != JSONText {
			t.Fatalf("%s is %v, %v", text, parsed, err)
		}
		element, err := ParseType(strings.TrimSuffix(strings.TrimPrefix(text, "list("), ")"))
		if err != nil || parsed.Element() != element || ListOf(element) != parsed {
			t.Errorf("%s has elements of %v, want %v", text, parsed.Element(), element)
		}
	}
	for text, want := range map[string]string{
		"list()": "as in list(string)", "list(json)": "write json", "list(binary)": "no binary", "list(list(string))": "no list(string)", "list(varchar(0))": "a number of characters", "list(foo)": `unknown type "foo"`,
		"list": `unknown type "list"`, "list(string": `unknown type "list(string"`, "string)": "unknown type",
	} {
		if got, err := ParseType(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is %v, %v; want an error with %q", text, got, err, want)
		}
	}
}
