// Package bloburl leads from what a pipeline file says to objects: a path of the local disk stays
// what it is, and s3://bucket/key is a key in a bucket of S3.
//
// A key is taken as it is written: nothing in it is decoded, `%2F`, `?` and `#` are as good as
// any other character, and a second slash is one of the key. In the place of a bucket there may
// be an access point, by its alias or as `s3://arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME/key`.
//
// Nodes embed [ReaderConfig] or [WriterConfig], so that the keys beside a url are the same
// everywhere. Nothing here makes a request: stores connect when they are first asked.
package bloburl

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/blob"
	"github.com/starlift-etl/starlift/pipeline/blob/s3"
	"github.com/starlift-etl/starlift/pipeline/disk"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// ReaderConfig is what a pipeline file says beside a url from which objects are read. Nodes embed it.
type ReaderConfig struct {
	awsapi.Config
	S3 s3.ReaderConfig `yaml:"s3" change:"free" desc:"How S3 is spoken to, where the url is one of it."`
}

// WriterConfig is what a pipeline file says beside a url to which objects are written. Nodes embed it.
type WriterConfig struct {
	awsapi.Config
	S3 s3.WriterConfig `yaml:"s3" change:"free" desc:"How S3 is spoken to, and what objects get there, where the url is one of it."`
}

// URL is a place of objects.
type URL struct {
	// Bucket is the one of S3, or the ARN of an access point; empty = Path is local.
	Bucket string
	// Key is what stands behind the bucket and its slash.
	Key string
	// Path is one of the local disk, as it was written.
	Path string
}

// Remote reports whether it is not on the local disk.
func (u URL) Remote() bool { return u.Bucket != "" }

var (
	// AWS's own names are narrower; other servers take more.
	bucketName  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{1,62}$`)
	accessPoint = regexp.MustCompile(`^arn:aws[a-z-]*:s3:[a-z0-9-]*:[0-9]{12}:accesspoint[:/][A-Za-z0-9.-]+`)
	scheme      = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]+://`)
)

// IsRemote reports whether a text is not a path of the local disk, as far as its beginning tells.
func IsRemote(text string) bool { return scheme.MatchString(text) }

// Parse reads what stands in a pipeline file. The error says what to write.
func Parse(text string) (URL, error) {
	kind := scheme.FindString(text)
	rest := text[len(kind):]
	switch strings.ToLower(kind) {
	case "":
		return URL{Path: text}, checkPath(text)
	case "s3://":
	case "s3a://", "s3n://":
		return URL{}, fmt.Errorf("%s is Hadoop's name for it: write s3://%s", kind, rest)
	case "http://", "https://":
		return URL{}, errors.New("an object of S3 is written s3://bucket/key; the server's URL is the key endpoint")
	default:
		return URL{}, fmt.Errorf("unknown kind of url %q: give a local path or s3://bucket/key", strings.TrimSuffix(kind, "://"))
	}
	bucket, key, _ := strings.Cut(rest, "/")
	if arn := accessPoint.FindString(rest); arn != "" {
		bucket, key = arn, strings.TrimPrefix(rest[len(arn):], "/")
	}
	switch {
	case strings.Contains(bucket, "@"):
		return URL{}, errors.New("credentials do not belong into a url: put them into the environment (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE), or set assume_role")
	case strings.HasPrefix(bucket, "arn:") && !accessPoint.MatchString(bucket):
		return URL{}, errors.New("only an access point's ARN stands for a bucket: s3://arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME/key")
	case bucket == "":
		return URL{}, errors.New("the bucket is missing: write s3://bucket/key")
	case strings.HasSuffix(bucket, "--x-s3"):
		return URL{}, errors.New("directory buckets (S3 Express One Zone) are not supported: they list objects in no order")
	case !strings.HasPrefix(bucket, "arn:") && !bucketName.MatchString(bucket):
		return URL{}, fmt.Errorf("%q can't be the name of a bucket: 3 to 63 letters, digits, dots and hyphens", bucket)
	}
	return URL{Bucket: bucket, Key: key}, nil
}

// checkPath refuses a local path that was meant as a url: what is written there would be looked for
// elsewhere.
func checkPath(text string) error {
	trimmed := strings.TrimSpace(text)
	switch {
	case trimmed != text && IsRemote(trimmed):
		return errors.New("there are blanks around the url: leave them out")
	case len(trimmed) >= 3 && strings.EqualFold(trimmed[:3], "s3:"):
		return errors.New("an object of S3 is written s3://bucket/key, with two slashes; a local path that begins so is written ./s3:…")
	}
	return nil
}

// ParseFolder is Parse of what objects are written below: the key gets a slash at its end, if it
// is not empty, and has no name that is empty.
func ParseFolder(text string) (URL, error) {
	u, err := Parse(text)
	if err != nil || !u.Remote() {
		return u, err
	}
	u.Key = strings.TrimSuffix(u.Key, "/")
	for name := range strings.SplitSeq(u.Key, "/") {
		if u.Key != "" && (name == "" || name == "." || name == "..") {
			return URL{}, fmt.Errorf("a folder of objects can't be called %q: take one slash between names", name)
		}
	}
	if u.Key != "" {
		u.Key += "/"
	}
	return u, nil
}

// Check returns the mistakes in a url that objects are read from, and in the keys beside it, as
// spec.FieldErrors; key is that of the url in the node.
func (c *ReaderConfig) Check(key, url string) []error {
	w := c.writer()
	_, err := Parse(url)
	return w.check(key, err)
}

// CheckFolder returns the mistakes in a url that objects are written below.
func (c *WriterConfig) CheckFolder(key, url string) []error {
	_, err := ParseFolder(url)
	return c.check(key, err)
}

func (c *WriterConfig) check(key string, urlError error) (errs []error) {
	if urlError != nil {
		errs = append(errs, &spec.FieldError{Path: []string{key}, Message: urlError.Error()})
	}
	errs = append(errs, c.Config.Check()...)
	return append(errs, c.S3.Check("s3")...)
}

// writer returns the same settings, of which reading needs some.
func (c *ReaderConfig) writer() *WriterConfig {
	return &WriterConfig{Config: c.Config, S3: s3.WriterConfig{ReaderConfig: c.S3}}
}

// Folder returns the store of what lies below a url. Files of a local disk get the access.
func (c *WriterConfig) Folder(url string, access disk.Access, env pipeline.Env) (blob.Store, error) {
	u, err := ParseFolder(url)
	if err != nil {
		return nil, err
	}
	if !u.Remote() {
		return blob.NewDir(u.Path, access), nil
	}
	return c.bucket(u.Bucket, u.Key, env), nil
}

func (c *WriterConfig) bucket(name, prefix string, env pipeline.Env) *s3.Store {
	return s3.New(s3.Options{Bucket: name, Prefix: prefix, AWS: c.Config, S3: c.S3, Env: env})
}

// File returns the store that a file or an object is in, and its name there.
func (c *ReaderConfig) File(url string, env pipeline.Env) (blob.Store, string, error) {
	u, err := Parse(url)
	if err != nil {
		return nil, "", err
	}
	if !u.Remote() {
		store, name := blob.File(filepath.FromSlash(u.Path), disk.Shared)
		return store, name, nil
	}
	return c.writer().bucket(u.Bucket, "", env), u.Key, nil
}

// Remote returns what finds the store of a path that is not local, and a name there; ok = false for
// local paths, and for what Check refuses. The stores of a bucket are one.
func (c *ReaderConfig) Remote(env pipeline.Env) func(path string) (store blob.Store, name string, ok bool) {
	var mu sync.Mutex
	buckets, w := map[string]blob.Store{}, c.writer()
	return func(path string) (blob.Store, string, bool) {
		if !IsRemote(path) {
			return nil, "", false
		}
		u, err := Parse(path)
		if err != nil {
			return nil, "", false
		}
		mu.Lock()
		defer mu.Unlock()
		store := buckets[u.Bucket]
		if store == nil {
			store = w.bucket(u.Bucket, "", env)
			buckets[u.Bucket] = store
		}
		return store, u.Key, true
	}
}
