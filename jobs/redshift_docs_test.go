package jobs

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/sinks/redshift/redshifttest"
)

var sqlBlock = regexp.MustCompile("(?s)```sql\n(.*?)```")

// redshiftGrants returns the statements of docs/redshift.md by which a user gets its rights.
func redshiftGrants(t *testing.T) (statements []string) {
	t.Helper()
	const heading = "\n## Rights in the database\n"
	_, rest, ok := strings.Cut(readFile(t, "../docs/redshift.md"), heading)
	if !ok {
		t.Fatalf("docs/redshift.md has no heading%s", heading)
	}
	section, _, _ := strings.Cut(rest, "\n## ")
	for _, block := range sqlBlock.FindAllStringSubmatch(section, -1) {
		for statement := range strings.SplitSeq(block[1], ";\n") {
			if statement = strings.TrimSpace(statement); statement != "" {
				statements = append(statements, statement)
			}
		}
	}
	return statements
}

// neededGrants are those of the statements without which no pipeline runs, and what the run
// says then. The stand-in lets every user pass every role.
var neededGrants = map[string]string{
	"CREATE USER loader PASSWORD DISABLE":                                                             `password authentication failed for user "loader"`,
	"GRANT USAGE, CREATE ON SCHEMA dwh TO loader":                                                     "permission denied for schema dwh",
	"GRANT TEMPORARY ON DATABASE shop TO loader":                                                      "permission denied",
	"GRANT USAGE ON SCHEMA dwh TO GROUP analysts":                                                     "",
	"ALTER DEFAULT PRIVILEGES FOR USER loader IN SCHEMA dwh GRANT SELECT ON TABLES TO GROUP analysts": "",
}

// TestRedshiftRights runs the statements of docs/redshift.md in a database where nobody has any
// rights, and a pipeline as the user that they are for: with all of them it makes its tables,
// goes on with them, and others may read; without one of them, somebody can't.
func TestRedshiftRights(t *testing.T) {
	t.Parallel()
	all := redshiftGrants(t)
	t.Run("all", func(t *testing.T) {
		t.Parallel()
		r := newRedshiftRights(t, all)
		r.run().want(t, exitFine)
		r.run().want(t, exitFine)
		if rows, err := r.read(); err != nil || !slices.Equal(rows, []string{"2"}) {
			t.Errorf("an analyst sees %q: %v", rows, err)
		}
		if _, err := r.c.ConnectAs(r.rename("analyst")).Try(t.Context(), "DELETE FROM dwh.customer"); err == nil {
			t.Error("an analyst may delete")
		}
	})
	for statement, text := range neededGrants {
		if !slices.Contains(all, statement) {
			t.Errorf("docs/redshift.md does not say %s, but %q", statement, all)
		}
		t.Run("without "+statement, func(t *testing.T) {
			t.Parallel()
			r := newRedshiftRights(t, slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == statement }))
			if text != "" {
				r.run().want(t, exitFailed, r.rename(text))
				return
			}
			r.run().want(t, exitFine)
			if _, err := r.read(); err == nil {
				t.Error("an analyst may read")
			}
		})
	}
}

// redshiftRights is a database with the users of docs/redshift.md. Users are the whole server's, so
// that their names have the database's.
type redshiftRights struct {
	t   *testing.T
	c   *redshifttest.Cluster
	dir string
}

func newRedshiftRights(t *testing.T, statements []string) *redshiftRights {
	t.Helper()
	r := &redshiftRights{t, redshifttest.Open(t, redshifttest.Snapshot), t.TempDir()}
	admin := r.c.Connect()
	for _, s := range slices.Concat([]string{
		"REVOKE ALL ON DATABASE shop FROM PUBLIC", "REVOKE ALL ON SCHEMA public FROM PUBLIC",
		"CREATE GROUP analysts", "CREATE USER analyst PASSWORD DISABLE IN GROUP analysts",
	}, statements) {
		if _, err := admin.Try(t.Context(), r.rename(s)); err != nil && !strings.Contains(err.Error(), r.rename("loader")) {
			t.Fatalf("%s: %v", s, err)
		}
	}
	write(t, filepath.Join(r.dir, "rows.ndjson"), []byte(`{"id": "a", "n": 1}`+"\n"+`{"id": "b", "n": 2}`+"\n"))
	write(t, filepath.Join(r.dir, "p.yaml"), []byte(`
name: rights
sources: {rows: {type: file, path: "*.ndjson", format: json, key: [id]}}
transforms: {items: {type: unnest, inputs: [rows], tables: {customer: {key: [id], columns: {id: {}, n: {type: int64}}}}}}
sinks: {warehouse: {type: redshift, inputs: [items], dsn: "`+r.c.UserDSN(r.rename("loader"))+`", schema: dwh, stage: {url: "`+r.c.Stage+`", iam_role: "`+redshifttest.Role+`"}}}
`))
	return r
}

// rename puts the test's names into a statement.
func (r *redshiftRights) rename(s string) string {
	return strings.NewReplacer("loader", r.c.Database+"_loader", "analyst", r.c.Database+"_analyst", "DATABASE shop", "DATABASE "+r.c.Database).Replace(s)
}

// run runs the pipeline to its end.
func (r *redshiftRights) run() result {
	r.t.Helper()
	return start(r.t, r.dir, []string{"AWS_ENDPOINT_URL_S3=" + r.c.Endpoint}, "run", "p.yaml", "--set", "epoch.commit_timeout=10s").result()
}

// read reads the table as an analyst.
func (r *redshiftRights) read() ([]string, error) {
	r.t.Helper()
	return r.c.ConnectAs(r.rename("analyst")).Try(r.t.Context(), "SELECT count(*) FROM dwh.customer")
}
