package jobs

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/pipeline/pgconn/pgserver"
	"github.com/starlift-etl/starlift/sinks/redshift/redshifttest"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/server"
)

const (
	iamWorkgroup = "arn:aws:redshift-serverless:eu-central-1:123456789012:workgroup/1234abcd-12ab-34cd-56ef-1234567890ab"
	notOurs      = "Redshift assumes its roles itself"
)

// redshiftPolicies has each policy of docs/redshift.md, by its heading.
var redshiftPolicies = map[string]rights{
	"Put files on the stage":               {world: iamWorld{key: iamKey, absent: true}, calls: stageCalls},
	"The role of COPY":                     {world: iamWorld{key: iamKey, absent: true}, calls: copyCalls},
	"Its trust policy":                     {elsewhere: notOurs},
	"Credentials of a cluster's user":      {calls: credentialCalls("{cluster: shop, user: loader}")},
	"Credentials of a cluster by identity": {calls: credentialCalls("{cluster: shop}")},
	"Credentials of a workgroup":           {world: iamWorld{workgroup: iamWorkgroup}, calls: credentialCalls("{workgroup: shop}")},
	"To assume the next role":              {elsewhere: notOurs},
	"The next role's trust policy":         {elsewhere: notOurs},
}

func stageCalls(t *testing.T) []*awstest.Call { return loadRedshift(t).sink.Calls() }

func copyCalls(t *testing.T) []*awstest.Call { return loadRedshift(t).cluster.Calls() }

// redshiftCalls are the calls to S3 of a pipeline and of the cluster that it loads.
type redshiftCalls struct{ sink, cluster *awstest.HTTPProxy }

// loadRedshift loads two tables, one of a file that is sent in parts, and is killed with files on
// the stage.
func loadRedshift(t *testing.T) redshiftCalls {
	t.Helper()
	objects := awstest.S3(t)
	c := redshiftCalls{awstest.NewHTTPProxy(t, objects.Endpoint), awstest.NewHTTPProxy(t, objects.Endpoint)}
	s := startStandIn(t, server.Options{Load: load.Options{
		Endpoint: c.cluster.Endpoint, Region: awstest.Region,
		Credentials: credentials.NewStaticCredentialsProvider(awstest.AccessKey, awstest.SecretKey, ""),
	}})
	cloud := &cloud{t: t, s3: s3.NewFromConfig(objects.Config(), func(o *s3.Options) { o.UsePathStyle = true }), env: []string{"AWS_ENDPOINT_URL_S3=" + c.sink.Endpoint}}
	cloud.bucket("shop-stage")
	dir := t.TempDir()
	// Texts that do not compress make a file of several parts.
	var lines strings.Builder
	noise := rand.New(rand.NewPCG(1, 1))
	for i := range 9000 {
		text := make([]byte, 750)
		for j := range text {
			text[j] = byte(noise.Uint32())
		}
		fmt.Fprintf(&lines, `{"id": %d, "kind": "large", "text": "%s"}`+"\n", i, base64.StdEncoding.EncodeToString(text))
	}
	fmt.Fprintln(&lines, `{"id": 1, "kind": "small"}`)
	write(t, filepath.Join(dir, "rows.ndjson"), []byte(lines.String()))
	write(t, filepath.Join(dir, "pipeline.yaml"), []byte(`
name: stage
state: {dir: state}
sources: {rows: {type: file, path: rows.ndjson, format: json, key: [kind, id]}}
transforms:
  items:
    type: unnest
    inputs: [rows]
    tables:
      large: {where: {kind: [large]}, key: [id], columns: {id: {type: int64}, text: {}}}
      small: {where: {kind: [small]}, key: [id], columns: {id: {type: int64}}}
sinks: {warehouse: {type: redshift, inputs: [items], dsn: "`+s.DSN("dev")+`", stage: {url: s3://shop-stage/redshift, iam_role: "`+redshifttest.Role+`", s3: {part_size: 5MiB}}}}
`))
	c.sink.Add(awstest.Fault{Effect: awstest.Reset, Operation: "s3:CompleteMultipartUpload"})
	p := start(t, dir, cloud.env, "run", "pipeline.yaml")
	asked := func(operation string) bool {
		return slices.ContainsFunc(c.sink.Calls(), func(c *awstest.Call) bool { return c.Operation == operation })
	}
	wait(t, p, func() bool { return asked("s3:CompleteMultipartUpload") })
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	p.result().want(t, -1)
	c.sink.Clear()
	cloud.starlift(dir, "run", "pipeline.yaml")
	return c
}

// startStandIn starts a stand-in of the test's own, whose calls to S3 can be seen.
func startStandIn(t *testing.T, o server.Options) *server.Server {
	t.Helper()
	s, err := server.Start(t.Context(), o)
	if errors.Is(err, pgserver.ErrNone) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// credentialCalls returns what runs a pipeline whose sink asks for temporary credentials, and gives what it
// asked.
func credentialCalls(iam string) func(t *testing.T) []*awstest.Call {
	return func(t *testing.T) []*awstest.Call {
		t.Helper()
		c := redshifttest.Start(t, server.Options{SelfSigned: true, Databases: []string{"shop"}})
		c.Exec(`CREATE USER "IAM:loader" PASSWORD DISABLE; CREATE SCHEMA dwh AUTHORIZATION "IAM:loader"`)
		proxy := awstest.NewHTTPProxy(t, temporaryCredentials(t, "IAM:loader"))
		dsn, err := url.Parse(c.DSN())
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		write(t, filepath.Join(dir, "rows.ndjson"), []byte(`{"id": "a"}`+"\n"))
		write(t, filepath.Join(dir, "pipeline.yaml"), []byte(`
name: credentials
sources: {rows: {type: file, path: rows.ndjson, format: json, key: [id]}}
transforms: {items: {type: unnest, inputs: [rows], tables: {item: {key: [id], columns: {id: {}}}}}}
sinks: {warehouse: {type: redshift, inputs: [items], dsn: "postgres://`+dsn.Host+`/shop?sslmode=require", schema: dwh, iam: `+iam+`,
  stage: {url: "`+c.Stage+`", iam_role: "`+redshifttest.Role+`", region: `+awstest.Region+`, endpoint: "`+c.Endpoint+`"}}}
`))
		env := []string{"AWS_REGION=" + iamRegion, "AWS_ENDPOINT_URL_REDSHIFT=" + proxy.Endpoint, "AWS_ENDPOINT_URL_REDSHIFT_SERVERLESS=" + proxy.Endpoint}
		start(t, dir, env, "run", "pipeline.yaml").result().want(t, exitFine)
		if rows := c.Query("SELECT id FROM dwh.item"); len(rows) != 1 {
			t.Errorf("rows: %q", rows)
		}
		return proxy.Calls()
	}
}

// temporaryCredentials starts a server that gives credentials of a user, as the three calls of AWS do.
func temporaryCredentials(t *testing.T, user string) (endpoint string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		until := time.Now().Add(15 * time.Minute)
		if r.Header.Get("X-Amz-Target") == "RedshiftServerless.GetCredentials" {
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			fmt.Fprintf(w, `{"dbUser": %q, "dbPassword": "temporary", "expiration": %d}`, user, until.Unix())
			return
		}
		fmt.Fprintf(w, `<%[1]sResponse><%[1]sResult><DbUser>%[2]s</DbUser><DbPassword>temporary</DbPassword><Expiration>%[3]s</Expiration></%[1]sResult></%[1]sResponse>`,
			r.FormValue("Action"), user, until.UTC().Format(time.RFC3339))
	}))
	t.Cleanup(s.Close)
	return s.URL
}
