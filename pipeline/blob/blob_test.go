package blob_test

import (
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/starlift-etl/starlift/pipeline/blob"
	"github.com/starlift-etl/starlift/pipeline/blob/blobtest"
	"github.com/starlift-etl/starlift/pipeline/disk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newDir(t testing.TB) blob.Store {
	return blob.NewDir(filepath.Join(t.TempDir(), "store"), disk.Shared)
}

func TestStores(t *testing.T) {
	for name, of := range map[string]func(testing.TB) blob.Store{
		"local disk": newDir,
		"private":    func(t testing.TB) blob.Store { return blob.NewDir(t.TempDir(), disk.Private) },
		"memory":     func(testing.TB) blob.Store { return blob.NewMemory() },
		"wrapped":    func(testing.TB) blob.Store { return new(blob.Faults).Wrap(blob.NewMemory()) },
	} {
		t.Run(name, func(t *testing.T) { blobtest.Run(t, blobtest.Target{New: of, Appends: true}) })
	}
}
