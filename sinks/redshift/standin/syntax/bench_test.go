package syntax

import (
	"fmt"
	"strings"
	"testing"
)

// longInsert returns an INSERT of about 16 MB, which is the longest that Redshift takes.
func longInsert(row string) string {
	const size = 16 << 20
	return "insert into t values " + strings.Repeat(row+",", size/(len(row)+1)-10) + row
}

func BenchmarkInsert(b *testing.B) {
	for name, row := range map[string]string{
		"short":  "(1)",
		"usual":  "(1234567, 'some text', 1.25, '2024-01-02 03:04:05', null, true)",
		"params": "($1, $2, $3)",
	} {
		sql := longInsert(row)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(sql)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(sql); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkQuery(b *testing.B) {
	var sql strings.Builder
	for i := range 100 {
		fmt.Fprintf(&sql, "select a.x%d, sum(b.y + 1) over (partition by a.x order by b.z) from a join b on a.id = b.id where a.c like 'x%%' and b.d in (1, 2, 3);\n", i)
	}
	b.SetBytes(int64(sql.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(sql.String()); err != nil {
			b.Fatal(err)
		}
	}
}
