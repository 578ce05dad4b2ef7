package server_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/backend"
)

// TestTransfers has sessions move money between accounts at the same time, with locks and
// without, and start again when they are refused. Nothing may be lost, nobody may see half
// a transfer, and whoever is refused must be refused as Redshift does.
func TestTransfers(t *testing.T) {
	const sessions, transfers, accounts = 4, 15, 3
	for _, level := range []backend.Isolation{backend.Snapshot, backend.Serializable} {
		t.Run(string(level), func(t *testing.T) {
			seed := uint64(time.Now().UnixNano())
			t.Logf("seed %d", seed)
			dsn := database(t, level)
			c := connect(t, dsn)
			c.run("create table account(id int, money bigint); create table token(a int)")
			for i := range accounts {
				c.run(fmt.Sprintf("insert into account values (%d, 100)", i))
			}
			var group sync.WaitGroup
			refusals := make([]map[string]int, sessions)
			for n := range sessions {
				session := connect(t, dsn)
				random := rand.New(rand.NewPCG(seed, uint64(n)))
				refusals[n] = map[string]int{}
				group.Go(func() {
					for range transfers {
						session.transfer(random, accounts, refusals[n])
					}
				})
			}
			group.Wait()
			c.want("select sum(money) from account", fmt.Sprint(100*accounts))
			all := map[string]int{}
			for _, r := range refusals {
				for reason, n := range r {
					all[reason] += n
				}
			}
			t.Logf("refused: %v", all)
			c.want("select count(*) from svv_transactions where pid <> pg_backend_pid()", "0")
		})
	}
}

// transfer moves money from one account to another, whatever it takes.
func (c *client) transfer(random *rand.Rand, accounts int, refusals map[string]int) {
	from := random.IntN(accounts)
	to := (from + 1 + random.IntN(accounts-1)) % accounts
	amount := 1 + random.IntN(10)
	statements := []string{"begin"}
	if random.IntN(3) == 0 {
		statements = append(statements, "lock token")
	}
	statements = append(statements,
		"select sum(money) from account",
		fmt.Sprintf("update account set money = money - %d where id = %d", amount, from),
		fmt.Sprintf("update account set money = money + %d where id = %d", amount, to),
		"commit")
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) {
		err := c.sequence(statements, accounts)
		if err == nil {
			return
		}
		var e *pgconn.PgError
		if !asPgError(err, &e) || e.Message != "1023" && e.Code != "40P01" {
			c.t.Errorf("a transfer failed: %v", err)
			return
		}
		refusals[e.Message]++
		if _, err := c.Exec(context.Background(), "rollback").ReadAll(); err != nil {
			c.t.Error(err)
			return
		}
	}
	c.t.Error("a transfer did not come about within a minute")
}

// sequence runs the statements up to the first that fails.
func (c *client) sequence(statements []string, accounts int) error {
	for _, sql := range statements {
		got, err := c.try(sql)
		if err != nil {
			return err
		}
		if sql == "select sum(money) from account" && got != fmt.Sprint(100*accounts) {
			c.t.Errorf("half a transfer was seen: %s", got)
		}
	}
	return nil
}
