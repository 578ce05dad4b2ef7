package spec

import (
	"encoding/json"
	"reflect"
	"slices"
)

// schemaVersion is the dialect of the schemas.
const schemaVersion = "https://json-schema.org/draft/2020-12/schema"

// jsonSchema is a JSON schema, of the keywords that pipeline files need. The
// empty one lets everything pass.
type jsonSchema struct {
	Version              string        `json:"$schema,omitempty"`
	Ref                  string        `json:"$ref,omitempty"`
	AnyOf                []*jsonSchema `json:"anyOf,omitempty"`
	OneOf                []*jsonSchema `json:"oneOf,omitempty"`
	Items                *jsonSchema   `json:"items,omitempty"`
	Properties           properties    `json:"properties,omitempty"`
	AdditionalProperties *jsonSchema   `json:"additionalProperties,omitempty"`
	PropertyNames        *jsonSchema   `json:"propertyNames,omitempty"`
	Type                 string        `json:"type,omitempty"`
	Enum                 []string      `json:"enum,omitempty"`
	Const                string        `json:"const,omitempty"`
	Maximum              json.Number   `json:"maximum,omitempty"`
	Minimum              json.Number   `json:"minimum,omitempty"`
	Pattern              string        `json:"pattern,omitempty"`
	MinItems             int           `json:"minItems,omitempty"`
	Required             []string      `json:"required,omitempty"`
	Title                string        `json:"title,omitempty"`
	Description          string        `json:"description,omitempty"`
	Default              any           `json:"default,omitempty"`
	// Change is no keyword of JSON schemas, which ignore others.
	Change Change `json:"x-change,omitempty"`
	// Defs are the schemas that Ref refers to, by name, at the root.
	Defs map[string]*jsonSchema `json:"$defs,omitempty"`

	recursive reflect.Type // that Ref refers to
}

// refTo returns a reference to the schema of a struct that holds itself.
func refTo(t reflect.Type) *jsonSchema {
	return &jsonSchema{Ref: "#/$defs/" + t.Name(), recursive: t}
}

// define adds the schemas to the root that it, or what it holds, refers to.
func (s *jsonSchema) define(root *jsonSchema) {
	if s == nil {
		return
	}
	if s.recursive != nil && root.Defs[s.recursive.Name()] == nil {
		if root.Defs == nil {
			root.Defs = map[string]*jsonSchema{}
		}
		root.Defs[s.recursive.Name()] = structSchema(s.recursive, 0)
		root.Defs[s.recursive.Name()].define(root)
	}
	for _, below := range slices.Concat(s.AnyOf, s.OneOf, []*jsonSchema{s.Items, s.AdditionalProperties}) {
		below.define(root)
	}
	for _, p := range s.Properties {
		p.schema.define(root)
	}
}

// noSchema lets nothing pass.
var noSchema = &jsonSchema{}

// MarshalJSON writes the schema, those that let everything and nothing pass as
// the values true and false.
func (s *jsonSchema) MarshalJSON() ([]byte, error) {
	type plain jsonSchema
	switch {
	case s == noSchema:
		return []byte("false"), nil
	case reflect.DeepEqual(s, &jsonSchema{}):
		return []byte("true"), nil
	}
	return json.Marshal((*plain)(s))
}

// properties are the schemas of a mapping's keys, in the order of the keys.
type properties []property

type property struct {
	name   string
	schema *jsonSchema
}

// get returns the schema of a key that is there.
func (p properties) get(name string) *jsonSchema {
	for _, one := range p {
		if one.name == name {
			return one.schema
		}
	}
	panic("spec: no key " + name)
}

// set adds a key or replaces its schema.
func (p *properties) set(name string, s *jsonSchema) {
	for i := range *p {
		if (*p)[i].name == name {
			(*p)[i].schema = s
			return
		}
	}
	*p = append(*p, property{name, s})
}

// MarshalJSON writes the keys in their order.
func (p properties) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, one := range p {
		if i > 0 {
			b = append(b, ',')
		}
		name, err := json.Marshal(one.name)
		if err != nil {
			return nil, err
		}
		schema, err := json.Marshal(one.schema)
		if err != nil {
			return nil, err
		}
		b = append(append(append(b, name...), ':'), schema...)
	}
	return append(b, '}'), nil
}
