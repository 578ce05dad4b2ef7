package object

import (
	"context"
	"io"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Options say where S3 is.
type Options struct {
	Endpoint, Region string // an empty endpoint is AWS's own
	Credentials      aws.CredentialsProvider
	HTTP             s3.HTTPClient
	// Denied are buckets that answer with 403.
	Denied []string
	// Query is the number of the statement that the calls are for.
	Query int64
}

// Store is S3 as one statement sees it.
type Store struct {
	client  *s3.Client
	options Options
}

// New returns a store; nothing is opened.
func New(o Options) *Store {
	client := s3.New(s3.Options{
		Region: o.Region, Credentials: o.Credentials, UsePathStyle: true, HTTPClient: o.HTTP,
		// Not every server of tests knows the checksums that the SDK adds by itself.
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	}, func(s *s3.Options) {
		if o.Endpoint != "" {
			s.BaseEndpoint = aws.String(o.Endpoint)
		}
	})
	return &Store{client: client, options: o}
}

// Info is an object that a listing gave.
type Info struct {
	Path
	Size int64
}

// List returns the objects whose keys begin with the path's, in the order of their keys.
// The error is a *pgconn.PgError, but for the context's own; so are those of all methods.
func (s *Store) List(ctx context.Context, at Path) ([]Info, error) {
	where := "Listing bucket=" + at.Bucket + " prefix=" + at.Key
	if err := s.denied(at.Bucket, where); err != nil {
		return nil, err
	}
	var found []Info
	pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{Bucket: &at.Bucket, Prefix: &at.Key})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, s.failure(ctx, err, where, listing)
		}
		for _, o := range page.Contents {
			found = append(found, Info{Path{at.Bucket, aws.ToString(o.Key)}, aws.ToInt64(o.Size)})
		}
	}
	slices.SortFunc(found, func(a, b Info) int {
		if a.Key < b.Key {
			return -1
		}
		return 1
	})
	return found, nil
}

// Open reads an object from its beginning. The size is the whole object's.
func (s *Store) Open(ctx context.Context, at Path) (io.ReadCloser, int64, error) {
	where := "S3 key being read : " + at.String()
	if err := s.denied(at.Bucket, where); err != nil {
		return nil, 0, err
	}
	if at.Key == "" {
		return nil, 0, s.refused("NoSuchKey", "", 0, where, reading)
	}
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &at.Bucket, Key: &at.Key})
	if err != nil {
		return nil, 0, s.failure(ctx, err, where, reading)
	}
	return &body{ReadCloser: out.Body, fail: func(err error) error { return s.failure(ctx, err, where, reading) }}, aws.ToInt64(out.ContentLength), nil
}

// body tells what goes wrong while an object is read as the store's other errors.
type body struct {
	io.ReadCloser
	fail func(error) error
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = b.fail(err)
	}
	return n, err
}

// Put makes an object, or replaces it.
func (s *Store) Put(ctx context.Context, at Path, content io.ReadSeeker, size int64) error {
	where := "S3 key being written : " + at.String()
	if err := s.denied(at.Bucket, where); err != nil {
		return err
	}
	_, err := s.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &at.Bucket, Key: &at.Key, Body: content, ContentLength: &size,
	})
	if err != nil {
		return s.failure(ctx, err, where, writing)
	}
	return nil
}

// Delete removes objects of one bucket.
func (s *Store) Delete(ctx context.Context, bucket string, keys []string) error {
	for some := range slices.Chunk(keys, 1000) {
		objects := make([]types.ObjectIdentifier, len(some))
		for i := range some {
			objects[i].Key = &some[i]
		}
		out, err := s.client.DeleteObjects(ctx, &s3.DeleteObjectsInput{
			Bucket: &bucket, Delete: &types.Delete{Objects: objects, Quiet: aws.Bool(true)},
		})
		where := "Deleting bucket=" + bucket
		if err != nil {
			return s.failure(ctx, err, where, writing)
		}
		if len(out.Errors) > 0 {
			e := out.Errors[0]
			return s.refused(aws.ToString(e.Code), aws.ToString(e.Message), 0, where, writing)
		}
	}
	return nil
}
