package awstest

import (
	"os"
	"strings"
	"testing"
)

// TestVersionsCanBeInstalled: the script has a way to install each of what is pinned, and
// whatever it can install is pinned.
func TestVersionsCanBeInstalled(t *testing.T) {
	script, err := os.ReadFile("../../.ci/services")
	if err != nil {
		t.Fatal(err)
	}
	names := 0
	for line := range strings.Lines(versions) {
		name, version, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		names++
		if Version(name) != version {
			t.Errorf("the version of %s is %q, pinned is %q", name, Version(name), version)
		}
		if !strings.Contains(string(script), "\n"+name+"() {") {
			t.Errorf(".ci/services does not say how %s is installed", name)
		}
	}
	if names != 17 {
		t.Errorf("%d servers, tools and clients are pinned, want 17", names)
	}
	if got := Version("nothing"); got != "" {
		t.Errorf("nothing has the version %q", got)
	}
}

// TestWhyNotInstalled: what is not there is told with what to do, or with the reason why not.
func TestWhyNotInstalled(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("STARLIFT_SERVICES", cache)
	if _, err := find("versitygw"); err == nil || !strings.Contains(err.Error(), "run `make services`") {
		t.Errorf("an empty cache: %v", err)
	}
	reason := cache + "/versitygw-" + Version("versitygw") + ".reason"
	if err := os.WriteFile(reason, []byte("go is not installed\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := find("versitygw"); err == nil || !strings.HasSuffix(err.Error(), "can't be had: go is not installed") {
		t.Errorf("one that can't be had: %v", err)
	}
	if err := os.Mkdir(cache+"/versitygw-"+Version("versitygw"), 0o700); err != nil {
		t.Fatal(err)
	}
	if dir, err := find("versitygw"); err != nil || !strings.HasPrefix(dir, cache) {
		t.Errorf("one that is there: %s, %v", dir, err)
	}
}
