package redshifttest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"go.uber.org/goleak"

	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/pipeline/pgconn/pgserver"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/backend"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/faults"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/server"
)

const (
	// Role is one that COPY may assume.
	Role = "arn:aws:iam::123456789012:role/copy"
	// RefusedRole is one that nobody may assume.
	RefusedRole = "arn:aws:iam::123456789012:role/refused"
	// DeniedBucket is one that is there for clients, and that denies COPY access.
	DeniedBucket = "denied"

	bucket      = "stage"
	application = "starlift" // application_name of a sink's sessions
)

// The isolation levels of databases.
const (
	Snapshot     = backend.Snapshot
	Serializable = backend.Serializable
)

// Isolations are both isolation levels.
var Isolations = []backend.Isolation{Snapshot, Serializable}

var (
	objects awstest.SharedS3
	shared  struct {
		sync.Once
		server *server.Server
		err    error
	}
	number   atomic.Int64
	clusters sync.Map // by database: the Cluster that has it
)

// Cluster is a database of a stand-in, and a folder for its stage. Its methods may be called
// by several goroutines at once; one that can't do what it says fails the test.
type Cluster struct {
	// Server is the stand-in. Other tests have databases there too: faults are for Inject,
	// which knows whose they are.
	Server *server.Server
	// Database is the database's name.
	Database string
	// Endpoint is where S3 listens, the endpoint of a stage.
	Endpoint string
	// Stage is a folder on S3 that nobody else uses, as s3://bucket/folder.
	Stage string

	t       testing.TB
	folder  string // in the bucket
	client  *s3.Client
	schemas atomic.Int64

	mu       sync.Mutex
	requests []server.Request     // guarded by mu
	listener func(server.Request) // guarded by mu; nil = none
}

// Main runs a package's tests with the environment that the S3 asks for, closes what they have
// shared, compares what sinks have sent with the golden files, and looks for goroutines that are
// left. TestMain calls it alone.
func Main(m *testing.M) {
	if flag.Lookup("update") == nil {
		flag.Bool("update", false, "write the golden files anew")
	}
	if err := awstest.MainEnv(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	err := errors.Join(Close(), CheckStatements())
	if code == 0 {
		err = errors.Join(err, goleak.Find())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// Close ends what tests have shared, if they have. A TestMain that can't call Main calls it when
// the tests are done; its environment is awstest.MainEnv's.
func Close() error {
	var err error
	if shared.server != nil {
		err = shared.server.Close()
	}
	return errors.Join(err, objects.Close())
}

// Open makes an empty database with an isolation level, which goes with the test.
func Open(t testing.TB, level backend.Isolation) *Cluster {
	t.Helper()
	endpoint := objects.Endpoint(t)
	shared.Do(func() {
		shared.server, shared.err = server.Start(context.Background(), options(endpoint, server.Options{Wait: held.wait, OnLockWait: held.locked}))
	})
	skip(t, shared.err)
	name := fmt.Sprintf("db%d", number.Add(1))
	c := newCluster(t, shared.server, name, endpoint)
	if err := c.Server.CreateDatabase(t.Context(), name, level); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Server.Faults().ClearDatabase(name)
		if err := c.Server.DropDatabase(context.Background(), name); err != nil {
			t.Errorf("database %s: %v", name, err)
		}
	})
	return c
}

// Start starts a stand-in that only the test uses. Its S3 is that of Open, whatever the options
// say, and so is their OnStatement; they name one database at most.
func Start(t testing.TB, o server.Options) *Cluster {
	t.Helper()
	endpoint := objects.Endpoint(t)
	if len(o.Databases) == 0 {
		// Another name than those of other servers has, for statements are noted by database.
		o.Databases = []string{fmt.Sprintf("db%d", number.Add(1))}
	}
	s, err := server.Start(t.Context(), options(endpoint, o))
	skip(t, err)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return newCluster(t, s, o.Databases[0], endpoint)
}

func newCluster(t testing.TB, s *server.Server, database, endpoint string) *Cluster {
	t.Helper()
	c := &Cluster{Server: s, Database: database, Endpoint: endpoint, t: t, folder: fmt.Sprintf("%s-%d/", database, os.Getpid())}
	c.Stage = "s3://" + bucket + "/" + c.folder + "stage"
	c.client = s3.NewFromConfig(awstest.Config(t, endpoint), func(o *s3.Options) { o.UsePathStyle = true })
	c.makeBuckets()
	c.makeFolder()
	clusters.Store(database, c)
	t.Cleanup(func() { clusters.Delete(database) })
	return c
}

func options(endpoint string, o server.Options) server.Options {
	o.OnStatement = note
	o.Load = load.Options{
		Endpoint: endpoint, Region: awstest.Region, DeniedBuckets: []string{DeniedBucket}, RefusedRoles: []string{RefusedRole},
		Credentials: credentials.NewStaticCredentialsProvider(awstest.AccessKey, awstest.SecretKey, ""),
	}
	return o
}

// note keeps a statement of a sink.
func note(r server.Request) {
	if r.Application != application {
		return
	}
	sent.add(r.SQL)
	if c, ok := clusters.Load(r.Database); ok {
		c.(*Cluster).note(r)
	}
}

func (c *Cluster) note(r server.Request) {
	c.mu.Lock()
	c.requests = append(c.requests, r)
	listener := c.listener
	c.mu.Unlock()
	if listener != nil {
		listener(r)
	}
}

// OnStatement has f called before each statement of a sink runs; nil = no more. Faults that it
// injects are for this statement already. Sessions may call it at the same time.
func (c *Cluster) OnStatement(f func(server.Request)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listener = f
}

// Statements returns those that sinks have sent to the database so far, in their order.
func (c *Cluster) Statements() []server.Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.requests)
}

// TakeStatements returns them, and forgets them.
func (c *Cluster) TakeStatements() []server.Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.requests
	c.requests = nil
	return taken
}

// DSN is the connection string of the database for its superuser.
func (c *Cluster) DSN() string { return c.Server.DSN(c.Database) }

// UserDSN is the connection string for a user, who is there or is made by CREATE USER.
func (c *Cluster) UserDSN(user string) string { return c.Server.UserDSN(c.Database, user) }

// Schema returns the name of a schema that nobody else uses. It is not made.
func (c *Cluster) Schema() string { return fmt.Sprintf("s%d", c.schemas.Add(1)) }

// Inject adds faults to statements in the database, and to logins of the whole server.
func (c *Cluster) Inject(rules ...faults.Rule) {
	c.t.Helper()
	for _, rule := range rules {
		rule.Database = c.Database
		if rule.Kind == faults.Throttle || rule.Kind == faults.Expired {
			rule.Database = ""
		}
		if err := c.Server.Inject(rule); err != nil {
			c.t.Error(err)
		}
	}
}

// Pending returns the faults of the database that have not happened yet.
func (c *Cluster) Pending() []faults.Rule {
	return slices.DeleteFunc(c.Server.Faults().Pending(), func(r faults.Rule) bool { return r.Database != c.Database })
}

func skip(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, pgserver.ErrNone) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}
