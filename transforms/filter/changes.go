package filter

import (
	"errors"
	"fmt"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/pipeline/pattern"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/transforms/internal/condition"
	"github.com/starlift-etl/starlift/transforms/internal/meta"
)

var (
	_ pipeline.ChangeFilter = (*Changes)(nil)
	_ pipeline.ChangeMapper = (*changeMapper)(nil)
)

// Changes is a compiled filter of changes. It is read-only; its mappers do the
// work.
type Changes struct {
	name             string
	where            *pattern.Pattern
	onError          string
	suppressRemovals [2]bool // whether removals are left out: by users, by time to live
}

// NewChanges compiles a filter of changes. It returns all mistakes at once: a
// join of *spec.FieldError with paths that start at the node.
func NewChanges(name string, cfg Config) (*Changes, error) {
	where, mistakes := compileWhere(cfg, condition.Compiler{})
	if cfg.Expr != "" {
		mistakes = append(mistakes, &spec.FieldError{Path: []string{"expr"}, Message: "an expression is about the columns of rows, and changes have none yet: write where: {$expr: …} for one over the item, or filter the rows of an unnest transform"})
	} else if cfg.Where.Value == nil {
		mistakes = append(mistakes, &spec.FieldError{Message: "a filter of changes needs where, a pattern"})
	}
	if len(mistakes) > 0 {
		return nil, errors.Join(mistakes...)
	}
	return &Changes{
		name: name, where: where, onError: cfg.OnError,
		suppressRemovals: [2]bool{!where.Possible(pattern.EventKind{}), !where.Possible(pattern.EventKind{TTL: true})},
	}, nil
}

// Mask keeps the values that paths of items lead to out of messages.
func (c *Changes) Mask(paths []decode.Path) {
	var mask decode.Mask
	for _, p := range paths {
		mask.Add(p)
	}
	condition.Hide(c.where, mask.Hides)
}

// NewChangeMapper implements pipeline.ChangeFilter.
func (c *Changes) NewChangeMapper() pipeline.ChangeMapper {
	return &changeMapper{Changes: c, formats: map[*pipeline.Format]*boundFormat{}}
}

// changeMapper is one worker of a Changes.
type changeMapper struct {
	*Changes
	formats map[*pipeline.Format]*boundFormat
	record  decode.Record
}

// boundFormat is a format of records with the decoder and the matcher that a mapper has for it.
type boundFormat struct {
	decoder *decode.Decoder
	matcher *pattern.Matcher
	table   []byte
}

// formatsMax is the number of formats that a mapper caches.
const formatsMax = 64

func (m *changeMapper) bind(f *pipeline.Format) *boundFormat {
	if b, ok := m.formats[f]; ok {
		return b
	}
	if len(m.formats) >= formatsMax {
		clear(m.formats)
	}
	typed := f.Encoding != pipeline.JSON
	slots := make([]int, len(m.where.Paths()))
	for i := range slots {
		slots[i] = i
	}
	paths := decode.NewProjection(m.where.Paths(), typed)
	b := &boundFormat{
		decoder: decode.NewDecoder(f, decode.Options{New: paths, Old: paths}),
		matcher: m.where.NewMatcher(slots, typed),
	}
	if f.Table != "" {
		b.table = []byte(f.Table)
	}
	m.formats[f] = b
	return b
}

// Mark implements pipeline.ChangeMapper. A change that can't be decoded passes: the transform
// behind the filter makes a dead letter of it.
func (m *changeMapper) Mark(r *pipeline.Records, marks []pipeline.Mark) (refusals map[int]pipeline.Refusal) {
	b := m.bind(r.Format)
	for i := range r.Spans {
		rec := r.Bytes(i)
		if marks[i] == pipeline.Suppressed || b.decoder.Decode(rec, &m.record) != nil {
			continue
		}
		mark, err := m.markOf(b, rec, r, i)
		switch {
		case err != nil && marks[i] != pipeline.Passes:
			continue // whatever it is like, another filter has left it out
		case err != nil:
			if refusals == nil {
				refusals = map[int]pipeline.Refusal{}
			}
			refusals[i] = pipeline.Refusal{Node: m.name, Message: fmt.Sprintf("filter %s, where: %v", m.name, err), Fatal: m.onError == onErrorFail}
		}
		marks[i] = max(marks[i], mark)
	}
	return refusals
}

// markOf returns the mark of the decoded record, and why it is Refused. Of a removal nothing
// but the key may be known: it passes unless that contradicts the pattern.
func (m *changeMapper) markOf(b *boundFormat, rec []byte, r *pipeline.Records, i int) (pipeline.Mark, error) {
	d := &m.record
	removes := d.Event == decode.Remove
	switch {
	case removes && (d.TTL && m.suppressRemovals[1] || !d.TTL && m.suppressRemovals[0]):
		return pipeline.Suppressed, nil
	case removes && !d.HasOld && !d.KeyOnly, !removes && !d.HasNew:
		return pipeline.Passes, nil
	}
	arrived := pipeline.NoTime
	if r.Arrived != nil {
		arrived = r.Arrived[i]
	}
	about := meta.Of(rec, d, b.table, arrived)
	image, unknown := d.New, pattern.Unknown(0)
	if removes {
		image = d.Old
	}
	if d.KeyOnly {
		unknown = pattern.UnknownItem
	}
	ok, err := b.matcher.MayMatch(rec, image, &about, unknown)
	switch {
	case ok, err != nil && removes:
		return pipeline.Passes, nil // what is left of an item is no reason to keep its rows
	case err != nil && m.onError != onErrorDrop:
		return pipeline.Refused, err
	}
	return pipeline.FilteredOut, nil
}

// Warnings returns what is most likely not meant, though it is no mistake.
func (c *Changes) Warnings() []error {
	if !c.where.Distinguishes(pattern.EventKind{EventName: decode.Insert.String()}, pattern.EventKind{EventName: decode.Modify.String()}) {
		return nil
	}
	return []error{&spec.FieldError{Path: []string{"where", "$meta.event_name"}, Message: "a change that does not pass is to the tables behind as if it had removed its item, so an item's next event of another kind deletes its rows: " +
		"write where: {$meta.event_name: [INSERT]} and keep: first at the tables instead"}}
}
