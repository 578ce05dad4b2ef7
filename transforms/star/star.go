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

// Star is a compiled star node. It is read-only; its step does the work.
type Star struct {
	name       string
	cfg        Config
	inputs     []*pipeline.Table
	dimensions []*dimension
	facts      []*fact
	readings   []*reading
}

// reading is a table that the star reads, and what for.
type reading struct {
	pipeline.Input
	log     *logTable
	lookup  *lookupTable
	facts   []*fact
	tracked []*dimension
	left    []*dimension // of rows by their natural key, too
}

// projection is the columns that one use of a table needs, in the order in
// which its packed rows have them.
type projection struct {
	columns []int // -1 = of an earlier definition: null
	widths  []int
	saved   *layout // that it goes on from; nil = none
}

// use returns the place of the table's column c in the packed row.
func (p *projection) use(c int, t pipeline.Type) int {
	for i, have := range p.columns {
		if have == c {
			return i
		}
	}
	p.columns = append(p.columns, c)
	p.widths = append(p.widths, packed.Width(t))
	return len(p.columns) - 1
}

// arrange returns the record's columns that the projection has.
func (p *projection) arrange(dst []arrow.Array, rec arrow.Record) []arrow.Array {
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
	seed  []byte
}

// dimension is a compiled dimension.
type dimension struct {
	name     string
	id       uint64 // of its name
	out      *pipeline.Table
	seed     []byte
	hashed   bool
	onDelete pipeline.OnDelete
	calendar *calendar.Calendar
	// definition tells what the state depends on.
	definition string

	// Of one that is no calendar: the places of its columns in the packed rows
	// of its log table, and of its tracked rows, when deletes matter.
	log        *logTable
	naturalKey []int
	attributes []int // in the order of shownAs; -1 = of an earlier definition
	shownAs    part
	types      []pipeline.Type // of the natural key
	rows       projection      // of the tracked table: the natural key, is_deleted, deleted_at
	trackSeed  []byte
	rowKey     []int // the key of the log table, where rows may change their natural key and it matters when; else nil
}

// tracks reports whether deletes matter to the dimension.
func (d *dimension) tracks() bool { return d.onDelete != pipeline.Keep && d.calendar == nil }

// ref is a value that a fact uses: a column of its base row (source 0) or of
// the row of lookup source-1.
type ref struct {
	source, column int
}

// lookup is a compiled lookup of a fact.
type lookup struct {
	alias string
	table *lookupTable
	on    []ref // in the order of the table's key
	// chained says that the key depends on other lookups.
	chained bool
}

// member is a compiled reference of a fact to a dimension.
type member struct {
	column    string
	dimension *dimension
	on        []ref
	timestamp bool // of a calendar: the value is a timestamp, not a date
}

// value is a compiled measure.
type value struct {
	gone       bool // of an earlier definition: null
	ref        ref
	expression *expression.Expression // nil = the ref
	nullOnFail bool
}

// fact is a compiled fact.
type fact struct {
	name    string
	number  int
	out     *pipeline.Table
	seed    []byte
	base    projection // the grain first
	grain   int
	lookups []lookup
	members []member
	values  []value
	chained int   // lookups whose keys depend on others
	uses    int   // members of dimensions that take members away
	refs    []ref // the values that expressions use
	givenAs part  // the columns behind the grain
	// measures tells how they are made.
	measures string
	// definition tells what the state depends on.
	definition string
}

// usedDimension returns the dimension of the i-th of the fact's members that
// may be taken away.
func (f *fact) usedDimension(i int) *dimension {
	for _, m := range f.members {
		if m.dimension.onDelete == pipeline.Delete {
			if i == 0 {
				return m.dimension
			}
			i--
		}
	}
	return nil
}

// The first byte of what is hashed into a key of the state says what it is of.
const (
	tagMember  = 'm'
	tagTracked = 't'
	tagRow     = 'r'
	tagSegment = 's'
	tagFact    = 'f'
	tagDue     = 'd'
)

func seedOf(tag byte, name string) []byte {
	return packed.AppendBytes([]byte{tag}, []byte(name))
}

func idOf(name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // it never fails
	return h.Sum64()
}

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
	for _, r := range s.readings {
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
	for _, r := range s.readings {
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
		for i, m := range f.members {
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

// Explain says, for each of the readings, what the star needs it for.
func (s *Star) Explain() []string {
	all := make([]string, len(s.readings))
	for i, r := range s.readings {
		var uses []string
		if r.log != nil {
			for _, d := range r.log.dimensions {
				uses = append(uses, "brings members of "+d.name)
			}
		}
		for _, d := range r.tracked {
			uses = append(uses, "tells whether members of "+d.name+" are deleted")
		}
		for _, d := range r.left {
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
