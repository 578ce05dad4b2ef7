package redshift

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/pgconn"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// hush keeps libpq's variables of the machine out of a test.
func hush(t *testing.T) {
	t.Helper()
	for _, variable := range []string{"PGPORT", "PGSSLMODE", "PGSERVICE", "PGPASSWORD", "PGUSER", "PGDATABASE", "PGOPTIONS", "PGTZ", "PGHOST"} {
		t.Setenv(variable, "") // puts it back at the end
		if err := os.Unsetenv(variable); err != nil {
			t.Fatal(err)
		}
	}
}

// mistakesOf returns the paths and messages of an error that joins *spec.FieldErrors.
func mistakesOf(t *testing.T, err error) (all []string) {
	t.Helper()
	var joined interface{ Unwrap() []error }
	var field *spec.FieldError
	switch {
	case err == nil:
	case errors.As(err, &joined):
		for _, e := range joined.Unwrap() {
			all = append(all, mistakesOf(t, e)...)
		}
	case errors.As(err, &field):
		all = append(all, strings.Join(field.Path, ".")+": "+field.Message)
	default:
		t.Errorf("not a mistake in a field: %v", err)
	}
	return all
}

func TestAccessMistakes(t *testing.T) {
	hush(t)
	const host = "postgres://u@c.abc.eu-central-1.redshift.amazonaws.com/dev"
	for name, tc := range map[string]struct {
		dsn  string
		iam  *IAMConfig
		want []string // beginnings
	}{
		"a password":                    {"postgres://u:p@h/dev", nil, nil},
		"no database":                   {"postgres://u:p@h", nil, []string{"dsn: dsn names no database"}},
		"libpq's keepalive":             {"postgres://u:p@h/dev?keepalives=1", nil, []string{"dsn: dsn has keepalives, which is no keyword"}},
		"parameters":                    {"postgres://u:p@h/dev?application_name=x&query_group=y&TimeZone=UTC", nil, nil},
		"user of a cluster":             {host, &IAMConfig{Cluster: "c", User: "loader", AutoCreate: true, Groups: []string{"etl"}}, nil},
		"groups of a user who is there": {host, &IAMConfig{Cluster: "c", User: "loader", Groups: []string{"etl"}}, nil},
		"identity":                      {host, &IAMConfig{Cluster: "c"}, nil},
		"workgroup":                     {host, &IAMConfig{Workgroup: "wgr"}, nil},
		"custom domain":                 {host, &IAMConfig{CustomDomain: "dwh.example.com", User: "u"}, nil},
		"nothing":                       {host, &IAMConfig{}, []string{"iam: iam names nothing"}},
		"both":                          {host, &IAMConfig{Cluster: "c", Workgroup: "wgr"}, []string{"iam.workgroup: cluster and workgroup name one thing each"}},
		"all three":                     {host, &IAMConfig{Cluster: "c", Workgroup: "wgr", CustomDomain: "d.e"}, []string{"iam.workgroup: cluster and workgroup and custom_domain name"}},
		"a host as cluster":             {host, &IAMConfig{Cluster: "c.abc.eu-central-1.redshift.amazonaws.com"}, []string{"iam.cluster: the identifier of a cluster"}},
		"a short workgroup":             {host, &IAMConfig{Workgroup: "wg"}, []string{"iam.workgroup: the name of a workgroup is 3 to 64"}},
		"groups without user":           {host, &IAMConfig{Cluster: "c", Groups: []string{"etl"}}, []string{"iam.user: auto_create and groups are about user"}},
		"user with workgroup":           {host, &IAMConfig{Workgroup: "wgr", User: "u"}, []string{"iam.user: a workgroup gives credentials of the caller's own"}},
		"a prefixed user":               {host, &IAMConfig{Cluster: "c", User: "IAM:u"}, []string{"iam.user: the name of a user"}},
		"PUBLIC":                        {host, &IAMConfig{Cluster: "c", User: "Public"}, []string{"iam.user: the name of a user"}},
		"a short time":                  {host, &IAMConfig{Cluster: "c", Duration: spec.Duration(14 * time.Minute)}, []string{"iam.duration: temporary credentials last 15m to 1h"}},
		"a long time":                   {host, &IAMConfig{Cluster: "c", Duration: spec.Duration(61 * time.Minute)}, []string{"iam.duration: temporary credentials last 15m to 1h"}},
		"a password with iam":           {"postgres://u:p@h/dev", &IAMConfig{Cluster: "c"}, []string{"dsn: dsn has a password, and iam brings one"}},
		"no TLS with iam":               {"postgres://u@h/dev?sslmode=prefer", &IAMConfig{Cluster: "c"}, []string{"dsn: temporary credentials are sent by TLS only"}},
		"unchecked TLS with iam":        {"host=h user=u dbname=dev sslmode=require", &IAMConfig{Cluster: "c"}, nil},
		"all at once": {"host=h user=u password=p sslmode=disable dbname=dev", &IAMConfig{Workgroup: "wgr", User: "u/v", Groups: []string{"A"}, Duration: 1,
			Config: awsapi.Config{Endpoint: "there", AssumeRole: awsapi.AssumeRole{ARN: "x"}}}, []string{
			"dsn: dsn has a password", "dsn: temporary credentials", "iam.assume_role.arn: ", "iam.duration: ", "iam.endpoint: ", `iam.groups: group "A"`, "iam.user: a workgroup"}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Config{DSN: tc.dsn, IAM: tc.iam}
			_, err := cfg.access()
			got := mistakesOf(t, err)
			slices.Sort(got)
			if !slices.EqualFunc(got, tc.want, strings.HasPrefix) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tc.want, "\n"))
			}
		})
	}
}

// TestAccessDefaults: what a DSN leaves out is Redshift's, and with iam the server's
// certificate is checked.
func TestAccessDefaults(t *testing.T) {
	hush(t)
	for _, tc := range []struct {
		dsn              string
		iam              *IAMConfig
		checked, warning bool
	}{
		{"postgres://u:p@dwh.example.com/dev", nil, false, true},
		{"postgres://u:p@dwh.example.com/dev?sslmode=disable", nil, false, true},
		{"postgres://u:p@dwh.example.com/dev?sslmode=require", nil, false, false},
		{"postgres://u:p@127.0.0.1/dev", nil, false, false},
		{"postgres://u@dwh.example.com/dev", &IAMConfig{Cluster: "c"}, true, false},
		{"host=dwh.example.com dbname=dev", &IAMConfig{Workgroup: "wgr"}, true, false},
	} {
		cfg := Config{DSN: tc.dsn, IAM: tc.iam}
		server, err := cfg.access()
		if err != nil {
			t.Error(err)
			continue
		}
		if server.Port != 5439 || server.ConnectTimeout != connectTimeout || (server.Login != nil) != (tc.iam != nil) {
			t.Errorf("%s: port %d, %v to connect, login %v", tc.dsn, server.Port, server.ConnectTimeout, server.Login)
		}
		if checked := server.TLSConfig != nil && !server.TLSConfig.InsecureSkipVerify; checked != tc.checked {
			t.Errorf("%s: certificate checked: %v", tc.dsn, checked)
		}
		s := &Sink{db: &database{client: &pgconn.Client{Config: server}}}
		if got := len(s.Warnings()) > 0; got != tc.warning {
			t.Errorf("%s: warnings %v", tc.dsn, s.Warnings())
		}
	}
}

func TestRegionOfHost(t *testing.T) {
	for host, want := range map[string]string{
		"examplecluster.abc123xyz789.us-west-2.redshift.amazonaws.com":                  "us-west-2",
		"default.123456789012.eu-central-1.redshift-serverless.amazonaws.com":           "eu-central-1",
		"wg-endpoint-abc.123456789012.us-gov-west-1.redshift-serverless.amazonaws.com.": "us-gov-west-1",
		"Cluster.abc.cn-north-1.redshift.amazonaws.com.cn":                              "cn-north-1",
		"dwh.example.com": "", "127.0.0.1": "", "a.b.c.redshift.amazonaws.com.example.com": "",
	} {
		if got := regionOfHost(host); got != want {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
}
