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
	c.fails("show standard_conforming_strings", "42704", `"standard_conforming_strings"`)
	c.want("show transaction isolation level", "serializable")
	c.want("show transaction_read_only", "off")
	c.want("begin read only; show transaction_read_only", "on")
	c.run("end")
}
