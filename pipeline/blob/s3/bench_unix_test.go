//go:build unix

package s3

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/pipeline/blob"
)

// BenchmarkTransfer is what a GB of upload and download takes of our own time, beside net/http alone.
func BenchmarkTransfer(b *testing.B) {
	endpoint := awstest.S3(b).Endpoint
	content := make([]byte, 256<<20)
	rand.Read(content) // never fails
	file := b.TempDir() + "/file"
	must(b, os.WriteFile(file, content, 0o600))
	for _, checksum := range []string{"when_supported", whenRequired} {
		o := newBucket(b, endpoint)
		o.S3.Checksum = checksum
		s := New(o)
		b.Cleanup(s.closeIdle)
		h := blob.NewCRC64NVME()
		h.Write(content)
		c := &blob.Content{Size: int64(len(content)), CRC64NVME: blob.ChecksumText(h), PartSize: s.PartSize(int64(len(content)))}
		n := 0
		measure(b, "upload "+checksum, int64(len(content)), func() {
			n++
			must(b, s.Upload(ctx, file, fmt.Sprint(n), blob.UploadOptions{Content: c}))
		})
		measure(b, "download "+checksum, int64(len(content)), func() {
			r, err := blob.OpenRange(ctx, s, "1", 0)
			must(b, err)
			_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{r}, make([]byte, 256<<10))
			must(b, err)
			must(b, r.Close())
		})
		if checksum == "when_supported" {
			plain(b, &o, file, content)
		}
	}
}

// plain does the same by one request of net/http, signed, with no checksum.
func plain(b *testing.B, o *Options, file string, content []byte) {
	credentials, err := awstest.Config(b, o.AWS.Endpoint).Credentials.Retrieve(ctx)
	must(b, err)
	send := func(method string, body io.Reader, size int64) *http.Response {
		r, err := http.NewRequest(method, o.AWS.Endpoint+"/"+o.Bucket+"/plain", body)
		must(b, err)
		r.ContentLength = size
		r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
		must(b, v4.NewSigner().SignHTTP(ctx, credentials, r, "UNSIGNED-PAYLOAD", "s3", awstest.Region, time.Now()))
		a, err := http.DefaultClient.Do(r)
		must(b, err)
		if a.StatusCode >= 300 {
			b.Fatal(a.Status)
		}
		return a
	}
	measure(b, "upload by net/http", int64(len(content)), func() {
		f, err := os.Open(file)
		must(b, err)
		must(b, send(http.MethodPut, struct{ io.Reader }{f}, int64(len(content))).Body.Close())
		must(b, f.Close())
	})
	measure(b, "download by net/http", int64(len(content)), func() {
		a := send(http.MethodGet, nil, 0)
		_, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{a.Body}, make([]byte, 256<<10))
		must(b, errors.Join(err, a.Body.Close()))
	})
}

func measure(b *testing.B, name string, size int64, do func()) {
	b.Run(name, func(b *testing.B) {
		b.SetBytes(size)
		var before, after syscall.Rusage
		must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &before))
		var m0, m1 runtime.MemStats
		runtime.ReadMemStats(&m0)
		for b.Loop() {
			do()
		}
		runtime.ReadMemStats(&m1)
		must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &after))
		cpu := float64(after.Utime.Nano()-before.Utime.Nano()+after.Stime.Nano()-before.Stime.Nano()) / 1e9
		b.ReportMetric(cpu/(float64(b.N)*float64(size)/1e9), "cpu-s/GB")
		b.ReportMetric(float64(m1.TotalAlloc-m0.TotalAlloc)/float64(b.N)/(1<<20), "allocMiB/op")
	})
}
