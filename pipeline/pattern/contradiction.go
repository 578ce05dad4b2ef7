package pattern

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// part is one of several tests that must all pass.
type part struct {
	test
	name, shown string // its operator, and all of it, for messages
}

// contradiction says why no value can pass all tests; empty = one may.
func contradiction(all []part) string {
	for i := range all {
		for k := range all[:i] {
			if why := all[k].conflict(&all[i]); why != "" {
				return why
			}
		}
	}
	return ""
}

// conflict says why no value can pass both tests; empty = one may.
func (p *part) conflict(o *part) string {
	const either = "; to match either, write each as a test of its own"
	switch a, b := p.kind(), o.kind(); {
	case (p.op == opMissing) != (o.op == opMissing):
		return "what does not exist has no value; leave exists: false out, or write it as a test of its own"
	case a == decode.Number && b == decode.String:
		return fmt.Sprintf("%s asks for a number and %s for a text%s", p.name, o.name, either)
	case a == decode.String && b == decode.Number:
		return o.conflict(p)
	case p.op == opAnythingBut && coveredBySome(p.inner, &o.test):
		return fmt.Sprintf("what passes %s does not pass %s%s", o.shown, p.shown, either)
	case o.op == opAnythingBut && coveredBySome(o.inner, &p.test), p.disjoint(&o.test):
		return fmt.Sprintf("what passes %s does not pass %s%s", p.shown, o.shown, either)
	}
	return ""
}

// kind returns the kind of the values that a test may pass; Missing = several.
func (t *test) kind() decode.Kind {
	switch t.op {
	case opEqual, opPrefix, opSuffix, opEqualFold, opPrefixFold, opSuffixFold, opWildcard, opNetwork:
		return decode.String
	case opNumber, opNumeric:
		return decode.Number
	case opBool:
		return decode.Bool
	case opNull:
		return decode.Null
	case opAll:
		for i := range t.inner {
			if k := t.inner[i].kind(); k != decode.Missing {
				return k
			}
		}
	}
	return decode.Missing
}

// excludeEachOther reports whether no number is within all of the bounds. Each of them is an
// interval: where all have no number in common, two of them have none.
func excludeEachOther(some, others []numberBound) bool {
	return slices.ContainsFunc(some, func(a numberBound) bool {
		return slices.ContainsFunc(others, func(b numberBound) bool { return a.excludes(b) || b.excludes(a) })
	})
}

// excludes reports whether no number is within both bounds, of which b's is not the lesser one.
func (a numberBound) excludes(b numberBound) bool {
	switch c := a.number.Compare(b.number); {
	case c < 0:
		return !b.less && !(a.greater && (b.equal || b.greater))
	case c == 0:
		return !(a.less && b.less) && !(a.equal && b.equal) && !(a.greater && b.greater)
	default:
		return false
	}
}

// beginning returns what each text that passes a test begins with; fold = in any case.
func (t *test) beginning() (text []byte, fold, ok bool) {
	switch t.op {
	case opPrefix, opPrefixFold, opEqualFold:
		return t.text, t.op != opPrefix, true
	case opWildcard:
		return t.parts[0], false, true
	}
	return nil, false, false
}

// ending is beginning for what they end with.
func (t *test) ending() (text []byte, fold, ok bool) {
	switch t.op {
	case opSuffix, opSuffixFold, opEqualFold:
		return t.text, t.op != opSuffix, true
	case opWildcard:
		return t.parts[len(t.parts)-1], false, true
	}
	return nil, false, false
}

// differ reports whether no text has both beginnings, or endings.
func differ(of, other func() (text []byte, fold, ok bool), exact, foldedHas func(s, part []byte) bool) bool {
	a, foldA, okA := of()
	b, foldB, okB := other()
	if !okA || !okB {
		return false
	}
	has := exact
	if foldA || foldB {
		has = foldedHas
	}
	return !has(a, b) && !has(b, a)
}

// textsDiffer reports whether it is known that no text passes both tests.
func (t *test) textsDiffer(o *test) bool {
	if t.op == opEqualFold && o.op == opEqualFold {
		return !bytes.EqualFold(t.text, o.text)
	}
	return differ(t.beginning, o.beginning, bytes.HasPrefix, hasPrefixFold) || differ(t.ending, o.ending, bytes.HasSuffix, hasSuffixFold)
}

// refuseMeta refuses tests of metadata that no change passes.
func (c *compiler) refuseMeta(at []string, of metaField, list []any, tests []test) {
	for i := range tests {
		place := append(slices.Clone(at), fmt.Sprint(i))
		t := &tests[i]
		if t.op == opExists || t.op == opMissing {
			continue
		}
		switch of {
		case metaEventName:
			if !passesOne(t, eventNames, decode.String) {
				m := &spec.FieldError{Path: place, Message: fmt.Sprintf("no change has %s as its %s, which is one of %s", flow(list[i]), of.name(), strings.Join(eventNames, ", "))}
				m.Name, _ = list[i].(string)
				if m.Name != "" {
					m.Known = eventNames
				}
				c.mistakes = append(c.mistakes, m)
			}
		case metaTTL:
			if !passesOne(t, []string{"true", "false"}, decode.Bool) {
				c.mistake(place, "no change has %s as its %s, which is true or false", flow(list[i]), of.name())
			}
		default:
			if kind := t.kind(); kind != decode.Missing && kind != decode.String {
				hint := ""
				if of == metaCreated || of == metaArrived {
					hint = `, as in {prefix: "2024-02-29T12"}; $expr compares times`
				}
				c.mistake(place, "no change has %s as its %s, which is a text%s", flow(list[i]), of.name(), hint)
			}
		}
	}
}

// eventNames are the kinds of changes.
var eventNames = []string{decode.Insert.String(), decode.Modify.String(), decode.Remove.String()}

func passesOne(t *test, texts []string, kind decode.Kind) bool {
	return slices.ContainsFunc(texts, func(s string) bool { return t.passes(operand{kind: kind, text: []byte(s)}, nil) })
}
