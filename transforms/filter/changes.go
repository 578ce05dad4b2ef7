package filter

import (
	"errors"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/pipeline/pattern"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/transforms/internal/meta"
)

var (
	_ pipeline.ChangeFilter = (*Changes)(nil)
	_ pipeline.ChangeMapper = (*changeMapper)(nil)
)

// Changes is a compiled filter of changes. It is read-only; its mappers do the
// work.
type Changes struct {
	where *pattern.Pattern
}

// NewChanges compiles a filter of changes. It returns all mistakes at once: a
// join of *spec.FieldError with paths that start at the node.
func NewChanges(_ string, cfg Config) (*Changes, error) {
	where, mistakes := compileWhere(cfg)
	if cfg.Expr != "" {
		mistakes = append(mistakes, &spec.FieldError{Path: []string{"expr"}, Message: "an expression is about the columns of rows, and changes have none yet: use where, or filter the rows of an unnest transform"})
	} else if cfg.Where.Value == nil {
		mistakes = append(mistakes, &spec.FieldError{Message: "a filter of changes needs where, a pattern"})
	}
	if len(mistakes) > 0 {
		return nil, errors.Join(mistakes...)
	}
	return &Changes{where: where}, nil
}

// NewChangeMapper implements pipeline.ChangeFilter.
func (c *Changes) NewChangeMapper() pipeline.ChangeMapper {
	return &changeMapper{where: c.where, formats: map[*pipeline.Format]*boundFormat{}}
}

// changeMapper is one worker of a Changes.
type changeMapper struct {
	where   *pattern.Pattern
	formats map[*pipeline.Format]*boundFormat
	record  decode.Record
}

// boundFormat is what a mapper keeps for one format of records.
type boundFormat struct {
	decoder *decode.Decoder
	matcher *pattern.Matcher
	table   []byte
}

// maxFormats bounds the formats that a mapper remembers.
const maxFormats = 64

func (m *changeMapper) bind(f *pipeline.Format) *boundFormat {
	if b, ok := m.formats[f]; ok {
		return b
	}
	if len(m.formats) >= maxFormats {
		clear(m.formats)
	}
	typed := f.Encoding != pipeline.JSON
	slots := make([]int, len(m.where.Paths()))
	for i := range slots {
		slots[i] = i
	}
	b := &boundFormat{
		decoder: decode.NewDecoder(f, decode.Options{New: decode.NewProjection(m.where.Paths(), typed)}),
		matcher: m.where.NewMatcher(slots, typed),
	}
	if f.Table != "" {
		b.table = []byte(f.Table)
	}
	m.formats[f] = b
	return b
}

// Mark implements pipeline.ChangeMapper. What can't be decoded or matched is for
// the consumer to refuse.
func (m *changeMapper) Mark(r *pipeline.Records, gone []bool) {
	b := m.bind(r.Format)
	for i := range r.Spans {
		rec := r.Bytes(i)
		if gone[i] || b.decoder.Decode(rec, &m.record) != nil || !m.record.HasNew {
			continue
		}
		arrived := int64(0)
		if r.Arrived != nil {
			arrived = r.Arrived[i]
		}
		about := meta.Of(rec, &m.record, b.table, arrived)
		ok, err := b.matcher.Match(rec, m.record.New, &about)
		gone[i] = err == nil && !ok
	}
}
