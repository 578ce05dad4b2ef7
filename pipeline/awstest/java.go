package awstest

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Java runs a Java program, given as its one source file, with the jars of what is installed by a name
// in install/versions, and returns the lines that it prints. It ends with the test, by the end of its standard input. Where
// it can't be run the test is skipped, but fails in CI.
func Java(t testing.TB, jars, source string, args ...string) <-chan string {
	t.Helper()
	path := filepath.Join(Installed(t, jars), "jars", "*")
	if _, err := exec.LookPath("javac"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("a Java development kit is needed: ", err)
	}
	// The test's own context ends before its cleanup.
	ctx, kill := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "java", append([]string{"-Xmx256m", "-XX:TieredStopAtLevel=1", "-Daws.cborEnabled=false",
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", path, source}, args...)...)
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr, cmd.Env = log, Environ()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines, read := make(chan string, 16), make(chan error, 1)
	go func() {
		defer close(lines)
		scanner := bufio.NewScanner(stdout)
		for scanner.Scan() {
			lines <- scanner.Text()
		}
		read <- scanner.Err()
	}()
	t.Cleanup(func() {
		_ = stdin.Close() // which ends it
		late := time.AfterFunc(30*time.Second, kill)
		defer late.Stop()
		for range lines {
		}
		err := <-read
		if ended := cmd.Wait(); err == nil {
			err = ended
		}
		if err != nil && !t.Failed() {
			t.Errorf("end of %s: %v", source, err)
		}
		if text, err := os.ReadFile(log.Name()); t.Failed() {
			t.Logf("log of %s: %s, %v", source, text[max(0, len(text)-8000):], err)
		}
		_ = log.Close()
		kill()
	})
	return lines
}
