package load_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/load"
)

// TestVersity runs against an S3 that checks signatures.
func TestVersity(t *testing.T) {
	t.Parallel()
	server := awstest.S3(t)
	right := credentials.NewStaticCredentialsProvider(awstest.AccessKey, awstest.SecretKey, "")
	c := cloudAt(t, server.Endpoint, load.Options{Credentials: right, StatementKeys: true, Region: awstest.Region})
	var list [][]string
	for range 1000 {
		list = append(list, []string{"1", "a b"})
	}
	unload := load.UnloadOptions{Columns: idAndName(), Target: "s3://lake/a b+c%2Fü/", Format: load.Parquet, Manifest: true, CleanPath: true}
	for range 2 {
		if _, err := c.unload(unload, list...); err != nil {
			t.Fatal(err)
		}
	}
	wantKeys(t, c, "a b+c%2Fü/0000_part_00.parquet", "a b+c%2Fü/0001_part_00.parquet", "a b+c%2Fü/manifest")
	o := load.CopyOptions{Columns: idAndName(), Source: unload.Target + "manifest", Manifest: true, Format: load.Parquet}
	if rows, _, err := c.copy(o); err != nil || rows != strings.Repeat("1\ta b\n", 1000) {
		t.Errorf("got %d bytes, %v", len(rows), err)
	}
	o.Access = load.Access{KeyID: awstest.AccessKey, Secret: "wrong"}
	_, _, err := c.copy(o)
	wantError(t, err, "XX000", "Problem reading manifest file - S3ServiceException:The request signature we calculated does not match", "")
	o.Access, o.Source, o.Manifest = load.Access{KeyID: "nobody", Secret: "x"}, unload.Target, false
	_, _, err = c.copy(o)
	wantError(t, err, "XX000", "S3ServiceException:", "Listing bucket=lake")
	_, _, err = c.copy(load.CopyOptions{Columns: idAndName(), Source: "s3://nowhere/x"})
	wantError(t, err, "XX000", "S3ServiceException:The specified bucket does not exist,Status 404,Error NoSuchBucket", "")
	// Keys of a statement are not looked at, unless the server says so.
	own := load.New(load.Options{Endpoint: server.Endpoint, Credentials: right, TempDir: t.TempDir()})
	t.Cleanup(own.Close)
	o.Source = unload.Target + "0000"
	var rows strings.Builder
	if result, err := own.Copy(t.Context(), &o, &rows); err != nil || result.Rows != 500 {
		t.Errorf("got %+v, %v", result, err)
	}
}
