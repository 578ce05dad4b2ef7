package spec

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// conforms checks a value against the keywords that our schemas use.
func conforms(s any, v any) error {
	m, ok := s.(map[string]any)
	if !ok {
		if s == false {
			return fmt.Errorf("%v is not allowed", v)
		}
		return nil
	}
	if c, ok := m["const"]; ok && c != v {
		return fmt.Errorf("%v is not %v", v, c)
	}
	if e, ok := m["enum"].([]any); ok && !slices.Contains(e, v) {
		return fmt.Errorf("%v is none of %v", v, e)
	}
	if t, ok := m["type"].(string); ok && !hasType(t, v) {
		return fmt.Errorf("%v is no %s", v, t)
	}
	for _, keyword := range []string{"anyOf", "oneOf"} {
		ways, ok := m[keyword].([]any)
		if !ok {
			continue
		}
		fits, errs := 0, []string{}
		for _, w := range ways {
			if err := conforms(w, v); err != nil {
				errs = append(errs, err.Error())
			} else {
				fits++
			}
		}
		if fits == 0 || keyword == "oneOf" && fits > 1 {
			return fmt.Errorf("%d ways fit: %s", fits, strings.Join(errs, "; "))
		}
	}
	switch v := v.(type) {
	case string:
		if p, ok := m["pattern"].(string); ok && !regexp.MustCompile(p).MatchString(v) {
			return fmt.Errorf("%q does not match %s", v, p)
		}
	case json.Number:
		return inBounds(m, v)
	case []any:
		for i, item := range v {
			if err := conforms(m["items"], item); err != nil {
				return fmt.Errorf("[%d]: %w", i, err)
			}
		}
	case map[string]any:
		return objectConforms(m, v)
	}
	return nil
}

func inBounds(m map[string]any, v json.Number) error {
	x, err := v.Float64()
	if least, ok := m["minimum"].(float64); err != nil || ok && x < least {
		return fmt.Errorf("%v is less than %v", v, least)
	}
	if most, ok := m["maximum"].(float64); ok && x > most {
		return fmt.Errorf("%v is more than %v", v, most)
	}
	return nil
}

func objectConforms(m, v map[string]any) error {
	required, _ := m["required"].([]any)
	for _, r := range required {
		if _, ok := v[r.(string)]; !ok {
			return fmt.Errorf("no %v", r)
		}
	}
	properties, _ := m["properties"].(map[string]any)
	for key, value := range v {
		s, ok := properties[key]
		if !ok {
			s = m["additionalProperties"]
			if err := conforms(m["propertyNames"], key); err != nil {
				return err
			}
		}
		if err := conforms(s, value); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return nil
}

func hasType(t string, v any) bool {
	switch v := v.(type) {
	case nil:
		return t == "null"
	case bool:
		return t == "boolean"
	case string:
		return t == "string"
	case json.Number:
		_, err := v.Int64()
		return t == "number" || t == "integer" && err == nil
	case []any:
		return t == "array"
	default:
		return t == "object"
	}
}

func testSchema(t *testing.T) map[string]any {
	t.Helper()
	text, err := Schema(testKinds())
	if err != nil {
		t.Fatal(err)
	}
	var s map[string]any
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func yamlValue(t *testing.T, path string) any {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	root, mistakes := parse(path, data)
	if len(mistakes) > 0 {
		t.Fatal(mistakes[0])
	}
	return (&decoder{}).any(root)
}

// TestSchemaTakesWhatLoadTakes: an editor shows no mistake in a good file, and
// some of those in the bad ones.
func TestSchemaTakesWhatLoadTakes(t *testing.T) {
	s := testSchema(t)
	paths, err := filepath.Glob("testdata/good/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, path := range paths {
		if err := conforms(s, yamlValue(t, path)); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, name := range []string{
		"bool", "columns_list", "dead_letters_ratio", "duration", "enum", "enum_null", "input_list", "inputs_missing", "missing", "name", "node_name",
		"node_null", "not_a_mapping", "number", "sections_missing", "several", "size", "text_number", "unknown_key", "unknown_type",
	} {
		if err := conforms(s, yamlValue(t, "testdata/bad/"+name+".yaml")); err == nil {
			t.Errorf("%s: the schema takes it", name)
		}
	}
}

func TestSchemaDescribesFields(t *testing.T) {
	text, err := Schema(testKinds())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"$schema": "https://json-schema.org/draft/2020-12/schema"`, `"description": "Where the files are."`, `"const": "parquet"`,
		`"default": "128MiB"`, `"default": 125000`, `"default": 0.01`, `"description": "Writes a DuckDB file."`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in the schema", want)
		}
	}
}

// TestSchemaOfTexts: an editor knows the texts of an enum, be it one, and the
// expression of a pattern, whatever people are told of it.
func TestSchemaOfTexts(t *testing.T) {
	type texts struct {
		Only  string   `yaml:"only" enum:"one" default:"one"`
		Day   string   `yaml:"day" required:"true" pattern:"^\\d+$" form:"a day"`
		Words []string `yaml:"words" pattern:"^[a-z]+$" form:"small letters"`
	}
	kinds := Kinds{Sinks: map[string]Kind{"x": {New: func() any { return new(texts) }}}}
	text, err := Schema(kinds)
	if err != nil {
		t.Fatal(err)
	}
	var s map[string]any
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	sink := s["properties"].(map[string]any)["sinks"].(map[string]any)["additionalProperties"].(map[string]any)["oneOf"].([]any)[0].(map[string]any)
	for _, c := range []struct {
		key   string
		value any
		fits  bool
	}{
		{"only", "one", true}, {"only", "${ONLY}", true}, {"only", "two", false},
		{"day", "12", true}, {"day", "${DAY}", true}, {"day", "a day", false},
		{"words", []any{"a", "b"}, true}, {"words", []any{"a", "B"}, false},
	} {
		if err := conforms(sink["properties"].(map[string]any)[c.key], c.value); (err == nil) != c.fits {
			t.Errorf("%s: %v: %v", c.key, c.value, err)
		}
	}
	if page := Reference(kinds); !strings.Contains(page, "| `only` | `one` | `one` |") {
		t.Errorf("the reference does not have the one choice:\n%s", page)
	}
}

// TestSchemaOfRecursiveStructs: a struct that holds itself is described once, and referred to.
func TestSchemaOfRecursiveStructs(t *testing.T) {
	type level struct {
		From string `yaml:"from" required:"true" desc:"Where."`
		Next *level `yaml:"next" desc:"The next one."`
	}
	type node struct {
		First *level `yaml:"first" desc:"The first."`
	}
	kinds := Kinds{Sinks: map[string]Kind{"x": {New: func() any { return new(node) }}}}
	text, err := Schema(kinds)
	if err != nil {
		t.Fatal(err)
	}
	var s map[string]any
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	one := s["$defs"].(map[string]any)["level"].(map[string]any)
	next := one["properties"].(map[string]any)["next"].(map[string]any)
	if next["$ref"] != "#/$defs/level" || next["description"] != "The next one." {
		t.Errorf("next is %v", next)
	}
	if conforms(one, map[string]any{"from": "a"}) != nil || conforms(one, map[string]any{"next": map[string]any{}}) == nil {
		t.Errorf("the definition is %v", one)
	}
	if page := Reference(kinds); !strings.Contains(page, "| `first.next` | mapping |") || strings.Contains(page, "first.next.") {
		t.Errorf("the reference:\n%s", page)
	}
}

func TestReference(t *testing.T) {
	page := Reference(testKinds())
	for _, want := range []string{
		"| `name` | text | required |",
		"| `epoch.max_bytes` | size | `128MiB` |",
		"| `dead_letters.max_ratio` | number, 0 to 1 | `0.01` |",
		"### `unnest`\n\nMakes typed tables of items.\n",
		"| `tables.<name>.columns.<name>.on_error` | `dead_letter`, `null`, `fail` | `dead_letter` | What becomes of a bad value. |",
		"| `tables.<name>.columns.<name>.part` | whole number, 1 to 99 |  | Which part. |",
		"| `partition_by` | mapping of names to list of text or mapping of names to text |  | The partitions of each table. |",
		"| `version.from` | text | required | Document path of the version. |",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
	if page != Reference(testKinds()) {
		t.Error("the page differs from call to call")
	}
}

// TestSchemaRefusesEndlessTypes: a struct that holds itself is a mistake of the
// program, not a hang.
func TestSchemaRefusesEndlessTypes(t *testing.T) {
	type endless struct {
		More []endless `yaml:"more"`
	}
	for name, f := range map[string]func(Kinds){
		"schema":    func(k Kinds) { _, _ = Schema(k) },
		"reference": func(k Kinds) { Reference(k) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), "nests without end") {
					t.Errorf("panic %v", r)
				}
			}()
			f(Kinds{Sinks: map[string]Kind{"x": {New: func() any { return new(endless) }}}})
		})
	}
}
