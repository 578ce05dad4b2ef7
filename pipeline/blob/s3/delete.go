package s3

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// mostDeletes is how many keys DeleteObjects takes.
const mostDeletes = 1000

// Delete implements blob.Objects. In a bucket with versions they stay, behind a mark.
func (s *Store) Delete(ctx context.Context, names ...string) error {
	keys := make([]string, len(names))
	for i, name := range names {
		var err error
		if keys[i], err = s.newKey(name); err != nil {
			return err
		}
	}
	if len(keys) == 1 {
		return s.call(ctx, "DeleteObject", names[0], func(ctx context.Context, c *s3.Client) error {
			_, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.name, Key: &keys[0]})
			if code(err) == "NoSuchKey" {
				return nil
			}
			return err
		})
	}
	for len(keys) > 0 {
		n := min(len(keys), mostDeletes)
		if err := s.deleteSome(ctx, names[0], keys[:n]); err != nil {
			return err
		}
		keys, names = keys[n:], names[n:]
	}
	return ctx.Err()
}

func (s *Store) deleteSome(ctx context.Context, name string, keys []string) error {
	in := &s3.DeleteObjectsInput{Bucket: &s.name, Delete: &types.Delete{Quiet: aws.Bool(true)}}
	for i := range keys {
		in.Delete.Objects = append(in.Delete.Objects, types.ObjectIdentifier{Key: &keys[i]})
	}
	var options []func(*s3.Options)
	if s.o.S3.Checksum == whenRequired {
		options = append(options, s3.WithAPIOptions(func(st *middleware.Stack) error { return smithyhttp.AddContentChecksumMiddleware(st) }))
	}
	return s.call(ctx, "DeleteObjects", name, func(ctx context.Context, c *s3.Client) error {
		out, err := c.DeleteObjects(ctx, in, options...)
		if err != nil {
			return err
		}
		// The answer is a success though some may be there still. They are asked for again, if
		// that may help.
		var errs []error
		for _, e := range out.Errors {
			if code := aws.ToString(e.Code); code != "NoSuchKey" {
				errs = append(errs, fmt.Errorf("object %s: %w", aws.ToString(e.Key), &smithy.GenericAPIError{Code: code, Message: aws.ToString(e.Message)}))
			}
		}
		return errors.Join(errs...)
	})
}
