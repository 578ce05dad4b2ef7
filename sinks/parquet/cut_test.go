//go:build cgo

package parquet

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/blob"
)

// cutQuery returns the statements that docs/lake.md gives for a consistent cut, for a folder.
func cutQuery(t *testing.T, dir string) []string {
	t.Helper()
	page, err := os.ReadFile("../../docs/lake.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(page), "```sql\n")
	text, _, ends := strings.Cut(text, "```")
	if !found || !ends || !strings.Contains(text, "s3://shop-lake/lake") {
		t.Fatalf("docs/lake.md has no query: %s", text)
	}
	return strings.Split(strings.TrimSuffix(strings.TrimSpace(strings.ReplaceAll(text, "s3://shop-lake/lake", dir)), ";"), ";\n")
}

// cut reads the consistent cut of a folder: the ids of orders and of lines.
func cut(t *testing.T, dir string) (ids [2][]string) {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	c, err := db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, statement := range cutQuery(t, dir) {
		if _, err := c.ExecContext(context.Background(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	for i, table := range []string{"orders", "order_lines"} {
		rows, err := c.QueryContext(context.Background(), "SELECT id FROM "+table)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var id string
			if err := rows.Scan(&id); err != nil {
				t.Fatal(err)
			}
			ids[i] = append(ids[i], id)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
		slices.Sort(ids[i])
	}
	return ids
}

// TestConsistentCut: the query of the docs gives all rows of all tables up to some epoch,
// wherever a commit was cut off, with epochs that were gathered and over restarts.
func TestConsistentCut(t *testing.T) {
	lines := orders()
	lines.Name = "order_line"
	dead := errors.New("the process is dead")
	for stop := range int64(3) { // of three files
		var uploads atomic.Int64
		alive := int64(1 << 60)
		var last sync.WaitGroup // the uploads before the process is dead
		h := newHarness(t, Config{Mode: "changes", PartitionBy: byDay(), Roll: Roll{Age: 1}}, orders(), lines)
		h.store = blob.Wrap(h.sink.target, func(_ context.Context, c blob.Call, do func() error) error {
			switch {
			case c.Op != blob.OpUpload || alive == 1<<60:
				return do()
			case uploads.Add(1) > alive:
				last.Wait()
				return dead
			}
			defer last.Done()
			return do()
		})
		dir := h.sink.cfg.URL
		open := func() {
			h.restart(h.sink.cfg)
			h.sink.remote = false
			must(t, h.open())
		}
		open()
		var published, waiting []string
		write := func(epoch int, publish bool) {
			h.sink.cfg.Roll.Age = 1
			if !publish {
				h.sink.cfg.Roll.Age = 1 << 60
			}
			h.clock = h.clock.Add(time.Second)
			_, err := h.writeTables(epoch)
			must(t, err)
			for i := range 4 {
				waiting = append(waiting, fmt.Sprint(100*epoch+i))
			}
			slices.Sort(waiting)
		}
		for epoch := 1; epoch <= 6; epoch++ {
			write(epoch, epoch%2 == 0)
			if epoch == 6 {
				break
			}
			h.commit()
			if epoch%2 == 0 {
				published, waiting = append(published, waiting...), nil
			}
		}
		// Epochs 1 to 4 are published; 5 and 6 are about to be, as one.
		uploads.Store(0)
		alive = stop
		last.Add(int(stop))
		if err := h.sink.Commit(context.Background(), h.saved); !errors.Is(err, dead) {
			t.Fatalf("stopped after %d uploads: %v", stop, err)
		}
		want := published
		if stop == 0 {
			want = published[:len(published)/2] // the greatest epoch is that of the publication before
		}
		if got := cut(t, dir); !slices.Equal(got[0], want) || !slices.Equal(got[1], want) {
			t.Errorf("stopped after %d uploads: orders %v, lines %v, want %v", stop, got[0], got[1], want)
		}
		alive = 1 << 60
		open()
		h.commit()
		if got := cut(t, dir); !slices.Equal(got[0], published) || !slices.Equal(got[1], published) {
			t.Errorf("after the commit: orders %v, lines %v, want %v", got[0], got[1], published)
		}
	}
}

// writeTables prepares and saves an epoch with four rows of each table, in two partitions.
func (h *harness) writeTables(epoch int) (*pipeline.Committable, error) {
	r, err := h.Write(false, func(e pipeline.EpochWriter) error {
		for _, table := range h.Tables {
			var in []order
			for i := range 4 {
				in = append(in, order{id: int64(100*epoch + i), at: day.AddDate(0, 0, i%2)})
			}
			changes, rows := orderRows(table, in)
			err := e.Write(changes, rows)
			rows.Record.Release()
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		h.save(r)
	}
	return r, err
}
