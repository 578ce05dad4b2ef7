package manifest

import (
	"encoding/json"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/schema"
)

// File is a file that an UNLOAD wrote. Its header counts as a row.
type File struct {
	URL         string
	Bytes, Rows int64
}

type meta struct {
	ContentLength int64 `json:"content_length"`
	RecordCount   int64 `json:"record_count"`
}

type entry struct {
	URL  string `json:"url"`
	Meta *meta  `json:"meta,omitempty"`
}

type columnType struct {
	Base      string `json:"base"`
	MaxLength int    `json:"max_length,omitempty"`
	Precision int    `json:"precision,omitempty"`
	Scale     *int   `json:"scale,omitempty"`
}

type element struct {
	Name string     `json:"name"`
	Type columnType `json:"type"`
}

type elements struct {
	Elements []element `json:"elements"`
}

type author struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

type file struct {
	Entries []entry   `json:"entries"`
	Schema  *elements `json:"schema,omitempty"`
	Meta    *meta     `json:"meta,omitempty"`
	Author  *author   `json:"author,omitempty"`
}

// Write makes the manifest of an UNLOAD. A verbose one has sizes, rows and the columns; one
// of Parquet has the sizes at least, since a COPY of it wants them.
func Write(files []File, columns []schema.Column, verbose, columnar bool) ([]byte, error) {
	var f file
	var total meta
	for _, o := range files {
		e := entry{URL: o.URL}
		if verbose || columnar {
			e.Meta = &meta{o.Bytes, o.Rows}
		}
		total.ContentLength += o.Bytes
		total.RecordCount += o.Rows
		f.Entries = append(f.Entries, e)
	}
	if verbose {
		f.Schema, f.Meta, f.Author = &elements{}, &total, &author{"Amazon Redshift", "1.0.0"}
		for _, c := range columns {
			t := columnType{Base: c.Type.Kind.String()}
			switch c.Type.Kind {
			case schema.Char, schema.Varchar:
				t.MaxLength = c.Type.MaxBytes()
			case schema.Numeric:
				t.Precision, t.Scale = c.Type.Precision, &c.Type.Scale
			}
			f.Schema.Elements = append(f.Schema.Elements, element{c.Name, t})
		}
	}
	text, err := json.MarshalIndent(&f, "", "  ")
	return append(text, '\n'), err
}
