package awstest

import (
	"net/http"
	"net/url"
	"strings"
)

// Names of operations are those of the API with the service before them, as in
// "kinesis:GetRecords", "dynamodb:Scan", "s3:HeadObject", "sts:AssumeRole". They are
// not those of rights: HeadObject takes s3:GetObject.

// targets are the services that name their operation in X-Amz-Target.
var targets = map[string]string{
	"Kinesis_20131202":         "kinesis",
	"DynamoDB_20120810":        "dynamodb",
	"DynamoDBStreams_20120810": "dynamodbstreams",
	"RedshiftServerless":       "redshiftserverless",
}

// ofS3 says whether a request is one to S3: others are posted to the root, S3 takes no
// POST there.
func ofS3(r *http.Request) bool {
	return r.Header.Get("X-Amz-Target") == "" && (r.Method != http.MethodPost || r.URL.Path != "/")
}

// operation names a call that is not to S3.
func operation(header http.Header, body []byte) string {
	if version, name, ok := strings.Cut(header.Get("X-Amz-Target"), "."); ok {
		service, known := targets[version]
		if !known {
			service = version
		}
		return service + ":" + name
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || !form.Has("Action") {
		return "unknown"
	}
	return signedFor(header) + ":" + form.Get("Action")
}

// signedFor returns the service that a request is signed for. What says nothing of it is one of
// STS, whose calls by a web identity are not signed.
func signedFor(header http.Header) string {
	_, credential, _ := strings.Cut(header.Get("Authorization"), "Credential=")
	scope := strings.Split(credential, "/") // key, day, region, service, aws4_request
	if len(scope) < 5 {
		return "sts"
	}
	return scope[3]
}

// subresources are the queries that make other operations of a bucket's or an object's.
var subresources = []struct{ query, level, method, name string }{
	{"uploads", "bucket", "GET", "ListMultipartUploads"},
	{"uploads", "object", "POST", "CreateMultipartUpload"},
	{"uploadId", "object", "PUT", "UploadPart"},
	{"uploadId", "object", "POST", "CompleteMultipartUpload"},
	{"uploadId", "object", "DELETE", "AbortMultipartUpload"},
	{"uploadId", "object", "GET", "ListParts"},
	{"list-type", "bucket", "GET", "ListObjectsV2"},
	{"versions", "bucket", "GET", "ListObjectVersions"},
	{"versioning", "bucket", "GET", "GetBucketVersioning"},
	{"versioning", "bucket", "PUT", "PutBucketVersioning"},
	{"location", "bucket", "GET", "GetBucketLocation"},
	{"delete", "bucket", "POST", "DeleteObjects"},
	{"tagging", "object", "GET", "GetObjectTagging"},
	{"tagging", "object", "PUT", "PutObjectTagging"},
	{"attributes", "object", "GET", "GetObjectAttributes"},
}

// plain are the operations without one.
var plain = map[string]string{
	"service GET": "ListBuckets",
	"bucket GET":  "ListObjects", "bucket PUT": "CreateBucket", "bucket HEAD": "HeadBucket", "bucket DELETE": "DeleteBucket",
	"object GET": "GetObject", "object PUT": "PutObject", "object HEAD": "HeadObject", "object DELETE": "DeleteObject",
}

// s3Operation names a call to S3 whose bucket is in its path.
func s3Operation(r *http.Request) string {
	level := "object"
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case bucket == "":
		level = "service"
	case key == "":
		level = "bucket"
	}
	query := r.URL.Query()
	for _, s := range subresources {
		if s.level == level && s.method == r.Method && query.Has(s.query) {
			return "s3:" + s.name
		}
	}
	name, ok := plain[level+" "+r.Method]
	if !ok {
		return "unknown"
	}
	if copied := r.Header.Get("X-Amz-Copy-Source") != ""; copied && name == "PutObject" {
		name = "CopyObject"
	}
	return "s3:" + name
}
