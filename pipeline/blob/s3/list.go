package s3

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/starlift-etl/starlift/pipeline/blob"
)

// List implements blob.Objects: a request for each thousand names. Keys that end with a slash stand
// for folders, which some tools make, and are no objects.
func (s *Store) List(ctx context.Context, prefix string, o blob.ListOptions) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) {
		in := &s3.ListObjectsV2Input{Bucket: &s.name, Prefix: aws.String(s.prefix + prefix), EncodingType: types.EncodingTypeUrl}
		if !o.Recursive {
			in.Delimiter = aws.String("/")
		}
		if o.After != "" {
			in.StartAfter = aws.String(s.prefix + o.After)
		}
		for {
			page, err := s.listPage(ctx, prefix, in)
			if err != nil {
				yield(blob.Info{}, err)
				return
			}
			for _, info := range page.infos {
				if !strings.HasSuffix(info.Name, "/") && info.Name <= o.After {
					continue
				}
				if !yield(info, nil) {
					return
				}
			}
			if page.next == nil {
				return
			}
			in.ContinuationToken, in.StartAfter = page.next, nil
		}
	}
}

// listPage is what one request lists.
type listPage struct {
	infos []blob.Info
	next  *string
}

func (s *Store) listPage(ctx context.Context, prefix string, in *s3.ListObjectsV2Input) (page listPage, err error) {
	var out *s3.ListObjectsV2Output
	err = s.call(ctx, "ListObjectsV2", prefix, func(ctx context.Context, c *s3.Client) (err error) {
		out, err = c.ListObjectsV2(ctx, in)
		return err
	})
	if err != nil {
		return page, err
	}
	if aws.ToBool(out.IsTruncated) {
		if aws.ToString(out.NextContinuationToken) == "" {
			return page, fmt.Errorf("listing of %s: there is more, and no token to ask for it", s.URL(prefix))
		}
		page.next = out.NextContinuationToken
	}
	page.infos, err = s.infosOf(out)
	return page, err
}

// infosOf returns objects and folders by their names, of which S3 gives two lists.
func (s *Store) infosOf(out *s3.ListObjectsV2Output) (all []blob.Info, err error) {
	objects, folders := out.Contents, out.CommonPrefixes
	all = make([]blob.Info, 0, len(objects)+len(folders))
	for len(objects) > 0 || len(folders) > 0 {
		var key, folder string
		if len(objects) > 0 {
			if key, err = s.decode(objects[0].Key, out.EncodingType); err != nil {
				return nil, err
			}
		}
		if len(folders) > 0 {
			if folder, err = s.decode(folders[0].Prefix, out.EncodingType); err != nil {
				return nil, err
			}
		}
		if len(folders) > 0 && (len(objects) == 0 || folder < key) {
			all = append(all, blob.Info{Name: folder})
			folders = folders[1:]
			continue
		}
		object := objects[0]
		objects = objects[1:]
		if key == "" || strings.HasSuffix(key, "/") {
			continue
		}
		all = append(all, blob.Info{Name: key, Size: aws.ToInt64(object.Size), Modified: modified(object.LastModified), Tag: aws.ToString(object.ETag)})
	}
	return all, nil
}

// modified cuts a time to the second: some servers tell more in listings than in headers.
func modified(t *time.Time) time.Time { return aws.ToTime(t).Truncate(time.Second) }

// decode returns the name of a key. Encoded, it may hold characters that XML can't; a server that
// does not encode does not say so either.
func (s *Store) decode(key *string, encoding types.EncodingType) (string, error) {
	text := aws.ToString(key)
	if encoding == types.EncodingTypeUrl {
		var err error
		if text, err = url.QueryUnescape(text); err != nil {
			return "", fmt.Errorf("listing of %s: key %q: %w", s.URL(""), aws.ToString(key), err)
		}
	}
	name, ok := strings.CutPrefix(text, s.prefix)
	if !ok {
		return "", fmt.Errorf("listing of %s: it has the key %q, which does not begin so", s.URL(""), text)
	}
	return name, nil
}

// Unfinished implements blob.Cleanup: multipart uploads, a request for each thousand. The age
// is by the server's clock, which says when it answers.
func (s *Store) Unfinished(ctx context.Context, prefix string) iter.Seq2[blob.UnfinishedObject, error] {
	return func(yield func(blob.UnfinishedObject, error) bool) {
		in := &s3.ListMultipartUploadsInput{Bucket: &s.name, Prefix: aws.String(s.prefix + prefix), EncodingType: types.EncodingTypeUrl}
		for {
			out, err := s.uploadsPage(ctx, prefix, in)
			if err != nil {
				yield(blob.UnfinishedObject{}, err)
				return
			}
			now, ok := awsmiddleware.GetServerTime(out.ResultMetadata)
			if !ok {
				now = time.Now()
			}
			for _, upload := range out.Uploads {
				u, err := s.unfinished(&upload, out.EncodingType, now)
				if !yield(u, err) || err != nil {
					return
				}
			}
			if !aws.ToBool(out.IsTruncated) {
				return
			}
			if in.KeyMarker, err = keyMarker(out); err != nil {
				yield(blob.UnfinishedObject{}, fmt.Errorf("listing of uploads in %s: %w", s.URL(prefix), err))
				return
			}
			in.UploadIdMarker = out.NextUploadIdMarker
		}
	}
}

func (s *Store) uploadsPage(ctx context.Context, prefix string, in *s3.ListMultipartUploadsInput) (out *s3.ListMultipartUploadsOutput, err error) {
	list := func() error {
		return s.call(ctx, "ListMultipartUploads", prefix, func(ctx context.Context, c *s3.Client) (err error) {
			out, err = c.ListMultipartUploads(ctx, in)
			return err
		})
	}
	err = list()
	if code(err) == "InvalidArgument" && in.UploadIdMarker != nil {
		// versitygw 1.8 refuses the pair of markers that it has given itself. By the key alone more
		// attempts at one object are passed over; the next clean-up finds them.
		in.UploadIdMarker = nil
		err = list()
	}
	if code(err) == "NoSuchUpload" {
		return &s3.ListMultipartUploadsOutput{}, nil // so say servers that have never had any
	}
	return out, err
}

// keyMarker returns the key that the next page begins behind.
func keyMarker(out *s3.ListMultipartUploadsOutput) (*string, error) {
	if aws.ToString(out.NextKeyMarker) == "" {
		return nil, errors.New("there is more, and no key to ask for it by")
	}
	if out.EncodingType != types.EncodingTypeUrl {
		return out.NextKeyMarker, nil
	}
	key, err := url.QueryUnescape(*out.NextKeyMarker)
	return &key, err
}

func (s *Store) unfinished(u *types.MultipartUpload, encoding types.EncodingType, now time.Time) (blob.UnfinishedObject, error) {
	name, err := s.decode(u.Key, encoding)
	started := aws.ToTime(u.Initiated)
	return blob.UnfinishedObject{Name: name, Started: started, Age: now.Sub(started), ID: aws.ToString(u.UploadId)}, err
}

// Discard implements blob.Cleanup.
func (s *Store) Discard(ctx context.Context, u blob.UnfinishedObject) error {
	key, err := s.newKey(u.Name)
	if err != nil {
		return err
	}
	if u.ID == "" {
		return fmt.Errorf("%s: nothing unfinished has no ID", s.URL(u.Name))
	}
	err = s.call(ctx, "AbortMultipartUpload", u.Name, func(ctx context.Context, c *s3.Client) error {
		_, err := c.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &s.name, Key: &key, UploadId: &u.ID})
		return err
	})
	if code(err) == "NoSuchUpload" {
		return nil // somebody else did, or it was finished
	}
	return err
}
