package star

import (
	"hash/fnv"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v14/arrow"
	"github.com/zeebo/xxh3"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/packed"
	"github.com/starlift-etl/starlift/transforms/internal/expression"
	"github.com/starlift-etl/starlift/transforms/star/calendar"
)

var (
	_ pipeline.StatefulTransform = (*Star)(nil)
	_ pipeline.SavedChecker      = (*Star)(nil)
	_ pipeline.RelationLister    = (*Star)(nil)
	_ pipeline.DimensionLister   = (*Star)(nil)
)

// Star is a compiled star node. It is read-only; its operator does the work.
type Star struct {
	name        string
	cfg         Config
	inputTables []*pipeline.Table
	dimensions  []*dimension
	facts       []*fact
	inputs      []*input
}

// input is one way in which the star reads a table, and what for.
type input struct {
	pipeline.Input
	number      int
	log         *logTable
	lookup      *lookupTable
	facts       []*fact
	tracked     []*dimension
	memberships []*dimension // its rows are told apart by the natural key as well
}

// projection is the columns of a table that packed rows have, in their order.
type projection struct {
	columns []int // places in the table; -1 = a column of an earlier definition: null
	widths  []int
	saved   *layout // that of the state, which it begins with; nil = none
}

// include returns the place of the table's column c in packed rows, which have it from now on.
func (p *projection) include(c int, t pipeline.Type) int {
	for i, have := range p.columns {
		if have == c {
			return i
		}
	}
	p.columns = append(p.columns, c)
	p.widths = append(p.widths, packed.Width(t))
	return len(p.columns) - 1
}

// columnsOf returns the record's columns that the projection has.
func (p *projection) columnsOf(dst []arrow.Array, rec arrow.Record) []arrow.Array {
	dst = dst[:0]
	for _, c := range p.columns {
		dst = append(dst, rec.Column(c))
	}
	return dst
}

// logTable is a table whose log brings members.
type logTable struct {
	projection
	table      *pipeline.Table
	dimensions []*dimension
}

// lookupTable is a table whose current rows are kept for lookups.
type lookupTable struct {
	projection
	table *pipeline.Table
	input int // the number of its input, by whose seed the rows are kept
}

// dimension is a compiled dimension.
type dimension struct {
	name      string
	number    int
	id        uint64 // of its name
	trackedID uint64 // of what is kept of its tracked rows
	out       *pipeline.Table
	seed      []byte
	hashKeys  bool
	onDelete  pipeline.OnDelete
	calendar  *calendar.Calendar
	// definition is a text of all that the state depends on.
	definition string

	// The others are of a dimension that is no calendar.

	log              *logTable
	naturalKey       []int // places in the packed rows of log
	naturalKeyTypes  []pipeline.Type
	attributes       []int // places in the packed rows of log, in the order of attributeColumns; -1 = of an earlier definition
	attributeColumns packedColumns
	trackedColumns   projection // of the tracked table: the natural key, is_deleted, deleted_at
	trackedInput     int        // the number of the input of the tracked table, by whose seed the rows are kept
	rowKey           []int      // places of the table's key in the packed rows of log, if it matters when rows change their natural key; else nil
}

// tracks reports whether deletes matter to the dimension.
func (d *dimension) tracks() bool { return d.onDelete != pipeline.Keep && d.calendar == nil }

// columnRef is a value that a fact uses: a column of its base row (source 0) or of
// the row of lookup source-1.
type columnRef struct {
	source, column int
}

// lookup is a compiled lookup of a fact.
type lookup struct {
	alias string
	table *lookupTable
	on    []columnRef // in the order of the table's key
	// chained says that the key depends on other lookups.
	chained bool
}

// foreignKey is a compiled column of a fact that refers to a dimension.
type foreignKey struct {
	column    string
	dimension *dimension
	on        []columnRef
	timestamp bool // of a calendar: the column that it is found by is a timestamp, not a date
}

// measure is a compiled measure.
type measure struct {
	retired     bool // of an earlier definition: null
	ref         columnRef
	expression  *expression.Expression // nil = it is the value of ref
	nullOnError bool
}

// fact is a compiled fact.
type fact struct {
	name           string
	number         int
	id             uint64 // of its name
	out            *pipeline.Table
	base           projection // the grain first
	grain          int
	lookups        []lookup
	foreignKeys    []foreignKey
	measures       []measure
	chainedLookups int         // the number of lookups whose keys depend on others
	countedKeys    int         // the number of foreign keys to dimensions that take members away
	refs           []columnRef // the values that expressions use
	// measuresUseLookups says that measures are values of lookups' rows, or computed from them.
	measuresUseLookups bool
	emittedColumns     packedColumns // the columns behind the grain
	// measuresDefinition is a text of how the measures are made.
	measuresDefinition string
	// definition is a text of all else that the state depends on.
	definition string
}

// counts reports whether the facts that refer to the members of the dimension are counted: it
// takes members away.
func (d *dimension) counts() bool { return d.onDelete == pipeline.Delete && d.calendar == nil }

// countedDimension returns the dimension of the i-th foreign key whose members may be taken
// away.
func (f *fact) countedDimension(i int) *dimension {
	for _, m := range f.foreignKeys {
		if m.dimension.counts() {
			if i == 0 {
				return m.dimension
			}
			i--
		}
	}
	return nil
}

// The first byte of what is hashed into a key of the state, or into a number that a row's
// hash is mixed with, says what it is of.
const (
	tagMember  = 'm'
	tagTracked = 't'
	tagShard   = 's'
	tagFact    = 'f'
	tagBacklog = 'd'
)

func seedOf(tag byte, name string) []byte {
	return packed.AppendBytes([]byte{tag}, []byte(name))
}

func idOf(name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // it never fails
	return h.Sum64()
}

// mixed returns the hash of a row mixed with what the entry under it is of: it stays in the
// row's key group.
func mixed(row pipeline.Hash, id uint64) pipeline.Hash {
	return pipeline.Hash{Hi: row.Hi, Lo: row.Lo ^ id}
}

// key returns the key in the state of the fact of a base row.
func (f *fact) key(row pipeline.Hash) pipeline.Hash { return mixed(row, f.id) }

// trackedKey returns the key in the state of what is kept of a tracked row.
func (d *dimension) trackedKey(row pipeline.Hash) pipeline.Hash { return mixed(row, d.trackedID) }

func hashOf(b []byte) pipeline.Hash {
	h := xxh3.Hash128(b)
	return pipeline.Hash{Hi: h.Hi, Lo: h.Lo}
}

// Tables implements pipeline.StatefulTransform.
func (s *Star) Tables() []*pipeline.Table {
	var tables []*pipeline.Table
	for _, d := range s.dimensions {
		tables = append(tables, d.out)
	}
	for _, f := range s.facts {
		tables = append(tables, f.out)
	}
	return tables
}

// StoredColumns implements pipeline.StoredColumnLister: members have the columns that bring them, and
// facts, and the members that they infer, may have any that they use.
func (s *Star) StoredColumns() []pipeline.StoredColumns {
	var all []pipeline.StoredColumns
	add := func(t *pipeline.Table, columns, key []int, indexed bool) {
		columns = slices.DeleteFunc(slices.Clone(columns), func(c int) bool { return c >= len(t.Columns) })
		all = append(all, pipeline.StoredColumns{Table: t, Columns: columns, Key: key, Indexed: indexed})
	}
	for _, d := range s.dimensions {
		if d.log == nil {
			continue
		}
		var columns, key []int
		for _, i := range d.naturalKey {
			key = append(key, d.log.columns[i])
		}
		columns = append(columns, key...)
		for _, i := range d.attributes {
			columns = append(columns, d.log.columns[i])
		}
		add(d.log.table, columns, key, false)
	}
	for _, r := range s.inputs {
		for _, f := range r.facts {
			add(r.Table, f.base.columns, f.base.columns[:f.grain], true)
			for _, l := range f.lookups {
				add(l.table.table, l.table.columns, nil, false)
			}
		}
	}
	return all
}

// Inputs implements pipeline.StatefulTransform.
func (s *Star) Inputs() []pipeline.Input {
	var all []pipeline.Input
	for _, r := range s.inputs {
		all = append(all, r.Input)
	}
	return all
}

// The keyspaces of a star.
const (
	membersSpace = iota
	rowsSpace
	factsSpace
	keyspaces
)

// Keyspaces implements pipeline.StatefulTransform.
func (s *Star) Keyspaces() int { return keyspaces }

// Relations implements pipeline.RelationLister.
func (s *Star) Relations() []pipeline.Relation {
	var all []pipeline.Relation
	for _, f := range s.facts {
		for i, m := range f.foreignKeys {
			all = append(all, pipeline.Relation{
				Table: f.name, Column: f.out.Columns[f.grain+i].Name, To: m.dimension.name, Key: m.dimension.out.Columns[0].Name,
			})
		}
	}
	return all
}

// Dimensions implements pipeline.DimensionLister.
func (s *Star) Dimensions() []*pipeline.Table {
	all := make([]*pipeline.Table, len(s.dimensions))
	for i, d := range s.dimensions {
		all[i] = d.out
	}
	return all
}

// Explain implements pipeline.Explainer.
func (s *Star) Explain() []string {
	all := make([]string, len(s.inputs))
	for i, r := range s.inputs {
		var uses []string
		if r.log != nil {
			for _, d := range r.log.dimensions {
				uses = append(uses, "brings members of "+d.name)
			}
		}
		for _, d := range r.tracked {
			uses = append(uses, "tells whether members of "+d.name+" are deleted")
		}
		for _, d := range r.memberships {
			uses = append(uses, "tells when rows left members of "+d.name)
		}
		for _, f := range r.facts {
			uses = append(uses, "its rows are those of "+f.name+", kept with what was given out of each")
		}
		if r.lookup != nil {
			for _, f := range s.facts {
				if slices.ContainsFunc(f.lookups, func(l lookup) bool { return l.table == r.lookup }) {
					uses = append(uses, "looked up by "+f.name+", kept with the facts that refer to each row")
				}
			}
		}
		all[i] = strings.Join(uses, "; ")
	}
	return all
}
