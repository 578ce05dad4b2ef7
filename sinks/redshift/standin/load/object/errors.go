package object

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/load/failure"
)

// call is what a failure interrupted. Its values are the locations that clusters show.
type call string

const (
	listing call = "s3_utility.cpp:395"
	reading call = "table_s3_scanner.cpp:354"
	writing call = "s3_unloader.cpp:200"
)

// words are S3's own messages by code: servers of tests have others.
var words = map[string]struct {
	message string
	status  int
}{
	"AccessDenied":          {"Access Denied", http.StatusForbidden},
	"NoSuchKey":             {"The specified key does not exist.", http.StatusNotFound},
	"NoSuchBucket":          {"The specified bucket does not exist", http.StatusNotFound},
	"InvalidAccessKeyId":    {"The AWS Access Key Id you provided does not exist in our records.", http.StatusForbidden},
	"SignatureDoesNotMatch": {"The request signature we calculated does not match the signature you provided. Check your key and signing method.", http.StatusForbidden},
}

// NotFound tells whether an error of the store says that an object is not there.
func NotFound(err error) bool {
	var refused *serviceError
	return errors.As(err, &refused) && refused.code == "NoSuchKey"
}

// serviceError keeps S3's code beside the error that a client sees.
type serviceError struct {
	*pgconn.PgError
	code string
}

func (e *serviceError) Unwrap() error { return e.PgError }

// Reword returns the error with its message made another, as a manifest's that cannot be
// read.
func Reword(err error, with func(message string) string, query int64) error {
	var refused *serviceError
	if !errors.As(err, &refused) {
		return err
	}
	return failure.Block{
		Message: with(refused.Message), Code: 8001, Query: query,
		Location: "s3_utility.cpp:284", Process: "padbmaster [pid=12345]",
	}.Error()
}

func (s *Store) denied(bucket, where string) error {
	if slices.Contains(s.options.Denied, bucket) {
		return s.refused("AccessDenied", "", 0, where, reading)
	}
	return nil
}

func (s *Store) refused(code, message string, status int, where string, at call) error {
	if known, ok := words[code]; ok {
		message, status = known.message, known.status
	}
	block := failure.Block{
		Message: fmt.Sprintf("S3ServiceException:%s,Status %d,Error %s,Rid 0A1B2C3D4E5F6071,ExtRid none,CanRetry 1", message, status, code),
		Code:    8001, Context: where, Query: s.options.Query,
		Location: string(at), Process: "query0_30 [pid=17220]",
	}
	return &serviceError{block.Error(), code}
}

// failure tells an error of a call in Redshift's words.
func (s *Store) failure(ctx context.Context, err error, where string, at call) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	status := 0
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		status = response.HTTPStatusCode()
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		return s.refused(api.ErrorCode(), api.ErrorMessage(), status, where, at)
	}
	return failure.Block{
		Message: fmt.Sprintf("S3CurlException: %v, CurlError 7, multiCurlError 0, CanRetry 1, UserError 0", err),
		Code:    9001, Context: where, Query: s.options.Query,
		Location: string(at), Process: "query0_30 [pid=17220]",
	}.Error()
}
