// Package configs holds the example pipelines and their sample data, and
// embeds what the demo needs.
package configs

import "embed"

// Names in Demo.
const (
	DemoPipeline = "quickstart.yaml"
	DemoData     = "data/shop.ndjson.gz"
	DemoQuery    = "growth.sql"
)

// Demo holds the pipeline file, the sample and the query of the demo.
//
//go:embed quickstart.yaml data/shop.ndjson.gz growth.sql
var Demo embed.FS
