// Package meta reads what columns and patterns can see of a change itself.
package meta

import (
	"github.com/starlift-etl/starlift/pipeline/decode"
	"github.com/starlift-etl/starlift/pipeline/pattern"
)

// Of returns the metadata of a decoded record. table is the name of its logical
// table where the format gives it, arrived its arrival in µs since 1970; nil and
// pipeline.NoTime = unknown. Texts may share the record's bytes.
func Of(rec []byte, d *decode.Record, table []byte, arrived int64) pattern.Meta {
	m := pattern.Meta{EventName: eventNames[d.Event], EventID: text(rec, d.EventID), Table: table, Created: d.Created, Arrived: arrived, TTL: d.TTL}
	if table == nil {
		m.Table = text(rec, d.Table)
	}
	return m
}

var eventNames = [...][]byte{
	decode.Insert: []byte(decode.Insert.String()),
	decode.Modify: []byte(decode.Modify.String()),
	decode.Remove: []byte(decode.Remove.String()),
}

// text returns the text of a field beside the images, nil if it is not there.
func text(rec []byte, v decode.Value) []byte {
	if v.Kind != decode.String {
		return nil
	}
	if !v.Escaped {
		return v.Raw(rec)
	}
	t, err := decode.AppendText(nil, rec, v)
	if err != nil {
		return nil
	}
	return t
}
