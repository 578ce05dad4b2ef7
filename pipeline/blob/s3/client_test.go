package s3

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/pipeline/blob"
)

// The credentials of a role end in the middle of a multipart upload: the role is assumed again, and the part
// sent once more.
func TestCredentialsExpireDuringAnUpload(t *testing.T) {
	endpoint := awstest.MiniStack(t).Endpoint
	for _, operation := range []string{"UploadPart", "CompleteMultipartUpload", "PutObject"} {
		r := newRig(t, endpoint, func(o *Options) {
			o.S3.Checksum = whenRequired
			o.AWS.AssumeRole = awsapi.AssumeRole{ARN: "arn:aws:iam::000000000000:role/lake", ExternalID: "x"}
		})
		content := r.content(operation)
		t.Setenv("AWS_ENDPOINT_URL_STS", r.proxy.Endpoint)
		r.proxy.Add(awstest.Fault{Effect: awstest.Refuse, Operation: "s3:" + operation, Times: 1, Status: 400, Code: "ExpiredToken", Message: "The provided token has expired."})
		file, c := r.file(content)
		must(t, r.store.Upload(ctx, file, "a", blob.UploadOptions{Content: c}))
		assumed, keys := 0, map[string]bool{}
		for _, call := range r.proxy.Calls() {
			if call.Operation == "sts:AssumeRole" {
				assumed++
			} else {
				keys[call.Header.Get("X-Amz-Security-Token")] = true
			}
		}
		if r.proxy.Spoiled() != 1 || assumed != 2 || len(keys) != 2 {
			t.Errorf("%s: %d spoiled, the role was assumed %d times, with %d tokens", operation, r.proxy.Spoiled(), assumed, len(keys))
		}
		r.want("a", content)
	}
}

// HeadObject does not say that credentials have ended: what it says is asked of GetObject.
func TestCredentialsExpireBeforeALook(t *testing.T) {
	r := newRig(t, fakeS3(t), nil)
	must(t, blob.WriteAll(ctx, r.direct, "a", small, blob.CreateOptions{}))
	for _, operation := range []string{"s3:HeadObject", "s3:GetObject"} {
		r.proxy.Add(awstest.Fault{Effect: awstest.Refuse, Operation: operation, Times: 1, Status: 400, Code: "ExpiredToken"})
	}
	if info, err := r.store.Stat(ctx, "a"); err != nil || info.Size != int64(len(small)) || r.proxy.Spoiled() != 2 {
		t.Errorf("%+v, %v, %d answers were errors", info, err, r.proxy.Spoiled())
	}
}

// What the settings say of objects is what they get, sent as a whole or in parts.
func TestSettingsOfObjects(t *testing.T) {
	r := newRig(t, awstest.MiniStack(t).Endpoint, func(o *Options) {
		o.S3 = WriterConfig{SSE: "aws:kms", KMSKey: "alias/lake", StorageClass: "STANDARD_IA", Tags: map[string]string{"team": "data & more", "a b": "é+="}, PartSize: tinyPart}
		o.S3.RequestPayer, o.S3.BucketOwner, o.S3.Checksum = "requester", "000000000000", whenRequired
	})
	client, err := r.direct.connect(ctx)
	must(t, err)
	for _, name := range []string{"big", "small"} {
		content := r.content(name)
		file, c := r.file(content)
		must(t, r.store.Upload(ctx, file, name, blob.UploadOptions{Content: c}))
		must(t, blob.WriteAll(ctx, r.store, "written "+name, content, blob.CreateOptions{}))
		for _, key := range []string{name, "written " + name} {
			head, err := client.HeadObject(ctx, &sdk.HeadObjectInput{Bucket: &r.store.name, Key: &key})
			must(t, err)
			if head.ServerSideEncryption != "aws:kms" || aws.ToString(head.SSEKMSKeyId) == "" || head.StorageClass != "STANDARD_IA" {
				t.Errorf("%s has %s %s, %s", key, head.ServerSideEncryption, aws.ToString(head.SSEKMSKeyId), head.StorageClass)
			}
		}
	}
	_, err = r.read("big")
	must(t, err)
	for range r.store.List(ctx, "", blob.ListOptions{}) {
	}
	r.wantNothingUnfinished()
	tags, err := client.GetObjectTagging(ctx, &sdk.GetObjectTaggingInput{Bucket: &r.store.name, Key: aws.String("small")})
	must(t, err)
	if len(tags.TagSet) != 2 || *tags.TagSet[0].Key != "a b" || *tags.TagSet[0].Value != "é+=" || *tags.TagSet[1].Value != "data & more" {
		t.Errorf("it has the tags %+v", tags.TagSet)
	}
	for _, call := range r.proxy.Calls() {
		// Of uploads in parts the server forgets them.
		if call.Operation == "s3:CreateMultipartUpload" && call.Header.Get("X-Amz-Tagging") != "a+b=%C3%A9%2B%3D&team=data+%26+more" {
			t.Errorf("the tags are %q", call.Header.Get("X-Amz-Tagging"))
		}
		if call.Header.Get("X-Amz-Request-Payer") != "requester" || call.Header.Get("X-Amz-Expected-Bucket-Owner") != "000000000000" {
			t.Errorf("%s does not say who pays, and whose the bucket has to be", call.Operation)
		}
	}
}

// Over TLS, bodies are not hashed for the signature: their checksum and TLS make sure of them. Without,
// they are.
func TestPayloadIsSignedWithoutTLSOnly(t *testing.T) {
	upstream, err := url.Parse(awstest.S3(t).Endpoint)
	must(t, err)
	var mu sync.Mutex
	seen := map[string]string{}
	pass := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = upstream.Scheme, upstream.Host }}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && r.URL.Path != "/bucket-tls" {
			mu.Lock()
			seen[r.URL.Path] = r.Header.Get("X-Amz-Content-Sha256")
			mu.Unlock()
		}
		pass.ServeHTTP(w, r)
	})
	plain, secure := httptest.NewServer(handler), httptest.NewTLSServer(handler)
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}), 0o600))
	t.Setenv("AWS_CA_BUNDLE", ca)
	for _, server := range []*httptest.Server{plain, secure} {
		r := newRig(t, server.URL, realParts)
		for _, name := range []string{"big", "small"} {
			content := r.content(name)
			file, c := r.file(content)
			must(t, r.direct.Upload(ctx, file, name, blob.UploadOptions{Content: c}))
			r.want(name, content)
			if hash := seen["/"+r.store.name+"/"+name]; (hash == "UNSIGNED-PAYLOAD") != (server == secure) || hash == "" {
				t.Errorf("%s by %s: %q", name, server.URL, hash)
			}
		}
	}
}

// Two names of one place are one; other places have others.
func TestCanonical(t *testing.T) {
	for _, same := range [][]Options{
		{
			{Bucket: "b", Prefix: "p/"}, {Bucket: "b", Prefix: "p/", AWS: awsapi.Config{Region: "eu-west-1"}},
			{Bucket: "b", Prefix: "p/", AWS: awsapi.Config{Region: "eu-west-1", Endpoint: "https://s3.dualstack.eu-west-1.amazonaws.com"}},
			{Bucket: "b", Prefix: "p/", AWS: awsapi.Config{Endpoint: "https://bucket.vpce-1a2b3c4d-5e6f.s3.us-east-1.vpce.amazonaws.com"}},
		},
		{
			{Bucket: "b", Prefix: "p/", AWS: awsapi.Config{Endpoint: "http://127.0.0.1:9000"}}, {Bucket: "b", Prefix: "p/", AWS: awsapi.Config{Endpoint: "http://localhost:9000/"}},
			{Bucket: "b", Prefix: "p/", AWS: awsapi.Config{Endpoint: "http://LOCALHOST:9000"}},
		},
		{
			{Bucket: "b", Prefix: "p/", AWS: awsapi.Config{Endpoint: "https://s3.example.com"}}, {Bucket: "b", Prefix: "p/", AWS: awsapi.Config{Endpoint: "https://S3.example.com:443/"}},
		},
		{{Bucket: "b", Prefix: "p/", AWS: awsapi.Config{Region: "cn-north-1"}}}, {{Bucket: "b", Prefix: "p/", AWS: awsapi.Config{Region: "us-gov-west-1"}}},
		{{Bucket: "b", Prefix: "q/"}}, {{Bucket: "c", Prefix: "p/"}}, {{Bucket: "b", Prefix: "p/p/"}},
	} {
		want := ""
		for _, o := range same {
			got, err := New(o).Canonical("x")
			if err != nil || want != "" && got != want {
				t.Errorf("%+v: %s, %v, want %s", o.AWS, got, err, want)
			}
			want = got
		}
		if canonicals[want] {
			t.Errorf("%s is that of two places", want)
		}
		canonicals[want] = true
	}
}

var canonicals = map[string]bool{}

func TestAround(t *testing.T) {
	all, err := New(Options{Bucket: "b", Prefix: "p/q/"}).Around("t/x")
	must(t, err)
	var urls []string
	for _, s := range all {
		urls = append(urls, s.URL("owner"))
	}
	if len(urls) != 4 || urls[0] != "s3://b/p/q/t/owner" || urls[3] != "s3://b/owner" {
		t.Errorf("got %q", urls)
	}
}
