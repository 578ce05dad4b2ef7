package exportrequest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/blob/bloburl"
	"github.com/starlift-etl/starlift/sources/internal/tablename"
)

// Destination is where on S3 exports get.
type Destination struct {
	Bucket string
	Prefix string // without a slash at its end; empty = none
	// BucketOwner is the account that has the bucket, where it is not the table's; empty = it is.
	BucketOwner string
	// Encryption is that of the objects: AES256, KMS, or empty = as the bucket does.
	Encryption string
	KMSKey     string // with KMS; empty = S3's own key
}

// destinationOf returns the destination in a url, as s3://bucket/prefix. The error says what to write instead.
func destinationOf(url string) (Destination, error) {
	u, err := bloburl.ParseFolder(url)
	switch {
	case err != nil:
		return Destination{}, err
	case !u.Remote():
		return Destination{}, fmt.Errorf("DynamoDB exports to S3 only: %q is a folder of the local disk: give a prefix, as s3://bucket/exports", url)
	case strings.HasPrefix(u.Bucket, "arn:"):
		return Destination{}, fmt.Errorf("DynamoDB exports to a bucket, not to an access point: give the bucket's name, as s3://bucket/exports")
	case strings.ContainsAny(u.Key, "*?[{"):
		return Destination{}, fmt.Errorf("%q is a pattern, and an export gets to one place: give a prefix, as s3://bucket/exports", url)
	}
	return Destination{Bucket: u.Bucket, Prefix: strings.TrimSuffix(u.Key, "/")}, nil
}

// Folder returns the url below which the manifests of an export lie.
func (p Destination) Folder(arn string) string { return p.String() + "/AWSDynamoDB/" + IDOf(arn) }

// String returns the place as a url.
func (p Destination) String() string {
	if p.Prefix == "" {
		return "s3://" + p.Bucket
	}
	return "s3://" + p.Bucket + "/" + p.Prefix
}

// Options says which table is exported, and how DynamoDB is reached.
type Options struct {
	Node  string // for metrics and messages
	Table string // a name or an ARN
	AWS   awsapi.Config
	Env   pipeline.Env
	// Wait pauses between calls; nil = by the clock.
	Wait func(ctx context.Context, d time.Duration) error
}

// Client makes calls about one table. It may be used from several goroutines.
type Client struct {
	table  string
	name   string
	region string
	api    *dynamodb.Client
	retry  awsapi.Retry
	wait   func(ctx context.Context, d time.Duration) error
}

const (
	// attempts is how often a call is made before its error is returned: some two minutes.
	attempts = 15
	// callTimeout is how long an answer may take.
	callTimeout = 30 * time.Second
)

// New returns a client. It makes no call to DynamoDB.
func New(ctx context.Context, o Options) (*Client, error) {
	name, err := tablename.Parse(o.Table)
	if err != nil {
		return nil, err
	}
	o.AWS.Region = cmp.Or(o.AWS.Region, name.Region)
	cfg, err := o.AWS.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("table %s: %w", o.Table, err)
	}
	c := &Client{table: o.Table, name: name.Name, region: cfg.Region, wait: o.Wait, retry: awsapi.Retry{Attempts: attempts, Timeout: callTimeout, Wait: o.Wait}}
	if c.wait == nil {
		c.wait = awsapi.Sleep
	}
	retries := o.Env.CounterVec(prometheus.CounterOpts{Name: "starlift_export_retries_total",
		Help: "Calls about exports of a DynamoDB table that were made again."}, "node", "reason")
	c.retry.Count = func(reason string) { retries.WithLabelValues(o.Node, reason).Inc() }
	c.api = dynamodb.NewFromConfig(cfg, func(d *dynamodb.Options) {
		if e := o.AWS.BaseEndpoint(); e != nil { // else that of the environment stays
			d.BaseEndpoint = e
		}
	})
	return c, nil
}

// Table is what DynamoDB says of a table.
type Table struct {
	ARN, Name string
	ID        string   // of this table, and not of one that had the name before
	Key       []string // the attributes of the primary key: partition key, sort key
	Created   time.Time
	Items     int64 // about six hours old; so is Bytes
	Bytes     int64
}

// DescribeTable asks for the table.
func (c *Client) DescribeTable(ctx context.Context) (Table, error) {
	var out *dynamodb.DescribeTableOutput
	err := c.call(ctx, func(ctx context.Context) (err error) {
		out, err = c.api.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &c.table})
		return err
	})
	if err != nil {
		return Table{}, err
	}
	d := out.Table
	if d == nil || d.TableArn == nil {
		return Table{}, fmt.Errorf("table %s: DescribeTable tells no ARN", c.table)
	}
	t := Table{ARN: *d.TableArn, Name: aws.ToString(d.TableName), ID: aws.ToString(d.TableId), Created: aws.ToTime(d.CreationDateTime),
		Items: aws.ToInt64(d.ItemCount), Bytes: aws.ToInt64(d.TableSizeBytes)}
	for _, kind := range []types.KeyType{types.KeyTypeHash, types.KeyTypeRange} {
		for _, k := range d.KeySchema {
			if k.KeyType == kind {
				t.Key = append(t.Key, aws.ToString(k.AttributeName))
			}
		}
	}
	return t, nil
}

// Recovery is the time that exports can be made of.
type Recovery struct {
	Earliest time.Time // at most 35 days ago; when it was switched on, if that was later
	Latest   time.Time // some five minutes ago
}

// ErrNoRecovery says that a table has no point-in-time recovery, which exports are made of.
var ErrNoRecovery = errors.New("point-in-time recovery is off")

// Recovery asks for the time that exports can be made of. Where point-in-time recovery is off
// the error is an ErrNoRecovery, and says how to switch it on.
func (c *Client) Recovery(ctx context.Context) (Recovery, error) {
	var out *dynamodb.DescribeContinuousBackupsOutput
	err := c.call(ctx, func(ctx context.Context) (err error) {
		out, err = c.api.DescribeContinuousBackups(ctx, &dynamodb.DescribeContinuousBackupsInput{TableName: &c.table})
		return err
	})
	if err != nil {
		return Recovery{}, err
	}
	if out.ContinuousBackupsDescription != nil {
		if d := out.ContinuousBackupsDescription.PointInTimeRecoveryDescription; d != nil && d.PointInTimeRecoveryStatus == types.PointInTimeRecoveryStatusEnabled {
			return Recovery{aws.ToTime(d.EarliestRestorableDateTime), aws.ToTime(d.LatestRestorableDateTime)}, nil
		}
	}
	return Recovery{}, c.noRecovery()
}

func (c *Client) noRecovery() error {
	return fmt.Errorf("table %s: %w, and DynamoDB makes exports of nothing else: switch it on by "+
		"`aws dynamodb update-continuous-backups --table-name %s --region %s --point-in-time-recovery-specification PointInTimeRecoveryEnabled=true`",
		c.table, ErrNoRecovery, c.name, c.region)
}

// call makes a request until it is answered. The error names the table, and says what to do about
// one that is not there.
func (c *Client) call(ctx context.Context, request func(ctx context.Context) error) error {
	err := c.retry.Do(ctx, request)
	var noTable *types.TableNotFoundException
	var missing *types.ResourceNotFoundException
	if errors.As(err, &noTable) || errors.As(err, &missing) {
		return fmt.Errorf("table %s: there is no such table in %s: see table and region (%w)", c.table, c.region, err)
	}
	var off *types.PointInTimeRecoveryUnavailableException
	if errors.As(err, &off) {
		return c.noRecovery()
	}
	if err != nil {
		return fmt.Errorf("table %s: %w", c.table, err)
	}
	return nil
}
