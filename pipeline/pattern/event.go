package pattern

import "github.com/starlift-etl/starlift/pipeline/decode"

// EventKind is what a pattern can tell of a change without its item.
type EventKind struct {
	EventName string // empty = unknown: tests of it count as passed
	TTL       bool
}

// Possible reports whether some item may match in a change of the kind.
func (p *Pattern) Possible(k EventKind) bool {
	m := &Matcher{pattern: p, meta: &Meta{TTL: k.TTL}, digits: make([]byte, 0, 64)}
	if k.EventName != "" {
		m.meta.EventName = []byte(k.EventName)
	}
	return m.possible(p.root)
}

func (m *Matcher) possible(c *conjunction) bool {
	for i := range c.fields {
		f := &c.fields[i]
		known := f.meta == metaTTL || f.meta == metaEventName && m.meta.EventName != nil
		if known && !m.passes(f.tests, m.metaOperand(f.meta)) {
			return false
		}
	}
	for _, choice := range c.choices {
		some := false
		for _, alternative := range choice {
			some = some || m.possible(alternative)
		}
		if !some {
			return false
		}
	}
	return true
}

// ofKind reports whether the field is what an EventKind has.
func (f *field) ofKind() bool { return f.meta == metaEventName || f.meta == metaTTL }

// Distinguishes reports whether a test of $meta.event_name, or of $meta.ttl, passes for
// one of two kinds of changes and not for the other.
func (p *Pattern) Distinguishes(a, b EventKind) bool {
	return p.anyField(func(of *Matcher, f *field) bool {
		of.meta = &Meta{EventName: []byte(a.EventName), TTL: a.TTL}
		passes := of.passes(f.tests, of.metaOperand(f.meta))
		of.meta = &Meta{EventName: []byte(b.EventName), TTL: b.TTL}
		return passes != of.passes(f.tests, of.metaOperand(f.meta))
	})
}

// NamesRemovals reports whether a test asks for removals: one of $meta.event_name
// that REMOVE passes, or one of $meta.ttl that true does.
func (p *Pattern) NamesRemovals() bool {
	return p.anyField(func(of *Matcher, f *field) bool {
		of.meta = &Meta{EventName: []byte("REMOVE"), TTL: true}
		return of.passes(f.tests, of.metaOperand(f.meta))
	})
}

// anyField reports whether one of the tests of a change's kind is as asked.
func (p *Pattern) anyField(is func(of *Matcher, f *field) bool) bool {
	m := &Matcher{pattern: p, digits: make([]byte, 0, 64)}
	var some func(c *conjunction) bool
	some = func(c *conjunction) bool {
		for i := range c.fields {
			if f := &c.fields[i]; f.ofKind() && is(m, f) {
				return true
			}
		}
		for _, choice := range c.choices {
			for _, alternative := range choice {
				if some(alternative) {
					return true
				}
			}
		}
		return false
	}
	return some(p.root)
}

// Unknown says what of a record is not known: tests of it count as passed.
type Unknown uint8

// The parts of a record, which may be joined.
const (
	UnknownItem Unknown = 1 << iota // the values that are missing, or null
	UnknownKind                     // event_name and ttl, and what else $meta has
)

// MayMatch reports whether a record may match of which some is not known.
func (m *Matcher) MayMatch(rec []byte, values []decode.Value, meta *Meta, unknown Unknown) (bool, error) {
	m.unknown = unknown
	ok, err := m.Match(rec, values, meta)
	m.unknown = 0
	return ok, err
}
