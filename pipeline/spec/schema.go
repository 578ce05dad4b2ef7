package spec

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

const (
	// variableText matches texts that hold a variable: they may become anything.
	variableText = `\$\{`
	durationText = `^([0-9]+(\.[0-9]+)?(d|h|m|s|ms|us|ns))+$|` + variableText
	bytesText    = `^[0-9]+(\.[0-9]+)?(B|[kKMGT]B|[KMGT]iB)?$|` + variableText
	// typeNestingMax bounds how deep configuration structs nest: one that holds
	// itself has no schema, unless by a field that is a pointer to it.
	typeNestingMax = 16
)

// Schema returns the JSON schema of pipeline files, for editors: what it
// refuses Load refuses too.
func Schema(kinds Kinds) ([]byte, error) {
	s := structSchema(reflect.TypeFor[File](), 0)
	s.Version = schemaVersion
	s.Title = "starlift pipeline"
	if kinds.DeadLetters != nil {
		letters := s.Properties.get("dead_letters")
		if len(letters.AnyOf) > 0 {
			letters = letters.AnyOf[0] // or null
		}
		letters.Properties = append(letters.Properties, structSchema(reflect.TypeOf(kinds.DeadLetters()).Elem(), 1).Properties...)
	}
	for _, section := range []struct {
		name, desc string
		kinds      map[string]Kind
		inputs     bool
	}{
		{"sources", "Where changes come from.", kinds.Sources, false},
		{"transforms", "What becomes of them.", kinds.Transforms, true},
		{"sinks", "Where rows go.", kinds.Sinks, true},
	} {
		p := sectionSchema(section.desc, section.kinds, section.inputs)
		p.Change = Identity
		s.Properties.set(section.name, p)
	}
	s.Required = append(s.Required, "sources", "sinks")
	return schemaText(s)
}

// TestsSchema returns the JSON schema of files of tests.
func TestsSchema() ([]byte, error) {
	s := structSchema(reflect.TypeFor[Tests](), 0)
	s.Version = schemaVersion
	s.Title = "tests of a starlift pipeline"
	return schemaText(s)
}

func schemaText(s *jsonSchema) ([]byte, error) {
	s.define(s)
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("JSON schema: %w", err)
	}
	return append(text, '\n'), nil
}

// sectionSchema describes nodes by name; the type of each decides on its keys.
func sectionSchema(desc string, kinds map[string]Kind, inputs bool) *jsonSchema {
	node := &jsonSchema{}
	for _, name := range kindNames(kinds) {
		kind := kinds[name]
		s := structSchema(reflect.TypeOf(kind.New()).Elem(), 0)
		s.Title, s.Description = name, kind.Desc
		s.Properties.set("type", &jsonSchema{Const: name, Change: Identity})
		s.Required = append(s.Required, "type")
		if inputs {
			s.Properties.set("inputs", &jsonSchema{
				Type: "array", Items: &jsonSchema{Type: "string"}, MinItems: 1,
				Description: inputsDesc, Change: Content,
			})
			s.Required = append(s.Required, "inputs")
		}
		node.OneOf = append(node.OneOf, s)
	}
	return &jsonSchema{
		Type: "object", Description: desc, AdditionalProperties: node,
		PropertyNames: &jsonSchema{Pattern: nodeName.String()},
	}
}

const inputsDesc = "What the node reads: node (all its tables) or node.table."

func structSchema(t reflect.Type, depth int) *jsonSchema {
	if depth > typeNestingMax {
		panic(fmt.Sprintf("spec: %s nests without end", t))
	}
	s := &jsonSchema{
		Type: "object", AdditionalProperties: noSchema,
	}
	for _, f := range fieldsOf(t) {
		p := refTo(t)
		if !f.holds(t) {
			p = typeSchema(f.typ, f, depth+1)
		}
		if !f.required && optional(p) {
			p = &jsonSchema{AnyOf: []*jsonSchema{p, {Type: "null"}}}
		}
		p.Description, p.Change = f.desc, f.change
		if f.def != nil {
			p.Default = (&decoder{}).any(f.def)
		}
		if f.required {
			s.Required = append(s.Required, f.name)
		}
		s.Properties.set(f.name, p)
	}
	return s
}

// optional reports a value that may be left empty in the file.
func optional(s *jsonSchema) bool {
	return (s.Type == "object" || s.Type == "array") && len(s.Required) == 0
}

func typeSchema(t reflect.Type, f *field, depth int) *jsonSchema {
	switch {
	case t.Kind() == reflect.Pointer:
		return typeSchema(t.Elem(), f, depth)
	case reflect.PointerTo(t).Implements(decoderType):
		s := &jsonSchema{}
		for _, way := range alternatives(t) {
			s.AnyOf = append(s.AnyOf, typeSchema(way, f.way(way), depth+1))
		}
		return s
	case t == anyType:
		return &jsonSchema{}
	case t == durationType:
		return &jsonSchema{Type: "string", Pattern: durationText}
	case t == intervalType:
		return &jsonSchema{AnyOf: []*jsonSchema{{Type: "string", Enum: []string{autoText}}, {Type: "string", Pattern: durationText}}}
	case t == bytesType:
		return &jsonSchema{AnyOf: []*jsonSchema{{Type: "integer", Minimum: "0"}, {Type: "string", Pattern: bytesText}}}
	case reflect.PointerTo(t).Implements(textType):
		return &jsonSchema{AnyOf: []*jsonSchema{{Type: "string"}, {Type: "number"}, {Type: "boolean"}}}
	case t.Implements(orderedType):
		entry, _ := t.Elem().FieldByName("Value")
		return &jsonSchema{Type: "object", AdditionalProperties: elementSchema(entry.Type, f, depth)}
	}
	switch t.Kind() {
	case reflect.Struct:
		return structSchema(t, depth)
	case reflect.Slice:
		return &jsonSchema{Type: "array", Items: elementSchema(t.Elem(), f, depth)}
	case reflect.Map:
		return &jsonSchema{Type: "object", AdditionalProperties: elementSchema(t.Elem(), f, depth)}
	case reflect.String:
		return textSchema(f)
	case reflect.Bool:
		return orVariable(&jsonSchema{Type: "boolean"})
	case reflect.Float64:
		return orVariable(&jsonSchema{Type: "number", Minimum: number(f.min), Maximum: number(f.max)})
	default:
		return orVariable(&jsonSchema{Type: "integer", Minimum: number(f.min), Maximum: number(f.max)})
	}
}

// elementSchema describes what a list or mapping holds.
func elementSchema(t reflect.Type, f *field, depth int) *jsonSchema {
	s := typeSchema(t, f.element(), depth+1)
	if optional(s) {
		return &jsonSchema{AnyOf: []*jsonSchema{s, {Type: "null"}}}
	}
	return s
}

func textSchema(f *field) *jsonSchema {
	switch {
	case f.enum != nil:
		s := &jsonSchema{Type: "string"}
		s.Enum = append(s.Enum, f.enum...)
		return orVariable(s)
	case f.pattern != nil:
		return orVariable(&jsonSchema{Type: "string", Pattern: f.pattern.String()})
	default:
		return &jsonSchema{Type: "string"}
	}
}

func orVariable(s *jsonSchema) *jsonSchema {
	return &jsonSchema{AnyOf: []*jsonSchema{s, {Type: "string", Pattern: variableText}}}
}

func number(b *float64) json.Number {
	if b == nil {
		return ""
	}
	return json.Number(strconv.FormatFloat(*b, 'f', -1, 64))
}

// alternatives returns the types of the ways in which a NodeDecoder is written.
func alternatives(t reflect.Type) []reflect.Type {
	a, ok := reflect.New(t).Interface().(Alternatives)
	if !ok {
		return []reflect.Type{anyType}
	}
	var types []reflect.Type
	for _, way := range a.Alternatives() {
		types = append(types, reflect.TypeOf(way))
	}
	return types
}

// typeName names a type for people.
func typeName(t reflect.Type, f *field) string {
	switch {
	case t.Kind() == reflect.Pointer:
		return typeName(t.Elem(), f)
	case reflect.PointerTo(t).Implements(decoderType):
		var ways []string
		for _, way := range alternatives(t) {
			if name := typeName(way, f.way(way)); !slices.Contains(ways, name) {
				ways = append(ways, name)
			}
		}
		return strings.Join(ways, " or ")
	case t == anyType:
		return "any value"
	case t == durationType:
		return "time span"
	case t == intervalType:
		return autoText + " or time span"
	case t == bytesType:
		return "size"
	case reflect.PointerTo(t).Implements(textType):
		return "text"
	case t.Implements(orderedType):
		entry, _ := t.Elem().FieldByName("Value")
		return "mapping of names to " + typeName(entry.Type, f)
	}
	switch t.Kind() {
	case reflect.Struct:
		return "mapping"
	case reflect.Slice:
		return "list of " + typeName(t.Elem(), f)
	case reflect.Map:
		return "mapping of names to " + typeName(t.Elem(), f)
	case reflect.String:
		if f.enum != nil {
			return "`" + strings.Join(f.enum, "`, `") + "`"
		}
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Float64:
		return "number" + bounds(f)
	default:
		return "whole number" + bounds(f)
	}
}

func bounds(f *field) string {
	switch {
	case f.min != nil && f.max != nil:
		return fmt.Sprintf(", %s to %s", number(f.min), number(f.max))
	case f.min != nil:
		return fmt.Sprintf(", at least %s", number(f.min))
	case f.max != nil:
		return fmt.Sprintf(", at most %s", number(f.max))
	default:
		return ""
	}
}
