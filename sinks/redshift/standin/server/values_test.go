package server_test

import (
	"testing"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/backend"
)

// TestVarbyteLength: a column holds no more bytes than it says, and says it.
func TestVarbyteLength(t *testing.T) {
	c := connect(t, database(t, backend.Snapshot))
	c.run("create table t(a varbyte(2), b varbyte(16777216), c varbyte)")
	for _, sql := range []string{"'abc'", "'abc'::varbyte", "from_hex('616263')", "'abc'::varbyte(3)"} {
		c.fails("insert into t(a) values ("+sql+")", "22001", "value too long for type binary varying(2)")
	}
	c.fails("insert into t(a) select c from (select 'abc'::varbyte as c)", "22001", "value too long")
	c.run("insert into t values ('ab', 'abc', 'abc')")
	c.fails("update t set a = b", "22001", "value too long for type binary varying(2)")
	c.want("select a, b, c, 'abc'::varbyte(2) from t", "6162|616263|616263|6162")
	c.want(`select character_maximum_length from svv_columns where table_name = 't' order by ordinal_position`, "2\n16777216\n64000")
	c.run("create table u(like t)")
	c.fails("insert into u(a) values ('abc')", "22001", "value too long")
	c.run("create table v as select a from t")
	c.want(`select "type" from pg_table_def where tablename = 'v'`, "binary varying(2)")
}
