package redshifttest

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// makeBuckets makes the buckets, if another test has not.
func (c *Cluster) makeBuckets() {
	c.t.Helper()
	for _, name := range []string{bucket, DeniedBucket} {
		_, err := c.client.CreateBucket(c.t.Context(), &s3.CreateBucketInput{Bucket: aws.String(name)})
		var exists *types.BucketAlreadyExists
		var ours *types.BucketAlreadyOwnedByYou
		if err != nil && !errors.As(err, &exists) && !errors.As(err, &ours) {
			c.t.Fatal(err)
		}
	}
}

// makeFolder makes the folder of the stage as consoles make one: an object whose key ends
// with a slash. Without it the server, which keeps objects as files, removes the folder
// with the last object below it, and refuses what another puts there meanwhile.
func (c *Cluster) makeFolder() {
	c.t.Helper()
	c.PutObject("", nil)
}

// S3 is a client of the S3, and Bucket the bucket of Stage.
func (c *Cluster) S3() (client *s3.Client, bucketName string) { return c.client, bucket }

// Objects returns the keys of the objects that are on the stage, below Stage, by name.
func (c *Cluster) Objects() []string {
	c.t.Helper()
	prefix := c.folder + "stage/"
	pages := s3.NewListObjectsV2Paginator(c.client, &s3.ListObjectsV2Input{Bucket: aws.String(bucket), Prefix: &prefix})
	var keys []string
	for pages.HasMorePages() {
		page, err := pages.NextPage(c.t.Context())
		if err != nil {
			c.t.Fatal(err)
		}
		for i := range page.Contents {
			if key := strings.TrimPrefix(*page.Contents[i].Key, prefix); key != "" { // the folder itself
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// Object returns the content of an object on the stage.
func (c *Cluster) Object(key string) []byte {
	c.t.Helper()
	out, err := c.client.GetObject(c.t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(c.folder + "stage/" + key)})
	if err != nil {
		c.t.Fatal(err)
	}
	defer out.Body.Close()
	data, err := io.ReadAll(out.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return data
}

// PutObject writes an object on the stage.
func (c *Cluster) PutObject(key string, data []byte) {
	c.t.Helper()
	_, err := c.client.PutObject(c.t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(c.folder + "stage/" + key), Body: bytes.NewReader(data)})
	if err != nil {
		c.t.Fatal(err)
	}
}

// RemoveObject removes an object from the stage.
func (c *Cluster) RemoveObject(key string) {
	c.t.Helper()
	_, err := c.client.DeleteObject(c.t.Context(), &s3.DeleteObjectInput{Bucket: aws.String(bucket), Key: aws.String(c.folder + "stage/" + key)})
	if err != nil {
		c.t.Fatal(err)
	}
}
