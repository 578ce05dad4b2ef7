package s3

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/blob"
)

// Options say what a Store is of. Only Bucket has to be there.
type Options struct {
	// Bucket is a name, or the ARN or alias of an access point.
	Bucket string
	// Prefix is what all keys begin with: empty, or it ends with a slash.
	Prefix string
	AWS    awsapi.Config
	S3     WriterConfig
	// Env counts requests and logs them at level debug; zero = nobody is told.
	Env pipeline.Env
	// Retry replaces how calls are made again, in tests.
	Retry awsapi.Retry
	// Stall is how long the body of an answer may bring nothing; 0 = 30 seconds.
	Stall time.Duration
	// ReadPart is the size of the parts in which objects are read; 0 = 8 MiB.
	ReadPart int64
}

// Store is a bucket, or the part of it below a prefix. It connects at the first call.
type Store struct {
	*bucket
	prefix string
}

var _ blob.Store = (*Store)(nil)

// bucket is what the stores of one bucket share.
type bucket struct {
	o        Options
	name     string
	retry    awsapi.Retry
	stall    time.Duration
	log      *slog.Logger
	requests *prometheus.CounterVec
	retries  *prometheus.CounterVec
	ahead    chan struct{} // one for each part that may be read ahead
	buffers  sync.Pool     // *[]byte for them: what is not used is given back to the system

	connecting sync.Mutex
	client     *s3.Client
	unsigned   bool // bodies go through TLS, which makes sure of them
}

// How often and how long a call is tried: about 13 seconds, after which whoever calls decides.
const (
	attempts = 8
	timeout  = 30 * time.Second
)

// New returns a store. It makes no request.
func New(o Options) *Store {
	env := o.Env
	if env.Log == nil {
		env = pipeline.NewEnv()
	}
	b := &bucket{o: o, name: o.Bucket, retry: o.Retry, stall: o.Stall, log: env.Log, ahead: make(chan struct{}, readBuffers)}
	if b.retry.Attempts == 0 {
		b.retry.Attempts = attempts
	}
	if b.stall == 0 {
		b.stall = timeout
	}
	if b.o.ReadPart == 0 {
		b.o.ReadPart = readPart
	}
	for range readBuffers {
		b.ahead <- struct{}{}
	}
	b.buffers.New = func() any {
		buffer := make([]byte, b.o.ReadPart)
		return &buffer
	}
	b.requests = env.CounterVec(prometheus.CounterOpts{Name: "starlift_s3_requests_total",
		Help: "Requests to S3, those that were made again among them, by bucket and operation: what S3 bills."}, "bucket", "operation")
	b.retries = env.CounterVec(prometheus.CounterOpts{Name: "starlift_s3_retries_total",
		Help: "Requests to S3 that failed and were made again, by bucket and reason."}, "bucket", "reason")
	return &Store{bucket: b, prefix: o.Prefix}
}

// connect returns the client.
func (b *bucket) connect(ctx context.Context) (*s3.Client, error) {
	b.connecting.Lock()
	defer b.connecting.Unlock()
	if b.client != nil {
		return b.client, nil
	}
	cfg, err := b.o.AWS.Load(ctx)
	if err != nil {
		return nil, err
	}
	b.client = s3.NewFromConfig(cfg, func(o *s3.Options) {
		if e := b.o.AWS.BaseEndpoint(); e != nil {
			o.BaseEndpoint = e
		}
		endpoint := aws.ToString(o.BaseEndpoint)
		b.unsigned = !strings.HasPrefix(endpoint, "http://")
		if o.UsePathStyle = awsapi.Local(endpoint); b.o.S3.PathStyle != nil {
			o.UsePathStyle = *b.o.S3.PathStyle
		}
		o.UseARNRegion = true
		// We send and compare checksums ourselves: of whole objects, known before they are sent.
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		o.DisableLogOutputChecksumValidationSkipped = true
		o.APIOptions = append(o.APIOptions, b.addHeaders)
	})
	return b.client, nil
}

// addHeaders adds to all requests what is the same for all.
func (b *bucket) addHeaders(s *middleware.Stack) error {
	headers := map[string]string{}
	if b.o.S3.RequestPayer != "" {
		headers["X-Amz-Request-Payer"] = b.o.S3.RequestPayer
	}
	if b.o.S3.BucketOwner != "" {
		headers["X-Amz-Expected-Bucket-Owner"] = b.o.S3.BucketOwner
	}
	if len(headers) == 0 {
		return nil
	}
	return s.Build.Add(middleware.BuildMiddlewareFunc("StoreHeaders", func(ctx context.Context, in middleware.BuildInput, next middleware.BuildHandler) (middleware.BuildOutput, middleware.Metadata, error) {
		if r, ok := in.Request.(*smithyhttp.Request); ok {
			for name, value := range headers {
				r.Header.Set(name, value)
			}
		}
		return next.HandleBuild(ctx, in)
	}), middleware.After)
}

// key returns that of an object to read; whatever somebody may have made is a name.
func (s *Store) key(name string) (string, error) {
	if key := s.prefix + name; name != "" && len(key) <= mostKeyBytes && utf8.ValidString(key) {
		return key, nil
	}
	return "", fmt.Errorf("%q is no name of an object", name)
}

// newKey returns that of an object to make or to remove: a path below the prefix.
func (s *Store) newKey(name string) (string, error) {
	if name == "." || path.Clean(name) != name || strings.HasPrefix(name, "/") || strings.HasPrefix(name+"/", "../") {
		return "", fmt.Errorf("%q is no name of an object", name)
	}
	return s.key(name)
}

// URL implements blob.Location.
func (s *Store) URL(name string) string { return "s3://" + s.name + "/" + s.prefix + name }

// PartSize implements blob.Location.
func (s *Store) PartSize(size int64) int64 { return s.o.S3.partSize(size) }

// Canonical implements blob.Location. Buckets of AWS have names that are unique in the partition,
// whatever the region and endpoint through which they are reached; those of another server
// are its own. What an access point leads to is not known.
func (s *Store) Canonical(name string) (string, error) {
	at := s.name + "/" + s.prefix + name
	endpoint := s.o.AWS.Endpoint
	for _, variable := range []string{"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"} {
		if endpoint == "" {
			endpoint = os.Getenv(variable)
		}
	}
	if !awsapi.Local(endpoint) {
		if p := partition(s.o.AWS.Region); p != "aws" {
			return p + ":s3://" + at, nil
		}
		return "s3://" + at, nil
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return "", fmt.Errorf("endpoint: %w", err)
	}
	return u.Scheme + "://" + canonicalHost(u) + "/" + at, nil
}

// canonicalHost returns a host in the one way to write it.
func canonicalHost(u *url.URL) string {
	host, port := strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")), u.Port()
	if host == "localhost" || host == "::1" {
		host = "127.0.0.1"
	}
	if port == "" || port == "80" && u.Scheme == "http" || port == "443" && u.Scheme == "https" {
		return host
	}
	return host + ":" + port
}

// partition returns the partition of AWS that a region belongs to.
func partition(region string) string {
	for _, variable := range []string{"AWS_REGION", "AWS_DEFAULT_REGION"} {
		if region == "" {
			region = os.Getenv(variable)
		}
	}
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// Around implements blob.Location: the same bucket with shorter prefixes.
func (s *Store) Around(name string) ([]blob.Store, error) {
	key, err := s.key(name)
	if err != nil {
		return nil, err
	}
	var all []blob.Store
	for prefix := strings.TrimSuffix(key, "/"); prefix != ""; {
		prefix, _ = path.Split(strings.TrimSuffix(prefix, "/"))
		all = append(all, &Store{bucket: s.bucket, prefix: prefix})
	}
	return all, nil
}

// Writable implements blob.Location. Whether an object may be made shows when one is; that there
// is such a bucket, and who we are, shows by listing what every writer has to list.
func (s *Store) Writable(ctx context.Context) error {
	err := s.call(ctx, "ListObjectsV2", "", func(ctx context.Context, c *s3.Client) error {
		_, err := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &s.name, Prefix: &s.prefix, MaxKeys: aws.Int32(1)})
		return err
	})
	if err != nil {
		return err
	}
	return s.call(ctx, "ListMultipartUploads", "", func(ctx context.Context, c *s3.Client) error {
		_, err := c.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: &s.name, Prefix: &s.prefix, MaxUploads: aws.Int32(1)})
		if code(err) == "NoSuchUpload" {
			return nil // so say servers that have never had any
		}
		return err
	})
}

// Append implements blob.Transfers: objects can't grow.
func (s *Store) Append(_ context.Context, name string) (blob.Tail, error) {
	return nil, fmt.Errorf("append to %s: %w", s.URL(name), errors.ErrUnsupported)
}

// Prune implements blob.Transfers: there are no folders.
func (s *Store) Prune(ctx context.Context, _ string) error { return ctx.Err() }
