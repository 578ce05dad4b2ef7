package s3

import (
	"bytes"
	"errors"
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/pipeline/blob"
)

// series is all calls that write, as a sink makes them.
type series struct {
	*rig
	content map[string][]byte
	files   map[string]string
	known   map[string]*blob.Content
}

func newSeries(r *rig, content map[string][]byte) *series {
	s := &series{rig: r, content: content, files: map[string]string{}, known: map[string]*blob.Content{}}
	for name, c := range content {
		s.files[name], s.known[name] = r.file(c)
	}
	return s
}

// run claims a folder, publishes files and removes others.
func (s *series) run(store *Store) error {
	upload := func(name string) error {
		return store.Upload(ctx, s.files[name], "t/"+name, blob.UploadOptions{Content: s.known[name]})
	}
	for _, call := range []func() error{
		func() error { return claim(store) },
		func() error { return upload("big") },
		func() error { return upload("small") },
		func() error { return blob.WriteAll(ctx, store, "t/segment", s.content["big"], blob.CreateOptions{}) },
		func() error { return store.Delete(ctx, "t/old", "t/older") },
	} {
		if err := call(); err != nil {
			return err
		}
	}
	return nil
}

func claim(store *Store) error {
	err := blob.WriteAll(ctx, store, "t/owner", []byte("ours"), blob.CreateOptions{IfAbsent: true})
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	owner, err := blob.ReadAll(ctx, store, "t/owner")
	if err == nil && string(owner) != "ours" {
		err = errors.New("the folder is another one's")
	}
	return err
}

// TestFailureAtEachRequest spoils each request of the series in turn. By itself, that changes nothing: all
// is made once. If the process dies with it, nothing is there in part, and after a clean-up the series
// ends as it always does.
func TestFailureAtEachRequest(t *testing.T) {
	const part = 16 << 10 // this server takes any size
	content := map[string][]byte{"big": random(2*part + 99), "small": small[:1000]}
	for _, checksum := range []string{"", whenRequired} {
		for _, effect := range []awstest.Effect{awstest.Reset, awstest.LoseAnswer} {
			for _, dies := range []bool{false, true} {
				endpoint, n := fakeS3(t), 0
				for ; ; n++ {
					r := newRig(t, endpoint, func(o *Options) { o.S3.Checksum, o.S3.PartSize = checksum, part })
					must(t, blob.WriteAll(ctx, r.direct, "t/old", content["small"], blob.CreateOptions{}))
					s := newSeries(r, content)
					r.proxy.Add(awstest.Fault{Effect: effect, After: n, Times: 1})
					if dies { // what comes behind does not arrive
						r.proxy.Add(awstest.Fault{Effect: awstest.Reset, After: n})
					}
					err := s.run(r.store)
					if r.proxy.Spoiled() == 0 {
						must(t, err)
						s.want()
						break
					}
					if dies {
						s.wantWhole()
						for u, err := range r.direct.Unfinished(ctx, "t/") {
							must(t, errors.Join(err, r.direct.Discard(ctx, u)))
						}
						err = s.run(r.direct)
					}
					if err != nil {
						t.Errorf("request %d (effect %d, dies %v): %v", n, effect, dies, err)
					}
					s.want()
					if !dies { // an upload whose ID nobody heard stays, until the next start
						for u, err := range r.direct.Unfinished(ctx, "t/") {
							must(t, errors.Join(err, r.direct.Discard(ctx, u)))
						}
					}
					r.wantNothingUnfinished()
				}
				if n < 14 {
					t.Errorf("only %d requests were made", n)
				}
			}
		}
	}
}

// wantWhole sees that what is there is there as a whole.
func (s *series) wantWhole() {
	s.t.Helper()
	contents := map[string][]byte{"t/big": s.content["big"], "t/segment": s.content["big"], "t/small": s.content["small"], "t/old": s.content["small"], "t/owner": []byte("ours")}
	for _, name := range s.names() {
		if got, err := blob.ReadAll(ctx, s.direct, name); err != nil || !bytes.Equal(got, contents[name]) {
			s.t.Errorf("%s has %d bytes, %v", name, len(got), err)
		}
	}
}

// want sees that all is as it is after the series.
func (s *series) want() {
	s.t.Helper()
	if diff := cmp.Diff([]string{"t/big", "t/owner", "t/segment", "t/small"}, s.names()); diff != "" {
		s.t.Errorf("-want +got\n%s", diff)
	}
	s.wantWhole()
}

func (s *series) names() (names []string) {
	s.t.Helper()
	for info, err := range s.direct.List(ctx, "", blob.ListOptions{Recursive: true}) {
		must(s.t, err)
		names = append(names, info.Name)
	}
	return names
}
