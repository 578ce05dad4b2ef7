package s3

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/starlift-etl/starlift/pipeline/blob"
)

// Stat implements blob.Objects.
func (s *Store) Stat(ctx context.Context, name string) (blob.Info, error) {
	info, _, err := s.head(ctx, name)
	return info, err
}

// head describes an object, with the checksum of all of it, if it has one.
func (s *Store) head(ctx context.Context, name string) (info blob.Info, sum checksum, err error) {
	key, err := s.key(name)
	if err != nil {
		return info, sum, err
	}
	in := &s3.HeadObjectInput{Bucket: &s.name, Key: &key}
	if s.o.S3.Checksum != whenRequired {
		in.ChecksumMode = types.ChecksumModeEnabled
	}
	var out *s3.HeadObjectOutput
	ask := func() error {
		return s.call(ctx, "HeadObject", name, func(ctx context.Context, c *s3.Client) (err error) {
			out, err = c.HeadObject(ctx, in)
			return err
		})
	}
	err = ask()
	if status := status(err); status == 403 || status == 400 || status == 301 {
		if why := s.readByte(ctx, name, key); why != nil {
			err = why
		} else {
			err = ask() // it was nothing that lasts: credentials that are new by now
		}
	}
	if err != nil {
		return info, sum, err
	}
	info = blob.Info{Name: name, Size: aws.ToInt64(out.ContentLength), Modified: modified(out.LastModified), Tag: aws.ToString(out.ETag)}
	sum = checksumOf(out)
	if sum.text == aws.ToString(out.ChecksumCRC64NVME) {
		info.CRC64NVME = sum.text
	}
	return info, sum, nil
}

// readByte returns why an object can't be read. HeadObject's errors come without a body, and say nothing
// but a status.
func (s *Store) readByte(ctx context.Context, name, key string) error {
	err := s.call(ctx, "GetObject", name, func(ctx context.Context, c *s3.Client) error {
		out, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.name, Key: &key, Range: aws.String("bytes=0-0")})
		if err == nil {
			err = out.Body.Close()
		}
		return err
	})
	if code(err) == "InvalidRange" {
		return nil // it is empty
	}
	return err
}

// checksum is that of the whole content of an object.
type checksum struct {
	hash func() hash.Hash // nil = there is none that we compute
	text string
}

// checksumOf returns it. That of an object in parts may be one of their checksums instead, which says
// nothing without the parts.
func checksumOf(out *s3.HeadObjectOutput) checksum {
	if out.ChecksumType == types.ChecksumTypeComposite {
		return checksum{}
	}
	for _, c := range []checksum{
		{func() hash.Hash { return blob.NewCRC64NVME() }, aws.ToString(out.ChecksumCRC64NVME)},
		{func() hash.Hash { return crc32.NewIEEE() }, aws.ToString(out.ChecksumCRC32)},
		{func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }, aws.ToString(out.ChecksumCRC32C)},
	} {
		if c.text != "" && !strings.Contains(c.text, "-") {
			return c
		}
	}
	return checksum{}
}

// Open implements blob.Objects. What is read later is of the entity that is there now, or
// blob.ErrChanged.
func (s *Store) Open(ctx context.Context, name string) (blob.Object, error) {
	info, sum, err := s.head(ctx, name)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	return &object{store: s, ctx: ctx, cancel: cancel, info: info, key: s.prefix + name, sum: sum}, nil
}

// object is an object as it was when it was opened.
type object struct {
	store  *Store
	ctx    context.Context // that of Open: ReadAt has none
	cancel context.CancelFunc
	info   blob.Info
	key    string
	sum    checksum
}

// Info implements blob.Object.
func (o *object) Info() blob.Info { return o.info }

// Close implements blob.Object.
func (o *object) Close() error {
	o.cancel()
	return nil
}

// ReadAt implements io.ReaderAt by one request.
func (o *object) ReadAt(b []byte, at int64) (int, error) {
	if at < 0 {
		return 0, fmt.Errorf("%s: there is no offset %d", o.store.URL(o.info.Name), at)
	}
	want := b[:max(0, min(int64(len(b)), o.info.Size-at))]
	if len(want) > 0 {
		if err := o.fetch(o.ctx, want, at); err != nil {
			return 0, err
		}
	}
	if len(want) < len(b) {
		return len(want), io.EOF
	}
	return len(b), nil
}

// fetch fills the buffer with what is in the object from a place on.
func (o *object) fetch(ctx context.Context, b []byte, at int64) error {
	return o.store.callFor(ctx, "GetObject", o.info.Name, int64(len(b)), func(ctx context.Context, c *s3.Client, moved func()) error {
		body, err := o.get(ctx, c, at, at+int64(len(b)))
		if err != nil {
			return err
		}
		_, err = io.ReadFull(&movedReader{Reader: body, moved: moved}, b)
		return errors.Join(err, body.Close())
	})
}

// movedReader tells whenever something was read.
type movedReader struct {
	io.Reader
	moved func()
}

// Read implements io.Reader.
func (r *movedReader) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	r.moved()
	return n, err
}

// get asks for the bytes from one place to another, of the content that was opened.
func (o *object) get(ctx context.Context, c *s3.Client, from, to int64) (io.ReadCloser, error) {
	in := &s3.GetObjectInput{Bucket: &o.store.name, Key: &o.key, Range: aws.String(fmt.Sprintf("bytes=%d-%d", from, to-1))}
	if o.info.Tag != "" {
		in.IfMatch = &o.info.Tag
	}
	out, err := c.GetObject(ctx, in)
	switch {
	case err == nil:
	case code(err) == "PreconditionFailed", status(err) == 412, code(err) == "InvalidRange":
		return nil, fmt.Errorf("%w: %w", blob.ErrChanged, err)
	case code(err) == "NoSuchKey":
		return nil, fmt.Errorf("%w: it was removed: %w", blob.ErrChanged, err)
	default:
		return nil, err
	}
	if tag := aws.ToString(out.ETag); tag != "" && tag != o.info.Tag {
		return nil, errors.Join(fmt.Errorf("%w: its tag is %s, and was %s", blob.ErrChanged, tag, o.info.Tag), out.Body.Close())
	}
	if got := aws.ToInt64(out.ContentLength); got != to-from {
		// A server without ranges sends all of it.
		return nil, errors.Join(fmt.Errorf("%s: bytes %d to %d were asked for, and %d came", o.store.URL(o.info.Name), from, to-1, got), out.Body.Close())
	}
	return out.Body, nil
}

// check compares the checksum of the whole content.
func (c checksum) check(url string, h hash.Hash) error {
	if got := base64.StdEncoding.EncodeToString(h.Sum(nil)); got != c.text {
		return fmt.Errorf("%s: what was read has the checksum %s, and S3 says %s: the object is damaged, or was on its way", url, got, c.text)
	}
	return nil
}
