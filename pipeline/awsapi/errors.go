package awsapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"github.com/starlift-etl/starlift/pipeline"
)

// The reasons of errors after which the same call may succeed.
const (
	Throttled   = "throttled"   // too many calls, or bytes
	Unavailable = "unavailable" // the service has failed
	Timeout     = "timeout"     // there was no answer, or not all of it, in time
	Connection  = "connection"  // there is no connection, or it broke
	Expired     = "expired"     // the credentials; there will be new ones
	Clock       = "clock"       // ours and the service's differ; the SDK corrects the next call
)

// throttles are codes besides those that the SDK knows.
var throttles = map[string]bool{
	"KMSThrottlingException":     true, // of Kinesis, for its key
	"ServiceUnavailable":         true, // of S3, beside SlowDown
	"Busy":                       true,
	"OperationAborted":           true, // of S3: another change of the object is on its way
	"ConditionalRequestConflict": true, // of S3, the same
}

var expired = map[string]bool{"ExpiredToken": true, "ExpiredTokenException": true, "RequestExpired": true}

var skewed = map[string]bool{"RequestTimeTooSkewed": true, "InvalidSignatureException": true, "RequestInTheFuture": true}

// advice is what to do about errors that last, by code.
var advice = map[string]string{
	"AccessDenied":                    denied,
	"AccessDeniedException":           denied,
	"AuthorizationError":              denied,
	"UnrecognizedClientException":     wrongKey,
	"InvalidClientTokenId":            wrongKey,
	"InvalidAccessKeyId":              wrongKey,
	"SignatureDoesNotMatch":           "the secret key does not belong to the access key, or something on the way changes requests",
	"AuthFailure":                     wrongKey,
	"InvalidToken":                    "the session token is not one of AWS's, or belongs to another access key",
	"IncompleteSignature":             wrongKey,
	"OptInRequired":                   "the account does not use this service or region yet",
	"SubscriptionRequiredException":   "the account does not use this service yet",
	"AuthorizationHeaderMalformed":    "the request was signed for another region: set region",
	"KMSAccessDeniedException":        "the credentials may not use the KMS key: they need kms:Decrypt for it, and its key policy has to allow them",
	"KMSDisabledException":            "the KMS key is disabled: enable it",
	"KMSInvalidStateException":        "the KMS key is not usable: it may be about to be deleted",
	"KMSNotFoundException":            "the KMS key is gone",
	"KMSOptInRequired":                "the account does not use KMS yet",
	"KMS.DisabledException":           "the KMS key is disabled: enable it",
	"KMS.KMSInvalidStateException":    "the KMS key is not usable: it may be about to be deleted",
	"KMS.NotFoundException":           "the KMS key is gone",
	"UnknownOperationException":       "the server behind the endpoint does not have this call",
	"InvalidSignatureException":       "the secret key does not belong to the access key, or the clock is wrong",
	"RequestTimeTooSkewed":            "the clock of this machine is wrong: more than 15 minutes off the service's",
	"MissingAuthenticationTokenError": wrongKey,
}

const (
	denied   = "the credentials may not do this: their policy, or that of what is asked for, has to allow it (docs/aws.md has policies)"
	wrongKey = "the access key is not one that AWS knows: it may be deleted, or of another partition"
)

// Error says what an error of the SDK means: it is marked pipeline.Retryable, with a reason,
// if the same call may succeed later, and says otherwise what to do. What is marked already
// stays as it is. An error of the caller's context is none of the service's.
func Error(ctx context.Context, err error) error {
	if err == nil || pipeline.Retryable(err) {
		return err
	}
	if ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return err
	}
	reason := reason(err)
	var api smithy.APIError
	if errors.As(err, &api) && advice[api.ErrorCode()] != "" {
		err = fmt.Errorf("%w: %s", err, advice[api.ErrorCode()])
		if reason == "" {
			return err
		}
	}
	if reason != "" {
		return pipeline.TransientFor(reason, notTheEnd(err))
	}
	if noCredentials(err) {
		return fmt.Errorf("%w: there are no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE, or give the machine, task or pod a role", err)
	}
	return err
}

// notTheEnd hides that an error is io.EOF, as that of a connection which the other side closed: to
// whoever reads something that means its end, and nothing more would be read of it.
func notTheEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &brokenConnection{err}
	}
	return err
}

// brokenConnection has no Unwrap on purpose.
type brokenConnection struct{ cause error }

func (b *brokenConnection) Error() string { return b.cause.Error() }

// reason returns why trying again may help; empty = it does not.
func reason(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		code := api.ErrorCode()
		_, throttle := retry.DefaultThrottleErrorCodes[code]
		switch {
		case throttle || throttles[code]:
			return Throttled
		case expired[code]:
			return Expired
		case skewed[code] && (code == "RequestTimeTooSkewed" || code == "RequestInTheFuture" || strings.Contains(api.ErrorMessage(), "expired")):
			return Clock
		case code == "RequestTimeout" || code == "RequestTimeoutException":
			return Timeout
		}
	}
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		switch status := response.HTTPStatusCode(); {
		case status == 429:
			return Throttled
		case status >= 500 && status != 501 && status != 505:
			return Unavailable
		}
	}
	if noCredentials(err) {
		return ""
	}
	return connectionReason(err)
}

// connectionReason is reason for errors below HTTP.
func connectionReason(err error) string {
	var dns *net.DNSError
	var op *net.OpError
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return Timeout
	case errors.As(err, &dns), errors.As(err, &op), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed),
		strings.Contains(err.Error(), "server closed idle connection"), strings.Contains(err.Error(), "malformed HTTP response"):
		return Connection
	}
	return ""
}

// noCredentials reports whether the chain has found none: asking the machine for some ends in a
// timeout then, which is no reason to try again.
func noCredentials(err error) bool {
	text := err.Error()
	return strings.Contains(text, "no EC2 IMDS role found") || strings.Contains(text, "static credentials are empty")
}

// invalidateExpired throws credentials away that a service calls expired.
func invalidateExpired(provider aws.CredentialsProvider) func(*middleware.Stack) error {
	cache, ok := provider.(interface{ Invalidate() })
	return func(s *middleware.Stack) error {
		if !ok {
			return nil
		}
		return s.Initialize.Add(middleware.InitializeMiddlewareFunc("InvalidateExpired",
			func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
				out, meta, err := next.HandleInitialize(ctx, in)
				var api smithy.APIError
				if errors.As(err, &api) && expired[api.ErrorCode()] {
					cache.Invalidate()
				}
				return out, meta, err
			}), middleware.After)
	}
}
