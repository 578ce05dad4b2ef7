package corpus

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"slices"

	"github.com/parquet-go/parquet-go"
)

// fixture is what an entry needs that it does not say itself.
type fixture struct {
	setup []string                 // in place of the entry's own; nil = that
	as    string                   // the user that runs it; empty = the superuser
	files func() map[string][]byte // objects by bucket/key; nil = none
}

// setup returns what is run before an entry.
func (e *entry) setup() []string {
	if f := fixtures[e.ID]; f.setup != nil {
		return f.setup
	}
	return e.Setup
}

func (f fixture) objects() map[string][]byte {
	if f.files == nil {
		return nil
	}
	return f.files()
}

// answers are the values that entries end with, where their note says one.
var answers = map[string]string{"rs-transactions-012": "0"}

const sale = "create table f_sale(sale_id bigint not null, cust varchar(20), amt decimal(10,2), sold_at timestamp, doc super)"

var fixtures = map[string]fixture{
	"rs-copy-001": text("b/p/x.csv", "sale_id;cust;amt;sold_at;doc\n1;a;1.50;2024-01-02 03:04:05;\"{\"\"a\"\":1}\"\n2;\\N;\\N;\\N;\\N\n"),
	"rs-copy-002": zipped("b/p/part-0.json.gz", `{"SALE_ID": 1, "Cust": "a name that is longer than its column"} {"sale_id": 2}`),
	"rs-copy-006": rows("b/p/0.parquet", []struct {
		ID   *int64  `parquet:"id,optional,snappy,plain"`
		Name *string `parquet:"name,optional,snappy,dict"`
	}{{ptr(int64(1)), ptr("a")}, {ptr(int64(2)), nil}}),
	// A SUPER column would want SERIALIZETOJSON.
	"rs-copy-008": {
		setup: []string{"create table f_sale(sale_id bigint not null, cust varchar(20), amt decimal(10,2), sold_at timestamp)"},
		files: rows("b/p0.parquet", []saleRow{{SaleID: ptr(int64(1)), Cust: ptr("a"), Amt: &[5]byte{4: 150}, SoldAt: ptr(int64(1))}}).files,
	},
	"rs-copy-010": text("b/p", "1,a,1.50,2024-01-02 03:04:05,\"{\"\"a\"\":1}\"\n"),
	"rs-copy-012": zipped("b/p", "1,a,1.50,2024-01-02 03:04:05,\"[1,2]\"\n"),
	"rs-copy-014": text("b/p", "7,abc\n9,de\n"),
	"rs-copy-015": zipped("b/x.tsv.gz", "1\ta\n2\t__null\n"),
	"rs-copy-016": text("b/p", `{"a": [1, {"b": null}]}`),

	"rs-copy-runtime-002": {files: manifest("b/m.json", "b/missing.csv", nil)},
	"rs-copy-runtime-004": {files: func() map[string][]byte {
		file := encode([]saleRow{{SaleID: ptr(int64(1))}})
		return manifestOf("b/m.json", "b/0.parquet", file, len(file)+1000)
	}},
	"rs-copy-runtime-006": {files: func() map[string][]byte {
		file := encode([]struct {
			ID     *[9]byte `parquet:"id,optional,decimal(0:20),snappy,plain"`
			Cust   *string  `parquet:"cust,optional,snappy,plain"`
			Amt    *[5]byte `parquet:"amt,optional,decimal(2:10),snappy,plain"`
			SoldAt *int64   `parquet:"sold_at,optional,timestamp(microsecond),snappy,plain"`
			Doc    *string  `parquet:"doc,optional,snappy,plain"`
		}{{ID: &[9]byte{8: 1}}})
		return manifestOf("b/m.json", "b/0.parquet", file, len(file))
	}},
	"rs-copy-runtime-008": {
		setup: []string{"create table f_sale(num decimal(18,9))"},
		files: func() map[string][]byte {
			file := encode([]struct {
				Num *[13]byte `parquet:"num,optional,decimal(9:29),snappy,plain"`
			}{{&[13]byte{12: 1}}})
			return manifestOf("b/m.json", "b/0.parquet", file, len(file))
		},
	},
	"rs-copy-runtime-010": rows("b/p", []struct {
		A *int32 `parquet:"a,optional,snappy,plain"`
		D *struct {
			X *int32 `parquet:"x,optional,snappy,plain"`
		} `parquet:"d,optional"`
	}{{A: ptr(int32(1))}}),
	"rs-copy-runtime-011": text("b/p", "no number|a|1.50|2024-01-02 03:04:05|1\n"),

	"rs-set-show-020": {setup: []string{"create user dwuser password 'Abcd1234'"}},
	"rs-grants-016":   {setup: []string{sale, "create user reader password 'Abcd1234'"}, as: "reader"},
	"rs-policies-006": {as: "dwuser", setup: []string{
		sale, "create table stg_sale(sale_id bigint, cust varchar(20), amt decimal(10,2), sold_at timestamp, doc super)",
		"create user dwuser password 'Abcd1234'", "create table seen (cust varchar(20))",
		"grant all on f_sale, stg_sale, seen to dwuser",
		"create rls policy p_sub with (cust varchar(20)) using (cust in (select cust from seen))",
		"attach rls policy p_sub on f_sale to public", "alter table f_sale row level security on",
	}},
}

// saleRow is a row of f_sale in the profile that COPY takes.
type saleRow struct {
	SaleID *int64   `parquet:"sale_id,optional,snappy,plain"`
	Cust   *string  `parquet:"cust,optional,snappy,dict"`
	Amt    *[5]byte `parquet:"amt,optional,decimal(2:10),snappy,plain"`
	SoldAt *int64   `parquet:"sold_at,optional,timestamp(microsecond),snappy,plain"`
}

func ptr[T any](v T) *T { return &v }

func text(path, content string) fixture {
	return fixture{files: func() map[string][]byte { return map[string][]byte{path: []byte(content)} }}
}

func zipped(path, content string) fixture {
	return fixture{files: func() map[string][]byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write([]byte(content)); err != nil {
			panic(err)
		}
		if err := z.Close(); err != nil {
			panic(err)
		}
		return map[string][]byte{path: b.Bytes()}
	}}
}

func rows[T any](path string, list []T) fixture {
	return fixture{files: func() map[string][]byte { return map[string][]byte{path: encode(list)} }}
}

// encode writes Parquet with pages of version 1, in the order of the struct's fields.
func encode[T any](list []T) []byte {
	var b bytes.Buffer
	w := parquet.NewGenericWriter[T](&b, parquet.DataPageVersion(1))
	if _, err := w.Write(list); err != nil {
		panic(err)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return slices.Clone(b.Bytes())
}

// manifest names a file, which is there unless its content is nil.
func manifest(path, file string, content []byte) func() map[string][]byte {
	return func() map[string][]byte { return manifestOf(path, file, content, len(content)) }
}

func manifestOf(path, file string, content []byte, length int) map[string][]byte {
	type meta struct {
		Length int `json:"content_length"`
	}
	type item struct {
		URL       string `json:"url"`
		Mandatory bool   `json:"mandatory"`
		Meta      meta   `json:"meta"`
	}
	text, err := json.Marshal(map[string][]item{"entries": {{"s3://" + file, true, meta{length}}}})
	if err != nil {
		panic(err)
	}
	objects := map[string][]byte{path: text}
	if content != nil {
		objects[file] = content
	}
	return objects
}
