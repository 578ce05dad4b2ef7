package jobs

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/starlift-etl/starlift/pipeline/awstest"
)

// cloud is the services that a test's pipelines run against: each another server, which the
// SDK's own variables lead to.
type cloud struct {
	t        *testing.T
	kinesis  *kinesis.Client
	dynamodb *dynamodb.Client
	s3       *s3.Client
	env      []string
}

// newCloud starts the services. wrap may put a proxy before each; nil = none.
func newCloud(t *testing.T, wrap func(endpoint string) string) *cloud {
	t.Helper()
	if wrap == nil {
		wrap = func(endpoint string) string { return endpoint }
	}
	streams, tables, objects := awstest.Kinesis(t), awstest.MiniStack(t), awstest.S3(t)
	account := wrap(tables.Endpoint)
	env := []string{
		"AWS_ENDPOINT_URL_KINESIS=" + wrap(streams.Endpoint), "AWS_ENDPOINT_URL_S3=" + wrap(objects.Endpoint),
		"AWS_ENDPOINT_URL_DYNAMODB=" + account, "AWS_ENDPOINT_URL_STS=" + account,
	}
	return &cloud{
		t: t, env: env,
		kinesis: kinesis.NewFromConfig(streams.Config()), dynamodb: dynamodb.NewFromConfig(tables.Config()),
		s3: s3.NewFromConfig(objects.Config(), func(o *s3.Options) { o.UsePathStyle = true }),
	}
}

// stream makes a stream, and returns when it can be used.
func (c *cloud) stream(name string, shards int32) {
	c.t.Helper()
	if _, err := c.kinesis.CreateStream(c.t.Context(), &kinesis.CreateStreamInput{StreamName: &name, ShardCount: &shards}); err != nil {
		c.t.Fatal(err)
	}
	wait := kinesis.NewStreamExistsWaiter(c.kinesis, func(o *kinesis.StreamExistsWaiterOptions) { o.MinDelay = 10 * time.Millisecond })
	if err := wait.Wait(c.t.Context(), &kinesis.DescribeStreamInput{StreamName: &name}, time.Minute); err != nil {
		c.t.Fatal(err)
	}
}

// table makes a table whose items one text identifies.
func (c *cloud) table(name, key string) {
	c.t.Helper()
	_, err := c.dynamodb.CreateTable(c.t.Context(), &dynamodb.CreateTableInput{
		TableName: &name, BillingMode: dtypes.BillingModePayPerRequest,
		KeySchema:            []dtypes.KeySchemaElement{{AttributeName: &key, KeyType: dtypes.KeyTypeHash}},
		AttributeDefinitions: []dtypes.AttributeDefinition{{AttributeName: &key, AttributeType: dtypes.ScalarAttributeTypeS}},
	})
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *cloud) bucket(name string) {
	c.t.Helper()
	if _, err := c.s3.CreateBucket(c.t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		c.t.Fatal(err)
	}
}

// starlift runs a command of the program to its end, which has to be a good one.
func (c *cloud) starlift(dir string, args ...string) {
	c.t.Helper()
	start(c.t, dir, c.env, args...).result().want(c.t, exitFine)
}

// mirror copies what a bucket has below a prefix into a folder, but for what is there.
func (c *cloud) mirror(bucket, prefix, dir string) {
	c.t.Helper()
	pages := s3.NewListObjectsV2Paginator(c.s3, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(c.t.Context())
		if err != nil {
			c.t.Fatal(err)
		}
		for _, o := range page.Contents {
			if err := c.fetch(bucket, aws.ToString(o.Key), filepath.Join(dir, aws.ToString(o.Key))); err != nil {
				c.t.Fatal(err)
			}
		}
	}
}

func (c *cloud) fetch(bucket, key, path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	object, err := c.s3.GetObject(context.WithoutCancel(c.t.Context()), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return fmt.Errorf("object %s: %w", key, err)
	}
	defer object.Body.Close()
	content, err := io.ReadAll(object.Body)
	if err != nil {
		return fmt.Errorf("object %s: %w", key, err)
	}
	return os.WriteFile(path, content, 0o600)
}
