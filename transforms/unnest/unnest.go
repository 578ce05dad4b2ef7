package unnest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/pipeline/pattern"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

var (
	_ pipeline.ChangeTransform = (*Unnest)(nil)
	_ pipeline.TablePolicies   = (*Unnest)(nil)
	_ pipeline.Mapper          = (*mapper)(nil)
)

// Unnest is a compiled unnest node. It is read-only; its mappers do the work.
type Unnest struct {
	name      string
	tables    []*table
	unmatched string
	ignore    *pattern.Pattern // of items that no table need want; nil = none
	canMiss   bool             // no table takes every item
	mask      decode.Mask
	masked    []decode.Path      // what the pipeline file masks here
	paths     []pipeline.PathUse // of all tables
}

// New compiles a node. It returns all mistakes at once: a join of
// *spec.FieldError with paths that start at the node.
func New(name string, cfg Config) (*Unnest, error) {
	u := &Unnest{name: name, unmatched: cfg.Unmatched, canMiss: true}
	var mistakes []error
	if len(cfg.Tables) == 0 {
		mistakes = append(mistakes, &spec.FieldError{Path: []string{"tables"}, Message: "an unnest needs at least one table"})
	}
	if u.unmatched == "" {
		u.unmatched = unmatchedDeadLetter
	}
	if known := []string{unmatchedDeadLetter, unmatchedIgnore, unmatchedFail}; !slices.Contains(known, u.unmatched) {
		mistakes = append(mistakes, &spec.FieldError{Path: []string{"unmatched"}, Name: u.unmatched, Known: known,
			Message: fmt.Sprintf("unknown unmatched %q", u.unmatched)})
	}
	ignore, wrong := compilePattern(cfg.Ignore.Value, "ignore")
	for _, e := range wrong {
		mistakes = append(mistakes, e)
	}
	if u.ignore = ignore; cfg.Ignore.Value != nil && u.unmatched == unmatchedIgnore {
		mistakes = append(mistakes, &spec.FieldError{Path: []string{"ignore"}, Message: "unmatched: ignore ignores every item that no table wants: leave ignore out, or unmatched"})
	}
	seen := map[string]string{}
	for i := range cfg.Tables {
		e := &cfg.Tables[i]
		folded := strings.ToLower(e.Name)
		if other, twice := seen[folded]; twice {
			mistakes = append(mistakes, &spec.FieldError{Path: []string{"tables", e.Name},
				Message: fmt.Sprintf("tables %q and %q have one name when case is ignored, as warehouses do", other, e.Name)})
		}
		seen[folded] = e.Name
		t, err := compileTable(e.Name, &e.Value)
		if err != nil {
			mistakes = append(mistakes, unjoin(err)...)
			continue
		}
		u.tables = append(u.tables, t)
		u.canMiss = u.canMiss && t.where != nil
	}
	if len(mistakes) > 0 {
		return nil, errors.Join(mistakes...)
	}
	u.masked = u.masks()
	u.Mask(u.masked)
	u.cover()
	return u, nil
}

// Tables implements pipeline.ChangeTransform.
func (u *Unnest) Tables() []*pipeline.Table {
	tables := make([]*pipeline.Table, len(u.tables))
	for i, t := range u.tables {
		tables[i] = t.out
	}
	return tables
}

// Policy implements pipeline.TablePolicies.
func (u *Unnest) Policy(table *pipeline.Table) pipeline.Policy {
	for _, t := range u.tables {
		if t.out == table {
			return t.policy
		}
	}
	return pipeline.Policy{}
}

// Warnings returns what is most likely not meant, though it is no mistake: each a
// *spec.FieldError with a path that starts at the node.
func (u *Unnest) Warnings() []error {
	var all []error
	if u.ignore != nil && !u.canMiss {
		all = append(all, &spec.FieldError{Path: []string{"ignore"}, Message: "ignore is about items that no table wants, and a table without where takes every item: leave ignore out, or give the table a where"})
	}
	for _, t := range u.tables {
		if w := t.warning(); w != nil {
			all = append(all, w)
		}
	}
	return all
}

// NewMapper implements pipeline.ChangeTransform.
func (u *Unnest) NewMapper(needs pipeline.Needs) pipeline.Mapper {
	m := &mapper{unnest: u, settled: needs.Settled, formats: map[*pipeline.Format]*boundFormat{}, tables: make([]tableBuilder, len(u.tables)),
		rows: rowMaker{unnest: u, elementsMax: changeElementsMax, dropsMax: changeDropsMax}}
	for i, t := range u.tables {
		m.tables[i] = newTableBuilder(t)
		b := &m.tables[i]
		b.wanted = needs.Tables[t.out.Name]
		b.deletes = b.wanted && needs.Deletes[t.out.Name] && len(t.out.Key) > 0
		b.fullOldImages = b.deletes && needs.FullOldImages[t.out.Name]
		m.deletes = m.deletes || b.deletes
		m.archives = m.archives || b.wanted && t.archives
		if levels := len(t.explode); levels > len(m.rows.elements) {
			m.rows.elements = make([]element, levels)
		}
		if b.wanted {
			b.coverage = newCoverage(t)
		}
	}
	m.rows.visit, m.rows.visitMember = m.rows.visitElement, m.rows.visitKeyed
	return m
}
