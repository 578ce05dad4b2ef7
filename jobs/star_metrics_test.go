package jobs

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/starlift-etl/starlift/jobs/assembly"
)

// TestMetricsOfStars: a run counts the references to unknown members that it
// gives out, and shows how many inferred members are open, of earlier runs too.
func TestMetricsOfStars(t *testing.T) {
	t.Parallel()
	late := []string{ // the customer comes, and an order of another that does not
		`{"id": "c1", "at": 6, "type": "customer", "username": "nobody", "country": "Italy"}`,
		`{"id": "o3", "at": 7, "type": "order", "orderid": "o3", "username": "bo", "orderdate": "2024-03-01"}`,
	}
	for _, epochs := range []string{"1", "1000"} {
		t.Run(epochs+" records an epoch", func(t *testing.T) {
			t.Parallel()
			dir := smallStar(t, nil)
			for i, run := range []struct {
				records []string
				want    []string
			}{
				{scenarios["a customer that never comes"].records, []string{
					`starlift_inferred_members_open{dimension="dim_country"} 0`,
					`starlift_inferred_members_open{dimension="dim_customer"} 1`, // nobody
					`starlift_inferred_members_open{dimension="dim_product"} 0`,
					`starlift_unknown_members_total{dimension="dim_country"} 3`,
					`starlift_unknown_members_total{dimension="dim_customer"} 2`, // of the order without username, and of the one that never comes
					`starlift_unknown_members_total{dimension="dim_date"} 2`,     // one is outside of the calendar
					`starlift_unknown_members_total{dimension="dim_product"} 0`,
				}},
				{late, []string{
					`starlift_inferred_members_open{dimension="dim_country"} 0`,
					`starlift_inferred_members_open{dimension="dim_customer"} 1`, // bo
					`starlift_inferred_members_open{dimension="dim_product"} 0`,
					`starlift_unknown_members_total{dimension="dim_country"} 1`,
					`starlift_unknown_members_total{dimension="dim_customer"} 0`,
					`starlift_unknown_members_total{dimension="dim_date"} 0`,
					`starlift_unknown_members_total{dimension="dim_product"} 0`,
				}},
				{[]string{`{"id": "c2", "at": 8, "type": "customer", "username": "bo", "country": "Italy"}`}, []string{
					`starlift_inferred_members_open{dimension="dim_country"} 0`,
					`starlift_inferred_members_open{dimension="dim_customer"} 0`,
					`starlift_inferred_members_open{dimension="dim_product"} 0`,
					`starlift_unknown_members_total{dimension="dim_country"} 0`,
					`starlift_unknown_members_total{dimension="dim_customer"} 0`,
					`starlift_unknown_members_total{dimension="dim_date"} 0`,
					`starlift_unknown_members_total{dimension="dim_product"} 0`,
				}},
			} {
				write(t, filepath.Join(dir, fmt.Sprintf("changes/%02d.ndjson", i)), []byte(strings.Join(run.records, "\n")+"\n"))
				if diff := cmp.Diff(run.want, membersShown(t, filepath.Join(dir, "star.yaml"), "epoch.max_records="+epochs)); diff != "" {
					t.Errorf("run %d: %s", i+1, diff)
				}
			}
		})
	}
}

// membersShown runs a pipeline and returns the lines of its page of metrics that
// are about members.
func membersShown(t *testing.T, file string, set ...string) (shown []string) {
	t.Helper()
	a, err := assembly.Load(file, set)
	if err != nil {
		t.Fatal(err)
	}
	if err := (newCLI(nil, nil, os.Stderr)).runPipeline(context.Background(), a); err != nil {
		t.Fatal(err)
	}
	page := httptest.NewRecorder()
	promhttp.HandlerFor(a.Recorder.Registry(), promhttp.HandlerOpts{}).ServeHTTP(page, httptest.NewRequest("GET", "/metrics", nil))
	for line := range strings.Lines(page.Body.String()) {
		if line = strings.TrimSuffix(line, "\n"); strings.Contains(line, "_members_") && !strings.HasPrefix(line, "#") {
			shown = append(shown, line)
		}
	}
	return shown
}
