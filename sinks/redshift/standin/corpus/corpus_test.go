// Package corpus tries statements whose verdict by Redshift is known on the stand-in, each
// in a fresh database: by the simple protocol, by the extended one, and statement by
// statement where there are several. The larger corpora take one way an entry.
//
// corpus.jsonl was collected from AWS's documents and from reports of what real clusters
// answered; corpus-documents.jsonl are the examples of AWS's own pages; corpus-postgres.jsonl
// is what PostgreSQL's documents show, and Redshift has not. An entry is ok, or an error with
// a SQLSTATE and a text where these are known.
package corpus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/jackc/pgx/v5/pgconn"
)

// What the stand-in has to reach of each corpus, and of each topic of it.
const (
	wantAll   = 0.97
	wantTopic = 0.90
)

func TestCorpus(t *testing.T) {
	for _, c := range []struct {
		file   string
		misses map[string]string
		every  bool // entry in every way; else in one, by turns
	}{
		{"corpus.jsonl", misses, true},
		{"corpus-documents.jsonl", documentMisses, false},
		{"corpus-postgres.jsonl", postgresMisses, false},
	} {
		t.Run(c.file, func(t *testing.T) {
			entries := read(t, c.file)
			wrong := tryAll(t, entries, func(ctx context.Context, w *worker, e *entry) error {
				if c.every {
					return w.try(ctx, t, e)
				}
				way := []func(context.Context, *pgconn.PgConn, *entry) error{byQuery, byParse}[len(e.SQL)%2]
				return w.tryBy(ctx, e, way)
			})
			judge(t, entries, wrong, c.misses)
		})
	}
}

// startAll starts as many stand-ins as there are processors.
func startAll(t *testing.T) []*worker {
	workers := make([]*worker, min(runtime.GOMAXPROCS(0), 4))
	for i := range workers {
		workers[i] = start(t, nil)
	}
	return workers
}

// try tries an entry in every way that it can be sent.
func (w *worker) try(ctx context.Context, t *testing.T, e *entry) error {
	if words, ok := words[e.ID]; ok {
		if err := w.fresh(ctx); err != nil {
			return fmt.Errorf("a fresh database: %w", err)
		}
		return e.judge(words(ctx, t, w, e))
	}
	if strings.HasPrefix(e.SQL, "-- ") {
		return errors.New("is in words, and has no code")
	}
	for name, way := range map[string]func(context.Context, *pgconn.PgConn, *entry) error{
		"by one Query": byQuery, "by one statement after the other": bySteps, "by Parse and Bind": byParse,
	} {
		if name == "by one statement after the other" && len(split(e.SQL)) == 1 {
			continue
		}
		if err := w.tryBy(ctx, e, way); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// shared is what belongs to the cluster and outlives a database, or is seen in none of its
// relations.
var shared = regexp.MustCompile(`(?i)\b(user|group|role|database)\s+("?\w|if\b)|\b(policy|privileges|function|procedure|comment|owner)\b`)

func (w *worker) tryBy(ctx context.Context, e *entry, way func(context.Context, *pgconn.PgConn, *entry) error) (err error) {
	if err := w.fresh(ctx); err != nil {
		return fmt.Errorf("a fresh database: %w", err)
	}
	if shared.MatchString(e.SQL + ";" + strings.Join(e.setup(), ";")) {
		defer func() {
			if swept := w.sweep(ctx); err == nil {
				err = swept
			}
		}()
	}
	db, err := w.prepare(ctx, e)
	if err != nil {
		return err
	}
	defer db.Close(ctx)
	if err := way(ctx, db, e); err != nil {
		return err
	}
	if db.IsClosed() {
		return errors.New("the connection is gone")
	}
	return nil
}

// prepare connects, and makes what the entry needs.
func (w *worker) prepare(ctx context.Context, e *entry) (*pgconn.PgConn, error) {
	for path, content := range e.Objects {
		if err := w.objects.put(path, []byte(content)); err != nil {
			return nil, err
		}
	}
	if f, ok := fixtures[e.ID]; ok {
		for path, content := range f.objects() {
			if err := w.objects.put(path, content); err != nil {
				return nil, err
			}
		}
	}
	db, err := w.dial(ctx)
	if err != nil {
		return nil, err
	}
	for _, sql := range e.setup() {
		if err := run(ctx, db, sql); err != nil {
			return nil, errors.Join(fmt.Errorf("its setup %q: %w", sql, err), db.Close(ctx))
		}
	}
	if f, ok := fixtures[e.ID]; ok && f.as != "" {
		if err := run(ctx, db, "set session authorization '"+f.as+"'"); err != nil {
			return nil, errors.Join(err, db.Close(ctx))
		}
	}
	return db, nil
}

// byQuery sends the whole text as one simple Query. Its first error ends it, so that of an
// entry with another error before the last statement only that there is one can be said.
func byQuery(ctx context.Context, db *pgconn.PgConn, e *entry) error {
	results, err := db.Exec(ctx, e.SQL).ReadAll()
	if len(split(e.SQL)) > 2 && e.Expect == "error" && err != nil {
		return nil
	}
	if err == nil && answers[e.ID] != "" {
		return answered(e, results[len(results)-1].Rows)
	}
	return e.judge(err)
}

// bySteps sends one statement after the other, whatever becomes of those before.
func bySteps(ctx context.Context, db *pgconn.PgConn, e *entry) error {
	var err error
	for _, sql := range split(e.SQL) {
		err = run(ctx, db, sql)
		if err != nil && e.Expect == "ok" {
			break
		}
	}
	return e.judge(err)
}

// byParse sends one statement after the other by the extended protocol.
func byParse(ctx context.Context, db *pgconn.PgConn, e *entry) error {
	var rows [][][]byte
	var err error
	for _, sql := range split(e.SQL) {
		if rows, err = extended(ctx, db, sql); err != nil && e.Expect == "ok" {
			break
		}
	}
	if err == nil && answers[e.ID] != "" {
		return answered(e, rows)
	}
	return e.judge(err)
}

// answered compares the one value that an entry ends with.
func answered(e *entry, rows [][][]byte) error {
	if len(rows) != 1 || len(rows[0]) != 1 || string(rows[0][0]) != answers[e.ID] {
		return fmt.Errorf("answers %q, want %s", rows, answers[e.ID])
	}
	return nil
}

// judge prints the table of topics, and fails where a bound is missed, where a miss is not
// listed with its reason, or is listed and none.
func judge(t *testing.T, entries []entry, wrong map[string]error, misses map[string]string) {
	total, passed := map[string]int{}, map[string]int{}
	taken := 0
	for _, e := range entries {
		total[e.Topic]++
		err := wrong[e.ID]
		if err == nil {
			passed[e.Topic]++
			if reason, ok := misses[e.ID]; ok {
				t.Errorf("%s is listed as a miss (%s), and is none", e.ID, reason)
			}
			continue
		}
		if errors.Is(err, errTaken) {
			taken++
		}
		if reason, ok := misses[e.ID]; ok {
			t.Logf("%s: %v (%s)", e.ID, err, reason)
			continue
		}
		t.Errorf("%s %s: %v", e.ID, shorten(e.SQL), err)
	}
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	all := 0
	for _, topic := range slices.Sorted(maps.Keys(total)) {
		fmt.Fprintf(table, "%s\t%d of %d\t%.0f %%\t\n", topic, passed[topic], total[topic], 100*float64(passed[topic])/float64(total[topic]))
		all += passed[topic]
		if float64(passed[topic]) < wantTopic*float64(total[topic]) {
			t.Errorf("%s: %d of %d pass, want %.0f %%", topic, passed[topic], total[topic], 100*wantTopic)
		}
	}
	fmt.Fprintf(table, "all\t%d of %d\t%.1f %%\t\n", all, len(entries), 100*float64(all)/float64(len(entries)))
	_ = table.Flush()
	t.Logf("%d statements are taken that Redshift refuses\n%s", taken, &b)
	if float64(all) < wantAll*float64(len(entries)) {
		t.Errorf("%d of %d pass, want %.0f %%", all, len(entries), 100*wantAll)
	}
}

func shorten(sql string) string {
	sql = strings.Join(strings.Fields(sql), " ")
	if len(sql) > 200 {
		return sql[:150] + " … " + sql[len(sql)-40:]
	}
	return sql
}

// TestPorted: a corpus is read on machines that its collector never saw.
func TestPorted(t *testing.T) {
	for _, name := range []string{"corpus.jsonl", "corpus-documents.jsonl", "corpus-postgres.jsonl"} {
		b, err := os.ReadFile("../testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []string{"/home/ec2-user", "/root/", "localhost", "file://"} {
			if strings.Contains(string(b), s) {
				t.Errorf("%s has %q", name, s)
			}
		}
	}
}
