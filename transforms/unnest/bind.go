package unnest

import (
	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/pipeline/pattern"
)

// bound is what a mapper keeps for one format of records.
type bound struct {
	typed  bool
	fixed  []byte // the table's name, where the format gives it
	dec    *decode.Decoder
	news   []view // by table
	olds   []view
	lists  []*decode.Projection // by table: of the elements of its list
	sets   *decode.Projection   // of the elements of any set
	record decode.Record
}

// view says which slots of an image belong to a table.
type view struct {
	matcher *pattern.Matcher // nil = every item
	seen    bool             // the image's slots for where are there
	where   int              // the first slot of the where's paths
	item    int              // the first slot of table.item
	columns bool             // its slots are there
}

// maxFormats bounds the formats that a mapper remembers. A pipeline has one per
// source.
const maxFormats = 64

func (m *mapper) bind(f *pipeline.Format) *bound {
	if b, ok := m.formats[f]; ok {
		return b
	}
	if len(m.formats) >= maxFormats {
		clear(m.formats)
	}
	b := &bound{typed: f.Encoding != pipeline.JSON}
	if f.Table != "" {
		b.fixed = []byte(f.Table)
	}
	var news, olds []decode.Path
	images := false // some table takes items that were not removed
	for i := range m.builds {
		d := &m.builds[i]
		archives := d.wanted && d.table.archives
		images = images || d.table.images
		b.news = append(b.news, newView(&news, d.table, b.typed, d.table.images, d.wanted && d.table.images))
		b.olds = append(b.olds, newView(&olds, d.table, b.typed, m.unnest.canMiss || d.deletes || archives, d.deletes || archives))
		b.lists = append(b.lists, decode.NewProjection(d.table.element, b.typed))
	}
	b.sets = decode.NewProjection([]decode.Path{{}}, b.typed)
	o := decode.Options{Identity: m.settled}
	if images {
		o.New = decode.NewProjection(news, b.typed)
	}
	if len(olds) > 0 {
		o.Old = decode.NewProjection(olds, b.typed)
	}
	b.dec = decode.NewDecoder(f, o)
	m.formats[f] = b
	return b
}

// newView appends the paths that a table wants of an image: those of its where,
// and those of its columns.
func newView(paths *[]decode.Path, t *table, typed, where, columns bool) view {
	v := view{seen: where, where: len(*paths)}
	if where && t.where != nil {
		wanted := t.where.Paths()
		slots := make([]int, len(wanted))
		for i := range slots {
			slots[i] = len(*paths) + i
		}
		*paths = append(*paths, wanted...)
		v.matcher = t.where.NewMatcher(slots, typed)
	}
	v.item, v.columns = len(*paths), columns
	if columns {
		*paths = append(*paths, t.item...)
	}
	return v
}
