package clients

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline/awstest"
)

// TestDbt runs a project with each kind of model twice, the second time over changed input,
// with its tests, snapshots and documentation.
func TestDbt(t *testing.T) {
	python := filepath.Join(awstest.Installed(t, "dbt-redshift"), "bin", "python3")
	s := start(t, false)
	project := t.TempDir()
	if err := os.CopyFS(project, os.DirFS(filepath.Join("testdata", "dbt"))); err != nil {
		t.Fatal(err)
	}
	dbt := func(args ...string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		cmd := exec.CommandContext(ctx, python, append([]string{"-m", "dbt.cli.main", "--no-use-colors", "--no-version-check"}, args...)...)
		cmd.Dir, cmd.Env = project, append(s.environ(t), "DBT_PROFILES_DIR="+project, "DBT_SEND_ANONYMOUS_USAGE_STATS=false")
		var said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &said, &said
		if err := cmd.Run(); err != nil {
			t.Fatalf("dbt %s: %v\n%s", strings.Join(args, " "), err, &said)
		}
	}
	equal := func(sql, want string) {
		t.Helper()
		if got := s.query(t, sql); got != want {
			t.Errorf("%s\ngot:\n%swant:\n%s", sql, got, want)
		}
	}

	dbt("debug")
	dbt("seed")
	equal("select * from marts.customers order by id", "1|Ada|2024-01-05\n2|O'Neil \\ Söhne|2024-02-29\n3|Chen|2024-03-01\n")
	dbt("run")
	equal("select order_id, customer_id, amount from marts.orders order by 1", "10|1|12.50\n11|2|7.25\n")
	equal("select name, days from marts.customer_names order by id", "ADA|57\nO'NEIL \\ SÖHNE|2\nCHEN|1\n")
	equal("select * from marts.late_bound order by 1", "10|Ada|12.50\n11|O'Neil \\ Söhne|7.25\n")
	equal("select order_id, amount from marts.totals_merged order by 1", "10|12.50\n11|7.25\n")
	equal("select count(*), count(distinct run) from marts.totals_replaced", "2|1\n")
	equal("select * from marts.summary order by 1", "1|12.50\n2|7.25\n")
	equal("select diststyle, sortkey1, sortkey_num from svv_table_info where schema = 'marts' and \"table\" = 'orders'", "KEY(customer_id)|ordered_at|2\n")
	dbt("test")
	dbt("snapshot")
	equal("select count(*) from marts.customers_snapshot where dbt_valid_to is null", "3\n")

	// Again, with an order more: tables are replaced, incremental models add and change.
	dbt("run", "--vars", "late: true")
	equal("select order_id, amount from marts.orders order by 1", "10|12.50\n11|7.25\n12|100.00\n")
	equal("select order_id, amount from marts.totals_merged order by 1", "10|13.50\n11|8.25\n12|101.00\n")
	equal("select order_id, run = (select max(run) from marts.totals_replaced where order_id = 12) from marts.totals_replaced order by 1", "10|f\n11|t\n12|t\n")
	equal("select order_id, count(*), count(note) from marts.events group by 1 order by 1", "10|2|1\n11|2|1\n12|1|1\n")
	equal("select count(*) from marts.late_bound", "3\n")
	dbt("snapshot", "--vars", "suffix: '!'")
	equal("select count(*), count(dbt_valid_to) from marts.customers_snapshot", "6|3\n")
	dbt("run", "--full-refresh", "--select", "totals_merged", "totals_replaced")
	equal("select order_id, amount from marts.totals_merged order by 1", "10|12.50\n11|7.25\n12|100.00\n")
	dbt("test")
	dbt("docs", "generate")
}
