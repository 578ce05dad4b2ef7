package dynamodbtest

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/starlift-etl/starlift/pipeline/awstest"
)

//go:embed testdata/boto3_scan.py
var boto3Scan string

// ItemsByBoto3 reads a table, of this fake or another DynamoDB, by a client that is none of ours: a consistent
// scan by boto3, in as many segments side by side as wanted. Where it can't be had the test is skipped, but
// fails in CI.
func ItemsByBoto3(t testing.TB, endpoint, table string, segments int) (items []Item) {
	t.Helper()
	for line := range bytes.Lines(runBoto3(t, boto3Scan, endpoint, table, strconv.Itoa(segments))) {
		var item Item
		if err := json.Unmarshal(line, &item); err != nil {
			t.Fatalf("what boto3 printed: %v", err)
		}
		items = append(items, item)
	}
	return items
}

// runBoto3 runs a program, and returns what it printed.
func runBoto3(t testing.TB, program string, args ...string) []byte {
	t.Helper()
	python := filepath.Join(awstest.Installed(t, "boto3"), "bin", "python3")
	cmd := exec.CommandContext(t.Context(), python, append([]string{"-c", program}, args...)...)
	var log bytes.Buffer
	cmd.Env, cmd.Stderr = append(awstest.Environ(), "AWS_DEFAULT_REGION="+awstest.Region), &log
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("boto3: %v\n%s", err, log.Bytes())
	}
	return out
}
