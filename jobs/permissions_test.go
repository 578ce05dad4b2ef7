package jobs

import (
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/awstest"
)

// rights are what a policy of a page is held against.
type rights struct {
	world iamWorld
	// calls makes what the policy is for happen, and returns what was asked.
	calls func(t *testing.T) []*awstest.Call
	// excused are actions that are allowed though no call here needs them, with the reason.
	excused map[string]string
	// elsewhere says why no call of it is seen here: AWS makes them itself.
	elsewhere string
	// denied are objects that the policy does not allow to look at, with the reason: here
	// they are denied.
	denied map[string]string
}

const iamKey = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"

// policyRights has each policy of docs/aws.md, by its heading; what belongs to the other
// side of a role or a stream is held against the calls too.
var policyRights = map[string]rights{
	"Read a Kinesis stream":                 {world: iamWorld{stream: "shop-cdc", key: iamKey}, calls: readStream},
	"Read a Kinesis stream with a consumer": {world: iamWorld{stream: "shop-cdc", key: iamKey}, calls: readStreamByConsumer},
	"The stream's policy":                   {calls: readSharedStream},
	"Read files on S3":                      {world: iamWorld{key: iamKey, absent: true}, calls: readObjects},
	"Write Parquet to S3": {
		world: iamWorld{key: iamKey, absent: true}, calls: writeParquet,
		denied: map[string]string{"arn:aws:s3:::shop-lake/_starlift_owner.json": "whose a folder around its own is, it asks to warn; it is no harm not to know"},
	},
	"Write dead letters to S3": {
		world: iamWorld{absent: true}, calls: writeDeadLetters,
		excused: map[string]string{"s3:AbortMultipartUpload": "only a file of letters that is larger than part_size is sent in parts"},
	},
	"Read a reference from DynamoDB": {calls: readReference},
	"Scan a table":                   {calls: scanTable},
	"Read a table's stream":          {calls: readTableStream},
	"Ask for exports of a table": {
		world: iamWorld{absent: true}, calls: requestExport,
		excused: map[string]string{
			"s3:PutObject":            "DynamoDB writes the export by the rights of who asks for it",
			"s3:PutObjectAcl":         "the same: so that the bucket's owner has the objects",
			"s3:AbortMultipartUpload": "the same, when an export fails",
		},
	},
	"Feed a stream and a table": {world: iamWorld{stream: "shop-cdc"}, calls: feedServices},
	"To assume a role":          {calls: assumedRole},
	"The role's trust policy":   {calls: assumedRole},
}

// notOfAPipeline are operations that no policy of docs/aws.md is for, with the reason.
var notOfAPipeline = map[string]string{
	"kinesis:CreateStream": "generate --create", "dynamodb:CreateTable": "generate --create",
}

// policyPages are the pages with policies, and what each of these is held against.
var policyPages = map[string]map[string]rights{"../docs/aws.md": policyRights, "../docs/redshift.md": redshiftPolicies}

// TestPolicies holds the policies of the pages against what is called: all of that is
// allowed, and nothing is that is not called. All that the code can call is called.
func TestPolicies(t *testing.T) {
	rows := loadNeeds(t)
	called, skipped := map[string]bool{}, false
	for page, all := range policyPages {
		policies := docPolicies(t, page)
		if found, known := slices.Sorted(maps.Keys(policies)), slices.Sorted(maps.Keys(all)); !slices.Equal(found, known) {
			t.Errorf("%s has the policies %q, held against calls are %q", page, found, known)
			continue
		}
		for name, r := range all {
			if r.elsewhere != "" {
				continue
			}
			t.Run(name, func(t *testing.T) {
				defer func() { skipped = skipped || t.Skipped() }()
				for _, operation := range r.hold(t, policies[name], rows) {
					called[operation] = true
				}
			})
		}
	}
	if skipped {
		return
	}
	for operation, file := range awsOperations(t) {
		if _, other := notOfAPipeline[operation]; other == called[operation] {
			t.Errorf("%s can ask for %s, which policies are for: %t, and is asked for: %t", file, operation, !other, called[operation])
		}
	}
}

// hold holds a policy against the calls that it is for, and returns their operations.
func (r *rights) hold(t *testing.T, policy *iamPolicy, rows []iamNeeds) (operations []string) {
	t.Helper()
	calls := r.calls(t)
	for _, call := range calls {
		operations = append(operations, call.Operation)
	}
	needs, err := r.world.needs(rows, calls)
	if err != nil {
		t.Fatal(err)
	}
	if len(needs) == 0 {
		t.Fatal("nothing was called")
	}
	for i, s := range policy.Statement {
		if s.Resource == nil && s.Principal != nil { // a trust policy is of the role that has it
			policy.Statement[i].Resource = texts{"*"}
		}
		wantCondition(t, s, calls)
	}
	for resource := range r.denied {
		rest := slices.DeleteFunc(slices.Clone(needs), func(n need) bool { return n.resource == resource })
		if len(rest) == len(needs) {
			t.Errorf("%s is to be denied, and never asked for", resource)
		}
		needs = rest
	}
	for _, wrong := range checkPolicy(policy, needs, r.excused) {
		t.Error(wrong)
	}
	return operations
}

// TestPoliciesAreWellFormed holds all policies of the pages against the table of actions.
func TestPoliciesAreWellFormed(t *testing.T) {
	kinds := map[string][]string{} // of the resources that an action is on
	for _, row := range loadNeeds(t) {
		kinds[row.action] = append(kinds[row.action], row.resource)
	}
	for page := range policyPages {
		for name, policy := range docPolicies(t, page) {
			if policy.Version != "2012-10-17" {
				t.Errorf("%s: version %q", name, policy.Version)
			}
			for _, s := range policy.Statement {
				for _, action := range s.Action {
					if kinds[action] == nil {
						t.Errorf("%s: %s is no action of AWS's, or testdata/iam/actions.tsv lacks it", name, action)
					}
					for _, resource := range s.Resource {
						if got := arnKind(resource); !slices.Contains(kinds[action], got) {
							t.Errorf("%s: %s is on a %s, and not on a %s, as %s", name, action, kinds[action], got, resource)
						}
					}
				}
			}
		}
	}
}

// arnKind says what an ARN is one of.
func arnKind(arn string) string {
	if arn == "*" {
		return "any"
	}
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 || parts[0] != "arn" {
		return "no ARN"
	}
	kind := parts[5]
	if end := strings.IndexAny(kind, ":/"); end >= 0 {
		kind = kind[:end]
	}
	switch {
	case strings.Contains(parts[5], "/consumer/"):
		return "consumer"
	case kind == "table" && strings.Contains(parts[5], "/stream/"):
		return "tablestream"
	case strings.Contains(parts[5], "/export/"):
		return "export"
	case parts[2] == "s3" && strings.Contains(parts[5], "/"):
		return "object"
	case parts[2] == "s3":
		return "bucket"
	default:
		return kind
	}
}

// wantCondition holds the one condition that the page has against the calls.
func wantCondition(t *testing.T, s iamStatement, calls []*awstest.Call) {
	t.Helper()
	for _, id := range s.Condition["StringEquals"]["sts:ExternalId"] {
		for _, call := range calls {
			if form, err := url.ParseQuery(string(call.Body)); err != nil || form.Get("ExternalId") != id {
				t.Errorf("%s with the external id %q, the policy wants %q (%v)", call.Operation, form.Get("ExternalId"), id, err)
			}
		}
	}
}

// watched is a cloud with a proxy before each service, which records what is asked.
type watched struct {
	*cloud
	proxies []*awstest.HTTPProxy
}

func newWatched(t *testing.T) *watched {
	t.Helper()
	w := &watched{}
	w.cloud = newCloud(t, func(endpoint string) string {
		proxy := awstest.NewHTTPProxy(t, endpoint)
		w.proxies = append(w.proxies, proxy)
		return proxy.Endpoint
	})
	return w
}

// calls returns what was asked of all services.
func (w *watched) calls() (all []*awstest.Call) {
	for _, p := range w.proxies {
		all = append(all, p.Calls()...)
	}
	return all
}

// run runs a pipeline until so, and stops it.
func (w *watched) run(dir, pipeline string, so func(p *process) bool, args ...string) {
	w.t.Helper()
	write(w.t, filepath.Join(dir, "pipeline.yaml"), []byte(pipeline))
	p := start(w.t, dir, w.env, append([]string{"run", "pipeline.yaml"}, args...)...)
	wait(w.t, p, func() bool { return so(p) })
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		w.t.Fatal(err)
	}
	p.result().want(w.t, exitFine)
}

// assumedRole gets credentials of the page's role.
func assumedRole(t *testing.T) []*awstest.Call {
	proxy := awstest.NewHTTPProxy(t, awstest.MiniStack(t).Endpoint)
	awstest.Setenv(t)
	t.Setenv("AWS_ENDPOINT_URL_STS", proxy.Endpoint)
	role := awsapi.AssumeRole{ARN: "arn:aws:iam::210987654321:role/shop-reader", ExternalID: "a1b2c3"}
	config, err := (&awsapi.Config{Region: iamRegion, AssumeRole: role}).Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := config.Credentials.Retrieve(t.Context()); err != nil {
		t.Fatal(err)
	}
	return proxy.Calls()
}
