package s3

import (
	"testing"

	"github.com/starlift-etl/starlift/pipeline/blob"
	"github.com/starlift-etl/starlift/pipeline/blob/blobtest"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

func TestStore(t *testing.T) {
	for _, server := range servers {
		t.Run(server.name, func(t *testing.T) {
			endpoint := server.start(t)
			blobtest.Run(t, blobtest.Target{Forgets: true, Part: server.part, New: func(t testing.TB) blob.Store {
				o := newBucket(t, endpoint)
				o.Prefix, o.S3.PartSize = "some folder/", spec.Bytes(server.part)
				o.S3.Checksum = server.checksum
				return New(o)
			}})
		})
	}
}
