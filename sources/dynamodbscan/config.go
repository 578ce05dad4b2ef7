package dynamodbscan

import "github.com/starlift-etl/starlift/pipeline/awsapi"

// Config is a scan of a DynamoDB table in a pipeline file.
type Config struct {
	Table        string `yaml:"table" required:"true" change:"identity" desc:"The name of the table, or its ARN. The logical table is its name."`
	Segments     int    `yaml:"segments" min:"1" max:"1000000" change:"identity" desc:"In how many segments the table is scanned side by side. Left out = one for each GB of the table, 1 to 64."`
	ReadCapacity int    `yaml:"read_capacity" default:"100" min:"1" max:"1000000" change:"free" desc:"How many read capacity units a second the scan may use, on average. A consistent read uses one for each 4 KB."`
	awsapi.Config
}
