package redshift

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/starlift-etl/starlift/pipeline/pgconn"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

const (
	defaultPort = "5439"
	// connectTimeout outlasts the resume of a workgroup that has paused, in which a login waits.
	connectTimeout = 90 * time.Second
	// The bounds of how long temporary credentials last, of all three calls that give some.
	leastDuration, mostDuration = 15 * time.Minute, time.Hour
)

// access reads how the database is reached, or returns all mistakes in that, as *spec.FieldErrors.
func (c *Config) access() (pgconn.Config, error) {
	defaults := pgconn.Defaults{Port: defaultPort, ConnectTimeout: connectTimeout}
	if c.IAM != nil {
		// The server's name is proved by its certificate, which is a public one
		// (https://docs.aws.amazon.com/redshift/latest/mgmt/connecting-ssl-support.html).
		defaults.SSLMode = "verify-full"
	}
	server, err := pgconn.ParseWith(c.DSN, defaults)
	errs := []error{err}
	if err == nil {
		errs = append(errs, checkServer(server)...)
	}
	if c.IAM == nil {
		return server, errors.Join(errs...)
	}
	errs = append(errs, c.IAM.check()...)
	if err == nil {
		errs = append(errs, checkServerForIAM(server)...)
	}
	if err := errors.Join(errs...); err != nil {
		return server, err
	}
	iam := *c.IAM
	if iam.Region == "" {
		iam.Region = regionOfHost(server.Host)
	}
	server.Login = newIAMLogin(&iam, server.Database)
	return server, nil
}

func dsnError(format string, args ...any) error {
	return &spec.FieldError{Path: []string{"dsn"}, Message: fmt.Sprintf(format, args...)}
}

// startupParameters are those that a connection may be made with
// (https://docs.aws.amazon.com/redshift/latest/dg/cm_chap_ConfigurationRef.html); a cluster ends
// connections that ask for others.
var startupParameters = []string{"application_name", "client_encoding", "datestyle", "extra_float_digits", "options", "query_group", "search_path", "statement_timeout", "timezone"}

func checkServer(server pgconn.Config) (errs []error) {
	if server.Database == "" {
		errs = append(errs, dsnError("dsn names no database: write it behind the host, as in postgres://user@host:%s/dev", defaultPort))
	}
	for name := range server.RuntimeParams {
		if !slices.Contains(startupParameters, strings.ToLower(name)) {
			errs = append(errs, dsnError("dsn has %s, which is no keyword that Redshift, or a connection to it, knows: leave it out", name))
		}
	}
	return errs
}

func checkServerForIAM(server pgconn.Config) (errs []error) {
	if server.Names("password") {
		errs = append(errs, dsnError("dsn has a password, and iam brings one: leave one of them out"))
	}
	if !server.Encrypted() {
		errs = append(errs, dsnError("temporary credentials are sent by TLS only: leave sslmode out of dsn, which is verify-full then, or set it to require or a stronger one"))
	}
	return errs
}

// Names that AWS takes, by the API references of the calls that give credentials.
var (
	clusterName   = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)
	workgroupName = regexp.MustCompile(`^[a-z0-9-]{3,64}$`)
	userName      = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_+.@-]{0,63}$`)
	groupName     = regexp.MustCompile(`^[a-z][a-z0-9_+.@-]{0,63}$`)
)

// check returns all mistakes, as *spec.FieldErrors.
func (c *IAMConfig) check() (errs []error) {
	wrong := func(message string, path ...string) {
		errs = append(errs, &spec.FieldError{Path: append([]string{"iam"}, path...), Message: message})
	}
	var given []string
	for _, key := range []struct{ name, value string }{{"cluster", c.Cluster}, {"workgroup", c.Workgroup}, {"custom_domain", c.CustomDomain}} {
		if key.value != "" {
			given = append(given, key.name)
		}
	}
	switch {
	case len(given) == 0:
		wrong("iam names nothing to get credentials for: give cluster, workgroup or custom_domain")
	case len(given) > 1:
		wrong(strings.Join(given, " and ")+" name one thing each to get credentials for: leave all but one out", given[1])
	case c.Cluster != "" && !clusterName.MatchString(c.Cluster):
		wrong("the identifier of a cluster is 1 to 63 small letters, digits and hyphens, the first a letter: it is not the host's name, but what that begins with", "cluster")
	case c.Workgroup != "" && !workgroupName.MatchString(c.Workgroup):
		wrong("the name of a workgroup is 3 to 64 small letters, digits and hyphens: it is not the host's name, but what that begins with", "workgroup")
	}
	switch {
	case c.User == "" && (c.AutoCreate || len(c.Groups) > 0):
		wrong("auto_create and groups are about user: give it, or leave them out (without user, the database user is that of the caller's IAM identity)", "user")
	case c.User != "" && c.Workgroup != "":
		wrong("a workgroup gives credentials of the caller's own IAM identity: leave user out", "user")
	case c.User != "" && (!userName.MatchString(c.User) || strings.EqualFold(c.User, "public")):
		wrong("the name of a user is 1 to 64 letters, digits and _+.@-, the first a letter, and not PUBLIC; without the prefix (IAM:, IAMA:) of temporary credentials", "user")
	}
	for _, group := range c.Groups {
		if !groupName.MatchString(group) {
			wrong(fmt.Sprintf("group %q: the name of a group is 1 to 64 small letters, digits and _+.@-, the first a letter", group), "groups")
		}
	}
	if d := time.Duration(c.Duration); d != 0 && (d < leastDuration || d > mostDuration || d%time.Second != 0) {
		wrong("temporary credentials last 15m to 1h, in whole seconds", "duration")
	}
	for _, err := range c.Config.Check() {
		var field *spec.FieldError
		if errors.As(err, &field) {
			field.Path = append([]string{"iam"}, field.Path...)
		}
		errs = append(errs, err)
	}
	return errs
}

var clusterHost = regexp.MustCompile(`^[^.]+\.[^.]+\.([a-z0-9-]+)\.redshift(?:-serverless)?\.amazonaws\.com(?:\.cn)?\.?$`)

// regionOfHost returns the region of the host that AWS gives a cluster or a workgroup; empty = it
// is another name.
func regionOfHost(host string) string {
	if m := clusterHost.FindStringSubmatch(strings.ToLower(host)); m != nil {
		return m[1]
	}
	return ""
}

// Warnings implements assembly's warner.
func (s *Sink) Warnings() []error { return append(s.connectWarnings(), s.stageWarnings()...) }

// connectWarnings warns of a password that others on the way could read.
func (s *Sink) connectWarnings() []error {
	server := s.db.client.Config
	if server.Login != nil || server.Encrypted() || server.IsLocal() {
		return nil
	}
	return []error{dsnError("dsn lets the password, and all rows, go without encryption: set sslmode=verify-full, or require where the server's certificate can't be checked")}
}
