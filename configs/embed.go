// Package configs holds the example pipelines and their sample data, and
// embeds what the demo needs.
package configs

import "embed"

// Names in Demo.
const (
	DemoPipeline = "quickstart.yaml"
	DemoData     = "data/shop.ndjson.gz"
)

// Demo holds the pipeline file and the sample of the demo.
//
//go:embed quickstart.yaml data/shop.ndjson.gz
var Demo embed.FS
