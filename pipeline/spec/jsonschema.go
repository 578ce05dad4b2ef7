package spec

import (
	"encoding/json"
	"reflect"
)

// schemaVersion is the dialect of the schemas.
const schemaVersion = "https://json-schema.org/draft/2020-12/schema"

// jsonSchema is a JSON schema, of the keywords that pipeline files need. The
// empty one lets everything pass.
type jsonSchema struct {
	Version              string        `json:"$schema,omitempty"`
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
