package redshift

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline/spec"
)

func TestStageConfig(t *testing.T) {
	const role = "arn:aws:iam::123456789012:role/copy"
	for _, tc := range []struct{ url, role, wants string }{
		{"s3://bucket/folder", role, ""},
		{"s3://bucket", "default", ""},
		{"s3://alias-s3alias/x", "arn:aws-cn:iam::123456789012:role/path/to/r@le+1", ""},
		{"s3://bucket/x", role + ", arn:aws:iam::999999999999:role/other", ""},
		{"/tmp/x", role, "stage.url: Redshift copies from S3 only"},
		{"", role, "stage.url: Redshift copies from S3 only"},
		{"s3a://bucket/x", role, "stage.url: s3a:// is Hadoop's name"},
		{"s3://bucket//x", role, "stage.url: a folder of objects can't be called"},
		{"s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/a/x", role, "stage.url: COPY knows access points by their aliases only"},
		{"s3://bucket/x", "", `stage.iam_role: "" is no role`},
		{"s3://bucket/x", "copy", `stage.iam_role: "copy" is no role`},
		{"s3://bucket/x", "arn:aws:iam::123456789012:user/u", `stage.iam_role: "arn:aws:iam::123456789012:user/u" is no role`},
		{"s3://bucket/x", role + ",", `stage.iam_role: "" is no role`},
		{"s3://bucket/x", role + ",default", `stage.iam_role: "default" is no role`},
		{"s3://bucket/x", "arn:aws:iam::123456789012:role/it's", `is no role`},
	} {
		c := StageConfig{S3: S3StageConfig{URL: tc.url, IAMRole: tc.role}}
		err := c.check()
		if tc.wants == "" {
			if err != nil {
				t.Errorf("%s, %s: %v", tc.url, tc.role, err)
			}
			continue
		}
		found := false
		for _, e := range fieldErrors(err) {
			found = found || strings.Contains(strings.Join(e.Path, ".")+": "+e.Message, tc.wants)
		}
		if !found {
			t.Errorf("%s, %s: got %v, want %s", tc.url, tc.role, err, tc.wants)
		}
	}
	if err := (&StageConfig{None: true}).check(); err != nil {
		t.Error(err)
	}
}

func TestAuthorization(t *testing.T) {
	for role, want := range map[string]string{
		"default":                             "IAM_ROLE default",
		"arn:aws:iam::1:role/a":               "IAM_ROLE 'arn:aws:iam::1:role/a'",
		"arn:aws:iam::1:role/a, arn:aws:b::c": "IAM_ROLE 'arn:aws:iam::1:role/a,arn:aws:b::c'",
	} {
		if got := (&S3StageConfig{IAMRole: role}).authorization(); got != want {
			t.Errorf("%s: got %s, want %s", role, got, want)
		}
	}
}

// fieldErrors takes joined errors apart.
func fieldErrors(err error) (all []*spec.FieldError) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			all = append(all, fieldErrors(e)...)
		}
		return all
	}
	var e *spec.FieldError
	if errors.As(err, &e) {
		all = append(all, e)
	}
	return all
}

// Names of objects are never those of other tables, and nothing in them is read as anything else.
func TestNamesOfObjects(t *testing.T) {
	f := stageFolder{pipeline: "shop", sink: "star", state: "0a1b"}
	for table, want := range map[string]string{
		"orders":         "shop/star/0a1b/7/orders-000.parquet",
		"Order Items":    "shop/star/0a1b/7/Order.20Items-000.parquet",
		"a.20b":          "shop/star/0a1b/7/a.2e20b-000.parquet",
		"a b":            "shop/star/0a1b/7/a.20b-000.parquet",
		"../x%2F?#'\\\n": "shop/star/0a1b/7/x._.2e.2e.2fx.252F.3f.23.27.5c.0a-000.parquet",
		"ü":              "shop/star/0a1b/7/x._.c3.bc-000.parquet",
		"_orders":        "shop/star/0a1b/7/x.__orders-000.parquet",
		"-":              "shop/star/0a1b/7/--000.parquet",
		"a-000":          "shop/star/0a1b/7/a-000-000.parquet",
	} {
		if got := f.file(7, table, 0); got != want {
			t.Errorf("%q: %s, want %s", table, got, want)
		}
	}
	seen := map[string]string{}
	for _, table := range []string{"a", "A", "a-000", "a.manifest", "a.20", "a ", "a-000.parquet", ".", "..", "_", "x._", "x._.", "x.__", "x_", "#a", "~", "a/b", "a%2Fb", "a.2fb"} {
		for _, name := range []string{f.manifest(7, table), f.file(7, table, 0), f.file(7, table, 1000)} {
			if other, ok := seen[name]; ok {
				t.Errorf("%q and %q both have %s", table, other, name)
			}
			seen[name] = table
			if base := path.Base(name); strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
				t.Errorf("%q: %s is hidden", table, name)
			}
		}
	}
	if got, want := (stageFolder{pipeline: "_p", sink: ".s", state: "0"}).ofState(), "x.__p/x._.2es/0/"; got != want {
		t.Errorf("folder %s, want %s", got, want)
	}
	if got, want := fmt.Sprint(f.all(), f.ofSink(), f.ofState(), f.ofEpoch(12)), "shop/shop/star/shop/star/0a1b/shop/star/0a1b/12/"; got != want {
		t.Errorf("folders %s, want %s", got, want)
	}
}

func TestManifest(t *testing.T) {
	var m manifest
	m.add("s3://bucket/a & b/<x>-000.parquet", 123)
	m.add(`s3://bucket/"q"\`, 1<<40)
	text, err := m.text()
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"entries":[{"url":"s3://bucket/a & b/<x>-000.parquet","mandatory":true,"meta":{"content_length":123}},{"url":"s3://bucket/\"q\"\\","mandatory":true,"meta":{"content_length":1099511627776}}]}` + "\n"
	if string(text) != want {
		t.Errorf("got %s", text)
	}
}
