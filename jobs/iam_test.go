package jobs

import (
	"bufio"
	"cmp"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline/awstest"
)

// iamPolicy is a policy as IAM reads it.
type iamPolicy struct {
	Version   string
	Statement []iamStatement
}

type iamStatement struct {
	Sid, Effect string
	Principal   map[string]texts
	Action      texts
	Resource    texts
	Condition   map[string]map[string]texts
}

// texts is a text, or a list of them.
type texts []string

func (t *texts) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*t = texts{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(t))
}

// allows returns the statement that allows an action on a resource; -1 = none does.
func (p *iamPolicy) allows(action, resource string) int {
	return slices.IndexFunc(p.Statement, func(s iamStatement) bool {
		return s.Effect == "Allow" && slices.Contains(s.Action, action) &&
			slices.ContainsFunc(s.Resource, func(pattern string) bool { return arnMatches(pattern, resource) })
	})
}

// arnMatches compares as IAM does, where * stands for any text, slashes too.
func arnMatches(pattern, arn string) bool {
	parts := strings.Split(pattern, "*")
	rest, ok := strings.CutPrefix(arn, parts[0])
	if !ok || len(parts) == 1 {
		return ok && rest == ""
	}
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(rest, part)
		if i < 0 {
			return false
		}
		rest = rest[i+len(part):]
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}

// docPolicies returns the policies of a page, by the heading that each stands below.
func docPolicies(t *testing.T, file string) map[string]*iamPolicy {
	t.Helper()
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	policies := map[string]*iamPolicy{}
	heading, inside, block := "", false, ""
	for line := range strings.Lines(string(page)) {
		switch trimmed := strings.TrimSpace(line); {
		case strings.HasPrefix(line, "#") && !inside:
			heading = strings.TrimLeft(trimmed, "# ")
		case trimmed == "```json":
			inside, block = true, ""
		case trimmed == "```" && inside:
			inside = false
			p := &iamPolicy{}
			d := json.NewDecoder(strings.NewReader(block))
			d.DisallowUnknownFields()
			if err := d.Decode(p); err != nil {
				t.Errorf("%s: %s: %v", file, heading, err)
			}
			if policies[heading] != nil {
				t.Errorf("%s: two policies below %q", file, heading)
			}
			policies[heading] = p
		case inside:
			block += line
		}
	}
	return policies
}

// A need is an action that a call must be allowed, on a resource.
type need struct{ action, resource string }

// iamNeeds is a row of testdata/iam/actions.tsv.
type iamNeeds struct{ operation, action, resource, when string }

func loadNeeds(t *testing.T) []iamNeeds {
	t.Helper()
	f, err := os.Open("testdata/iam/actions.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var rows []iamNeeds
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		fields := strings.Split(lines.Text(), "\t")
		if len(fields) != 4 {
			t.Fatalf("a row of actions.tsv has %d fields: %q", len(fields), lines.Text())
		}
		rows = append(rows, iamNeeds{fields[0], fields[1], fields[2], fields[3]})
	}
	return rows
}

// The account and region of the page's examples.
const iamAccount, iamRegion = "123456789012", "eu-central-1"

// iamWorld is what recorded calls don't say of what they are about.
type iamWorld struct {
	stream string // of calls that name an iterator or a token alone
	// workgroup is the ARN of the workgroup that calls name.
	workgroup string
	key       string // the KMS key that all is encrypted with; empty = none
	// absent says of an object's key that it may be asked for while it is not there.
	absent bool
}

// needs returns what the calls must be allowed, each once.
func (w iamWorld) needs(rows []iamNeeds, calls []*awstest.Call) ([]need, error) {
	var all []need
	for _, call := range calls {
		known := false
		for _, row := range rows {
			if row.operation != call.Operation {
				continue
			}
			known = true
			if !w.when(row.when, call) {
				continue
			}
			resource, err := w.arn(row.resource, call)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", call.Operation, err)
			}
			if n := (need{row.action, resource}); !slices.Contains(all, n) {
				all = append(all, n)
			}
		}
		if !known {
			return nil, fmt.Errorf("%s is not in actions.tsv", call.Operation)
		}
	}
	return all, nil
}

func (w iamWorld) when(condition string, call *awstest.Call) bool {
	switch condition {
	case "always":
		return true
	case "tags":
		return call.Header.Get("X-Amz-Tagging") != ""
	case "version":
		return call.URL.Query().Has("versionId")
	case "never": // by a call of ours
		return false
	case "absent":
		return w.absent
	case "kms":
		return w.key != ""
	}
	panic("condition " + condition)
}

// arn names what a call is about.
func (w iamWorld) arn(kind string, call *awstest.Call) (string, error) {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(call.URL.Path, "/"), "/")
	switch kind {
	case "bucket":
		return "arn:aws:s3:::" + bucket, nil
	case "object":
		if call.Operation == "s3:DeleteObjects" {
			var body struct {
				Object []struct{ Key string }
			}
			if err := xml.Unmarshal(call.Body, &body); err != nil || len(body.Object) == 0 {
				return "", fmt.Errorf("%q deletes nothing: %v", call.Body, err)
			}
			key = body.Object[0].Key // all of a call are below one prefix
		}
		return "arn:aws:s3:::" + bucket + "/" + key, nil
	case "key":
		return w.key, nil
	case "role":
		form, err := url.ParseQuery(string(call.Body))
		return form.Get("RoleArn"), err
	case "workgroup":
		return w.workgroup, nil
	case "dbuser", "dbname":
		form, err := url.ParseQuery(string(call.Body))
		name := map[string]string{"dbuser": "DbUser", "dbname": "DbName"}[kind]
		return fmt.Sprintf("arn:aws:redshift:%s:%s:%s:%s/%s", iamRegion, iamAccount, kind, form.Get("ClusterIdentifier"), form.Get(name)), err
	}
	var body struct {
		StreamName, StreamARN, TableName string
		TableArn, ExportArn              string
		ShardIterator                    string
		ConsumerName, ConsumerARN        string
		RequestItems                     map[string]any
	}
	if err := json.Unmarshal(call.Body, &body); err != nil {
		return "", err
	}
	switch kind {
	case "any":
		return "*", nil
	case "export":
		return body.ExportArn, nil
	case "tablestream":
		arn, _, _ := strings.Cut(body.ShardIterator, "|") // with which an iterator begins
		if arn = cmp.Or(arn, body.StreamARN); arn != "" {
			return arn, nil
		}
		return fmt.Sprintf("arn:aws:dynamodb:%s:%s:table/%s/stream/*", iamRegion, iamAccount, body.TableName), nil
	case "table":
		if body.TableArn != "" {
			return body.TableArn, nil
		}
		for name := range body.RequestItems {
			body.TableName = name
		}
		return fmt.Sprintf("arn:aws:dynamodb:%s:%s:table/%s", iamRegion, iamAccount, path.Base(body.TableName)), nil
	}
	if body.ConsumerARN == "" && body.ConsumerName != "" {
		body.ConsumerARN = body.StreamARN + "/consumer/" + body.ConsumerName + ":1" // a time
	}
	if body.StreamARN == "" {
		body.StreamARN, _, _ = strings.Cut(body.ConsumerARN, "/consumer/")
	}
	switch {
	case kind == "consumer":
		return body.ConsumerARN, nil
	case body.StreamARN != "":
		return body.StreamARN, nil
	case body.StreamName == "":
		body.StreamName = w.stream
	}
	return fmt.Sprintf("arn:aws:kinesis:%s:%s:stream/%s", iamRegion, iamAccount, body.StreamName), nil
}

// checkPolicy holds a policy against what was needed: all of that is allowed, and no
// more, but for actions that are excused, each with its reason.
func checkPolicy(p *iamPolicy, needs []need, excused map[string]string) (wrong []string) {
	used := map[string]bool{}
	for _, n := range needs {
		if p.allows(n.action, n.resource) < 0 {
			wrong = append(wrong, fmt.Sprintf("%s on %s is needed and not allowed", n.action, n.resource))
		}
		used[n.action] = true
	}
	for _, s := range p.Statement {
		for _, action := range s.Action {
			switch _, excuse := excused[action]; {
			case strings.Contains(action, "*"):
				wrong = append(wrong, fmt.Sprintf("%s: a policy names its actions", action))
			case excuse && used[action]:
				wrong = append(wrong, fmt.Sprintf("%s is excused, and needed", action))
			case !excuse && !used[action]:
				wrong = append(wrong, fmt.Sprintf("%s is allowed and never needed", action))
			}
		}
		if !slices.ContainsFunc(needs, func(n need) bool {
			return slices.Contains(s.Action, n.action) && slices.ContainsFunc(s.Resource, func(r string) bool { return arnMatches(r, n.resource) })
		}) && len(needs) > 0 && !slices.ContainsFunc(s.Action, func(a string) bool { _, ok := excused[a]; return ok }) {
			wrong = append(wrong, fmt.Sprintf("the statement of %v allows nothing that is needed", s.Action))
		}
	}
	return wrong
}

// TestPolicyCheck shows that the check of policies finds what is missing and what is too much.
func TestPolicyCheck(t *testing.T) {
	const object = "arn:aws:s3:::lake/shop/a.parquet"
	policy := &iamPolicy{Statement: []iamStatement{
		{Effect: "Allow", Action: texts{"s3:PutObject", "s3:AbortMultipartUpload"}, Resource: texts{"arn:aws:s3:::lake/shop/*"}},
		{Effect: "Allow", Action: texts{"s3:ListBucket"}, Resource: texts{"arn:aws:s3:::lake"}},
	}}
	all := []need{{"s3:PutObject", object}, {"s3:AbortMultipartUpload", object}, {"s3:ListBucket", "arn:aws:s3:::lake"}}
	for name, test := range map[string]struct {
		needs   []need
		excused map[string]string
		want    string
	}{
		"right":           {all, nil, ""},
		"another bucket":  {append(slices.Clone(all), need{"s3:ListBucket", "arn:aws:s3:::lake2"}), nil, "s3:ListBucket on arn:aws:s3:::lake2 is needed and not allowed"},
		"another prefix":  {append(slices.Clone(all), need{"s3:PutObject", "arn:aws:s3:::lake/b"}), nil, "s3:PutObject on arn:aws:s3:::lake/b is needed and not allowed"},
		"another action":  {append(slices.Clone(all), need{"s3:DeleteObject", object}), nil, "s3:DeleteObject on " + object + " is needed and not allowed"},
		"too much":        {[]need{all[0], all[2]}, nil, "s3:AbortMultipartUpload is allowed and never needed"},
		"excused":         {[]need{all[0], all[2]}, map[string]string{"s3:AbortMultipartUpload": "strays are rare"}, ""},
		"needless excuse": {all, map[string]string{"s3:AbortMultipartUpload": "strays are rare"}, "s3:AbortMultipartUpload is excused, and needed"},
	} {
		if got := strings.Join(checkPolicy(policy, test.needs, test.excused), "; "); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
	for pattern, arn := range map[string]string{"a/*": "a/b/c", "a*c": "abc", "*": "", "a": "a", "a*b*c": "aXbYbZc"} {
		if !arnMatches(pattern, arn) {
			t.Errorf("%q does not match %q", pattern, arn)
		}
	}
	for pattern, arn := range map[string]string{"a/*": "a", "a*c": "abd", "a": "ab", "ab*bc": "abc"} {
		if arnMatches(pattern, arn) {
			t.Errorf("%q matches %q", pattern, arn)
		}
	}
}
