package activity

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/backend"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/locks"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/translate"
)

// Source is what there is now, besides what is remembered.
type Source interface {
	Sessions() []Session
	Locks() []locks.LockInfo
	Transactions() []locks.TxnInfo
	Conflicts() []locks.Conflict
	Databases() ([]backend.Database, error)
}

// Viewer is who looks. Users see what is theirs, superusers everything
// (dg/cm_chap_system-tables, "Visibility of data").
type Viewer struct {
	User string
	All  bool
}

func (v Viewer) sees(user string) bool { return v.All || v.User == user }

// row is a row by columns. What is not in it is 0, empty or NULL, by the column's type.
type row map[string]any

// relation is one that is shown.
type relation struct {
	columns []translate.Column
	rows    func(l *Log, v Viewer) ([]row, error)
}

// Relation returns a relation by its name.
func (l *Log) Relation(name string, viewer Viewer) (*translate.VirtualRelation, bool) {
	r, ok := relations[name]
	if !ok {
		return nil, false
	}
	return &translate.VirtualRelation{Columns: r.columns, Rows: func() ([]byte, error) {
		rows, err := r.rows(l, viewer)
		if err != nil {
			return nil, err
		}
		return r.encode(rows)
	}}, true
}

// encode writes rows as a JSON array of objects, with all columns. A text of type CHAR(n)
// has the length that the column has.
func (r *relation) encode(rows []row) ([]byte, error) {
	objects := make([]map[string]any, len(rows))
	for i, values := range rows {
		objects[i] = make(map[string]any, len(r.columns))
		for _, c := range r.columns {
			value, ok := values[c.Name]
			if !ok {
				value = zero(c.Type)
			}
			objects[i][c.Name] = format(c.Type, value)
		}
	}
	return json.Marshal(objects)
}

func zero(t translate.Type) any {
	switch t.Name {
	case "character", "character varying":
		return ""
	case "timestamp without time zone":
		return nil
	case "boolean":
		return false
	}
	return 0
}

func format(t translate.Type, value any) any {
	switch v := value.(type) {
	case time.Time:
		if v.IsZero() {
			return nil
		}
		return v.UTC().Format("2006-01-02 15:04:05.000000")
	case string:
		v = strings.ReplaceAll(strings.ToValidUTF8(v, "?"), "\x00", "")
		if t.Length > 0 {
			v = cut(v, t.Length)
		}
		return v
	}
	return value
}

// columns reads definitions such as "userid int, label char(320)".
func columns(definitions string) []translate.Column {
	var all []translate.Column
	for definition := range strings.SplitSeq(definitions, ",") {
		name, typ, _ := strings.Cut(strings.TrimSpace(definition), " ")
		all = append(all, translate.Column{Name: name, Type: columnType(typ)})
	}
	return all
}

var typeNames = map[string]string{
	"int": "integer", "bigint": "bigint", "boolean": "boolean", "timestamp": "timestamp without time zone",
	"char": "character", "varchar": "character varying",
}

func columnType(definition string) translate.Type {
	name, length, sized := strings.Cut(strings.TrimSuffix(definition, ")"), "(")
	t := translate.Type{Name: typeNames[name]}
	if sized {
		t.Length, _ = strconv.Atoi(length) // a definition is a constant, and a test reads them all
	}
	return t
}
