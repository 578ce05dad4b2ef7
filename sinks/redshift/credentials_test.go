package redshift

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/pgconn"
	"github.com/starlift-etl/starlift/sinks/redshift/redshifttest"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/faults"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/server"
)

// canary is a password that nobody may see.
const canary = "canary-7f3a91"

// fakeAWS gives credentials as the three services do. It has a password of its own for each call.
type fakeAWS struct {
	*httptest.Server
	user string
	// password returns that of the n-th call, from 1 on; nil = canary-n.
	password func(n int) string
	// fail answers a call in its place, if it says so; nil = never.
	fail func(n int, w http.ResponseWriter) bool
	now  time.Time

	mu       sync.Mutex
	requests []string // guarded by mu: the service that is asked, and the parameters, sorted
}

func newFakeAWS(t *testing.T) *fakeAWS {
	f := &fakeAWS{user: "IAM:loader", now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		f.mu.Lock()
		f.requests = append(f.requests, signedFor(t, r)+" "+f.parameters(t, r, string(body)))
		n := len(f.requests)
		f.mu.Unlock()
		if f.fail == nil || !f.fail(n, w) {
			f.answer(t, w, r, n)
		}
	}))
	t.Cleanup(f.Close)
	return f
}

// signedFor returns the region and service that a request's signature is for.
func signedFor(t *testing.T, r *http.Request) string {
	t.Helper()
	scope, _, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential="), ",")
	parts := strings.Split(scope, "/")
	if len(parts) != 5 || parts[0] != "test" || parts[4] != "aws4_request" || !strings.Contains(r.Header.Get("Authorization"), "Signature=") {
		t.Errorf("signed by %q", r.Header.Get("Authorization"))
		return ""
	}
	return parts[2] + "/" + parts[3]
}

func (f *fakeAWS) parameters(t *testing.T, r *http.Request, body string) string {
	t.Helper()
	var all []string
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		var in map[string]any
		if err := json.Unmarshal([]byte(body), &in); err != nil {
			t.Error(err)
		}
		for name, value := range in {
			all = append(all, fmt.Sprintf("%s=%v", name, value))
		}
		slices.Sort(all)
		return target + " " + strings.Join(all, " ")
	}
	form, err := url.ParseQuery(body)
	if err != nil {
		t.Error(err)
	}
	for name, values := range form {
		all = append(all, name+"="+strings.Join(values, ","))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func (f *fakeAWS) answer(t *testing.T, w http.ResponseWriter, r *http.Request, n int) {
	password := fmt.Sprintf("%s-%d", canary, n)
	if f.password != nil {
		password = f.password(n)
	}
	expiration := f.now.Add(15 * time.Minute)
	var err error
	if r.Header.Get("X-Amz-Target") != "" {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		err = json.NewEncoder(w).Encode(map[string]any{"dbUser": f.user, "dbPassword": password,
			"expiration": expiration.Unix(), "nextRefreshTime": f.now.Add(5 * time.Minute).Unix()})
	} else {
		action := "GetClusterCredentials"
		if strings.Contains(f.calls()[n-1], "WithIAM") {
			action += "WithIAM"
		}
		w.Header().Set("Content-Type", "text/xml")
		_, err = fmt.Fprintf(w, `<%sResponse xmlns="http://redshift.amazonaws.com/doc/2012-12-01/"><%sResult><DbUser>%s</DbUser><DbPassword>%s</DbPassword><Expiration>%s</Expiration></%sResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></%sResponse>`,
			action, action, f.user, password, expiration.Format(time.RFC3339), action, action)
	}
	if err != nil {
		t.Error(err)
	}
}

// calls returns the requests so far.
func (f *fakeAWS) calls() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.requests)
}

// login returns the login of a sink whose clock is that of the fake.
func (f *fakeAWS) login(cfg IAMConfig) *iamLogin {
	cfg.Endpoint, cfg.Region = f.URL, "eu-central-1"
	l := newIAMLogin(&cfg, "dev")
	l.now = func() time.Time { return f.now }
	l.retry.Wait = func(context.Context, time.Duration) error { return nil }
	return l
}

func mustLogIn(t *testing.T, l pgconn.Login) (user, password string) {
	t.Helper()
	user, password, err := l.Credentials(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return user, password
}

// TestCredentialCalls: what each of the three services is asked, to the parameter.
func TestCredentialCalls(t *testing.T) {
	for name, tc := range map[string]struct {
		cfg  IAMConfig
		want string
	}{
		"user": {IAMConfig{Cluster: "c1", User: "loader"},
			"eu-central-1/redshift Action=GetClusterCredentials AutoCreate=false ClusterIdentifier=c1 DbName=dev DbUser=loader DurationSeconds=900 Version=2012-12-01"},
		"all of a user": {IAMConfig{CustomDomain: "dwh.example.com", User: "loader", AutoCreate: true, Groups: []string{"etl", "bi"}, Duration: 3600e9},
			"eu-central-1/redshift Action=GetClusterCredentials AutoCreate=true CustomDomainName=dwh.example.com DbGroups.DbGroup.1=etl DbGroups.DbGroup.2=bi DbName=dev DbUser=loader DurationSeconds=3600 Version=2012-12-01"},
		"identity": {IAMConfig{Cluster: "c1"},
			"eu-central-1/redshift Action=GetClusterCredentialsWithIAM ClusterIdentifier=c1 DbName=dev DurationSeconds=900 Version=2012-12-01"},
		"workgroup": {IAMConfig{Workgroup: "wgr", Duration: 1800e9},
			"eu-central-1/redshift-serverless RedshiftServerless.GetCredentials dbName=dev durationSeconds=1800 workgroupName=wgr"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			aws := newFakeAWS(t)
			user, password := mustLogIn(t, aws.login(tc.cfg))
			if calls := aws.calls(); len(calls) != 1 || calls[0] != tc.want {
				t.Errorf("asked\n%s\nwant\n%s", strings.Join(calls, "\n"), tc.want)
			}
			if user != "IAM:loader" || password != canary+"-1" {
				t.Errorf("user %q, password %q", user, password)
			}
		})
	}
}

// TestCredentialsAreKept until shortly before they expire, or others are due, or they were refused;
// and never for another sink.
func TestCredentialsAreKept(t *testing.T) {
	for name, tc := range map[string]struct {
		cfg  IAMConfig
		last time.Duration // after which they are kept no longer
	}{
		"user":      {IAMConfig{Cluster: "c", User: "u"}, 15*time.Minute - expiryMargin},
		"workgroup": {IAMConfig{Workgroup: "wgr"}, 5 * time.Minute}, // nextRefreshTime
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			aws := newFakeAWS(t)
			start := aws.now
			l := aws.login(tc.cfg)
			asked := func(want int) {
				t.Helper()
				if _, password := mustLogIn(t, l); len(aws.calls()) != want || password != fmt.Sprintf("%s-%d", canary, want) {
					t.Errorf("after %v: asked %d times, password %q; want %d", aws.now.Sub(start), len(aws.calls()), password, want)
				}
			}
			asked(1)
			aws.now = start.Add(tc.last - time.Second)
			asked(1)
			aws.now = start.Add(tc.last)
			asked(2)
			asked(2)
			l.Discard(canary + "-1") // one that is not kept any more
			asked(2)
			l.Discard(canary + "-2")
			asked(3)
			mustLogIn(t, aws.login(tc.cfg))
			if n := len(aws.calls()); n != 4 {
				t.Errorf("another sink shares them: asked %d times", n)
			}
		})
	}
}

// TestCredentialErrors are clear, transient where time heals, and do not show what was answered.
func TestCredentialErrors(t *testing.T) {
	fault := func(status int, code, message string) func(int, http.ResponseWriter) bool {
		return func(_ int, w http.ResponseWriter) bool {
			w.WriteHeader(status)
			fmt.Fprintf(w, `<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>r</RequestId></ErrorResponse>`, code, message)
			return true
		}
	}
	broken := func(body string) func(int, http.ResponseWriter) bool {
		return func(_ int, w http.ResponseWriter) bool {
			fmt.Fprint(w, body)
			return true
		}
	}
	xml := "<GetClusterCredentialsResponse><GetClusterCredentialsResult><DbUser>u</DbUser><DbPassword>" + canary + "</DbPassword>"
	for name, tc := range map[string]struct {
		cfg    IAMConfig
		fail   func(int, http.ResponseWriter) bool
		want   string
		reason string
		calls  int
	}{
		"no cluster": {IAMConfig{Cluster: "c", User: "u"}, fault(404, "ClusterNotFound", "Cluster c not found."), `iam: temporary credentials for cluster "c": `, "", 1},
		"advice":     {IAMConfig{Cluster: "c", User: "u"}, fault(404, "ClusterNotFound", "Cluster c not found."), "there is none of this name in the account and region", "", 1},
		"denied":     {IAMConfig{Cluster: "c"}, fault(403, "AccessDenied", "not authorized"), "the credentials may not do this", "", 1},
		"throttled":  {IAMConfig{Cluster: "c"}, fault(400, "Throttling", "Rate exceeded"), "Rate exceeded", awsapi.Throttled, callAttempts},
		"outage":     {IAMConfig{Cluster: "c"}, fault(503, "ServiceUnavailable", "later"), "later", awsapi.Throttled, callAttempts},
		"broken XML": {IAMConfig{Cluster: "c", User: "u"}, broken(xml), "deserialization failed", "", 0},
		"broken time": {IAMConfig{Cluster: "c", User: "u"}, broken(xml + "<Expiration>tomorrow</Expiration></GetClusterCredentialsResult></GetClusterCredentialsResponse>"),
			"deserialization failed", "", 0},
		"broken JSON":  {IAMConfig{Workgroup: "wgr"}, broken(`{"dbUser":"u","dbPassword":"` + canary + `"`), "deserialization failed", "", 0},
		"no password":  {IAMConfig{Workgroup: "wgr"}, broken(`{"dbUser":"u"}`), "the answer has no user or no password", "", 1},
		"JSON of sort": {IAMConfig{Workgroup: "wgr"}, broken(`{"dbUser":"u","dbPassword":["` + canary + `"]}`), "deserialization failed", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			aws := newFakeAWS(t)
			aws.fail = tc.fail
			_, _, err := aws.login(tc.cfg).Credentials(t.Context())
			if err == nil || !strings.Contains(err.Error(), tc.want) || tc.reason != "" && pipeline.RetryReason(err) != tc.reason {
				t.Errorf("%v, retried for %q; want %q", err, pipeline.RetryReason(err), tc.want)
			}
			if n := len(aws.calls()); tc.calls > 0 && n != tc.calls {
				t.Errorf("asked %d times, want %d", n, tc.calls)
			}
			if strings.Contains(fmt.Sprintf("%v %+v", err, err), canary) {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}

// TestCredentialsHealWhileTheyAreAskedFor: what is over after some calls is no error.
func TestCredentialsHealWhileTheyAreAskedFor(t *testing.T) {
	aws := newFakeAWS(t)
	aws.fail = func(n int, w http.ResponseWriter) bool {
		if n < callAttempts {
			w.WriteHeader(http.StatusInternalServerError)
		}
		return n < callAttempts
	}
	if _, password := mustLogIn(t, aws.login(IAMConfig{Cluster: "c"})); password != fmt.Sprintf("%s-%d", canary, callAttempts) {
		t.Errorf("password %q", password)
	}
}

// iamClient connects to a stand-in by temporary credentials.
func iamClient(t *testing.T, c *redshifttest.Cluster, aws *fakeAWS) *pgconn.Client {
	t.Helper()
	cfg := Config{DSN: fmt.Sprintf("postgres://%s/%s?sslmode=require", c.Server.Addr(), c.Database),
		IAM: &IAMConfig{Cluster: "c", User: "loader", Config: awsapi.Config{Endpoint: aws.URL, Region: "eu-central-1"}}}
	server, err := cfg.access()
	if err != nil {
		t.Fatal(err)
	}
	client := &pgconn.Client{Config: server, OnConnect: func(context.Context, *pgconn.Conn, *pgconn.Transaction) error { return nil }}
	t.Cleanup(client.Close)
	return client
}

// TestLogin: the prefixed name is used as it is given; a password that the server refuses, or calls
// expired, is replaced once, at once; a connection that is there needs none.
func TestLogin(t *testing.T) {
	hush(t)
	c := redshifttest.Start(t, server.Options{SelfSigned: true, Passwords: map[string]string{"IAM:loader": canary, "IAMA:loader:etl": canary, "loader": "another"}})
	c.Exec("CREATE USER loader PASSWORD DISABLE")
	right := func(int) string { return canary }
	for name, tc := range map[string]struct {
		user     string
		password func(n int) string
		expired  int
		calls    int
		err      string
	}{
		"fine":           {"IAM:loader", right, 0, 1, ""},
		"made":           {"IAMA:loader:etl", right, 0, 1, ""},
		"withdrawn":      {"IAM:loader", func(n int) string { return strings.Repeat("old-", n%2) + canary }, 0, 2, ""},
		"expired":        {"IAM:loader", right, 1, 2, ""},
		"wrong":          {"IAM:loader", func(n int) string { return fmt.Sprintf("%s-%d", canary, n) }, 0, 2, "password authentication failed"},
		"always expired": {"IAM:loader", right, 2, 2, "IAM Authentication token has expired"},
	} {
		t.Run(name, func(t *testing.T) {
			aws := newFakeAWS(t)
			aws.user, aws.password, aws.now = tc.user, tc.password, time.Now()
			client := iamClient(t, c, aws)
			if tc.expired > 0 {
				c.Inject(faults.Rule{Kind: faults.Expired, Count: tc.expired})
			}
			ask := func(ctx context.Context, c *pgconn.Conn) error {
				rows, err := c.Query(ctx, "SELECT current_user")
				if err == nil && rows[0][0] != "loader" {
					err = fmt.Errorf("connected as %s", rows[0][0])
				}
				return err
			}
			err := client.Do(t.Context(), ask)
			if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%v, want %q", err, tc.err)
			}
			if err == nil {
				err = client.Do(t.Context(), ask)
			}
			if n := len(aws.calls()); n != tc.calls {
				t.Errorf("asked %d times, want %d: %v", n, tc.calls, err)
			}
			if err != nil && strings.Contains(err.Error(), canary) {
				t.Errorf("the error shows the password: %v", err)
			}
			if left := c.Server.Faults().Pending(); len(left) > 0 {
				t.Errorf("%d faults did not happen", len(left))
			}
		})
	}
	t.Run("no secrets in logs", func(t *testing.T) { checkLogs(t, c) })
	t.Run("aside", func(t *testing.T) {
		aws := newFakeAWS(t)
		aws.password, aws.now = right, time.Now()
		client := iamClient(t, c, aws)
		c.Inject(faults.Rule{Kind: faults.Expired, Count: 1})
		aside, err := pgconn.ConnectAside(t.Context(), client.Config)
		if err != nil {
			t.Fatal(err)
		}
		aside.Close(t.Context())
		if n := len(aws.calls()); n != 2 {
			t.Errorf("asked %d times, want 2", n)
		}
	})
}

// checkLogs logs errors of connections with all that they hold: they name the user and the server
// at most. The cluster wants another password.
func checkLogs(t *testing.T, c *redshifttest.Cluster) {
	var out strings.Builder
	log := slog.New(slog.NewJSONHandler(&out, nil))
	for _, dsn := range []string{
		fmt.Sprintf("postgres://loader:%s@%s/%s", canary, c.Server.Addr(), c.Database),
		fmt.Sprintf("postgres://loader:%s@127.0.0.1:1/dev", canary),
		fmt.Sprintf("postgres://loader:%s@no-such-host.invalid/dev", canary),
		fmt.Sprintf("postgres://loader:%s@127.0.0.1:1/dev?sslmode=verify-full&sslrootcert=/nowhere", canary),
		fmt.Sprintf("host=127.0.0.1 password='%s", canary),
		fmt.Sprintf("postgres://loader:%%zz%s@127.0.0.1/dev", canary),
		fmt.Sprintf("postgres://loader:x@%s@127.0.0.1/dev", canary),
		fmt.Sprintf("postgres://loader:%s@127.0.0.1", canary),
	} {
		cfg := Config{DSN: dsn}
		parsed, err := cfg.access()
		if err == nil {
			var conn *pgconn.Conn
			if conn, err = pgconn.Connect(t.Context(), parsed); err == nil {
				conn.Close(t.Context())
				err = errors.New("no error")
			}
		}
		log.Error("starlift", "error", err, "details", fmt.Sprintf("%+v %v", err, pgconn.Classify(t.Context(), err)))
	}
	if strings.Contains(out.String(), canary) {
		t.Errorf("the password is in the log:\n%s", out.String())
	}
	if strings.Contains(out.String(), "no error") || strings.Count(out.String(), "\n") != 8 {
		t.Errorf("not every DSN failed:\n%s", out.String())
	}
}
