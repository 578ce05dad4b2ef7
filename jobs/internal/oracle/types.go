package oracle

import (
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/starlift-etl/starlift/pipeline"
)

var uuid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// convertTyped is convert for types that a target tells apart.
func convertTyped(s string, t pipeline.Type) (string, error) {
	switch t.Kind {
	case pipeline.UUID:
		if s = strings.ToLower(s); !uuid.MatchString(s) {
			return "", fmt.Errorf("%q is no UUID", s)
		}
	case pipeline.VarChar, pipeline.Char:
		if utf8.RuneCountInString(s) > int(t.Length) {
			return "", fmt.Errorf("%q is longer than %s", s, t)
		}
	case pipeline.Time:
		at, err := time.Parse("15:04", s)
		if err != nil {
			return "", err
		}
		s = at.Format(time.TimeOnly)
	case pipeline.Int32:
		n, ok := new(big.Rat).SetString(s)
		if !ok || !n.IsInt() || !n.Num().IsInt64() || n.Num().Int64() != int64(int32(n.Num().Int64())) {
			return "", fmt.Errorf("%q is no integer of 32 bits", s)
		}
		s = n.Num().String()
	}
	return s, nil
}

// convertList returns a list as JSON without white space.
func convertList(v any, t pipeline.Type) (string, error) {
	if text, ok := v.(string); ok {
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		var list []any
		if err := d.Decode(&list); err != nil || list == nil {
			return "", fmt.Errorf("%q is no list", text)
		}
		v = list
	}
	if _, ok := v.(map[string]any); ok {
		return "", fmt.Errorf("a map is no list")
	}
	elements, ok := elementsOf(v)
	if !ok {
		return "", fmt.Errorf("%v is no list", v)
	}
	all := make([]string, len(elements))
	for i, e := range elements {
		text, ok, err := convert(e.value, t.Element().String())
		switch {
		case err != nil:
			return "", err
		case !ok:
			text = "null"
		case t.Element().Base() == pipeline.String:
			quoted, err := json.Marshal(text)
			if err != nil {
				return "", err
			}
			text = string(quoted)
		}
		all[i] = text
	}
	return "[" + strings.Join(all, ",") + "]", nil
}
