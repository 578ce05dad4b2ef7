package jobs

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/starlift-etl/starlift/pipeline/awstest"
)

// cloud is the services that a test's pipelines run against: each another server, which the
// SDK's own variables lead to.
type cloud struct {
	t        *testing.T
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
	tables, objects := awstest.MiniStack(t), awstest.S3(t)
	account := wrap(tables.Endpoint)
	env := []string{
		"AWS_ENDPOINT_URL_S3=" + wrap(objects.Endpoint),
		"AWS_ENDPOINT_URL_DYNAMODB=" + account, "AWS_ENDPOINT_URL_STS=" + account,
	}
	return &cloud{
		t: t, env: env,
		dynamodb: dynamodb.NewFromConfig(tables.Config()),
		s3:       s3.NewFromConfig(objects.Config(), func(o *s3.Options) { o.UsePathStyle = true }),
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
