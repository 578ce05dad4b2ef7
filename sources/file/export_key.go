package file

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/sources/file/export"
	"github.com/starlift-etl/starlift/sources/file/listing"
	"github.com/starlift-etl/starlift/sources/internal/recordformat"
)

const (
	// sampledItems is the number of an export's items that are read to find its key.
	sampledItems = 1000
	// suggestedKeys is the number of attributes that are tried as a key, at most.
	suggestedKeys = 30
)

// usualKeys are the names that the key of a single-table design often has.
var usualKeys = [][]string{{"PK", "SK"}, {"pk", "sk"}, {"PK"}, {"pk"}, {"id"}}

// FindKey finds the attributes that are the key of an export's items when the
// configuration does not name them: another source of the same table may name them, and an
// incremental export has them in its lines. others are the formats of the other sources.
// A full export needs a key: when none is found, the error suggests attributes. FindKey reads
// the manifests and a few items, and is called before Open.
func (s *Source) FindKey(others []pipeline.Format) error {
	if recordformat.Encoding(s.cfg.Format) != pipeline.DynamoDBExport {
		return nil
	}
	if len(s.cfg.Key) > 0 && !s.untimed(others) {
		return nil // and nothing is looked at, so that a file can be checked far from its input
	}
	ctx := context.Background()
	if files, err := s.bareFiles(ctx); err == nil && len(files) > 0 {
		return s.checkBare(files, others)
	}
	if len(s.cfg.Key) > 0 {
		return nil
	}
	found, err := export.Find(ctx, s.files, s.cfg.Path)
	if err != nil {
		return keyError(": write `key: [<partition key>, <sort key>]`, as the table has them (" + err.Error() + ")")
	}
	exports, err := found.OfTable(s.cfg.Table)
	if err != nil {
		return &spec.FieldError{Path: []string{"path"}, Message: err.Error()}
	}
	table := s.cfg.Table
	if table == "" {
		table = exports[0].Table()
	}
	for _, f := range others {
		if f.Encoding != pipeline.JSON && f.Table == table && len(f.Key) > 0 { // keys of plain JSON are paths
			s.setKey(f.Key)
			return nil
		}
	}
	if !slices.ContainsFunc(exports, func(e *export.Export) bool { return !e.Incremental }) {
		return nil
	}
	sample := sampler{files: s.files, limit: int(s.cfg.MaxRecord)}
	key, err := sample.keyOf(exports)
	if err == nil && len(key) == 0 {
		err = sample.read(exports)
	}
	if err != nil {
		return keyError(": write `key: [<partition key>, <sort key>]`, as the table has them (" + err.Error() + ")")
	}
	if len(key) == 0 {
		return keyError(sample.text())
	}
	s.setKey(key)
	return nil
}

// UseKey sets the key as if the configuration named it, unless it does. It is not to be called while the source is open.
func (s *Source) UseKey(names []string) {
	if len(s.cfg.Key) == 0 {
		s.setKey(names)
	}
}

// setKey sets the key as if the configuration named it.
func (s *Source) setKey(names []string) {
	for _, name := range names {
		s.cfg.Key = append(s.cfg.Key, spec.Paths{name})
	}
}

func keyError(what string) error {
	return &spec.FieldError{Path: []string{"key"}, Message: "key is missing: a full export does not say which attributes identify an item" + what}
}

// sampler collects the first items of exports, and finds attributes in them that tell the
// items apart.
type sampler struct {
	files   *listing.Tree
	limit   int                 // bytes of a line
	items   []map[string]string // by attribute that may be part of a key: its value
	locator export.Locator
}

// exportItem is a line of an export, as far as a key is concerned.
type exportItem struct {
	Item, Keys map[string]map[string]json.RawMessage
}

// keyOf returns the key that the first line of an incremental export names; nil =
// there is none.
func (s *sampler) keyOf(exports []*export.Export) (key []string, err error) {
	err = s.lines(exports, true, func(line *exportItem) bool {
		key = slices.Sorted(maps.Keys(line.Keys))
		return len(key) == 0
	})
	return key, err
}

// read collects the first items of the full exports.
func (s *sampler) read(exports []*export.Export) error {
	return s.lines(exports, false, func(line *exportItem) bool {
		s.addItem(line.Item)
		return len(s.items) < sampledItems
	})
}

// addItem adds an item with those of its attributes whose types a key may have.
func (s *sampler) addItem(attributes map[string]map[string]json.RawMessage) {
	item := map[string]string{}
	for name, value := range attributes {
		for _, kind := range []string{"S", "N", "B"} {
			if v := value[kind]; len(v) > 0 && !bytes.Equal(v, []byte("null")) {
				item[name] = kind + string(v)
			}
		}
	}
	s.items = append(s.items, item)
}

// lines calls yield with the lines of the full or the incremental exports, until it returns
// false.
func (s *sampler) lines(exports []*export.Export, incremental bool, yield func(*exportItem) bool) error {
	for _, e := range exports {
		for _, f := range e.Files {
			if f.Items == 0 || e.Incremental != incremental {
				continue
			}
			more, err := s.file(e, f, yield)
			if err != nil || !more {
				return err
			}
		}
	}
	return nil
}

// file calls yield with the lines of a data file; more = false when yield returned false.
func (s *sampler) file(e *export.Export, f *export.DataFile, yield func(*exportItem) bool) (more bool, err error) {
	at, err := s.locator.Locate(context.Background(), e, f)
	if err != nil {
		return false, err
	}
	content, closeContent, err := openContent(s.files, at.Path)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, closeContent()) }()
	lines := json.NewDecoder(io.LimitReader(content, int64(s.limit)*sampledItems))
	for n := int64(0); n < f.Items; n++ {
		var line exportItem
		if err := lines.Decode(&line); err != nil {
			return false, fmt.Errorf("%s: item %d can't be read", at.Path, n+1)
		}
		if !yield(&line) {
			return false, nil
		}
	}
	return true, nil
}

// text returns the end of the message that a key is missing: which attributes could be it.
func (s *sampler) text() string {
	if len(s.items) == 0 {
		return ", and it has no items to tell by: write `key: [<partition key>, <sort key>]`, as the table has them"
	}
	var names []string
	for name := range s.items[0] {
		if !slices.ContainsFunc(s.items, func(item map[string]string) bool { return item[name] == "" }) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	of := fmt.Sprintf("its first %d items", len(s.items))
	if len(s.items) == 1 {
		of = "its first item"
	}
	shown := names[:min(len(names), suggestedKeys)]
	text := fmt.Sprintf(". What all of %s have, and a key can be: %s", of, namesInYAML(shown))
	if key := s.suggest(shown); key != nil {
		return text + fmt.Sprintf(". If that is the table's key, write `key: [%s]`", namesInYAML(key))
	}
	return text + ". Write `key: [<partition key>, <sort key>]`, as the table has them"
}

// plainName is a name that YAML takes for a text without quotes.
var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)

func namesInYAML(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = name
		if !plainName.MatchString(name) {
			quoted[i] = strconv.Quote(name)
		}
	}
	return strings.Join(quoted, ", ")
}

// suggest returns attributes that tell the items apart, or nil. Usual names are preferred
// to other ones, and one attribute to two.
func (s *sampler) suggest(names []string) []string {
	candidates := slices.Clone(usualKeys)
	for _, one := range names {
		candidates = append(candidates, []string{one})
	}
	for i, one := range names {
		for _, other := range names[i+1:] {
			candidates = append(candidates, []string{one, other})
		}
	}
	for _, key := range candidates {
		if !slices.ContainsFunc(key, func(name string) bool { return !slices.Contains(names, name) }) && s.unique(key) {
			return key
		}
	}
	return nil
}

// unique reports whether no two items have the same key.
func (s *sampler) unique(key []string) bool {
	seen := map[string]bool{}
	for _, item := range s.items {
		var b strings.Builder
		for _, name := range key {
			b.WriteString(item[name])
			b.WriteByte(0)
		}
		if seen[b.String()] {
			return false
		}
		seen[b.String()] = true
	}
	return true
}
