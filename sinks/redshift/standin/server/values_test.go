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

// TestDecimalRange: a decimal is a whole number, of 64 bits up to 19 digits: it has no NaN.
func TestDecimalRange(t *testing.T) {
	c := connect(t, database(t, backend.Snapshot))
	c.run("create table t(a decimal(19,0), b decimal(19,4), c decimal(38,0), d decimal(5,2), f float8)")
	for _, column := range []string{"a", "b", "c", "d"} {
		for _, value := range []string{"'NaN'", "'NaN'::float8"} {
			c.fails("insert into t("+column+") values ("+value+")", "22P02", "NaN")
		}
	}
	c.fails("select 'NaN'::decimal(10,2)", "22P02", "NaN")
	c.run("insert into t values (9223372036854775807, 922337203685477.5807, 99999999999999999999999999999999999999, -999.99, 'NaN')")
	c.want("select * from t", "9223372036854775807|922337203685477.5807|99999999999999999999999999999999999999|-999.99|NaN")
	for _, sql := range []string{
		"insert into t(a) values (9223372036854775808)", "insert into t(a) values (-9223372036854775809)", "insert into t(b) values (922337203685477.5808)",
		"update t set a = 9300000000000000000 + d", "select 9223372036854775808::decimal(19,0)",
	} {
		c.fails(sql, "XX000", "Numeric data overflow")
	}
}
