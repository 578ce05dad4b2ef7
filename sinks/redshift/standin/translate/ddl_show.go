package translate

import "github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"

func (t *translator) show(st *syntax.Show) { t.fail(unknownToStandin("SHOW")) }
