package s3

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/pipeline/blob"
)

// long is read in several parts, the last of which is short.
var long = random(3*tinyPart + 4567)

// putLong makes an object of it, as a whole.
func (r *rig) putLong() {
	r.t.Helper()
	o := r.direct.o
	o.S3.PartSize = 0
	s := New(o)
	defer s.closeIdle()
	must(r.t, blob.WriteAll(ctx, s, "a", long, blob.CreateOptions{}))
}

func (r *rig) read(name string) ([]byte, error) { return blob.ReadAll(ctx, r.store, name) }

func TestReadInParts(t *testing.T) {
	onEach(t, func(t *testing.T, rig func(func(*Options)) *rig) {
		r := rig(nil)
		file, c := r.file(long)
		must(t, r.direct.Upload(ctx, file, "a", blob.UploadOptions{Content: c}))
		if got, err := r.read("a"); err != nil || !bytes.Equal(got, long) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		if n := r.count("GetObject"); n != 4 {
			t.Errorf("%d requests for 4 parts", n)
		}
		o, err := r.store.Open(ctx, "a")
		must(t, err)
		for _, at := range []int64{0, 1, tinyPart - 1, tinyPart, 2*tinyPart + 3, int64(len(long)) - 1} {
			for _, length := range []int64{1, 100, tinyPart, 2 * tinyPart, -1, math.MaxInt64} {
				body, err := o.Range(ctx, at, length)
				must(t, err)
				got, err := io.ReadAll(body)
				must(t, errors.Join(err, body.Close()))
				end := int64(len(long))
				if length >= 0 && length < end {
					end = min(end, at+length)
				}
				if !bytes.Equal(got, long[at:end]) {
					t.Errorf("%d bytes from %d on: %d came", length, at, len(got))
				}
			}
		}
		must(t, o.Close())
		r.wantBuffers()
	})
}

// wantBuffers sees that no reader has kept a buffer.
func (r *rig) wantBuffers() {
	r.t.Helper()
	if n := len(r.store.ahead); n != readBuffers {
		r.t.Errorf("%d of %d buffers came back", n, readBuffers)
	}
}

// Whoever looks at the beginning asks for no more.
func TestReadOfTheBeginning(t *testing.T) {
	r := newRig(t, fakeS3(t), nil)
	r.putLong()
	body, err := blob.OpenRange(ctx, r.store, "a", 0)
	must(t, err)
	b := make([]byte, 1000)
	_, err = io.ReadFull(body, b)
	must(t, err)
	must(t, body.Close())
	if n := r.count("GetObject"); n != 1 {
		t.Errorf("%d requests", n)
	}
	if _, err := body.Read(b); err == nil {
		t.Error("it is read though it is closed")
	}
	r.wantBuffers()
}

// More readers than there are buffers come through as well.
func TestManyReaders(t *testing.T) {
	r := newRig(t, fakeS3(t), nil)
	r.putLong()
	done := make(chan error)
	const readers = 2 * readBuffers
	for range readers {
		go func() {
			got, err := r.read("a")
			if err == nil && !bytes.Equal(got, long) {
				err = errors.New("something else was read")
			}
			done <- err
		}()
	}
	for range readers {
		must(t, <-done)
	}
	r.wantBuffers()
}

// Bodies break off, connections and answers are lost: reading goes on at the byte where it was.
func TestReadGoesOn(t *testing.T) {
	endpoint := awstest.S3(t).Endpoint
	for _, fault := range []awstest.Fault{
		{Effect: awstest.CutAnswer, Times: 5}, {Effect: awstest.Reset, Times: 3}, {Effect: awstest.LoseAnswer, Times: 3},
		{Effect: awstest.Refuse, Times: 3, Status: 503, Code: "SlowDown"}, {Effect: awstest.Refuse, Times: 3, Status: 500, Code: "InternalError"},
		{Effect: awstest.CutAnswer, After: 2, Times: 3}, {Effect: awstest.Reset, After: 3, Times: 5},
	} {
		r := newRig(t, endpoint, nil)
		r.putLong()
		fault.Operation = "s3:GetObject"
		r.proxy.Add(fault)
		if got, err := r.read("a"); err != nil || !bytes.Equal(got, long) {
			t.Errorf("%+v: %d bytes, %v", fault, len(got), err)
		}
		if r.proxy.Spoiled() == 0 {
			t.Errorf("%+v: nothing was spoiled", fault)
		}
		r.wantBuffers()
	}
}

// Without end it fails in a way that the caller may try again.
func TestReadGivesUpForNow(t *testing.T) {
	for _, effect := range []awstest.Effect{awstest.Reset, awstest.LoseAnswer} {
		r := newRig(t, fakeS3(t), nil)
		r.putLong()
		r.proxy.Add(awstest.Fault{Effect: effect, Operation: "s3:GetObject"})
		if _, err := r.read("a"); !pipeline.Retryable(err) {
			t.Errorf("got %v", err)
		}
		r.wantBuffers()
	}
}

// A connection of which nobody knows that it is dead.
func TestReadOfAStalledBody(t *testing.T) {
	endpoint := awstest.S3(t).Endpoint
	r := newRig(t, endpoint, nil)
	r.putLong()
	proxy := awstest.Proxy(t, endpoint)
	o := r.store.o
	o.AWS.Endpoint, o.Stall, o.Retry = proxy.Endpoint, 300*time.Millisecond, awsapi.Retry{Timeout: 3 * time.Second}
	s := New(o)
	t.Cleanup(s.closeIdle)
	body, err := blob.OpenRange(ctx, s, "a", 0)
	must(t, err)
	got := make([]byte, len(long))
	_, err = io.ReadFull(body, got[:1000])
	must(t, err)
	proxy.HalfOpen()
	restore := time.AfterFunc(time.Second, proxy.Restore)
	defer restore.Stop()
	_, err = io.ReadFull(body, got[1000:])
	if err != nil || !bytes.Equal(got, long) {
		t.Errorf("got %v", err)
	}
	must(t, body.Close())
}

// An object that is replaced or removed while it is read is no longer what was opened.
func TestReadOfAChangedObject(t *testing.T) {
	onEach(t, func(t *testing.T, rig func(func(*Options)) *rig) {
		for what, change := range map[string]func(s *Store) error{
			"replaced": func(s *Store) error {
				return blob.WriteAll(ctx, s, "a", long[1:], blob.CreateOptions{})
			},
			"of the same size": func(s *Store) error {
				return blob.WriteAll(ctx, s, "a", append([]byte{long[0] + 1}, long[1:]...), blob.CreateOptions{})
			},
			"shorter": func(s *Store) error { return blob.WriteAll(ctx, s, "a", small, blob.CreateOptions{}) },
			"removed": func(s *Store) error { return s.Delete(ctx, "a") },
		} {
			r := rig(nil)
			r.putLong()
			o, err := r.store.Open(ctx, "a")
			must(t, err)
			body, err := o.Range(ctx, 0, -1)
			must(t, err)
			_, err = io.ReadFull(body, make([]byte, 1000))
			must(t, err)
			must(t, change(r.direct))
			if _, err := io.Copy(io.Discard, body); !errors.Is(err, blob.ErrChanged) || pipeline.Retryable(err) {
				t.Errorf("%s: %v", what, err)
			}
			if _, err := o.ReadAt(make([]byte, 10), 5); !errors.Is(err, blob.ErrChanged) {
				t.Errorf("%s, ReadAt: %v", what, err)
			}
			must(t, errors.Join(body.Close(), o.Close()))
			r.wantBuffers()
		}
	})
}

// One bit is changed on the way down: it is found by the checksum of the whole object, before its
// last bytes are given.
func TestFlippedBitOnTheWayDown(t *testing.T) {
	endpoint := awstest.S3(t).Endpoint
	for name, content := range map[string][]byte{"small": small, "long": long} {
		r := newRig(t, endpoint, realParts)
		file, c := r.file(content)
		must(t, r.direct.Upload(ctx, file, name, blob.UploadOptions{Content: c}))
		r.proxy.Add(awstest.Fault{Effect: awstest.FlipAnswer, Operation: "s3:GetObject", Times: 1})
		got, err := r.read(name)
		if err == nil || len(got) >= len(content) || !strings.Contains(err.Error(), c.CRC64NVME) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}

// Objects of Content-Encoding gzip, which some tools set, are read as they are stored.
func TestReadOfContentEncoding(t *testing.T) {
	r := newRig(t, awstest.S3(t).Endpoint, nil)
	var compressed bytes.Buffer
	w := gzip.NewWriter(&compressed)
	_, err := w.Write(small)
	must(t, errors.Join(err, w.Close()))
	client, err := r.direct.connect(ctx)
	must(t, err)
	_, err = client.PutObject(ctx, &sdk.PutObjectInput{Bucket: &r.store.name, Key: aws.String("a.gz"), Body: bytes.NewReader(compressed.Bytes()), ContentEncoding: aws.String("gzip")})
	must(t, err)
	if got, err := r.read("a.gz"); err != nil || !bytes.Equal(got, compressed.Bytes()) {
		t.Errorf("%d bytes of %d, %v", len(got), compressed.Len(), err)
	}
}

// A listing is older than what it lists.
func TestVanishedObject(t *testing.T) {
	r := newRig(t, fakeS3(t), nil)
	r.put([]string{"a", "b"})
	for info, err := range r.store.List(ctx, "", blob.ListOptions{Recursive: true}) {
		must(t, err)
		must(t, r.direct.Delete(ctx, info.Name))
		if _, err := r.store.Open(ctx, info.Name); !errors.Is(err, fs.ErrNotExist) || pipeline.Retryable(err) {
			t.Errorf("got %v", err)
		}
	}
}

// Empty objects are asked for by no range, which could not be satisfied.
func TestEmptyObject(t *testing.T) {
	onEach(t, func(t *testing.T, rig func(func(*Options)) *rig) {
		r := rig(nil)
		must(t, blob.WriteAll(ctx, r.direct, "a", nil, blob.CreateOptions{}))
		o, err := r.store.Open(ctx, "a")
		must(t, err)
		if n, err := o.ReadAt(make([]byte, 1), 0); n != 0 || err != io.EOF {
			t.Errorf("got %d, %v", n, err)
		}
		must(t, o.Close())
		if got, err := r.read("a"); err != nil || len(got) > 0 || r.count("GetObject") > 0 {
			t.Errorf("%d bytes, %v, %d requests", len(got), err, r.count("GetObject"))
		}
	})
}

// A reader whose context ends is not kept waiting.
func TestReadThatIsCancelled(t *testing.T) {
	service := awstest.S3(t)
	r := newRig(t, service.Endpoint, nil)
	r.putLong()
	within, cancel := context.WithCancel(ctx)
	body, err := blob.OpenRange(within, r.direct, "a", 0)
	must(t, err)
	_, err = io.ReadFull(body, make([]byte, tinyPart/readAheadFrom+1))
	must(t, err)
	service.Pause()
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := io.Copy(io.Discard, body); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	must(t, body.Close())
	service.Resume()
	if n := len(r.direct.ahead); n != readBuffers {
		t.Errorf("%d of %d buffers came back", n, readBuffers)
	}
}
