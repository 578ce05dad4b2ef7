package unnest

import "testing"

// BenchmarkExpressions is what an expression of a column costs a record.
func BenchmarkExpressions(b *testing.B) {
	for name, column := range map[string]string{
		"none":     `{from: price, type: "decimal(12,2)"}`,
		"multiply": `{expr: "price * qty", type: "decimal(12,2)"}`,
		"share":    `{expr: "price * 100 / 7", type: "decimal(12,2)"}`,
		"text":     `{expr: 'upper(name) + "-" + string(qty)'}`,
		"choice":   `{expr: 'qty > 5 and price != nil ? "many" : "few"'}`,
		"list":     `{expr: 'len(tags)', type: int64}`,
		"split":    `{expr: 'split(name, " ")[1]'}`,
	} {
		b.Run(name, func(b *testing.B) {
			u := compiled(b, "tables: {t: {columns: {v: "+column+"}}}")
			var lines []string
			for range 1000 {
				lines = append(lines, `{"price":19.99,"qty":7,"name":"Blue Pen","tags":["a","b",1]}`)
			}
			r := records(jsonFormat, lines...)
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				mapAll(b, u, everything(u), r)
			}
		})
	}
}
