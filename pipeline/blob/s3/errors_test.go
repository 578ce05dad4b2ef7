package s3

import (
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/pipeline/blob"
)

// What S3 answers, and what people are told of it. The answers are those of the API reference ("Error
// responses") and of "Troubleshoot access denied (403 Forbidden) errors".
func TestErrorsSayWhatToDo(t *testing.T) {
	denied := `User: arn:aws:iam::123456789012:user/etl is not authorized to perform: s3:GetObject on resource: "arn:aws:s3:::bucket/a" because no identity-based policy allows the s3:GetObject action`
	for _, tc := range []struct {
		status        int
		code, message string
		header        string // X-Amz-Bucket-Region
		operations    string
		want          []string
		not           error
		retryable     bool
	}{
		{301, "PermanentRedirect", "The bucket you are attempting to access must be addressed using the specified endpoint.", "eu-west-3", "list open write upload", []string{"is in region eu-west-3", "set region"}, nil, false},
		{400, "AuthorizationHeaderMalformed", "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-3'", "", "list open write upload", []string{"expecting 'eu-west-3'", "set region"}, nil, false},
		{403, "AccessDenied", denied, "", "open", []string{denied, "s3:GetObject", "s3:ListBucket", "not there"}, fs.ErrNotExist, false},
		{403, "AccessDenied", "Access Denied", "", "list", []string{"s3:ListBucket"}, nil, false},
		{403, "AccessDenied", "Access Denied", "", "write upload", []string{"s3:PutObject"}, nil, false},
		{403, "AccessDenied", "Access Denied", "", "delete", []string{"s3:DeleteObject"}, nil, false},
		{403, "AccessDenied", "Access Denied", "", "unfinished", []string{"s3:ListBucketMultipartUploads"}, nil, false},
		{403, "InvalidObjectState", "The operation is not valid for the object's storage class", "", "open", []string{"archived", "restore"}, fs.ErrNotExist, false},
		{403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.", "", "list write", []string{"clock"}, nil, true},
		{403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", "", "list open write", []string{"access key"}, fs.ErrNotExist, false},
		{403, "SignatureDoesNotMatch", "The request signature we calculated does not match", "", "list open write", []string{"secret key"}, nil, false},
		{404, "NoSuchBucket", "The specified bucket does not exist", "", "list write upload unfinished", []string{`no bucket "bucket"`}, fs.ErrNotExist, false},
		{400, "KMS.DisabledException", "arn:aws:kms:… is disabled.", "", "write open", []string{"KMS key is disabled"}, nil, false},
		{503, "SlowDown", "Please reduce your request rate.", "", "list open write upload delete unfinished", nil, nil, true},
		{500, "InternalError", "We encountered an internal error. Please try again.", "", "list open write", nil, nil, true},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if tc.header != "" {
				w.Header().Set("X-Amz-Bucket-Region", tc.header)
			}
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(tc.status)
			if r.Method != http.MethodHead { // whose errors have no body
				w.Write([]byte("<Error><Code>" + tc.code + "</Code><Message>" + tc.message + "</Message><RequestId>4442587FB7D0A2F9</RequestId></Error>"))
			}
		}))
		s := New(Options{Bucket: "bucket", AWS: awsapi.Config{Endpoint: server.URL}, Retry: awsapi.Retry{Attempts: 2, Most: 1}})
		for operation := range strings.FieldsSeq(tc.operations) {
			err := try(t, s, operation)
			if err == nil || pipeline.Retryable(err) != tc.retryable || tc.not != nil && errors.Is(err, tc.not) {
				t.Errorf("%s: %s: retryable %v, not there %v: %v", operation, tc.code, pipeline.Retryable(err), errors.Is(err, fs.ErrNotExist), err)
				continue
			}
			for _, want := range append(tc.want, "s3://bucket/") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%s: %s: it does not say %q: %v", operation, tc.code, want, err)
				}
			}
		}
		s.closeIdle()
		server.Close()
	}
}

// try makes calls of one kind, and returns their error.
func try(t *testing.T, s *Store, operation string) (err error) {
	t.Helper()
	switch operation {
	case "list":
		for _, err = range s.List(ctx, "", blob.ListOptions{}) {
		}
	case "unfinished":
		for _, err = range s.Unfinished(ctx, "") {
		}
	case "open":
		_, err = s.Open(ctx, "a")
	case "write":
		err = blob.WriteAll(ctx, s, "a", small, blob.CreateOptions{IfAbsent: true})
	case "upload":
		err = s.Upload(ctx, (&rig{t: t, store: s}).path(small), "a", blob.UploadOptions{})
	case "delete":
		err = s.Delete(ctx, "a", "b")
	}
	return err
}

func (r *rig) path(content []byte) string {
	path, _ := r.file(content)
	return path
}

// A key of a batch that can't be removed is no success, and one that may be later is tried again.
func TestDeleteOfSome(t *testing.T) {
	for code, retryable := range map[string]bool{"AccessDenied": false, "InternalError": true, "SlowDown": true} {
		asked := 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked++
			w.Write([]byte("<DeleteResult><Error><Key>b</Key><Code>" + code + "</Code><Message>m</Message></Error></DeleteResult>"))
		}))
		s := New(Options{Bucket: "bucket", AWS: awsapi.Config{Endpoint: server.URL}, Retry: awsapi.Retry{Attempts: 3, Most: 1}})
		err := s.Delete(ctx, "a", "b")
		if err == nil || pipeline.Retryable(err) != retryable || (asked == 3) != retryable || !strings.Contains(err.Error(), "object b") {
			t.Errorf("%s: asked %d times: %v", code, asked, err)
		}
		s.closeIdle()
		server.Close()
	}
}

// Without a bucket nothing is writable, and nothing was written to find out.
func TestWritable(t *testing.T) {
	onEach(t, func(t *testing.T, rig func(func(*Options)) *rig) {
		r := rig(nil)
		must(t, r.store.Writable(ctx))
		for _, c := range r.proxy.Calls() {
			if c.Method != http.MethodGet {
				t.Errorf("%s was called", c.Operation)
			}
		}
		o := r.direct.o
		o.Bucket = "there-is-no-such-bucket"
		s := New(o)
		t.Cleanup(s.closeIdle)
		if err := s.Writable(ctx); err == nil || pipeline.Retryable(err) || !strings.Contains(err.Error(), "there-is-no-such-bucket") {
			t.Errorf("got %v", err)
		}
	})
}

// A wrong secret is told as such.
func TestWrongSecret(t *testing.T) {
	r := newRig(t, awstest.S3(t).Endpoint, nil)
	t.Setenv("AWS_SECRET_ACCESS_KEY", "wrong")
	s := New(r.direct.o)
	t.Cleanup(s.closeIdle)
	for _, operation := range []string{"list", "open", "write"} {
		if err := try(t, s, operation); err == nil || pipeline.Retryable(err) || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "secret key") {
			t.Errorf("%s: %v", operation, err)
		}
	}
}
