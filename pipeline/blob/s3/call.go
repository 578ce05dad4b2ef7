package s3

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
)

// call makes a request, again where that may help. The operation has the name that AWS gives it;
// name is the object's, or what is listed.
func (s *Store) call(ctx context.Context, operation, name string, do func(ctx context.Context, c *s3.Client) error) error {
	return s.repeat(ctx, operation, name, timeout, do)
}

// slowest is the rate in bytes a second below which a transfer is given up though it moves.
const slowest = 8 << 10

// callFor is call with a body of so many bytes, which does not end because it takes long, but because it
// stands still: do says whenever bytes have moved.
func (s *Store) callFor(ctx context.Context, operation, name string, bytes int64, do func(ctx context.Context, c *s3.Client, moved func()) error) error {
	return s.repeat(ctx, operation, name, timeout+time.Duration(bytes)*time.Second/slowest, func(ctx context.Context, c *s3.Client) error {
		within, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		timer := time.AfterFunc(s.stall, func() { cancel(errStalled) })
		defer timer.Stop()
		err := do(within, c, func() { timer.Reset(s.stall) })
		if err != nil && ctx.Err() == nil && errors.Is(context.Cause(within), errStalled) {
			return pipeline.TransientFor(awsapi.Timeout, fmt.Errorf("%w: %w", errStalled, err))
		}
		return err
	})
}

// repeat makes a request until it succeeds, fails for good, or was made often enough.
func (s *Store) repeat(ctx context.Context, operation, name string, limit time.Duration, do func(ctx context.Context, c *s3.Client) error) error {
	client, err := s.connect(ctx)
	if err != nil {
		return err
	}
	r := s.retry
	if r.Timeout == 0 {
		r.Timeout = limit
	}
	r.Count = s.countRetry
	return r.Do(ctx, func(ctx context.Context) error {
		return s.attempt(ctx, operation, name, func() error { return do(ctx, client) })
	})
}

// attempt counts and logs one request, and says what its error means.
func (s *Store) attempt(ctx context.Context, operation, name string, do func() error) error {
	s.requests.WithLabelValues(s.name, operation).Inc()
	began := time.Now()
	err := s.explain(operation, name, do())
	if s.log.Enabled(ctx, slog.LevelDebug) {
		attrs := []slog.Attr{slog.String("operation", operation), slog.String("object", s.URL(name)), slog.Duration("took", time.Since(began))}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			attrs = append(attrs, slog.Any("error", err))
		}
		s.log.LogAttrs(ctx, slog.LevelDebug, "S3 request", attrs...)
	}
	return err
}

func (s *Store) countRetry(reason string) { s.retries.WithLabelValues(s.name, reason).Inc() }

// rights are the IAM actions that operations need, where the names differ
// (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html).
var rights = map[string]string{
	"HeadObject": "s3:GetObject", "ListObjectsV2": "s3:ListBucket", "ListMultipartUploads": "s3:ListBucketMultipartUploads",
	"CreateMultipartUpload": "s3:PutObject", "UploadPart": "s3:PutObject", "CompleteMultipartUpload": "s3:PutObject",
	"DeleteObjects": "s3:DeleteObject",
}

// Corrupted is why a request is made again whose body did not arrive as it was sent.
const Corrupted = "corrupted"

// explain names the object, and says what only S3's codes mean.
func (s *Store) explain(operation, name string, err error) error {
	if err == nil {
		return nil
	}
	err = fmt.Errorf("%s: %w", s.URL(name), err)
	switch code(err) {
	case "NoSuchKey", "NotFound":
		return absentError{err}
	case "NoSuchBucket":
		return fmt.Errorf("%w: there is no bucket %q: make it, or mend its name, the region or the endpoint", err, s.name)
	case "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "MovedPermanently":
		return s.wrongRegion(err)
	case "AccessDenied", "Forbidden", "AllAccessDisabled":
		return deniedError{s.denied(operation, name, err)}
	case "RequestTimeTooSkewed":
		return fmt.Errorf("%w: the clock of this machine, or that of the server, is wrong", err)
	case "InvalidObjectState":
		return fmt.Errorf("%w: it is archived: restore it, or leave it out of what is read", err)
	case "BadDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch", "IncompleteBody":
		return pipeline.TransientFor(Corrupted, err)
	case "InternalError":
		return pipeline.TransientFor(awsapi.Unavailable, err)
	case "InvalidBucketName", "InvalidBucketNameError":
		return fmt.Errorf("%w: %q can't be the name of a bucket", err, s.name)
	}
	if status(err) == 301 {
		return s.wrongRegion(err)
	}
	var api smithy.APIError
	if errors.As(err, &api) && status(err) == 400 && strings.Contains(strings.ToLower(api.ErrorMessage()), "checksum") && s.o.S3.Checksum != whenRequired {
		// Servers have many codes for it. It is only a hint.
		return fmt.Errorf("%w: a server that does not know CRC-64/NVME needs s3: {checksum: when_required}", err)
	}
	return err
}

// deniedError says that a right is missing. It is an fs.ErrPermission.
type deniedError struct{ error }

// Unwrap lets it be fs.ErrPermission, too.
func (e deniedError) Unwrap() []error { return []error{e.error, fs.ErrPermission} }

// denied says which rights are missing.
func (s *Store) denied(operation, name string, err error) error {
	action := rights[operation]
	if action == "" {
		action = "s3:" + operation
	}
	switch operation {
	case "ListObjectsV2", "ListMultipartUploads":
		return fmt.Errorf("%w: this needs %s for the bucket", err, action)
	case "HeadObject", "GetObject":
		return fmt.Errorf("%w: this needs %s for the object; without s3:ListBucket for the bucket it is also what S3 says of an object that is not there", err, action)
	}
	if len(s.o.S3.Tags) > 0 && (operation == "PutObject" || operation == "CreateMultipartUpload") {
		action += " and, for tags, s3:PutObjectTagging"
	}
	return fmt.Errorf("%w: this needs %s for %s", err, action, s.URL(name))
}

// wrongRegion names the bucket's region where the answer does.
func (s *Store) wrongRegion(err error) error {
	region := ""
	var response *awshttp.ResponseError
	if errors.As(err, &response) && response.Response != nil {
		region = response.Response.Header.Get("X-Amz-Bucket-Region")
	}
	if region == "" {
		return fmt.Errorf("%w: the bucket %q is in another region: set region to its own", err, s.name)
	}
	return fmt.Errorf("%w: the bucket %q is in region %s: set region to that", err, s.name, region)
}

// code returns the code of an error of the service, or none.
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// status returns the HTTP status of an answer that is an error; 0 = there was no answer.
func status(err error) int {
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		return response.HTTPStatusCode()
	}
	return 0
}

// absentError says in the service's words that there is no object.
type absentError struct{ error }

// Unwrap lets it be fs.ErrNotExist, too.
func (e absentError) Unwrap() []error { return []error{e.error, fs.ErrNotExist} }
