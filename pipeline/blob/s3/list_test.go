package s3

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"golang.org/x/sync/errgroup"

	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/awstest"
	"github.com/starlift-etl/starlift/pipeline/blob"
)

// oddNames are those whose every byte has been lost by some client.
var oddNames = []string{
	"a b", "a+b", "a%2Fb", "a%20b", "a%b", "é", "日本.json", "emoji🦆", "a&b<c>", "quote\"'", "a=b,c", "a\\b", "#a", "a?b", "~a", "trailing ", "dots..x", "tab\tx", "col:on", "{x}", "[y]", "*z*", "a;b@c", "e\u0301",
}

// Names of all kinds, on several pages: each is listed once, in the order of its bytes, and can be opened.
func TestListOddNames(t *testing.T) {
	onEach(t, func(t *testing.T, rig func(func(*Options)) *rig) {
		if strings.HasSuffix(t.Name(), "without_checksums") {
			t.Skip("the others show the same")
		}
		r := rig(func(o *Options) { o.Prefix = "odd + prefix%/" })
		var names []string
		for i := range 1100 {
			names = append(names, fmt.Sprintf("%s/%05d %s", []string{"x", "x y", "x+y", "%2F"}[i%4], i, oddNames[i%len(oddNames)]))
		}
		names = append(names, oddNames...)
		r.put(names)
		slices.Sort(names)
		if diff := cmp.Diff(names, r.names("", blob.ListOptions{Recursive: true})); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		if n := r.count("ListObjectsV2"); n != 2 {
			t.Errorf("%d pages, want 2", n)
		}
		for _, name := range oddNames {
			if got, err := blob.ReadAll(ctx, r.store, name); err != nil || string(got) != name {
				t.Errorf("%q: %q, %v", name, got, err)
			}
		}
		for _, after := range []string{"a+b", "x y/", names[700], "日本.json"} {
			want := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n <= after })
			if diff := cmp.Diff(want, r.names("", blob.ListOptions{Recursive: true, After: after}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("after %q: -want +got\n%s", after, diff)
			}
		}
		want := append([]string{"x/", "x y/", "x+y/", "%2F/"}, oddNames...)
		slices.Sort(want)
		if diff := cmp.Diff(want, r.names("", blob.ListOptions{})); diff != "" {
			t.Errorf("folders: -want +got\n%s", diff)
		}
		must(t, r.store.Delete(ctx, names...))
		if left := r.names("", blob.ListOptions{Recursive: true}); len(left) > 0 {
			t.Errorf("%q are left", left)
		}
	})
}

// put makes objects that hold their names.
func (r *rig) put(names []string) {
	r.t.Helper()
	var group errgroup.Group
	group.SetLimit(16)
	for _, name := range names {
		group.Go(func() error {
			return blob.WriteAll(ctx, r.direct, name, []byte(name), blob.CreateOptions{})
		})
	}
	must(r.t, group.Wait())
}

func (r *rig) names(prefix string, o blob.ListOptions) (names []string) {
	r.t.Helper()
	for info, err := range r.store.List(ctx, prefix, o) {
		must(r.t, err)
		names = append(names, info.Name)
	}
	return names
}

// 25,000 names of random characters: 25 requests, in order, and in no more memory than a page.
func TestListManyNames(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	alphabet := []rune("ab/ +%&é日🦆.-_~\u00a0")
	backend := s3mem.New()
	r := newRig(t, serve(t, backend), nil)
	seen := map[string]bool{}
	for len(seen) < 25_000 {
		name := make([]rune, 3+random.IntN(12))
		for i := range name {
			name[i] = alphabet[random.IntN(len(alphabet))]
		}
		key := fmt.Sprintf("k%s%d", string(name), random.IntN(10))
		if _, err := backend.PutObject(r.store.name, key, nil, strings.NewReader("x"), 1, nil); err != nil {
			t.Fatal(err)
		}
		seen[key] = true
	}
	last, n := "", 0
	for info, err := range r.store.List(ctx, "", blob.ListOptions{Recursive: true}) {
		must(t, err)
		if info.Name <= last || !seen[info.Name] || info.Size != 1 || info.Tag == "" {
			t.Fatalf("%+v comes after %q", info, last)
		}
		if n%5000 == 0 {
			if got, err := blob.ReadAll(ctx, r.store, info.Name); err != nil || string(got) != "x" {
				t.Errorf("%q: %q, %v", info.Name, got, err)
			}
		}
		last, n = info.Name, n+1
	}
	if n != len(seen) || r.count("ListObjectsV2") != 25 {
		t.Errorf("%d of %d names were listed by %d requests", n, len(seen), r.count("ListObjectsV2"))
	}
}

// Keys that end with a slash, which the console and Hadoop make for folders, are no objects; names that
// no file could have are.
func TestFolderMarkersAndStrangeKeys(t *testing.T) {
	r := newRig(t, awstest.MiniStack(t).Endpoint, nil)
	client, err := r.direct.connect(ctx)
	must(t, err)
	control := "control \x01\x1f\t characters, which XML can't hold"
	for _, key := range []string{"a/", "a/b/", "a/x", "a//y", "/z", "empty/", control} {
		_, err := client.PutObject(ctx, &sdk.PutObjectInput{Bucket: &r.store.name, Key: aws.String(key), Body: strings.NewReader(strings.Trim(key, "/"))})
		must(t, err)
	}
	if diff := cmp.Diff([]string{"/z", "a//y", "a/x", control}, r.names("", blob.ListOptions{Recursive: true})); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a//", "a/b/", "a/x"}, r.names("a/", blob.ListOptions{})); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	for name, want := range map[string]string{"/z": "z", "a//y": "a//y"} {
		if got, err := blob.ReadAll(ctx, r.store, name); err != nil || string(got) != want {
			t.Errorf("%q: %q, %v", name, got, err)
		}
	}
}

// Uploads of attempts that crashed, ours and another pipeline's, on several pages: all are found, with
// their age by the server's clock, and those that are discarded are gone.
func TestManyUnfinished(t *testing.T) {
	r := newRig(t, awstest.S3(t).Endpoint, func(o *Options) { o.Prefix = "lake/" })
	var names []string
	for i := range 600 {
		names = append(names, fmt.Sprintf("t/ours %%2F+%04d", i), fmt.Sprintf("t/theirs %%2F+%04d", i))
	}
	r.begin(append(names, "elsewhere"))
	var ours []blob.UnfinishedObject
	ids := map[string]bool{}
	for u, err := range r.store.Unfinished(ctx, "t/") {
		must(t, err)
		if ids[u.ID] || u.Started.IsZero() || u.Age < -2*time.Second || u.Age > 2*time.Minute {
			t.Fatalf("%+v", u)
		}
		if ids[u.ID] = true; strings.HasPrefix(u.Name, "t/ours %2F+") {
			ours = append(ours, u)
		}
	}
	if len(ids) != 1200 || len(ours) != 600 || r.count("ListMultipartUploads") > 5 {
		t.Fatalf("%d were found, %d of them ours, by %d requests", len(ids), len(ours), r.count("ListMultipartUploads"))
	}
	var group errgroup.Group
	group.SetLimit(16)
	for _, u := range ours {
		group.Go(func() error { return r.store.Discard(ctx, u) })
	}
	must(t, group.Wait())
	left := 0
	for u, err := range r.store.Unfinished(ctx, "") {
		must(t, err)
		if left++; !strings.HasPrefix(u.Name, "t/theirs") && u.Name != "elsewhere" {
			t.Errorf("%s is left", u.Name)
		}
	}
	if left != 601 {
		t.Errorf("%d are left", left)
	}
}

// begin starts multipart uploads.
func (r *rig) begin(names []string) {
	r.t.Helper()
	client, err := r.direct.connect(ctx)
	must(r.t, err)
	var group errgroup.Group
	group.SetLimit(16)
	for _, name := range names {
		group.Go(func() error {
			_, err := client.CreateMultipartUpload(ctx, &sdk.CreateMultipartUploadInput{Bucket: &r.store.name, Key: aws.String(r.store.prefix + name)})
			return err
		})
	}
	must(r.t, group.Wait())
}

// One object has more attempts than a page: the key alone does not lead on.
func TestManyUnfinishedOfOneName(t *testing.T) {
	r := newRig(t, fakeS3(t), nil)
	r.begin(slices.Repeat([]string{"a +%"}, 1500))
	ids := map[string]bool{}
	for u, err := range r.store.Unfinished(ctx, "") {
		must(t, err)
		ids[u.ID] = true
	}
	if len(ids) != 1500 || r.count("ListMultipartUploads") != 2 {
		t.Errorf("%d were found by %d requests", len(ids), r.count("ListMultipartUploads"))
	}
}

// Age is by the server's clock, however wrong ours is: the answer says when it was made.
func TestAgeOfUnfinished(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", "Mon, 03 Feb 2020 05:05:06 GMT")
		fmt.Fprint(w, `<ListMultipartUploadsResult><Bucket>b</Bucket><IsTruncated>false</IsTruncated><Upload><Key>a</Key><UploadId>1</UploadId><Initiated>2020-02-03T04:05:06.000Z</Initiated></Upload></ListMultipartUploadsResult>`)
	}))
	defer server.Close()
	s := New(Options{Bucket: "bucket", AWS: awsapi.Config{Endpoint: server.URL}})
	defer s.closeIdle()
	n := 0
	for u, err := range s.Unfinished(ctx, "") {
		must(t, err)
		if n++; u.Age != time.Hour || u.Name != "a" || u.ID != "1" {
			t.Errorf("got %+v", u)
		}
	}
	if n != 1 {
		t.Errorf("%d were found", n)
	}
}

// More than the thousand keys that one request removes; what is not there is no error.
func TestDeleteMany(t *testing.T) {
	onEach(t, func(t *testing.T, rig func(func(*Options)) *rig) {
		if strings.HasSuffix(t.Name(), "without_checksums") {
			t.Skip("the others show the same")
		}
		r := rig(nil)
		names := []string{"not there"}
		for i := range 1001 {
			names = append(names, fmt.Sprintf("a/%d +%%", i))
		}
		r.put(append(names[1:], "stays"))
		must(t, r.store.Delete(ctx, names...))
		if got := r.names("", blob.ListOptions{Recursive: true}); !slices.Equal(got, []string{"stays"}) || r.count("DeleteObjects") != 2 {
			t.Errorf("%d are left, by %d requests", len(got), r.count("DeleteObjects"))
		}
	})
}
