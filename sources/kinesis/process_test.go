package kinesis

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/starlift-etl/starlift/sources/kinesis/kinesistest"
)

// fakeEnv holds what a process of the test's program is to play, and nothing in others.
const fakeEnv = "STARLIFT_TEST_KINESIS_FAKE"

// fakeSetup is a stream of a fake in a process of its own, so that what ours uses is ours.
type fakeSetup struct {
	Shards, Records int // records of each shard
	RecordBytes     int
	ReadLimits      bool
}

// playFake serves a fake until standard input ends, if this process is one.
func playFake() bool {
	text := os.Getenv(fakeEnv)
	if text == "" {
		return false
	}
	var setup fakeSetup
	if err := json.Unmarshal([]byte(text), &setup); err != nil {
		panic(err)
	}
	fake := kinesistest.New(kinesistest.Options{ReadLimits: setup.ReadLimits})
	if err := fake.Create(streamOf, setup.Shards); err != nil {
		panic(err)
	}
	shards, err := fake.Shards(streamOf)
	if err != nil {
		panic(err)
	}
	for s, id := range shards {
		for i := range setup.Records {
			if _, err := fake.PutTo(streamOf, id, fmt.Sprint(i), kinesistest.Change(s, i, setup.RecordBytes)); err != nil {
				panic(err)
			}
		}
	}
	web := httptest.NewServer(fake)
	fmt.Println(web.URL)
	_, _ = io.Copy(io.Discard, os.Stdin) // its end is that of the test
	return true
}

// startFake starts a process with a fake, and returns its endpoint.
func startFake(t testing.TB, setup fakeSetup) string {
	t.Helper()
	text, err := json.Marshal(setup)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fakeEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the fake's process: %v", err)
		}
	})
	endpoint, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(endpoint)
}
