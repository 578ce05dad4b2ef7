package backend

import (
	"context"
	"strings"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/names"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/translate"
)

// routinesStatement finds routines. $1 is their schema, or empty for the search path, and $2
// their name.
var routinesStatement = statement{"rs_routines", `
SELECT rs.full_name(n.nspname), CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END, r.language,
	array_to_string(ARRAY(SELECT rs.type_name(a.type, -1) FROM unnest(p.proargtypes) WITH ORDINALITY AS a(type, n) ORDER BY a.n), ','),
	r.returns, r.returns_length, r.returns_precision, r.returns_scale, r.leader, r.definition
FROM rs.routine AS r JOIN pg_catalog.pg_proc AS p ON p.oid = r.oid JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
WHERE p.proname = $2 AND CASE $1 WHEN '' THEN n.nspname = ANY (current_schemas(false)) ELSE n.nspname = $1 END
ORDER BY array_position(current_schemas(false), n.nspname), r.oid`}

// Routines implements translate.Catalog.
func (c *Conn) Routines(ctx context.Context, schema, name string) ([]translate.Routine, error) {
	rows, err := c.prepared(ctx, routinesStatement, names.Short(schema), names.Short(name))
	if err != nil {
		return nil, err
	}
	all := make([]translate.Routine, len(rows))
	for i, r := range rows {
		n, err := integers(r[5].Text, r[6].Text, r[7].Text)
		if err != nil {
			return nil, err
		}
		all[i] = translate.Routine{
			Schema: r[0].Text, Name: name, Kind: r[1].Text, Language: r[2].Text, Returns: translateType(r[4].Text, n[0], n[1], n[2]),
			Leader: r[8].Text == "t", Definition: r[9].Text,
		}
		if r[3].Text != "" {
			all[i].Args = strings.Split(r[3].Text, ",")
		}
	}
	return all, nil
}
