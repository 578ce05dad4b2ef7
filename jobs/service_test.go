package jobs

import (
	"debug/elf"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// unitFile is a systemd unit: its settings by name.
func unitFile(t *testing.T, path string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	unit := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(name, "#") {
			unit[name] = value
		}
	}
	return unit
}

// TestUnit holds the systemd unit against the command line, the signals and the
// exit statuses that there are.
func TestUnit(t *testing.T) {
	const path = "../docs/starlift.service"
	unit := unitFile(t, path)
	words := strings.Fields(unit["ExecStart"])
	cmd, rest, err := newRoot(newCLI(strings.NewReader(""), io.Discard, io.Discard)).Find(words[1:])
	if err == nil {
		err = cmd.ParseFlags(rest)
	}
	if err == nil {
		err = cmd.Args(cmd, cmd.Flags().Args())
	}
	if err != nil || cmd.Name() != "run" {
		t.Errorf("ExecStart=%s is %s, %v: want starlift run FILE", unit["ExecStart"], cmd.Name(), err)
	}
	seconds, err := strconv.Atoi(unit["TimeoutStopSec"])
	if stop := time.Duration(seconds) * time.Second; err != nil || stop < stopWithin+quitWithin+5*time.Second {
		t.Errorf("TimeoutStopSec=%s: a stop may take %s and %s more", unit["TimeoutStopSec"], stopWithin, quitWithin)
	}
	for name, want := range map[string]string{"KillSignal": "SIGTERM", "ExecReload": "/bin/kill -HUP $MAINPID", "User": "starlift",
		"RestartPreventExitStatus": strconv.Itoa(exitUsage) + " " + strconv.Itoa(exitGap)} {
		if unit[name] != want {
			t.Errorf("%s=%s, want %s", name, unit[name], want)
		}
	}
	doc, err := os.ReadFile("../docs/service.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []time.Duration{stopWithin, quitWithin, time.Duration(seconds) * time.Second} {
		if text := strconv.Itoa(int(d.Seconds())) + " seconds"; !strings.Contains(string(doc), text) {
			t.Errorf("docs/service.md does not say %q", text)
		}
	}
	verifyUnit(t, path)
}

// verifyUnit lets systemd look at the unit, where it is installed.
func verifyUnit(t *testing.T, path string) {
	t.Helper()
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("systemd-analyze is not installed: the unit is not verified")
		return
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// The binary and the user have to be there.
	text = regexp.MustCompile(`(?m)^(User|Group)=.*\n`).ReplaceAll(text, nil)
	text = []byte(strings.ReplaceAll(string(text), "/usr/local/bin/starlift", "/bin/true"))
	file := filepath.Join(t.TempDir(), "starlift@shop.service")
	write(t, file, text)
	if out, err := exec.Command(analyze, "verify", file).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze: %v: %s", err, out)
	}
}

// TestDockerfile holds the Dockerfile against what the binary needs.
func TestDockerfile(t *testing.T) {
	text, err := os.ReadFile("../docs/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	stages := regexp.MustCompile(`(?m)^FROM `).Split(string(text), -1)
	build, image := stages[1], stages[len(stages)-1]
	for stage, wants := range map[string][]string{
		build: {"CGO_ENABLED=1 GOARCH=\"$TARGETARCH\"", "make build STARLIFT_VERSION=", "COPY go.mod go.sum ./\n"},
		image: {"USER 65532:65532\n", "STOPSIGNAL SIGTERM\n", `ENTRYPOINT ["/usr/local/bin/starlift"]` + "\n", "VOLUME /data\n"},
	} {
		for _, want := range wants {
			if !strings.Contains(stage, want) {
				t.Errorf("no %q in FROM %s", want, stage)
			}
		}
	}
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(mod)
	if want := "--platform=$BUILDPLATFORM golang:" + string(version[1]) + "-bookworm "; !strings.HasPrefix(build, want) {
		t.Errorf("built by %.40q, want %s, as go.mod has it", build, want)
	}
	// The same Debian as it is built on; the variant cc has the C++ runtime.
	if !strings.HasPrefix(image, "gcr.io/distroless/cc-debian12:nonroot\n") {
		t.Errorf("the image is FROM %.60q", image)
	}
	wantLibraries(t, []string{"libc.so.6", "libm.so.6", "libgcc_s.so.1", "libstdc++.so.6", "libresolv.so.2", "libpthread.so.0", "libdl.so.2", "librt.so.1"})
}

// wantLibraries wants this binary, which has all that starlift has, to need
// these shared libraries at most.
func wantLibraries(t *testing.T, known []string) {
	t.Helper()
	f, err := elf.Open(os.Args[0])
	if err != nil {
		t.Logf("not an ELF binary: its libraries are not looked at: %v", err)
		return
	}
	defer f.Close()
	libraries, err := f.ImportedLibraries()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range libraries {
		if !slices.Contains(known, l) && !strings.HasPrefix(l, "ld-linux") {
			t.Errorf("the binary needs %s, which the image does not have", l)
		}
	}
}

// TestExitStatuses: what no restart mends has statuses of its own, and Go's fatal
// errors, after which a restart goes on, have none of them.
func TestExitStatuses(t *testing.T) {
	t.Parallel()
	dir, args := followedShop(t, 10, 62)
	const wrong = 64
	starlift(t, dir, "rum", "shop.yaml").want(t, wrong, "unknown command")
	starlift(t, dir, "run", "missing.yaml").want(t, wrong, "missing.yaml")
	starlift(t, dir, "run", "shop.yaml", "--set", "epoch.max_records=no").want(t, wrong, "max_records")
	starlift(t, dir, "generate", "nothing").want(t, wrong, "nothing")
	p := start(t, dir, nil, args...)
	waitFor(t, p, "starting")
	p.signal(t, syscall.SIGQUIT)
	r := p.result()
	// A thread of DuckDB's that gets the signal passes it on to the system, which ends
	// the process by it, without a status.
	if status, ok := p.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() || status.Signal() != syscall.SIGQUIT {
		if r.want(t, 2, "SIGQUIT"); slices.Contains([]int{exitFine, exitFailed, exitUsage, exitGap}, r.code) {
			t.Errorf("%d means two things", r.code)
		}
	}
	doc, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, status := range []int{exitFine, exitFailed, exitGap, exitUsage} {
		if row := fmt.Sprintf("\n| %d | ", status); !strings.Contains(string(doc), row) {
			t.Errorf("docs/operations.md has no row %q", row)
		}
	}
}
