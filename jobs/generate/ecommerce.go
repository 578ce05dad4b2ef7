package generate

import (
	"context"
	"io"
)

// EcommerceItems writes the first Records items of the table as plain JSON
// objects, one a line.
func EcommerceItems(ctx context.Context, w io.Writer, o Options) (Stats, error) {
	stats := Stats{Kind: "ecommerce", Form: "json", Items: map[string]int64{}}
	o, err := o.withDefaults(defaultItems, "ecommerce")
	if err != nil {
		return stats, err
	}
	s := newShop(o)
	out := newLines(ctx, w)
	it := item{plain: true}
	s.walk(o.Records, func(r ref) bool {
		stats.Items[r.itemType()]++
		s.render(&it, &r, 0)
		out.buf = it.appendTo(out.buf, o.attributeOrder(uint64(out.count)))
		out.buf = append(out.buf, '\n')
		return out.end()
	})
	return stats, out.finish(&stats)
}

// attributeOrder is the source of the order of an item's attributes; nil = as
// made. id tells items apart.
func (o *Options) attributeOrder(id uint64) *source {
	if !o.Shuffle {
		return nil
	}
	r := derive(o.Seed, domainShuffle, int(int32(id>>32)), int(int32(id)))
	return &r
}
