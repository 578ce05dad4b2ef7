package s3

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"github.com/starlift-etl/starlift/pipeline/blob"
)

var (
	// errGone says that a multipart upload is there no longer: somebody aborted it, or it was
	// completed by a request whose answer was lost.
	errGone = errors.New("the multipart upload is gone: aborted by somebody else, or by a rule of the bucket")
	// errSendAgain says that all of the object is to be sent again: another change of it came between,
	// by the documentation of CompleteMultipartUpload, or the parts do not add up.
	errSendAgain = errors.New("the object has to be sent again")
)

const (
	sendParts    = 4 // parts of one object at a time
	abortTimeout = 10 * time.Second
)

// multipart is an object that is sent in parts, and appears when they are complete.
type multipart struct {
	of        *Store
	name, key string
	id        string

	mu    sync.Mutex
	parts []types.CompletedPart // by their numbers, from 1
}

// begin starts one.
func (s *Store) begin(ctx context.Context, name, key string) (*multipart, error) {
	c := &s.o.S3
	in := &s3.CreateMultipartUploadInput{Bucket: &s.name, Key: &key, ServerSideEncryption: types.ServerSideEncryption(c.SSE), SSEKMSKeyId: text(c.KMSKey),
		StorageClass: types.StorageClass(c.StorageClass), Tagging: c.tagging()}
	if c.Checksum != whenRequired {
		in.ChecksumAlgorithm, in.ChecksumType = types.ChecksumAlgorithmCrc64nvme, types.ChecksumTypeFullObject
	}
	m := &multipart{of: s, name: name, key: key}
	// An attempt whose answer was lost has begun another one: those who clean up find it.
	err := s.call(ctx, "CreateMultipartUpload", name, func(ctx context.Context, client *s3.Client) error {
		out, err := client.CreateMultipartUpload(ctx, in)
		if err == nil {
			m.id = aws.ToString(out.UploadId)
		}
		return err
	})
	if err == nil && m.id == "" {
		err = fmt.Errorf("%s: the server began a multipart upload without an ID", s.URL(name))
	}
	return m, err
}

// add makes room for a part, and returns its number.
func (m *multipart) add() (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.parts) == mostParts {
		return 0, fmt.Errorf("%s: it would have more than %d parts: set a larger part_size", m.of.URL(m.name), mostParts)
	}
	m.parts = append(m.parts, types.CompletedPart{})
	return len(m.parts), nil
}

// send sends a part and returns what completing is told of it. Several may be sent at a time.
func (m *multipart) send(ctx context.Context, number int, p *payload) (types.CompletedPart, error) {
	n := int32(number)
	part := types.CompletedPart{PartNumber: &n, ChecksumCRC64NVME: p.crc}
	err := m.of.callFor(ctx, "UploadPart", m.name, p.size, func(ctx context.Context, client *s3.Client, moved func()) error {
		in := &s3.UploadPartInput{Bucket: &m.of.name, Key: &m.key, UploadId: &m.id, PartNumber: &n, Body: p.open(moved), ContentLength: &p.size, ChecksumCRC64NVME: p.crc, ContentMD5: p.md5}
		out, err := client.UploadPart(ctx, in, m.of.putOptions()...)
		if err == nil {
			part.ETag = out.ETag
		}
		return err
	})
	if code(err) == "NoSuchUpload" {
		err = fmt.Errorf("%w: %w", errGone, err)
	}
	return part, err
}

// sendAs sends a part that has a place in parts.
func (m *multipart) sendAs(ctx context.Context, number int, p *payload) error {
	part, err := m.send(ctx, number, p)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.parts[number-1] = part
	return err
}

// complete makes the object appear. If a condition is not met, the error is errTaken, or
// fs.ErrNotExist; again says that an attempt before may have made it.
func (m *multipart) complete(ctx context.Context, content blob.Content, o blob.CreateOptions) (again bool, err error) {
	s := m.of
	in := s3.CompleteMultipartUploadInput{Bucket: &s.name, Key: &m.key, UploadId: &m.id, MpuObjectSize: &content.Size, MultipartUpload: &types.CompletedMultipartUpload{Parts: m.parts}}
	if s.o.S3.Checksum != whenRequired {
		in.ChecksumCRC64NVME, in.ChecksumType = &content.CRC64NVME, types.ChecksumTypeFullObject
	}
	in.IfNoneMatch, in.IfMatch = conditions(o)
	// Joining the parts may take minutes, in which the server sends blanks.
	send := func() error {
		return s.repeat(ctx, "CompleteMultipartUpload", m.name, timeout+time.Duration(len(m.parts))*time.Second, func(ctx context.Context, client *s3.Client) error {
			_, err := client.CompleteMultipartUpload(ctx, &in)
			again = again || unknown(err)
			switch code(err) {
			case "ConditionalRequestConflict", "OperationAborted", "BadDigest", "InvalidPart":
				return sendAgainError{err} // the same request would not help
			}
			return err
		})
	}
	err = send()
	if conditional(o) && unconditional(err) {
		in.IfNoneMatch, in.IfMatch = nil, nil
		err = send()
	}
	var lost sendAgainError
	switch {
	case taken(err):
		return again, fmt.Errorf("%w: %w", errTaken, err)
	case code(err) == "NoSuchUpload":
		return again, fmt.Errorf("%w: %w", errGone, err)
	case errors.As(err, &lost):
		return again, fmt.Errorf("%w: %s: %w", errSendAgain, s.URL(m.name), lost.cause)
	}
	return again, err
}

// sendAgainError hides a code after which the same request would be made again.
type sendAgainError struct{ cause error }

// Error says what the server said.
func (e sendAgainError) Error() string { return e.cause.Error() }

// abort drops the parts, though nobody may wait any longer. What it can't drop is found by those who
// clean up.
func (m *multipart) abort(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	return m.of.Discard(ctx, blob.UnfinishedObject{Name: m.name, ID: m.id})
}

// tryParts sends all parts and completes them. After an error nothing of it is left, as far as the
// server answers.
func (s *Store) tryParts(ctx context.Context, name, key string, u *upload, ifAbsent bool) (err error) {
	m, err := s.begin(ctx, name, key)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.abort(ctx))
		}
	}()
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(sendParts)
	for _, p := range u.parts {
		if within.Err() != nil {
			break
		}
		number, err := m.add()
		if err != nil {
			return errors.Join(err, group.Wait())
		}
		group.Go(func() error { return m.sendAs(within, number, p) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	_, err = m.complete(ctx, u.content, blob.CreateOptions{IfAbsent: ifAbsent})
	return err
}
