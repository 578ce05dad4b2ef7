package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/VictoriaMetrics/metricsql"
	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/starlift-etl/starlift/jobs/assembly"
	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/awsapi"
	"github.com/starlift-etl/starlift/pipeline/blob/bloburl"
	"github.com/starlift-etl/starlift/pipeline/partitions"
	"github.com/starlift-etl/starlift/pipeline/pipelinetest"
	"github.com/starlift-etl/starlift/pipeline/sourcetest"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/sources/dynamodbscan"
	"github.com/starlift-etl/starlift/transforms/reference"
)

var description = regexp.MustCompile(`fqName: "([^"]+)".*constLabels: \{([^}]*)\}, variableLabels: \{([^}]*)\}`)

// exposed returns the metrics that a pipeline has when every kind of node with metrics of
// its own was opened, with the names of their labels.
func exposed(t *testing.T) map[string][]string {
	t.Helper()
	dir := smallStar(t, nil)
	write(t, filepath.Join(dir, "changes/00.ndjson"), []byte(scenarios["a customer that never comes"].records[0]+"\n"))
	a, err := assembly.Load(filepath.Join(dir, "star.yaml"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := newCLI(nil, nil, os.Stderr).runPipeline(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	source := partitions.New("shards", sourcetest.NewStream(true).Reader(false), partitions.Options{})
	env := pipeline.NewEnv()
	env.Metrics = a.Recorder.Registry()
	if err := errors.Join(source.Open(t.Context(), pipeline.SourceOptions{Env: env}), source.Close()); err != nil {
		t.Fatal(err)
	}
	openReferences(t, env)
	openScan(t, env)
	descs := make(chan *prometheus.Desc)
	go func() {
		defer close(descs)
		a.Recorder.Registry().Describe(descs)
	}()
	all := map[string][]string{}
	for d := range descs {
		m := description.FindStringSubmatch(d.String())
		if m == nil {
			t.Fatalf("%s is not understood", d)
		}
		labels := []string{}
		for l := range strings.SplitSeq(m[2]+","+m[3], ",") {
			if name, _, _ := strings.Cut(l, "="); name != "" {
				labels = append(labels, name)
			}
		}
		all[m[1]] = labels
	}
	return all
}

// openReferences opens references in a DynamoDB table and in an object of S3, as far as they get without
// a server.
func openReferences(t *testing.T, env pipeline.Env) {
	t.Helper()
	stopped, stop := context.WithCancel(t.Context())
	stop()
	at := awsapi.Config{Region: "eu-central-1"}
	for _, source := range []reference.SourceConfig{
		{DynamoDBTable: reference.DynamoDBTableConfig{Type: "dynamodb_table", Table: "countries", Config: at}},
		{File: reference.FileConfig{Type: "file", Path: "s3://bucket/countries.csv", ReaderConfig: bloburl.ReaderConfig{Config: at}}},
	} {
		cfg := reference.Config{Reference: reference.ReferenceConfig{Source: source}, On: spec.Map[string]{{Name: "k", Value: "k"}}}
		join, err := reference.New("join", cfg, []*pipeline.Table{pipelinetest.Table("t", "", "k string")})
		if err != nil {
			t.Fatal(err)
		}
		if err := join.Start(stopped, env); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
}

// openScan opens a scan of a table, as far as it gets without a server.
func openScan(t *testing.T, env pipeline.Env) {
	t.Helper()
	stopped, stop := context.WithCancel(t.Context())
	stop()
	scan, err := dynamodbscan.New("scan", dynamodbscan.Config{Table: "shop", Config: awsapi.Config{Region: "eu-central-1"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(scan.Open(stopped, pipeline.SourceOptions{Env: env}), scan.Close()); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

var documented = regexp.MustCompile("(?m)^\\| `(starlift_\\w+)(?:\\{([\\w,]+)\\})?` \\|")

// TestMetricsAreDocumented: the page about operation has every metric with its
// labels, and no others.
func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for _, m := range documented.FindAllStringSubmatch(string(text), -1) {
		got[m[1]] = []string{}
		if m[2] != "" {
			got[m[1]] = strings.Split(m[2], ",")
		}
	}
	want := exposed(t)
	maps.DeleteFunc(want, func(name string, _ []string) bool { return !strings.HasPrefix(name, "starlift_") })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/operations.md (-exposed +documented):\n%s", diff)
	}
}

// shownQuery is a query of the alerts or the dashboard, and the texts that name
// labels of its result.
type shownQuery struct {
	where, query string
	texts        []string
}

func alertQueries(t *testing.T) (all []shownQuery) {
	t.Helper()
	text, err := os.ReadFile("../docs/prometheus-alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var rules struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.UnmarshalWithOptions(text, &rules, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			if r.Annotations["summary"] == "" || r.Annotations["description"] == "" || !slices.Contains([]string{"info", "warning", "critical"}, r.Labels["severity"]) {
				t.Errorf("alert %s: annotations %v, labels %v", r.Alert, r.Annotations, r.Labels)
			}
			all = append(all, shownQuery{"alert " + r.Alert, r.Expr, slices.Collect(maps.Values(r.Annotations))})
		}
	}
	return all
}

func dashboardQueries(t *testing.T) (all []shownQuery) {
	t.Helper()
	text, err := os.ReadFile("../docs/grafana-dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			ID          int
			Title, Type string
			Targets     []struct{ Expr, LegendFormat string }
		}
		Templating struct{ List []struct{ Query string } }
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	ids := map[int]bool{}
	for _, p := range board.Panels {
		if ids[p.ID] || p.Title == "" || (p.Type == "row") != (len(p.Targets) == 0) {
			t.Errorf("panel %d %q of type %q: %d queries, id used before: %v", p.ID, p.Title, p.Type, len(p.Targets), ids[p.ID])
		}
		ids[p.ID] = true
		for _, q := range p.Targets {
			all = append(all, shownQuery{"panel " + p.Title, strings.ReplaceAll(q.Expr, "$__rate_interval", "5m"), []string{q.LegendFormat}})
		}
	}
	variable := regexp.MustCompile(`^label_values\((.*), \w+\)$`)
	for _, v := range board.Templating.List {
		if m := variable.FindStringSubmatch(v.Query); m != nil {
			all = append(all, shownQuery{"variable", m[1], nil})
		}
	}
	return all
}

// scraped are the labels that Prometheus adds.
var scraped = []string{"job", "instance"}

// TestAlertsAndDashboard: what the alerts and the dashboard ask for is there:
// every metric and label, and all of the pipeline's own metrics are shown.
func TestAlertsAndDashboard(t *testing.T) {
	t.Parallel()
	known := exposed(t)
	known["up"] = nil // Prometheus makes it
	alerts, board := alertQueries(t), dashboardQueries(t)
	if len(alerts) < 8 || len(board) < 20 {
		t.Fatalf("%d alerts, %d queries of the dashboard", len(alerts), len(board))
	}
	shown := map[string]bool{}
	for i, q := range slices.Concat(alerts, board) {
		for _, name := range checkQuery(t, q, known) {
			if i >= len(alerts) {
				shown[name] = true
			}
		}
	}
	for name := range known {
		if strings.HasPrefix(name, "starlift_") && !shown[name] {
			t.Errorf("the dashboard does not show %s", name)
		}
	}
}

var labelNamed = regexp.MustCompile(`\{\{ ?(?:\$labels\.)?(\w+) ?\}\}`)

// checkQuery parses a query, holds its metrics and labels against what there is,
// and returns the metrics.
func checkQuery(t *testing.T, q shownQuery, known map[string][]string) (names []string) {
	t.Helper()
	e, err := metricsql.Parse(q.query)
	if err != nil {
		t.Errorf("%s: %v: %s", q.where, err, q.query)
		return nil
	}
	labels := slices.Clone(scraped)
	metricsql.VisitAll(e, func(e metricsql.Expr) {
		m, ok := e.(*metricsql.MetricExpr)
		if !ok || len(m.LabelFilterss) == 0 {
			return
		}
		for i, f := range m.LabelFilterss[0] {
			if i == 0 {
				name, bucket := strings.CutSuffix(f.Value, "_bucket")
				has, ok := known[name]
				if !ok {
					t.Errorf("%s: there is no metric %s", q.where, f.Value)
				}
				names, labels = append(names, name), append(labels, has...)
				if bucket {
					labels = append(labels, "le")
				}
			} else if !slices.Contains(labels, f.Label) {
				t.Errorf("%s: %s has no label %s", q.where, m.LabelFilterss[0][0].Value, f.Label)
			}
		}
	})
	left := labels
	metricsql.VisitAll(e, func(e metricsql.Expr) {
		a, ok := e.(*metricsql.AggrFuncExpr)
		if !ok {
			return
		}
		left = a.Modifier.Args // of its result
		for _, l := range a.Modifier.Args {
			if !slices.Contains(labels, l) {
				t.Errorf("%s: grouped by label %s, which is not there: %s", q.where, l, q.query)
			}
		}
	})
	for _, text := range q.texts {
		for _, m := range labelNamed.FindAllStringSubmatch(text, -1) {
			if !slices.Contains(left, m[1]) {
				t.Errorf("%s: label %s is shown, but its result has only %v", q.where, m[1], left)
			}
		}
	}
	return names
}
