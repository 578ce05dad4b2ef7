package dynamodbexport

import (
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/blob/bloburl"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// Config is a source of exports in a pipeline file.
type Config struct {
	URL      string        `yaml:"url" required:"true" change:"free" desc:"A prefix of S3, as s3://bucket/exports, below which the exports of one table are, at any depth; they are read in the order of time. Or a folder."`
	Table    string        `yaml:"table" change:"identity" desc:"The name of the table, or its ARN. The logical table is its name. Left out = the one that the exports name."`
	Key      []string      `yaml:"key" change:"identity" desc:"The attributes of the table's primary key. Left out = those that another source of the table knows, or that DynamoDB tells where it is asked for exports."`
	Every    spec.Duration `yaml:"every" min:"15m" max:"24h" change:"free" desc:"Go on for ever: after the exports that are there, ask DynamoDB for an incremental export of each time as long as this, and read it. The table needs point-in-time recovery. Left out = read what is there once."`
	DynamoDB awsapi.Config `yaml:"dynamodb" change:"free" desc:"How DynamoDB is reached where exports are asked for. The keys beside url are for S3."`
	bloburl.ReaderConfig
}
