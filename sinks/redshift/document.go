package redshift

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/starlift-etl/starlift/sinks/internal/values"
)

const (
	// documentDepthMax is "the maximum nesting depth for arrays and structures".
	documentDepthMax = 1000
	// numberDigitsMax and numberScaleMax are what a DECIMAL has. SUPER's numbers are Redshift's:
	// integers, decimals and doubles.
	numberDigitsMax, numberScaleMax = 38, 37
	// comparedKeysMax is how many names of an object are compared one by one.
	comparedKeysMax = 16
)

// documentProblem says what JSON_PARSE does not take of a document, or would not keep as it
// is; empty = it takes all of it. "Parsing options for SUPER" has it that "the same attribute name
// cannot appear in the same object", and that strings are as long as a VARCHAR, which they are in
// a document that is no longer. Inferred: no U+0000, since VARCHAR has none; no half of a
// surrogate pair, since that is no character; and no number that none of the types can hold,
// which would be rounded if it were taken at all.
//
// A document of 65,535 bytes may have a longer text once it is a SUPER (1e5 may come back as 100000).
// It can be read by its parts then, and not as a whole.
func documentProblem(doc string, stripNUL bool) string {
	s := documentScan{stripNUL: stripNUL}
	return values.ScanJSON(dialect.Name, doc, stripNUL, s.token)
}

// documentScan is what is open of a document.
type documentScan struct {
	stripNUL bool
	open     []container
	names    []string // of all open objects
}

// container is an open object or array.
type container struct {
	object  bool
	named   bool // the next string is a value
	first   int  // in names
	further map[string]bool
}

func (s *documentScan) token(token string) string {
	switch c := token[0]; c {
	case '[', '{':
		if len(s.open) == documentDepthMax {
			return "is nested more than 1,000 deep, and Redshift takes no more"
		}
		s.open = append(s.open, container{object: c == '{', first: len(s.names)})
	case ']', '}':
		if n := len(s.open) - 1; n >= 0 {
			s.names = s.names[:s.open[n].first]
			s.open = s.open[:n]
		}
	case ':', ',':
		if n := len(s.open) - 1; n >= 0 {
			s.open[n].named = c == ':'
		}
	case '"':
		if n := len(s.open) - 1; n >= 0 && s.open[n].object && !s.open[n].named {
			return s.name(&s.open[n], token)
		}
	default:
		if !superHolds(token) {
			return "has the number " + values.Shorten(token) + ", which none of Redshift's types can hold"
		}
	}
	return ""
}

// name adds the name of an attribute to its object.
func (s *documentScan) name(c *container, token string) string {
	name := token
	if s.stripNUL {
		name = values.StripJSON(name)
	}
	// Another way to write the same name is the same name.
	if strings.Contains(name, `\`) {
		if err := json.Unmarshal([]byte(name), &name); err != nil {
			return "has a name that is not JSON"
		}
	} else {
		name = name[1 : len(name)-1]
	}
	names := s.names[c.first:]
	twice := c.further[name]
	if c.further == nil {
		twice = slices.Contains(names, name)
	}
	if twice {
		return "has an object with two attributes of one name"
	}
	switch {
	case c.further != nil:
		c.further[name] = true
	case len(names) < comparedKeysMax:
		s.names = append(s.names, name)
	default:
		c.further = map[string]bool{name: true}
		for _, n := range names {
			c.further[n] = true
		}
	}
	return ""
}

// superHolds tells whether one of the types of SUPER's numbers has just this one: an integer or
// a decimal where it is written without an exponent, or else a double that is written like this.
func superHolds(number string) bool {
	digits, exponent := significand(number)
	plain := !strings.ContainsAny(number, "eE")
	if plain && len(digits) <= numberDigitsMax && -exponent <= numberScaleMax && len(digits)+max(exponent, 0) <= numberDigitsMax {
		return true
	}
	if digits == "" {
		return true // zero
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || math.IsInf(f, 0) {
		return false
	}
	kept, keptExponent := significand(strconv.FormatFloat(f, 'e', -1, 64))
	return kept == digits && keptExponent == exponent
}

// significand returns a number's digits without zeros at either end, and the power of ten of the last
// of them.
func significand(number string) (digits string, exponent int) {
	mantissa := strings.TrimPrefix(number, "-")
	if i := strings.IndexAny(mantissa, "eE"); i >= 0 {
		e, err := strconv.Atoi(mantissa[i+1:])
		if err != nil {
			e = math.MaxInt32 // no double has an exponent that is no int
		}
		mantissa, exponent = mantissa[:i], e
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits = whole + fraction
	exponent -= len(fraction)
	trimmed := strings.TrimRight(digits, "0")
	exponent += len(digits) - len(trimmed)
	return strings.TrimLeft(trimmed, "0"), exponent
}
