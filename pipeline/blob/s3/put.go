package s3

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/blob"
)

// errTaken says that there is an object of a name under which there was to be none.
var errTaken = fmt.Errorf("there is an object of this name: %w", fs.ErrExist)

// putOptions are those of requests with a payload.
func (b *bucket) putOptions() []func(*s3.Options) {
	if !b.unsigned {
		return nil
	}
	// TLS and the checksum make sure of the body: hashing it once more for the signature
	// would take more time than sending it.
	return []func(*s3.Options){s3.WithAPIOptions(v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware)}
}

// tagging returns the tags as a header has them.
func (c *WriterConfig) tagging() *string {
	if len(c.Tags) == 0 {
		return nil
	}
	v := url.Values{}
	for _, key := range slices.Sorted(maps.Keys(c.Tags)) {
		v.Set(key, c.Tags[key])
	}
	text := v.Encode()
	return &text
}

func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// put makes an object by one request. If a condition is not met, the error is errTaken, or
// fs.ErrNotExist; again says then that an attempt before may have made it.
func (s *Store) put(ctx context.Context, name, key string, p *payload, o blob.CreateOptions) (again bool, err error) {
	c := &s.o.S3
	in := s3.PutObjectInput{Bucket: &s.name, Key: &key, ContentLength: &p.size, ChecksumCRC64NVME: p.crc, ContentMD5: p.md5,
		ServerSideEncryption: types.ServerSideEncryption(c.SSE), SSEKMSKeyId: text(c.KMSKey), StorageClass: types.StorageClass(c.StorageClass), Tagging: c.tagging()}
	in.IfNoneMatch, in.IfMatch = conditions(o)
	send := func() error {
		return s.callFor(ctx, "PutObject", name, p.size, func(ctx context.Context, client *s3.Client, moved func()) error {
			in.Body = p.open(moved)
			_, err := client.PutObject(ctx, &in, s.putOptions()...)
			again = again || unknown(err)
			return err
		})
	}
	err = send()
	if conditional(o) && unconditional(err) {
		// The server does not know the condition: this is the nearest to it.
		if err := s.meets(ctx, name, o); err != nil {
			return again, err
		}
		in.IfNoneMatch, in.IfMatch = nil, nil
		err = send()
	}
	if taken(err) {
		return again, fmt.Errorf("%w: %w", errTaken, err)
	}
	return again, err
}

// conditions returns the headers If-None-Match and If-Match.
func conditions(o blob.CreateOptions) (noneMatch, match *string) {
	if o.IfAbsent {
		noneMatch = aws.String("*")
	}
	return noneMatch, text(o.IfTag)
}

func conditional(o blob.CreateOptions) bool { return o.IfAbsent || o.IfTag != "" }

// meets returns errTaken, or fs.ErrNotExist, if a condition is not met now.
func (s *Store) meets(ctx context.Context, name string, o blob.CreateOptions) error {
	found, err := s.Stat(ctx, name)
	switch {
	case err == nil && (o.IfAbsent || found.Tag != o.IfTag):
		return errTaken
	case errors.Is(err, fs.ErrNotExist) && o.IfAbsent:
		return nil
	}
	return err
}

// unknown reports whether nobody knows what became of a request: there was no answer, or one that
// does not say so.
func unknown(err error) bool {
	return err != nil && !unconditional(err) && (status(err) == 0 || status(err) >= 500)
}

// taken reports whether a condition was not met.
func taken(err error) bool { return code(err) == "PreconditionFailed" || status(err) == 412 }

// unconditional reports whether a server has no conditional writes.
func unconditional(err error) bool { return code(err) == "NotImplemented" || status(err) == 501 }

// compare returns a *blob.ConflictError if an object holds something else, and fs.ErrNotExist if there is
// none.
func (s *Store) compare(ctx context.Context, name string, want blob.Content) error {
	info, sum, err := s.head(ctx, name)
	if err != nil {
		return err
	}
	if info.Size == want.Size && sum.text == want.CRC64NVME && sum.text != "" {
		return nil
	}
	// Another size, a server that tells no checksum, or that of another writer.
	return want.Compare(ctx, s, info)
}

// Upload implements blob.Transfers.
func (s *Store) Upload(ctx context.Context, file, name string, o blob.UploadOptions) (err error) {
	key, err := s.newKey(name)
	if err != nil {
		return err
	}
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return s.uploaded(ctx, name, o.Content, err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	u, err := s.readUpload(ctx, f, o)
	if err != nil {
		return err
	}
	if len(u.parts) > 1 {
		return s.uploadParts(ctx, name, key, u, o.Content != nil)
	}
	_, err = s.put(ctx, name, key, u.parts[0], blob.CreateOptions{IfAbsent: o.Content != nil})
	if errors.Is(err, errTaken) {
		return s.compare(ctx, name, u.content)
	}
	return err
}

// uploaded makes sure that an upload before, whose file is gone, has made the object.
func (s *Store) uploaded(ctx context.Context, name string, want *blob.Content, gone error) error {
	err := error(nil)
	if want != nil {
		err = s.compare(ctx, name, *want)
	} else {
		_, err = s.Stat(ctx, name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return errors.Join(gone, err)
	}
	return err
}

// readUpload reads the file, and compares it with what it has to hold.
func (s *Store) readUpload(ctx context.Context, f *os.File, o blob.UploadOptions) (*upload, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	part := s.PartSize(info.Size())
	want := o.Content
	if want != nil && (want.PartSize > 0 || info.Size() <= mostPartSize) {
		part = want.PartSize
	}
	if part >= info.Size() {
		part = 0
	}
	u, err := s.read(ctx, f, part, o.Progress)
	if err != nil {
		return nil, err
	}
	if want != nil && (u.content.Size != want.Size || want.CRC64NVME != "" && u.content.CRC64NVME != want.CRC64NVME) {
		return nil, fmt.Errorf("file %s has %d bytes with CRC64NVME %s, and %d with %s were prepared: it was changed, or its disk is damaged",
			f.Name(), u.content.Size, u.content.CRC64NVME, want.Size, want.CRC64NVME)
	}
	return u, nil
}

// uploadParts makes an object of a file in parts. If what it has begun is gone, or another change of
// the object came between, it begins again.
func (s *Store) uploadParts(ctx context.Context, name, key string, u *upload, ifAbsent bool) error {
	for begun := 1; ; begun++ {
		if ifAbsent {
			// Before all of it is sent for nothing; and there are servers that mind no condition at the end.
			if err := s.compare(ctx, name, u.content); !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		err := s.tryParts(ctx, name, key, u, ifAbsent)
		switch {
		case errors.Is(err, errTaken):
			return s.compare(ctx, name, u.content)
		case errors.Is(err, errGone):
			// An answer may have been lost after which it was there. Where it replaces one, that is
			// none of its concern.
			if e := s.compare(ctx, name, u.content); e == nil || ifAbsent && !errors.Is(e, fs.ErrNotExist) {
				return e
			}
		case !errors.Is(err, errSendAgain):
			return err
		}
		if begun == 3 {
			if code(err) == "BadDigest" {
				return fmt.Errorf("%w: each part arrived as it was sent, but not all of them together: a server that does not know the checksum of whole objects needs s3: {checksum: when_required}", err)
			}
			return pipeline.TransientFor(awsapi.Unavailable, err)
		}
		s.countRetry(Corrupted)
		if e := s.retry.Pause(ctx, begun); e != nil {
			return errors.Join(e, err)
		}
	}
}
