package load_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/starlift-etl/starlift/pipeline/pgconn/pgtest"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/parquetfile"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/schema"
)

// TestPostgreSQLTakesRows has PostgreSQL read what a COPY gives, and gives the extremes of
// each type: what PostgreSQL refuses would fail the whole load, without a load error.
func TestPostgreSQLTakesRows(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(t.Context(), pgtest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := conn.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	const table = `create temp table t (a smallint, b int, c bigint, d numeric(38, 10), e real, f double precision, g boolean,
		h char(4), i varchar(20), j date, k timestamp, l timestamptz, m time, n timetz, o json, p bytea)`
	if _, err := conn.Exec(t.Context(), "set timezone = 'UTC'; set bytea_output = hex; "+table); err != nil {
		t.Fatal(err)
	}
	columns := []load.Column{
		col("a", schema.Smallint), col("b", schema.Integer), col("c", schema.Bigint), col("d", schema.Numeric, 38, 10), col("e", schema.Real), col("f", schema.Double),
		col("g", schema.Boolean), col("h", schema.Char, 4), col("i", schema.Varchar, 20), col("j", schema.Date), col("k", schema.Timestamp), col("l", schema.TimestampTZ),
		col("m", schema.Time), col("n", schema.TimeTZ), col("o", schema.Super), col("p", schema.Varbyte),
	}
	lines := []string{
		"-32768~-2147483648~-9223372036854775808~-9999999999999999999999999999.9999999999~1e-45~5e-324~t~abcd~\\t\\N\t\v\b\f~J0~J0 00:00:00~J1 23:59:59.999999+15:59~24:00:00~00:00:00+15:59~{\"a\": \"\\u0000\\\\\"}~00ff",
		"32767~2147483647~9223372036854775807~9999999999999999999999999999.9999999999~3.4e38~1.7e308~f~~~294276-12-31~294276-12-31 23:59:59.999999~294276-12-31 23:59:59-00~23:59:59.999999~23:59:59-15:59~[1e400]~",
		"~~~~-Infinity~NaN~~\\N~\\N~0001-12-31 BC~2024-02-29 24:00:00~0001-01-01 00:00:00+01~~~~",
	}
	c := newCloud(t, load.Options{})
	c.put("x", strings.Join(lines, "\n"))
	rows, result, err := c.copy(load.CopyOptions{Columns: columns, Source: "s3://lake/x", Text: load.TextOptions{Delimiter: '~', DateFormat: "auto", TimeFormat: "auto"}, MaxError: 10})
	if err != nil || result.Rows != 3 {
		t.Fatalf("%+v, %v", result, err)
	}
	if _, err := conn.PgConn().CopyFrom(t.Context(), strings.NewReader(rows), "copy t from stdin"); err != nil {
		t.Fatalf("%v\n%s", err, rows)
	}
	var got string
	if err := conn.QueryRow(t.Context(), "select string_agg(t::text, E'\n' order by a) from t").Scan(&got); err != nil {
		t.Fatal(err)
	}
	const want = `(-32768,-2147483648,-9223372036854775808,-9999999999999999999999999999.9999999999,1e-45,5e-324,t,abcd,"\\t\\N	` + "\v\b\f" + `","4714-11-24 BC","4714-11-24 00:00:00 BC","4714-11-25 08:00:59.999999+00 BC",24:00:00,00:00:00+15:59,"{""a"":""\\u0000\\\\""}","\\x00ff")
(32767,2147483647,9223372036854775807,9999999999999999999999999999.9999999999,3.4e+38,1.7e+308,f,"    ","",294276-12-31,"294276-12-31 23:59:59.999999","294276-12-31 23:59:59+00",23:59:59.999999,23:59:59-15:59,[1e400],)
(,,,,-Infinity,NaN,,,,"0001-12-31 BC","2024-03-01 00:00:00","0001-12-31 23:00:00+00 BC",,,,)`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestRandomParquet writes random rows of every type by UNLOAD's writer, and expects that
// COPY gives the same texts again.
func TestRandomParquet(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	columns, _ := typed()
	var file bytes.Buffer
	w := parquetfile.NewWriter(&file, columns, int64(1000+random.IntN(100_000)))
	var want []string
	for range 2000 {
		row := make([][]byte, len(columns))
		texts := make([]string, len(columns))
		for i, c := range columns {
			if random.IntN(5) == 0 {
				texts[i] = `\N`
				continue
			}
			texts[i] = randomValue(random, c.Type)
			row[i] = []byte(texts[i])
		}
		if err := w.Append(row); err != nil {
			t.Fatal(err)
		}
		want = append(want, strings.Join(texts, "\t"))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	c := newCloud(t, load.Options{})
	c.put("x.parquet", file.String())
	got, _, err := c.copy(load.CopyOptions{Columns: columns, Source: "s3://lake/x", Format: load.Parquet})
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSuffix(got, "\n"), "\n") {
		if line != want[i] {
			t.Fatalf("row %d: got\n%s\nwant\n%s", i, line, want[i])
		}
	}
}

// randomValue is a value in its shortest form.
func randomValue(random *rand.Rand, t schema.Type) string {
	switch t.Kind {
	case schema.Smallint:
		return fmt.Sprint(int16(random.Uint32()))
	case schema.Integer:
		return fmt.Sprint(int32(random.Uint32()))
	case schema.Bigint:
		return fmt.Sprint(int64(random.Uint64()))
	case schema.Numeric:
		digits := []byte{byte('1' + random.IntN(9))}
		for range t.Precision - t.Scale - 1 - random.IntN(t.Precision-t.Scale-1) {
			digits = append(digits, byte('0'+random.IntN(10)))
		}
		digits = append(digits, '.')
		for range t.Scale {
			digits = append(digits, byte('0'+random.IntN(10)))
		}
		return strings.Repeat("-", random.IntN(2)) + string(digits)
	case schema.Real:
		return fmt.Sprint(math.Float32frombits(random.Uint32() &^ 0x40000000))
	case schema.Double:
		return fmt.Sprint(random.NormFloat64())
	case schema.Boolean:
		return []string{"t", "f"}[random.IntN(2)]
	case schema.Char:
		return strings.Repeat("x", random.IntN(4))
	case schema.Varchar:
		var b []byte
		for len(b) < 14 {
			b = utf8.AppendRune(b, []rune("aä€\U0001F600 ,|")[random.IntN(7)])
		}
		return string(b)
	}
	day := fmt.Sprintf("%04d-%02d-%02d", 1+random.IntN(9999), 1+random.IntN(12), 1+random.IntN(28))
	clock := fmt.Sprintf(" %02d:%02d:%02d.%06d", random.IntN(24), random.IntN(60), random.IntN(60), 1+random.IntN(999_999))
	switch t.Kind {
	case schema.Date:
		return day
	case schema.TimestampTZ:
		return day + clock + "+00"
	}
	return day + clock
}
