package settle

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
)

// policy is how one table is settled otherwise than by last-writer-wins. Nobody changes it
// while phases run.
type policy struct {
	policyRules
	table      *pipeline.Table // as it comes
	schema     *schema         // of the table without the columns of Flag
	layout     *layout         // of settled rows
	seed       []byte          // what the hashes of row keys begin with
	extraKey   []int           // columns of the table that tell rows apart besides the key
	unfiltered *pipeline.Table
	common     *common
	state      State
}

// policyRules are a policy as the parts of a policy use it.
type policyRules struct {
	fillsNulls     bool // nulls do not hide older values
	first          bool // the oldest row since the item's last removal counts
	keepsDeleted   bool // some rows that are gone stay
	flags          bool // and some have two more columns
	onDelete       pipeline.OnDelete
	onExpiry       pipeline.OnDelete // of rows that go with an expired item
	releases       bool              // rows stay only where their item expired, and are no longer its own then
	inlineBytes    int               // bytes of contributions from which they are many
	scannedChanges int               // changes of a key up to which each looks through its contributions
	widths         []int             // of the columns of the schema
}

func rulesOf(p pipeline.Policy) policyRules {
	return policyRules{
		fillsNulls: p.Merge == pipeline.LatestNonNull, first: p.Merge == pipeline.First,
		keepsDeleted: p.Retains(), flags: p.Flags(), onDelete: p.OnDelete, onExpiry: p.TTLFate(),
		releases:    p.OnDelete == pipeline.Delete && p.TTLFate() == pipeline.Keep,
		inlineBytes: inlineBytesMax, scannedChanges: scannedChangesMax,
	}
}

// fate returns what becomes of a row that goes by a change.
func (rules *policyRules) fate(r pipeline.Removal) pipeline.OnDelete {
	if r == pipeline.Expired {
		return rules.onExpiry
	}
	return rules.onDelete
}

func newPolicy(o PolicyTable, c *common, output int) (*policy, error) {
	p := &policy{policyRules: rulesOf(o.Policy), table: o.Table, common: c, state: o.State, seed: packed.KeySeed(o.StateName)}
	if p.first && o.ExtraKey == nil {
		p.unfiltered = o.Unfiltered
	}
	if o.ExtraKey != nil && p.onExpiry == pipeline.Delete {
		p.onExpiry = pipeline.Flag // whoever reads such rows wants to know when they went
	}
	base, out := o.Table, o.Table
	if p.flags {
		var err error
		if base, out, err = pipeline.Flagged(o.Table); err != nil {
			return nil, err
		}
	}
	saved := map[string]json.RawMessage{}
	if o.Saved != nil {
		saved[base.Name] = o.Saved
	}
	schemas, err := restoreSchemas(saved, []Table{{base, base.Name}})
	if err != nil {
		return nil, err
	}
	p.schema = schemas[base.Name]
	if p.extraKey, err = extraKeyOf(o); err != nil {
		return nil, err
	}
	for _, c := range p.schema.Columns {
		t, err := pipeline.ParseType(c.Type)
		if err != nil {
			return nil, fmt.Errorf("schema of table %q in the state: %w", base.Name, err)
		}
		p.widths = append(p.widths, packed.Width(t))
	}
	p.layout = newLayout(p.schema, out, output)
	return p, nil
}

// extraKeyOf returns the columns that tell rows of a table apart besides its key.
func extraKeyOf(o PolicyTable) (columns []int, err error) {
	for _, name := range o.ExtraKey {
		i := o.Table.Column(name)
		if i < 0 {
			return nil, fmt.Errorf("table %q has no column %q", o.Table.Name, name)
		}
		if !slices.Contains(o.Table.Key, i) && !slices.Contains(columns, i) {
			columns = append(columns, i)
		}
	}
	return columns, nil
}
