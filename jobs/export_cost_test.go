package jobs

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/starlift-etl/starlift/jobs/generate"
	"github.com/starlift-etl/starlift/pipeline/awstest"
)

var exportItems = flag.Int("export.items", 0, "how many items the export of TestExportCost has, as make bench-export wants it; 0 = it is left out")

// exportCostMax is how much more CPU an export on S3 may take than the same files on the local disk.
const exportCostMax = 1.15

// TestExportCost compares the CPU of reading an export on S3 with that of the same files on the local disk.
func TestExportCost(t *testing.T) {
	if *exportItems == 0 {
		t.Skip("it takes minutes: make bench-export")
	}
	dir := t.TempDir()
	if _, err := generate.EcommerceExport(t.Context(), filepath.Join(dir, "export"), generate.Options{Seed: 1, Records: *exportItems, Files: 16}); err != nil {
		t.Fatal(err)
	}
	objects := awstest.S3(t)
	bucket := s3.NewFromConfig(awstest.Config(t, objects.Endpoint), func(o *s3.Options) { o.UsePathStyle = true })
	if _, err := bucket.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("shop-exports")}); err != nil {
		t.Fatal(err)
	}
	putFolder(t, bucket, filepath.Join(dir, "export"), "shop-exports")
	env := append(awstest.Environ(), "AWS_ENDPOINT_URL_S3="+objects.Endpoint, "GOMAXPROCS=2")
	least := map[string]time.Duration{}
	for range 3 {
		for name, url := range map[string]string{"disk": filepath.Join(dir, "export"), "S3": "s3://shop-exports"} {
			run := t.TempDir()
			write(t, filepath.Join(run, "pipeline.yaml"), []byte(`
name: export
state: {dir: state}
sources: {shop: {type: dynamodb_export, url: "`+url+`", table: Ecommerce, key: [PK, SK], s3: {path_style: true}}}
`+customers+`
sinks: {lake: {type: parquet, inputs: [items], url: lake}}
`))
			p := startFor(t, time.Hour, run, env, "run", "pipeline.yaml")
			p.result().want(t, 0)
			cpu := p.ProcessState.UserTime() + p.ProcessState.SystemTime()
			t.Logf("%s: %s (system %s)", name, cpu, p.ProcessState.SystemTime())
			if before, known := least[name]; !known || cpu < before {
				least[name] = cpu
			}
		}
	}
	ratio := float64(least["S3"]) / float64(least["disk"])
	t.Logf("%d items: disk %s, S3 %s, %.3f times", *exportItems, least["disk"], least["S3"], ratio)
	if ratio > exportCostMax {
		t.Errorf("S3 takes %.3f times the CPU of the disk, at most %.2f", ratio, exportCostMax)
	}
}

// putFolder puts a folder's files into a bucket, in one request each, as DynamoDB does.
func putFolder(t *testing.T, client *s3.Client, dir, bucket string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		key, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		if _, err = client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: aws.String(filepath.ToSlash(key)), Body: f}); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
