package file

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/sourcetest"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// suiteInput is a folder of files as the suite of sources sees it.
type suiteInput struct {
	t       testing.TB
	dir     string
	packing string // of all files; see pack
	follow  bool
	files   []sourcetest.Partition
	records int
}

func newSuiteInput(t testing.TB, packing string, follow bool) *suiteInput {
	in := &suiteInput{t: t, dir: t.TempDir(), packing: packing, follow: follow}
	for _, n := range []int{4, 1, 7} {
		in.add(n)
	}
	return in
}

// add adds a file with records. Files found at once are followed in the order of their
// times.
func (in *suiteInput) add(records int) {
	in.t.Helper()
	p := sourcetest.Partition{Name: filepath.Join(in.dir, fmt.Sprintf("f%02d.ndjson", len(in.files)))}
	in.files = append(in.files, p)
	in.put(len(in.files)-1, records)
	at := time.Now().Add(time.Duration(len(in.files)-100) * time.Minute)
	if err := os.Chtimes(p.Name, at, at); err != nil {
		in.t.Fatal(err)
	}
}

// put adds records to a file; one that is compressed gets them once only.
func (in *suiteInput) put(file, records int) {
	in.t.Helper()
	p := &in.files[file]
	var text strings.Builder
	for range records {
		in.records++
		one := fmt.Sprintf(`{"n":%d,"pad":"%s"}`, in.records, strings.Repeat("x", in.records%5))
		p.Records = append(p.Records, one)
		text.WriteString(one + "\n")
	}
	f, err := os.OpenFile(p.Name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		in.t.Fatal(err)
	}
	if _, err := f.Write(pack(in.t, in.packing, []byte(text.String()))); err != nil {
		in.t.Error(err)
	}
	if err := f.Close(); err != nil {
		in.t.Error(err)
	}
}

// Source implements sourcetest.Input.
func (in *suiteInput) Source(t testing.TB) pipeline.Source {
	cfg := Config{Path: filepath.Join(in.dir, "*"), Format: "dynamodb_cdc", Follow: in.follow}
	if in.follow {
		cfg.Poll = spec.Duration(10 * time.Millisecond)
	}
	return testSource(t, cfg, 50)
}

// Want implements sourcetest.Input.
func (in *suiteInput) Want() []sourcetest.Partition { return in.files }

// suiteFollowed is a suiteInput without end.
type suiteFollowed struct{ *suiteInput }

// Grow implements sourcetest.Grower: a file is added, or grows.
func (in suiteFollowed) Grow(r *rand.Rand) {
	if r.IntN(3) == 0 {
		in.add(1 + r.IntN(4))
		return
	}
	in.put(r.IntN(len(in.files)), 1+r.IntN(4))
}

// suiteTrimmed is a bounded suiteInput whose files can be removed.
type suiteTrimmed struct{ *suiteInput }

// Trim implements sourcetest.Trimmer: what was read in part is gone.
func (in suiteTrimmed) Trim(t testing.TB, read map[string]int) (lost []string) {
	for _, p := range in.files {
		if n := read[p.Name]; n > 0 && n < len(p.Records) {
			lost = append(lost, p.Records[n:]...)
			if err := os.Remove(p.Name); err != nil {
				t.Fatal(err)
			}
		}
	}
	return lost
}

// TestConformance holds files to the contract of sources: read once or for ever, plain or
// compressed.
func TestConformance(t *testing.T) {
	for _, packing := range []string{"none", "gzip of two members", "zstd"} {
		t.Run("bounded/"+packing, func(t *testing.T) {
			sourcetest.Run(t, func(t testing.TB) sourcetest.Input { return suiteTrimmed{newSuiteInput(t, packing, false)} })
		})
	}
	t.Run("followed", func(t *testing.T) {
		sourcetest.Run(t, func(t testing.TB) sourcetest.Input { return suiteFollowed{newSuiteInput(t, "none", true)} })
	})
}
