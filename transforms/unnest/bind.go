package unnest

import (
	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/pipeline/pattern"
)

// boundFormat is a format of records with the decoder and the matchers that a mapper has for it.
type boundFormat struct {
	format    *pipeline.Format
	typed     bool
	tableName []byte // the table's name, where the format gives it
	decoder   *decode.Decoder
	newImages []imageProjection // by table
	oldImages []imageProjection
	lists     [][]*decode.Projection // by table: of the elements of each level of its explode
	sets      *decode.Projection     // of the elements of any set
	record    decode.Record
	// ignoreNew and ignoreOld are of the items that no table need want; nil = there
	// are none.
	ignoreNew, ignoreOld *pattern.Matcher
}

// imageProjection says which slots of an image belong to a table.
type imageProjection struct {
	matcher    *pattern.Matcher // nil = every item
	hasWhere   bool             // the image's slots for where are there
	whereSlot  int              // the first slot of the where's paths
	itemSlot   int              // the first slot of table.item
	hasColumns bool             // its slots are there
}

// formatsMax is the number of formats that a mapper caches. A pipeline has one per source.
const formatsMax = 64

func (m *mapper) bind(f *pipeline.Format) *boundFormat {
	if b, ok := m.formats[f]; ok {
		return b
	}
	if len(m.formats) >= formatsMax {
		clear(m.formats)
	}
	b := &boundFormat{format: f, typed: f.Encoding != pipeline.JSON}
	if f.Table != "" {
		b.tableName = []byte(f.Table)
	}
	var news, olds []decode.Path
	images := false // some table takes items that were not removed
	for i := range m.tables {
		d := &m.tables[i]
		archives := d.wanted && d.table.archives
		images = images || d.table.images
		b.newImages = append(b.newImages, newImageProjection(&news, d.table, b.typed, d.table.images, d.wanted && d.table.images))
		b.oldImages = append(b.oldImages, newImageProjection(&olds, d.table, b.typed, m.unnest.canMiss || d.deletes || archives, d.deletes || archives))
		lists := make([]*decode.Projection, len(d.table.explode))
		for l := range lists {
			lists[l] = decode.NewProjection(d.table.explode[l].element, b.typed)
		}
		b.lists = append(b.lists, lists)
	}
	b.sets = decode.NewProjection([]decode.Path{{}}, b.typed)
	if m.unnest.ignore != nil {
		images = true
		b.ignoreNew, b.ignoreOld = newMatcher(&news, m.unnest.ignore, b.typed), newMatcher(&olds, m.unnest.ignore, b.typed)
	}
	o := decode.Options{Identity: m.settled}
	if images {
		o.New = decode.NewProjection(news, b.typed)
	}
	if len(olds) > 0 {
		o.Old = decode.NewProjection(olds, b.typed)
	}
	b.decoder = decode.NewDecoder(f, o)
	m.formats[f] = b
	return b
}

// newImageProjection appends the paths that a table wants of an image: those of its where,
// and those of its columns.
func newImageProjection(paths *[]decode.Path, t *table, typed, where, columns bool) imageProjection {
	v := imageProjection{hasWhere: where, whereSlot: len(*paths)}
	if where && t.where != nil {
		v.matcher = newMatcher(paths, t.where, typed)
	}
	v.itemSlot, v.hasColumns = len(*paths), columns
	if columns {
		*paths = append(*paths, t.item...)
	}
	return v
}

// newMatcher appends the paths that a pattern wants of an image.
func newMatcher(paths *[]decode.Path, where *pattern.Pattern, typed bool) *pattern.Matcher {
	wanted := where.Paths()
	slots := make([]int, len(wanted))
	for i := range slots {
		slots[i] = len(*paths) + i
	}
	*paths = append(*paths, wanted...)
	return where.NewMatcher(slots, typed)
}
