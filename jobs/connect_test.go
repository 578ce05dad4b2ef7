package jobs

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/pipeline"
)

// TestValidateConnect: every sink is asked what a start would ask it, all are, and nothing is made.
func TestValidateConnect(t *testing.T) {
	t.Parallel()
	dir := shop(t, 40, 5)
	before := tree(t, dir)
	fine(t, dir, "validate", "--connect", "shop.yaml").want(t, exitFine, "shop.yaml: valid\n", "Sink warehouse\n  ok: ", "Dead letters\n  ok: ")
	if after := tree(t, dir); after != before {
		t.Errorf("the folder held\n%s\nand holds\n%s", before, after)
	}
	const away = "away.yaml"
	data := readFile(t, filepath.Join(dir, "shop.yaml"))
	write(t, filepath.Join(dir, away), fmt.Appendf(nil, "%s\n  more: {type: postgres, inputs: [items], dsn: \"postgres://u:hidden-word@127.0.0.1:1/d\"}\n", data))
	starlift(t, dir, "validate", away).want(t, exitFine)
	r := starlift(t, dir, "validate", "--connect", away)
	r.want(t, exitFailed, "Sink more\n  error: ", "Sink warehouse\n  ok: ", away+": a start would not take every sink as it is")
	if strings.Contains(r.out+r.err, "hidden-word") {
		t.Errorf("the password is shown: %s%s", r.out, r.err)
	}

	fine(t, dir, "run", "shop.yaml")
	fine(t, dir, "validate", "--connect", "shop.yaml") // tables and state fit
	// With another state, the tables are another's: what a start refuses.
	r = starlift(t, dir, "validate", "--connect", "shop.yaml", away, "--set", "state.dir=elsewhere", "--output", "json")
	r.want(t, exitFailed, "2 of 2 files have sinks that a start would not take")
	if strings.Contains(r.out+r.err, "hidden-word") {
		t.Errorf("the password is shown: %s%s", r.out, r.err)
	}
	var verdicts []struct {
		Valid       bool
		Connections struct {
			Sinks []struct {
				Sink    string
				Remarks []pipeline.Remark
			}
		}
	}
	if err := json.Unmarshal([]byte(r.out), &verdicts); err != nil {
		t.Fatal(err)
	}
	levels := map[string]pipeline.RemarkLevel{}
	for _, s := range verdicts[1].Connections.Sinks {
		levels[s.Sink] = s.Remarks[0].Level
	}
	if !verdicts[0].Valid || levels["warehouse"] != pipeline.RemarkError || levels["more"] != pipeline.RemarkError || levels["dead_letters"] != pipeline.RemarkFine {
		t.Errorf("%s", r.out)
	}
}
