package awsapi

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"

	"github.com/starlift-etl/starlift/pipeline/spec"
)

// Config is what a pipeline file says of how a service is reached. Nodes embed it.
type Config struct {
	Region     string     `yaml:"region" change:"free" desc:"The AWS region, as eu-central-1. By default that of the environment (AWS_REGION), the shared configuration or the machine."`
	Endpoint   string     `yaml:"endpoint" change:"free" desc:"The URL of the service, where it is not AWS's own for the region: a VPC endpoint, or another server that speaks the protocol."`
	AssumeRole AssumeRole `yaml:"assume_role" change:"free" desc:"A role to assume with the credentials that are there: for another account, say. What it gives is refreshed before it expires."`
}

// AssumeRole says which role is assumed; without ARN none is.
type AssumeRole struct {
	ARN         string `yaml:"arn" change:"free" desc:"The role, as arn:aws:iam::123456789012:role/reader."`
	ExternalID  string `yaml:"external_id" change:"free" desc:"What the role's trust policy wants as sts:ExternalId."`
	SessionName string `yaml:"session_name" default:"starlift" pattern:"^[A-Za-z0-9_+=,.@-]{2,64}$" form:"2 to 64 letters, digits and _+=,.@-" change:"free" desc:"How the session is called in CloudTrail."`
}

var roleARN = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$`)

// Check returns the mistakes, as spec.FieldErrors.
func (c *Config) Check() (errs []error) {
	if c.Endpoint != "" {
		if u, err := url.Parse(c.Endpoint); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			errs = append(errs, &spec.FieldError{Path: []string{"endpoint"}, Message: "the endpoint is no URL with http:// or https://, as https://kinesis.eu-central-1.amazonaws.com"})
		}
	}
	switch r := c.AssumeRole; {
	case r.ARN != "" && !roleARN.MatchString(r.ARN):
		errs = append(errs, &spec.FieldError{Path: []string{"assume_role", "arn"}, Message: "this is no ARN of a role, as arn:aws:iam::123456789012:role/reader"})
	case r.ARN == "" && r.ExternalID != "":
		errs = append(errs, &spec.FieldError{Path: []string{"assume_role"}, Message: "external_id needs arn: the role to assume"})
	}
	return errs
}

// BaseEndpoint returns the endpoint for a client's options; nil = what they have stays: it is
// AWS's own, or that of the environment (AWS_ENDPOINT_URL_KINESIS). Clients set it
// themselves: in the SDK's configuration it would be overruled by the environment,
// and would be that of other services too.
func (c *Config) BaseEndpoint() *string {
	if c.Endpoint == "" {
		return nil
	}
	return &c.Endpoint
}

const (
	dialTimeout  = 5 * time.Second
	idleTimeout  = 90 * time.Second // below that of AWS's load balancers
	idlePerHost  = 256
	expiryWindow = 2 * time.Minute
	// signingRegion signs requests for an endpoint of one's own, which rarely cares.
	signingRegion = "us-east-1"
)

// Load returns the SDK's configuration. It makes no request to the service; finding out the
// region or the role's credentials may make others. The SDK's retries are off in it, but not
// for credentials.
func (c *Config) Load(ctx context.Context) (aws.Config, error) {
	var options []func(*config.LoadOptions) error
	if c.Region != "" {
		options = append(options, config.WithRegion(c.Region))
	}
	// The SDK's own log says of failed calls what their errors say.
	options = append(options, config.WithHTTPClient(httpClient()), config.WithLogger(logging.Nop{}),
		config.WithAPIOptions([]func(*middleware.Stack) error{PlainBody})) // for those too that bring credentials
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return cfg, fmt.Errorf("AWS configuration: %w", err)
	}
	if cfg.Region == "" {
		if c.Endpoint == "" {
			return cfg, fmt.Errorf("no AWS region is known: set region in the pipeline file, or AWS_REGION in the environment")
		}
		cfg.Region = signingRegion
	}
	if role := c.AssumeRole; role.ARN != "" {
		provider := stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), role.ARN, func(o *stscreds.AssumeRoleOptions) {
			if o.RoleSessionName = role.SessionName; o.RoleSessionName == "" {
				o.RoleSessionName = "starlift"
			}
			if role.ExternalID != "" {
				o.ExternalID = aws.String(role.ExternalID)
			}
		})
		cfg.Credentials = aws.NewCredentialsCache(provider, func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = expiryWindow })
	}
	cfg.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
	cfg.APIOptions = append(cfg.APIOptions, invalidateExpired(cfg.Credentials))
	return cfg, nil
}

// httpClient returns a client that keeps connections to many shards or for many parts.
func httpClient() *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialTimeout }).
		WithTransportOptions(func(t *http.Transport) {
			t.MaxIdleConns, t.MaxIdleConnsPerHost = 0, idlePerHost
			t.IdleConnTimeout = idleTimeout
			t.TLSHandshakeTimeout = dialTimeout
		})
}

// Local reports whether an endpoint is another server than AWS's: these know buckets by
// paths only, for one.
func Local(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil || endpoint == "" {
		return false
	}
	host := u.Hostname()
	return !strings.HasSuffix(host, ".amazonaws.com") && !strings.HasSuffix(host, ".amazonaws.com.cn") && !strings.HasSuffix(host, ".api.aws")
}
