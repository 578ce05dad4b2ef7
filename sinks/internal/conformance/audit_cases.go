package conformance

import (
	"errors"
	"fmt"
	"testing"

	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// oldTokensCase: a token is one row, whatever epochs there are; what an older version has in the
// audit table alone, or has added there since, is taken over.
func oldTokensCase(t *testing.T, target Target) {
	h := newHarness(t, target, Orders(t))
	if _, ok := h.db.(SQL); !ok || target.TokenTable != nil {
		t.Skip("tokens are kept otherwise")
	}
	token := func(want string) {
		t.Helper()
		h.same(h.db.Select(t, warehouse.TokensTable, "pipeline", "state_id", "sink", "epoch"), want)
	}
	token("shop|state-1|warehouse|0")
	h.put(Row{insert, 1, "a"})
	h.put(Row{insert, 2, "b"})
	token("shop|state-1|warehouse|2")
	h.Close()
	h.db.DropTable(t, warehouse.TokensTable)
	h.Must(h.restart())
	token("shop|state-1|warehouse|2")
	h.put(Row{insert, 3, "c"})
	h.Close()
	h.db.Update(t, warehouse.TokensTable, "epoch", "2")
	h.Must(h.restart())
	token("shop|state-1|warehouse|3")
	h.Close()
	h.db.DeleteAll(t, warehouse.EpochsTable)
	h.Must(h.restart())
	h.put(Row{update, 3, "d"})
	h.want("1|a", "2|b", "3|d")
	token("shop|state-1|warehouse|4")
	h.same(h.audit(), "shop|4")
	h.Close()
	h.db.DropTable(t, warehouse.TokensTable)
	h.NewState("state-2")
	var other *warehouse.TokenError
	if err := h.restart(); !errors.As(err, &other) || other.Other != "state-1" || other.Found != 4 {
		t.Errorf("got error %v", err)
	}
}

// foldedAuditCase: rows of the audit table that are old become one a minute, those of others and
// newer ones stay.
func foldedAuditCase(t *testing.T, target Target) {
	h := newHarness(t, target, Orders(t))
	if _, ok := h.db.(SQL); !ok || target.TokenTable != nil {
		t.Skip("the audit table is kept otherwise")
	}
	table, id := h.in(warehouse.EpochsTable), int64(0)
	put := func(epochs int) {
		for range epochs {
			id++
			h.put(Row{insert, id, ""})
		}
	}
	end := func(from, to int64, at string) {
		h.exec(`UPDATE %[1]s SET "started_at" = TIMESTAMP '%[2]s' - "epoch" * INTERVAL '1 second', "ended_at" = TIMESTAMP '%[2]s' WHERE "epoch" BETWEEN %[3]d AND %[4]d`, table, at, from, to)
	}
	put(8)
	h.exec(`INSERT INTO %[1]s SELECT "job", "status", TIMESTAMP '2001-02-03 04:05:06', TIMESTAMP '2001-02-03 04:05:06', "rows", 'others', "state_id", "sink", "epoch" FROM %[1]s WHERE "epoch" < 3`, table)
	end(1, 3, "2001-02-03 04:05:06")
	end(4, 4, "2001-02-03 04:06:00")
	end(5, 7, "2001-02-03 04:06:59")
	h.Must(h.restart())
	put(64)
	got := h.sql().Query(t, fmt.Sprintf(`SELECT CAST("epoch" AS varchar), CAST("rows" AS varchar), CAST("started_at" AS varchar) FROM %s WHERE "pipeline" = 'shop' AND "epoch" < 10 ORDER BY "epoch"`, table))
	for i := range got {
		if i >= 2 {
			got[i] = got[i][:3] // when it began is now
		}
	}
	h.same(got, "3|3|2001-02-03 04:05:03", "7|4|2001-02-03 04:05:56", "8|1", "9|1")
	if got := h.audit(); len(got) != 2+2+1+64 {
		t.Errorf("%d rows, want two of others, two minutes, and each epoch since: %v", len(got), got)
	}
	end(8, 72, "2001-02-03 04:07:00")
	h.Must(h.restart())
	put(64)
	if got := h.audit(); len(got) != 2+2+1+64 || got[4] != "shop|72" {
		t.Errorf("%d rows: %v", len(got), got)
	}
	h.Must(h.restart())
	put(1)
}
