package redshift

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/redshift"
	"github.com/aws/aws-sdk-go-v2/service/redshiftserverless"

	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/pgconn"
)

const (
	// expiryMargin is how long before they expire credentials are no longer used: a login that
	// waits for a resume has to end before they do.
	expiryMargin = 2 * connectTimeout
	// callAttempts is how often credentials are asked for before making a connection fails.
	callAttempts = 4
	callTimeout  = 10 * time.Second
)

// temporary are credentials that end.
type temporary struct {
	user, password string
	until          time.Time // when others have to be asked for
}

// iamLogin gives the temporary credentials of one sink. It is a pgconn.Login. A password only
// matters when a connection is made: it is asked for then, and a connection that is there outlives
// it.
//
// The name of the user comes with a prefix (IAM:, IAMA:, IAMR:) and has to be used as it is.
// Sources: GetClusterCredentials and GetClusterCredentialsWithIAM of the Amazon Redshift API
// Reference, GetCredentials of the Amazon Redshift Serverless API Reference.
type iamLogin struct {
	cfg      *IAMConfig
	database string
	now      func() time.Time
	retry    awsapi.Retry

	mu   sync.Mutex
	call func(ctx context.Context) (temporary, error) // guarded by mu; nil before the first
	kept temporary                                    // guarded by mu
}

var _ pgconn.Login = (*iamLogin)(nil)

// newIAMLogin returns the login of a sink to one database.
func newIAMLogin(cfg *IAMConfig, database string) *iamLogin {
	return &iamLogin{cfg: cfg, database: database, now: time.Now, retry: awsapi.Retry{Attempts: callAttempts, Timeout: callTimeout}}
}

// Credentials implements pgconn.Login.
func (l *iamLogin) Credentials(ctx context.Context) (user, password string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.now().Before(l.kept.until) {
		return l.kept.user, l.kept.password, nil
	}
	l.kept = temporary{}
	if l.call == nil {
		if err := l.connect(ctx); err != nil {
			return "", "", fmt.Errorf("iam: %w", err)
		}
	}
	err = l.retry.Do(ctx, func(ctx context.Context) (err error) {
		l.kept, err = l.call(ctx)
		return err
	})
	if err != nil {
		return "", "", &credentialsError{fmt.Errorf("iam: temporary credentials for %s: %w", l.cfg.target(), advise(err))}
	}
	return l.kept.user, l.kept.password, nil
}

// Discard implements pgconn.Login.
func (l *iamLogin) Discard(password string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.kept.password == password { // else others have been asked for since
		l.kept = temporary{}
	}
}

// connect makes the client of the service that gives the credentials.
func (l *iamLogin) connect(ctx context.Context) error {
	cfg, err := l.cfg.Load(ctx)
	if err != nil {
		return awsapi.Error(ctx, err)
	}
	if l.cfg.Workgroup != "" {
		client := redshiftserverless.NewFromConfig(cfg, func(o *redshiftserverless.Options) {
			if endpoint := l.cfg.BaseEndpoint(); endpoint != nil {
				o.BaseEndpoint = endpoint
			}
		})
		l.call = func(ctx context.Context) (temporary, error) { return l.getCredentials(ctx, client) }
		return nil
	}
	client := redshift.NewFromConfig(cfg, func(o *redshift.Options) {
		if endpoint := l.cfg.BaseEndpoint(); endpoint != nil {
			o.BaseEndpoint = endpoint
		}
	})
	l.call = func(ctx context.Context) (temporary, error) { return l.getClusterCredentialsWithIAM(ctx, client) }
	if l.cfg.User != "" {
		l.call = func(ctx context.Context) (temporary, error) { return l.getClusterCredentials(ctx, client) }
	}
	return nil
}

func (l *iamLogin) getClusterCredentials(ctx context.Context, client *redshift.Client) (temporary, error) {
	out, err := client.GetClusterCredentials(ctx, &redshift.GetClusterCredentialsInput{
		DbUser: &l.cfg.User, AutoCreate: &l.cfg.AutoCreate, DbGroups: l.cfg.Groups, DbName: &l.database,
		ClusterIdentifier: text(l.cfg.Cluster), CustomDomainName: text(l.cfg.CustomDomain), DurationSeconds: l.seconds(),
	})
	if err != nil {
		return temporary{}, err
	}
	return newTemporary(out.DbUser, out.DbPassword, out.Expiration, nil)
}

func (l *iamLogin) getClusterCredentialsWithIAM(ctx context.Context, client *redshift.Client) (temporary, error) {
	out, err := client.GetClusterCredentialsWithIAM(ctx, &redshift.GetClusterCredentialsWithIAMInput{
		DbName: &l.database, ClusterIdentifier: text(l.cfg.Cluster), CustomDomainName: text(l.cfg.CustomDomain), DurationSeconds: l.seconds(),
	})
	if err != nil {
		return temporary{}, err
	}
	return newTemporary(out.DbUser, out.DbPassword, out.Expiration, out.NextRefreshTime)
}

func (l *iamLogin) getCredentials(ctx context.Context, client *redshiftserverless.Client) (temporary, error) {
	out, err := client.GetCredentials(ctx, &redshiftserverless.GetCredentialsInput{
		DbName: &l.database, WorkgroupName: &l.cfg.Workgroup, DurationSeconds: l.seconds(),
	})
	if err != nil {
		return temporary{}, err
	}
	return newTemporary(out.DbUser, out.DbPassword, out.Expiration, out.NextRefreshTime)
}

// newTemporary returns the credentials of an answer. Those that do not say when they expire are used
// once.
func newTemporary(user, password *string, expiration, refresh *time.Time) (temporary, error) {
	if aws.ToString(user) == "" || aws.ToString(password) == "" {
		return temporary{}, errors.New("the answer has no user or no password")
	}
	t := temporary{user: *user, password: *password}
	if expiration != nil {
		t.until = expiration.Add(-expiryMargin)
	}
	if refresh != nil && refresh.Before(t.until) {
		t.until = *refresh
	}
	return t, nil
}

func (l *iamLogin) seconds() *int32 {
	return aws.Int32(int32(cmp.Or(time.Duration(l.cfg.Duration), leastDuration) / time.Second))
}

// text returns a text that may be left out of a call.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// target names whose credentials are asked for.
func (c *IAMConfig) target() string {
	switch {
	case c.Workgroup != "":
		return fmt.Sprintf("workgroup %q", c.Workgroup)
	case c.CustomDomain != "":
		return fmt.Sprintf("the cluster of the custom domain %q", c.CustomDomain)
	}
	return fmt.Sprintf("cluster %q", c.Cluster)
}

// advise says what to do about errors that only these services have.
func advise(err error) error {
	for code, advice := range map[string]string{
		"ClusterNotFound":         "there is none of this name in the account and region of the credentials: see cluster, region and assume_role",
		"UnsupportedOperation":    "the cluster does not give temporary credentials by this call",
		"ResourceNotFound":        "there is none of this name in the account and region of the credentials: see workgroup, region and assume_role",
		"CustomDomainAssociation": "no cluster has this custom domain name: see custom_domain and region",
	} {
		if strings.Contains(errorCode(err), code) {
			return fmt.Errorf("%w: %s", err, advice)
		}
	}
	return err
}

func errorCode(err error) string {
	var api interface{ ErrorCode() string }
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// credentialsError is why there are no temporary credentials. The network that it may speak of is the
// way to AWS's API, and not the one to the database.
type credentialsError struct{ error }

// Unwrap returns the API's error.
func (e *credentialsError) Unwrap() error { return e.error }
