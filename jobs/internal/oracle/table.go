package oracle

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/transforms/unnest"
)

// Row is a row: the texts of its columns; a null is missing.
type Row map[string]string

// Rows are a table's rows by their keys.
type Rows map[string]Row

// keyOf returns the values of columns as one text; false = one of them is null.
func (r Row) keyOf(columns []string) (string, bool) {
	var values []string
	for _, c := range columns {
		v, ok := r[c]
		if !ok {
			return "", false
		}
		values = append(values, v)
	}
	return strings.Join(values, "|"), true
}

// with returns a copy with some more values.
func (r Row) with(more Row) Row {
	all := Row{}
	maps.Copy(all, r)
	maps.Copy(all, more)
	return all
}

// table is a table of an unnest node.
type table struct {
	name string
	unnest.TableConfig
	skipsNullKeys bool // rows with a null in the key are left out; else they are wrong
	conditions    map[string]Condition
}

// wants reports whether the table takes the image, or why that can't be told.
func (t *table) wants(im Image) (bool, error) { return matches(t.Where.Value, im, t.conditions) }

// rows returns the rows that an image yields, or what is wrong with one of them.
func (t *table) rows(im Image) ([]Row, error) {
	rows, _, err := t.yield(im)
	return rows, err
}

// yield returns the rows that an image yields, and the elements whose rows are left out, or
// what is wrong with one of the others.
func (t *table) yield(im Image) (rows []Row, dropped []string, err error) {
	if im == nil {
		return nil, nil, nil
	}
	if ok, err := t.wants(im); !ok || err != nil {
		return nil, nil, err
	}
	seen := map[string]bool{}
	scopes, err := t.scopes(im)
	if err != nil {
		return nil, nil, err
	}
	for _, scope := range scopes {
		row, err := t.row(scope)
		key, ok := row.keyOf(t.Key)
		switch {
		case errors.Is(err, errDropped), err == nil && !ok && t.dropsNullKey(row):
			path, _ := scope[elementPath].(string)
			dropped = append(dropped, path)
			continue
		case err != nil:
			return nil, nil, err
		case !ok && t.skipsNullKeys:
			continue
		case !ok:
			return nil, nil, fmt.Errorf("table %s: null in key", t.name)
		case seen[key]:
			return nil, nil, fmt.Errorf("table %s: key %s twice", t.name, key)
		}
		seen[key] = true
		rows = append(rows, row)
	}
	return rows, dropped, nil
}

// errDropped says that a row is left out alone.
var errDropped = errors.New("the row is dropped")

// dropsNullKey reports whether the first null of a row's key, in the order of the columns, is
// one that drops the row.
func (t *table) dropsNullKey(row Row) bool {
	for _, c := range t.Columns {
		if _, ok := row[c.Name]; !ok && slices.Contains(t.Key, c.Name) {
			return c.Value.OnError == "drop_row"
		}
	}
	return false
}

// scopes returns what the columns of each row are found in.
func (t *table) scopes(im Image) ([]Image, error) {
	around := maps.Clone(im)
	around[wholeItem] = map[string]any(im)
	return t.unnest(around, t.Explode)
}

// unnest returns the scopes of a level of the explode, and of those in it.
func (t *table) unnest(around Image, level *unnest.ExplodeConfig) ([]Image, error) {
	if level == nil {
		return []Image{around}, nil
	}
	elements, ok := elementsOf(findFirst(around, level.From))
	switch {
	case !ok && level.OnError == "row", len(elements) == 0 && level.Outer && (ok || level.OnError == "null"):
		scope := around
		for ; level != nil; level = level.Explode {
			scope = bind(scope, level, element{}, 0)
		}
		return []Image{scope}, nil
	case !ok && level.OnError != "null":
		return nil, fmt.Errorf("table %s: %v has no elements", t.name, level.From)
	}
	var scopes []Image
	for i, e := range elements {
		more, err := t.unnest(bind(around, level, e, i+1), level.Explode)
		if err != nil {
			return nil, err
		}
		scopes = append(scopes, more...)
	}
	return scopes, nil
}

// element is a member of a map, or an element of a list or set, which has no key.
type element struct{ key, value any }

// elementsOf returns the elements of a value in their order; false = it is of a kind that
// has none.
func elementsOf(v any) (all []element, ok bool) {
	switch v := v.(type) {
	case nil:
	case []any:
		for _, e := range v {
			all = append(all, element{nil, e})
		}
	case Set:
		for _, s := range slices.Sorted(slices.Values(v)) {
			all = append(all, element{nil, s})
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			all = append(all, element{k, v[k]})
		}
	default:
		return nil, false
	}
	return all, true
}

// elementPath is the name in a scope of where its element is, as dead letters write it.
const elementPath = "$element"

// bind returns the scope with the names of a level.
func bind(scope Image, level *unnest.ExplodeConfig, e element, ordinal int) Image {
	scope = maps.Clone(scope)
	if ordinal > 0 {
		at := fmt.Sprint(ordinal)
		if e.key != nil {
			at = fmt.Sprintf("%q", e.key)
		}
		if around, inner := scope[elementPath].(string); inner {
			at = around + "." + at
		}
		scope[elementPath] = at
	}
	scope[level.As] = e.value
	switch {
	case level.Key != "":
		scope[level.Key] = e.key
	case e.key != nil:
		scope[level.As+".key"] = e.key
	}
	if level.Ordinal != "" {
		scope[level.Ordinal] = json.Number(fmt.Sprint(ordinal))
	}
	return scope
}

// findFirst returns the first value of some paths that is there and not null.
func findFirst(scope Image, paths []string) (v any) {
	for _, p := range paths {
		if v = find(scope, p); v != nil {
			return v
		}
	}
	return v
}

func (t *table) row(scope Image) (Row, error) {
	row := Row{}
	for _, c := range t.Columns {
		from := c.Value.From
		if len(from) == 0 {
			from = []string{c.Name}
		}
		v := findFirst(scope, from)
		if slices.Equal(from, []string{restName}) {
			v = t.rest(scope)
		}
		if c.Value.After != "" {
			v = after(v, c.Value.After)
		}
		s, ok, err := convert(v, c.Value.Type)
		if err != nil && c.Value.OnError == "drop_row" {
			return nil, errDropped
		}
		if err != nil && c.Value.OnError != "null" {
			return nil, fmt.Errorf("table %s, column %s: %w", t.name, c.Name, err)
		}
		if ok && err == nil {
			row[c.Name] = s
		}
	}
	return row, nil
}

// find follows a path of names.
func find(scope Image, path string) any {
	if v, ok := scope[path]; ok {
		return v
	}
	var v any = map[string]any(scope)
	for name := range strings.SplitSeq(path, ".") {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[name]
	}
	return v
}

func after(v any, prefix string) any {
	s, _ := v.(string)
	if rest, ok := strings.CutPrefix(s, prefix); ok {
		return rest
	}
	return nil
}

// convert returns the text of a value in a column type; false = it is null.
func convert(v any, typ string) (string, bool, error) {
	if v == nil {
		return "", false, nil
	}
	kind, err := pipeline.ParseType(typ)
	if err != nil {
		return "", false, err
	}
	if document, ok := v.(document); ok {
		return string(document), true, nil
	}
	if kind.Kind == pipeline.List {
		s, err := convertList(v, kind)
		return s, true, err
	}
	if _, ok := v.([]any); ok {
		return "", false, fmt.Errorf("a list is no %s", typ)
	}
	s, err := convertTyped(fmt.Sprint(v), kind)
	if err != nil {
		return "", false, err
	}
	switch kind.Base() {
	case pipeline.String, pipeline.Bool:
	case pipeline.Int64, pipeline.Decimal:
		n, ok := new(big.Rat).SetString(s)
		if !ok {
			return "", false, fmt.Errorf("%q is no number", s)
		}
		s = n.FloatString(int(kind.Scale))
	case pipeline.Date, pipeline.Timestamp:
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			return "", false, err
		}
		if s = Timestamp(at.UnixMicro()); kind.Base() == pipeline.Date {
			s = s[:len(time.DateOnly)]
		}
	default:
		return "", false, fmt.Errorf("the model knows no type %s", typ)
	}
	return s, true, nil
}

// Timestamp is the text of a time in µs since 1970.
func Timestamp(us int64) string {
	return time.UnixMicro(us).UTC().Format("2006-01-02 15:04:05.999999")
}

// microseconds is the time of a text that Timestamp made.
func microseconds(text string) int64 {
	at, err := time.Parse("2006-01-02 15:04:05.999999", text)
	if err != nil {
		panic(err)
	}
	return at.UnixMicro()
}
