package star

import (
	"encoding/binary"
	"fmt"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/pipeline/packed"
	"github.com/starlift-etl/starlift/transforms/star/calendar"
)

// give gives a fact out as far as it differs from what was given out before,
// and writes its state. While facts wait, those given out are asked for less.
func (p *pass) give(e *factEntry, mayWait bool) error {
	kept := decodeFact(e.kept, p.facts)
	if e.base == nil {
		if kept.given != nil {
			p.out.fact(e, pipeline.OpDelete, kept.base, kept.given)
		}
		p.use(e, kept.used)
		p.state.Put(e.hash, nil)
		return nil
	}
	now := keptFact{waits: e.waits, base: e.base, chained: p.chain(e)}
	if e.waits {
		now.used = make([]byte, e.fact.uses*hashBytes)
		p.put(e, &now, false)
		return nil
	}
	row, err := p.row(e)
	if err != nil {
		return err
	}
	now.given = row
	switch {
	case kept.given == nil:
		p.out.fact(e, pipeline.OpInsert, e.base, row)
		p.out.unknown(p.unknown)
	case !e.fact.givenAs.same(row, kept.given):
		p.out.fact(e, pipeline.OpUpdate, e.base, row)
		p.out.unknown(p.unknown)
	}
	now.used = p.use(e, kept.used)
	p.put(e, &now, mayWait)
	return nil
}

// put writes the state of a fact.
func (p *pass) put(e *factEntry, now *keptFact, idle bool) {
	p.scratch = now.append(p.scratch[:0], e.fact)
	if idle {
		p.state.PutCold(e.hash, p.scratch)
	} else {
		p.state.Put(e.hash, p.scratch)
	}
}

// chain returns the keys of the chained lookups, until it is called again.
func (p *pass) chain(e *factEntry) []byte {
	p.chained = p.chained[:0]
	if e.fact.chained == 0 {
		return nil
	}
	for i, l := range e.fact.lookups {
		if !l.chained {
			continue
		}
		h := pipeline.Hash{}
		if at := p.linksOf(e)[i].now; at >= 0 {
			h = p.rows.all[at].hash
		}
		p.chained = packed.AppendHash(p.chained, h)
	}
	return p.chained
}

// use counts the fact among those that refer to its members, and no longer among
// those of the members that it used, where members are taken away when nobody
// needs them. It returns what it uses now.
func (p *pass) use(e *factEntry, used []byte) (uses []byte) {
	if e.fact.uses == 0 {
		return nil
	}
	for at := 0; at < len(used); at += hashBytes {
		if h := hashAt(used, at); h != (pipeline.Hash{}) {
			at, _ := p.dims.index.Get(h) // referTo has touched it
			p.dims.use(&p.dims.all[at], -1, e.version())
		}
	}
	uses = make([]byte, 0, e.fact.uses*hashBytes)
	for i, ref := range p.membersOf(e) {
		if e.fact.members[i].dimension.onDelete != pipeline.Delete {
			continue
		}
		h := pipeline.Hash{}
		if ref.at >= 0 {
			m := &p.dims.all[ref.at]
			h = m.hash
			p.dims.use(m, 1, e.version())
		}
		uses = packed.AppendHash(uses, h)
	}
	return uses
}

// row returns the fact's row without its grain, packed.
func (p *pass) row(e *factEntry) ([]byte, error) {
	f := e.fact
	p.read(e, len(f.lookups))
	p.values = p.values[:0]
	p.scratch, p.unknown = p.scratch[:0], p.unknown[:0]
	for i := range f.members {
		at := len(p.scratch)
		p.scratch = binary.LittleEndian.AppendUint64(p.scratch, uint64(p.surrogateKey(&f.members[i], p.membersOf(e)[i])))
		p.values = append(p.values, p.scratch[at:])
	}
	for i := range f.values {
		v, err := p.measure(f, &f.values[i])
		if err != nil {
			return nil, fmt.Errorf("fact %q, grain %s, measure %q: %w", f.name, p.grain(e), f.givenAs.Columns[len(f.members)+i].Name, err)
		}
		p.values = append(p.values, v)
	}
	p.given = packed.JoinRow(p.given[:0], p.values)
	return p.given, nil
}

// surrogateKey returns the key of a member; 0 = unknown.
func (p *pass) surrogateKey(m *member, ref memberRef) int64 {
	if c := m.dimension.calendar; c != nil {
		day, ok := m.day(p.at(m.on[0]))
		if !ok || !c.Has(day) {
			p.unknown = append(p.unknown, m.dimension)
			return 0
		}
		return calendar.Key(day)
	}
	if ref.at >= 0 {
		return p.dims.all[ref.at].key
	}
	if ref.key == 0 {
		p.unknown = append(p.unknown, m.dimension)
		return 0
	}
	return ref.key
}

const dayMicros = 24 * 60 * 60 * 1_000_000

// day returns the day of a packed date or timestamp; ok = false of a null.
func (m *member) day(v []byte) (day int32, ok bool) {
	if v == nil {
		return 0, false
	}
	if !m.timestamp {
		return int32(binary.LittleEndian.Uint32(v)), true
	}
	t := int64(binary.LittleEndian.Uint64(v))
	d := t / dayMicros
	if t%dayMicros < 0 {
		d--
	}
	return int32(d), true
}

// measure returns the packed value of a measure; nil = null.
func (p *pass) measure(f *fact, v *value) ([]byte, error) {
	switch {
	case v.gone:
		return nil, nil
	case v.expression == nil:
		return p.at(v.ref), nil
	}
	p.args = p.args[:0]
	for _, r := range f.refs {
		p.args = append(p.args, p.at(r))
	}
	result, null, err := v.expression.Eval(nil, p.args)
	switch {
	case err != nil && !v.nullOnFail:
		return nil, err
	case err != nil, null:
		return nil, nil
	}
	return result, nil
}

// grain returns the fact's grain for people.
func (p *pass) grain(e *factEntry) string {
	b := newBuilder(e.fact.out)
	defer b.release()
	row := packed.ReadRow(e.base)
	for i := range e.fact.grain {
		row.Into(b.Field(i))
	}
	text := ""
	for i := range e.fact.grain {
		if i > 0 {
			text += ", "
		}
		if v := b.Field(i).NewArray().ValueStr(0); e.fact.out.Columns[i].Masked {
			text += decode.Hidden
		} else {
			text += v
		}
	}
	return "(" + text + ")"
}
