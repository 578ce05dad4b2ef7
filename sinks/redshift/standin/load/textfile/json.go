package textfile

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/failure"
)

// Paths say which value of a JSON file is which column's.
type Paths struct {
	Kind PathKind
	// List are of PathFile, one a column.
	List []Path
}

// PathKind is how columns find their values.
type PathKind uint8

// How columns find their values: by their names, by names whatever their case, the whole
// object in one column, or by paths.
const (
	Auto PathKind = iota
	AutoIgnoreCase
	NoShred
	PathFile
)

// jsonReader reads objects, or arrays, that follow each other. Line feeds may stand anywhere
// between their tokens.
type jsonReader struct {
	lines   *lines
	options *Options
	raw     []byte
	names   map[string]int
}

// Read implements Reader.
func (j *jsonReader) Read(record *Record) error {
	first, err := j.first()
	if err != nil {
		return err
	}
	record.reset(j.lines.line)
	j.raw = append(j.raw[:0], first)
	if first != '{' && first != '[' {
		record.fail(codeLine, "Invalid JSON format. Invalid value.", -1)
		return j.restOfLine(record)
	}
	whole, err := j.value(record)
	if err != nil {
		return err
	}
	record.Raw = j.raw
	if !whole {
		return nil
	}
	if !json.Valid(j.raw) {
		record.fail(codeLine, "Invalid JSON format. "+syntaxOf(j.raw), -1)
		return nil
	}
	j.fields(record)
	return nil
}

// first is the first byte of the next value.
func (j *jsonReader) first() (byte, error) {
	for {
		b, err := j.lines.r.ReadByte()
		if err != nil {
			return 0, err
		}
		switch b {
		case '\n':
			j.lines.line++
		case ' ', '\t', '\r':
		default:
			return b, nil
		}
	}
}

// restOfLine reads to the line's end, where the next record is looked for.
func (j *jsonReader) restOfLine(record *Record) error {
	defer func() { record.Raw = trim(j.raw) }()
	for {
		b, err := j.lines.r.ReadByte()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if b == '\n' {
			j.lines.line++
			return nil
		}
		if len(j.raw) < MaxRecord {
			j.raw = append(j.raw, b)
		}
	}
}

// value reads an object or an array to the bracket that closes it. It is false with a
// record that is at fault.
func (j *jsonReader) value(record *Record) (bool, error) {
	depth, inString, escaped := 1, false, false
	for depth > 0 {
		b, err := j.lines.r.ReadByte()
		if err == io.EOF {
			record.fail(codeLine, "Invalid JSON format. Unexpected end of the file.", -1)
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if b == '\n' {
			j.lines.line++
		}
		if len(j.raw) == MaxRecord {
			record.fail(codeLine, fmt.Sprintf("Input line is not valid: it has more than %d bytes", MaxRecord), -1)
			return false, j.restOfLine(record)
		}
		j.raw = append(j.raw, b)
		switch {
		case inString && b == '\n':
			// A string cannot have it: the quote that closes it is missing.
			record.fail(codeLine, "Invalid JSON format. A string is not closed.", -1)
			return false, nil
		case inString:
			if escaped {
				escaped = false
			} else if b == '\\' {
				escaped = true
			} else if b == '"' {
				inString = false
			}
		case b == '"':
			inString = true
		case b == '{' || b == '[':
			depth++
		case b == '}' || b == ']':
			depth--
		}
	}
	return true, nil
}

func syntaxOf(text []byte) string {
	var v json.RawMessage
	if err := json.Unmarshal(text, &v); err != nil {
		return err.Error()
	}
	return "Invalid value."
}

// fields gives each column its value.
func (j *jsonReader) fields(record *Record) {
	for range j.options.Columns {
		record.Fields = append(record.Fields, Field{Null: true})
	}
	switch j.options.Paths.Kind {
	case NoShred:
		record.Fields[0] = Field{Value: j.raw, JSON: true}
		return
	case PathFile:
		for i, path := range j.options.Paths.List {
			if value, ok := path.find(j.raw); ok {
				record.Fields[i] = jsonField(value)
			}
		}
		return
	}
	if j.raw[0] != '{' {
		record.fail(codeLine, "Invalid JSONPath format: Member is not an object.", -1)
		return
	}
	fold := j.options.Paths.Kind == AutoIgnoreCase
	if j.names == nil {
		j.names = make(map[string]int, len(j.options.Columns))
		for i, name := range j.options.Columns {
			if fold {
				name = strings.ToLower(name)
			}
			j.names[name] = i
		}
	}
	members(j.raw, func(key string, value []byte) bool {
		if fold {
			key = strings.ToLower(key)
		}
		if i, ok := j.names[key]; ok {
			record.Fields[i] = jsonField(value)
		}
		return true
	})
}

func jsonField(value []byte) Field {
	if string(value) == "null" {
		return Field{Null: true}
	}
	return Field{Value: value, JSON: true}
}

// Scalar is the text of a JSON value for a column that is not SUPER: a string without its
// quotes and escapes, and everything else as it is written.
func Scalar(value []byte) ([]byte, error) {
	if len(value) == 0 || value[0] != '"' {
		return value, nil
	}
	inner := value[1 : len(value)-1]
	for _, b := range inner {
		if b == '\\' {
			return unquote(value)
		}
	}
	return inner, nil
}

// PathsOf reads the argument of JSON: a word, or the content of the file that it names.
// The error is a *pgconn.PgError.
func PathsOf(word string, file []byte, columns int, query int64) (Paths, error) {
	switch word {
	case "", "auto":
		return Paths{}, nil
	case "auto ignorecase":
		return Paths{Kind: AutoIgnoreCase}, nil
	case "noshred":
		if columns != 1 {
			return Paths{}, failure.Invalid("JSON 'noshred' loads one column of type SUPER, and %d are loaded", columns)
		}
		return Paths{Kind: NoShred}, nil
	}
	var content map[string]json.RawMessage
	var texts []string
	if err := json.Unmarshal(file, &content); err != nil {
		return Paths{}, pathsFailed("Invalid JSONPath format. "+err.Error(), query)
	}
	list, ok := content["jsonpaths"]
	if !ok {
		// AWS: with any other name COPY goes by 'auto'.
		return Paths{}, nil
	}
	if err := json.Unmarshal(list, &texts); err != nil {
		return Paths{}, pathsFailed("Invalid JSONPath format. "+err.Error(), query)
	}
	if len(texts) != columns {
		return Paths{}, pathsFailed(fmt.Sprintf("Number of jsonpaths and the number of columns should match. "+
			"JSONPath size: %d, Number of columns in table or column list: %d", len(texts), columns), query)
	}
	paths := Paths{Kind: PathFile}
	for _, text := range texts {
		p, err := ParsePath(text)
		if err != nil {
			return Paths{}, pathsFailed("Invalid JSONPath format: "+err.Error(), query)
		}
		paths.List = append(paths.List, p)
	}
	return paths, nil
}

func pathsFailed(message string, query int64) error {
	return failure.Block{
		Message: message, Code: 8001, Query: query,
		Location: "s3_utility.cpp:672", Process: "padbmaster [pid=12345]",
	}.Error()
}
