package corpus

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/load"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/server"
)

// patience is how long an entry may take on a busy machine.
const patience = time.Minute

// worker is a stand-in with an S3, on which entries are tried one after the other, each in
// a database dev of its own.
type worker struct {
	server  *server.Server
	objects *objects
	admin   *pgconn.PgConn // of the database admin
	// whole tells that nothing was changed in the database dev but relations and schemas.
	whole bool
}

// start starts a worker; change may be nil.
func start(t *testing.T, change func(*server.Options)) *worker {
	t.Helper()
	w := &worker{objects: newObjects(t), whole: true}
	o := server.Options{
		Databases: []string{"dev", "admin"},
		Passwords: map[string]string{"guarded": "Right1234"},
		Load:      load.Options{Endpoint: w.objects.endpoint, Credentials: credentials.NewStaticCredentialsProvider("test", "testtest", "")},
	}
	if change != nil {
		change(&o)
	}
	var err error
	if w.server, err = server.Start(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.server.Close(); err != nil {
			t.Error(err)
		}
	})
	if w.admin, err = pgconn.Connect(t.Context(), w.server.DSN("admin")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.admin.Close(context.Background()) })
	return w
}

// fresh empties the database dev, or makes it anew where that does not do.
func (w *worker) fresh(ctx context.Context) error {
	w.objects.clear()
	w.server.Faults().Clear()
	if w.whole && w.empty(ctx) == nil {
		return nil
	}
	w.whole = true
	if err := w.drop(ctx); err != nil {
		return err
	}
	return run(ctx, w.admin, "create database dev")
}

// drop drops the database dev, as soon as the session that was closed last is gone.
func (w *worker) drop(ctx context.Context) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := run(ctx, w.admin, "drop database dev")
		if pg := (*pgconn.PgError)(nil); !errors.As(err, &pg) || pg.Code != "55006" {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return err
		}
	}
}

// leftovers are the relations and schemas that an entry has left, as statements that drop them.
const leftovers = `select case c.relkind when 'r' then 'drop table if exists ' else 'drop view if exists ' end || quote_ident(n.nspname) || '.' || quote_ident(c.relname) || ' cascade'
	from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'public' and c.relkind in ('r', 'v', 'm')
	union all select 'drop schema ' || quote_ident(nspname) || ' cascade' from pg_namespace where nspname !~ '^pg_' and nspname not in ('public', 'information_schema')`

// empty drops what an entry has left in the database dev.
func (w *worker) empty(ctx context.Context) error {
	db, err := w.dial(ctx)
	if err != nil {
		return err
	}
	defer db.Close(ctx)
	for range 2 {
		results, err := db.Exec(ctx, leftovers).ReadAll()
		if err != nil {
			return err
		}
		if len(results[0].Rows) == 0 {
			return nil
		}
		for _, row := range results[0].Rows {
			if err := run(ctx, db, string(row[0])); err != nil {
				return err
			}
		}
	}
	return errors.New("something is left")
}

// sweep takes away what is left in the cluster, and not in a database.
func (w *worker) sweep(ctx context.Context) error {
	w.whole = false
	if err := w.fresh(ctx); err != nil {
		return err
	}
	var errs []error
	for query, drop := range map[string]string{
		"select usename from pg_user where usename not in ('awsuser','rdsdb')": "drop user",
		"select groname from pg_group":                                         "drop group",
		"select role_name from svv_roles where role_name not like 'sys:%'":     "drop role",
		"select datname from pg_database where datname not in ('dev','admin')": "drop database",
	} {
		results, err := w.admin.Exec(ctx, query).ReadAll()
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", query, err))
			continue
		}
		for _, row := range results[0].Rows {
			name := `"` + strings.ReplaceAll(string(row[0]), `"`, `""`) + `"`
			if drop == "drop role" {
				name += " force"
			}
			errs = append(errs, run(ctx, w.admin, drop+" "+name))
		}
	}
	return errors.Join(errs...)
}

// dial connects to the database dev.
func (w *worker) dial(ctx context.Context) (*pgconn.PgConn, error) {
	return pgconn.Connect(ctx, w.server.DSN("dev"))
}

// run runs a text as one simple Query.
func run(ctx context.Context, db *pgconn.PgConn, sql string) error {
	_, err := db.Exec(ctx, sql).ReadAll()
	return err
}

// extended runs a statement by Parse, Bind, Describe and Execute.
func extended(ctx context.Context, db *pgconn.PgConn, sql string) ([][][]byte, error) {
	result := db.ExecParams(ctx, sql, nil, nil, nil, nil).Read()
	return result.Rows, result.Err
}

// objects is an S3 in memory. Corpora name buckets of one letter, as S3 has none: they
// are given longer names on the way.
type objects struct {
	endpoint string
	store    *s3mem.Backend
}

const bucketSuffix = "-bucket"

func newObjects(t *testing.T) *objects {
	o := &objects{store: s3mem.New()}
	s3 := gofakes3.New(o.store, gofakes3.WithAutoBucket(true)).Server()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		bucket, key, found := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		r.URL.Path = "/" + bucket + bucketSuffix
		if found {
			r.URL.Path += "/" + key
		}
		r.URL.RawPath = ""
		s3.ServeHTTP(w, r)
	}))
	t.Cleanup(web.Close)
	o.endpoint = web.URL
	return o
}

// put stores an object: bucket/key.
func (o *objects) put(path string, content []byte) error {
	bucket, key, _ := strings.Cut(path, "/")
	bucket += bucketSuffix
	if found, err := o.store.BucketExists(bucket); err != nil {
		return err
	} else if !found {
		if err := o.store.CreateBucket(bucket); err != nil {
			return err
		}
	}
	_, err := o.store.PutObject(bucket, key, nil, strings.NewReader(string(content)), int64(len(content)), nil)
	return err
}

func (o *objects) clear() {
	buckets, err := o.store.ListBuckets()
	if err != nil {
		return
	}
	for _, b := range buckets {
		_ = o.store.ForceDeleteBucket(b.Name)
	}
}
