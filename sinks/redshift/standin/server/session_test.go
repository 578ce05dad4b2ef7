package server_test

import (
	"testing"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/backend"
)

func TestSettings(t *testing.T) {
	c := connect(t, database(t, backend.Snapshot))
	c.run("set query_group to 'starlift'")
	c.want("show query_group", "starlift")
	c.run("begin; set query_group to 'other'; rollback")
	c.want("show query_group", "starlift")
	c.run("begin; set query_group to 'other'; commit")
	c.want("show query_group", "other")
	c.run("reset query_group")
	c.want("show query_group", "default")
	c.fails("set lock_timeout = '1'", "42704", `unrecognized configuration parameter "lock_timeout"`)
	c.fails("set query_group to 'a', 'b'", "22023", "SET query_group takes only one argument")
	c.fails("set lock_timeout to 1, 2", "42704", `unrecognized configuration parameter "lock_timeout"`)
	c.fails("show standard_conforming_strings", "42704", `"standard_conforming_strings"`)
	c.want("show transaction isolation level", "serializable")
	c.want("show transaction_read_only", "off")
	c.want("begin read only; show transaction_read_only", "on")
	c.run("end")
}

// TestSettingsOfPostgreSQL: what changes answers is known there too, in and after the
// transaction that sets it.
func TestSettingsOfPostgreSQL(t *testing.T) {
	c := connect(t, database(t, backend.Snapshot))
	ask := "select '2024-07-01 12:00:00+00'::timestamptz"
	c.want(ask, "2024-07-01 12:00:00+00")
	c.run("set timezone to 'America/New_York'")
	c.want(ask, "2024-07-01 08:00:00-04")
	c.run("begin; select 1; set time zone 'Asia/Tokyo'")
	c.want(ask, "2024-07-01 21:00:00+09")
	c.run("reset timezone")
	c.want(ask, "2024-07-01 12:00:00+00")
	c.run("rollback")
	c.want(ask, "2024-07-01 08:00:00-04")
	c.run("begin; select set_config('timezone', 'Asia/Tokyo', false)")
	c.want(ask, "2024-07-01 21:00:00+09")
	c.run("commit")
	c.want(ask, "2024-07-01 21:00:00+09")
	c.fails("set timezone to 'Nowhere/Town'", "22023", "Nowhere/Town")
	c.want("show timezone", "Asia/Tokyo")

	c.run("create schema s; create table s.only_there(a int)")
	c.fails("select * from only_there", "42P01", "")
	c.run("set search_path to s, public")
	c.want("select count(*) from only_there", "0")
	c.want("show search_path", "s, public")
}

func TestSecretsAreNotShown(t *testing.T) {
	c := connect(t, database(t, backend.Snapshot))
	c.fails("copy nowhere from 's3://b/k' credentials 'aws_access_key_id=A;aws_secret_access_key=Very\\'Secret' csv", "42P01", "")
	c.fails("copy nowhere from 's3://b/k' access_key_id 'A' secret_access_key 'Very''Secret' csv", "42P01", "")
	c.want("select count(*) from stl_query where querytxt like '%Very%' or querytxt like '%Secret\\'%'", "0")
	c.want("select count(*) from stl_query where querytxt like '%secret_access_key \\'\\' csv%' and aborted = 1", "1")
}
