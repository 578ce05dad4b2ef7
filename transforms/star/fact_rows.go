package star

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// emit emits a fact's row, if it differs from the one that was emitted before, and
// writes the fact's state. While facts are deferred, those that were emitted are looked
// up less often, so that their entries need not be cached.
func (p *factPart) emit(e *factEntry, mayDefer bool, out *output) error {
	saved := decodeFact(e.saved, p.facts)
	if e.base == nil {
		if saved.emitted != nil {
			out.fact(e, pipeline.OpDelete, saved.base, saved.emitted)
		}
		p.state.Put(e.hash, nil)
		return nil
	}
	now := factState{deferred: e.deferred, base: e.base, chainedKeys: p.chainedKeys(e), countedMembers: p.countedOf(e)}
	if e.deferred {
		p.save(e, &now, false)
		return nil
	}
	row, err := p.buildRow(e)
	if err != nil {
		return err
	}
	now.emitted = row
	switch {
	case saved.emitted == nil:
		out.fact(e, pipeline.OpInsert, e.base, row)
		out.countUnknown(p.unknownMembers)
	case !e.fact.emittedColumns.equal(row, saved.emitted):
		out.fact(e, pipeline.OpUpdate, e.base, row)
		out.countUnknown(p.unknownMembers)
	}
	p.save(e, &now, mayDefer)
	return nil
}

// finish emits the marked facts that differ, and writes them to the state.
func (p *factPart) finish(mayDefer bool, out *output) error {
	for i, f := range p.facts {
		out.expect(f.out, p.inserts[i])
	}
	for from, to := range batches(len(p.entries)) {
		batch := p.entries[from:to]
		p.readAhead(batch, false)
		prefetchPuts(p.work, p.state, batch, func(e *factEntry) (pipeline.Hash, bool) { return e.hash, !e.unchanged })
		for i := range batch {
			if batch[i].unchanged {
				continue
			}
			if err := p.emit(&batch[i], mayDefer, out); err != nil {
				return err
			}
		}
	}
	return nil
}

// save writes the state of a fact. A cold one will hardly be looked up soon.
func (p *factPart) save(e *factEntry, now *factState, cold bool) {
	p.scratch = now.append(p.scratch[:0], e.fact)
	if cold {
		p.state.PutCold(e.hash, p.scratch)
	} else {
		p.state.Put(e.hash, p.scratch)
	}
}

// chainedKeys returns the keys of the chained lookups. They are valid until the next call.
func (p *factPart) chainedKeys(e *factEntry) []byte {
	p.chainedKeysBuffer = p.chainedKeysBuffer[:0]
	if e.fact.chainedLookups == 0 {
		return nil
	}
	for i, l := range e.fact.lookups {
		if !l.chained {
			continue
		}
		h := pipeline.Hash{}
		if at := p.lookupsOf(e)[i]; at >= 0 {
			h = p.rows[at].hash
		}
		p.chainedKeysBuffer = packed.AppendHash(p.chainedKeysBuffer, h)
	}
	return p.chainedKeysBuffer
}

// buildRow returns the fact's row without its grain, packed.
func (p *factPart) buildRow(e *factEntry) ([]byte, error) {
	f := e.fact
	p.setSources(e, len(f.lookups))
	p.values = p.values[:0]
	p.scratch, p.unknownMembers = slices.Grow(p.scratch[:0], 8*len(f.foreignKeys)), p.unknownMembers[:0]
	for i := range f.foreignKeys {
		at := len(p.scratch)
		p.scratch = binary.LittleEndian.AppendUint64(p.scratch, uint64(p.surrogateKey(&f.foreignKeys[i], p.membersOf(e)[i])))
		p.values = append(p.values, p.scratch[at:])
	}
	for i := range f.measures {
		v, err := p.evaluate(f, &f.measures[i])
		if err != nil {
			return nil, fmt.Errorf("fact %q, grain %s, measure %q: %w", f.name, p.grainText(e), f.emittedColumns.Columns[len(f.foreignKeys)+i].Name, err)
		}
		p.values = append(p.values, v)
	}
	p.packedRow = packed.JoinRow(p.packedRow[:0], p.values)
	return p.packedRow, nil
}

// surrogateKey returns the key of a member; 0 = unknown.
func (p *factPart) surrogateKey(m *foreignKey, ref memberRef) int64 {
	if place, ok := ref.question(); ok {
		return p.wanted[place].key
	}
	if ref == 0 {
		p.unknownMembers = append(p.unknownMembers, m.dimension)
	}
	return int64(ref)
}

// evaluate returns the packed value of a measure; nil = null.
func (p *factPart) evaluate(f *fact, v *measure) ([]byte, error) {
	switch {
	case v.retired:
		return nil, nil
	case v.expression == nil:
		return p.value(v.ref), nil
	}
	p.args = p.args[:0]
	for _, r := range f.refs {
		p.args = append(p.args, p.value(r))
	}
	own := p.expressions[v]
	if own == nil {
		own = v.expression.Clone()
		p.expressions[v] = own
	}
	result, null, err := own.Eval(nil, p.args)
	switch {
	case err != nil && !v.nullOnError:
		return nil, err
	case err != nil, null:
		return nil, nil
	}
	return result, nil
}

// grainText returns the fact's grain for people.
func (p *factPart) grainText(e *factEntry) string {
	b := newBuilder(e.fact.out)
	row := packed.ReadRow(e.base)
	for i := range e.fact.grain {
		row.Into(b.Column(i))
	}
	text := ""
	for i := range e.fact.grain {
		if i > 0 {
			text += ", "
		}
		if v := b.Column(i).NewArray().ValueStr(0); e.fact.out.Columns[i].Masked {
			text += decode.Hidden
		} else {
			text += v
		}
	}
	return "(" + text + ")"
}
