package jobs

import (
	"os"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestBuildInfo reads what Go 1.26 puts into binaries, by how they are built.
func TestBuildInfo(t *testing.T) {
	const hash = "17c0f3eacd72f304bc4bcc5b486bad154fac9949"
	git := func(modified string) []debug.BuildSetting {
		return []debug.BuildSetting{
			{Key: "vcs", Value: "git"}, {Key: "vcs.revision", Value: hash},
			{Key: "vcs.time", Value: "2026-11-30T19:42:53Z"}, {Key: "vcs.modified", Value: modified},
		}
	}
	for name, c := range map[string]struct {
		version  string
		settings []debug.BuildSetting
		want     string
	}{
		"clone at a tag":             {"v1.2.3", git("false"), "v1.2.3 (commit " + hash + " of 2026-11-30)"},
		"clone after a tag, changed": {"v1.2.4-0.20261130194253-17c0f3eacd72+dirty", git("true"), "v1.2.4-0.20261130194253-17c0f3eacd72+dirty (commit " + hash + "-dirty of 2026-11-30)"},
		"go install of a version":    {"v1.2.3", nil, "v1.2.3"},
		"go install of a candidate":  {"v1.2.3-rc.1", nil, "v1.2.3-rc.1"},
		"go install of a branch":     {"v0.0.0-20261130194253-17c0f3eacd72", nil, "v0.0.0-20261130194253-17c0f3eacd72 (commit 17c0f3eacd72 of 2026-11-30)"},
		"go install after a tag":     {"v1.2.4-0.20261130194253-17c0f3eacd72", nil, "v1.2.4-0.20261130194253-17c0f3eacd72 (commit 17c0f3eacd72 of 2026-11-30)"},
		"no git":                     {"(devel)", nil, "(devel) (commit unknown)"},
	} {
		t.Run(name, func(t *testing.T) {
			b := buildOf(&debug.BuildInfo{Main: debug.Module{Version: c.version}, Settings: c.settings})
			b.Go, b.Platform, b.DuckDB = "go1.99", "linux/arm64", "v1.5.6"
			if got, want := b.String(), c.want+", go1.99 linux/arm64, DuckDB v1.5.6"; got != want {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
}

// TestLinkedVersion: what the linker is given comes before what Go says of itself.
func TestLinkedVersion(t *testing.T) {
	linkVersion, linkCommit, linkTime = "v9.8.7", "0123abc", "2024-05-06T07:08:09Z"
	t.Cleanup(func() { linkVersion, linkCommit, linkTime = "", "", "" })
	if b := thisBuild(); b.Version != "v9.8.7" || b.Commit != "0123abc" || b.Time != "2024-05-06T07:08:09Z" {
		t.Errorf("%+v", b)
	}
	command("version").want(t, exitFine, "starlift v9.8.7 (commit 0123abc of 2024-05-06), go")
}

// TestLinkedNames: -X of a name that is not there is no error of the linker's, so
// that nothing but this finds out; nor is an argument that the image's build does
// not pass on.
func TestLinkedNames(t *testing.T) {
	read := func(file string) string {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	makefile, image := read("../Makefile"), read("../docs/Dockerfile")
	jobs := regexp.MustCompile(`(?m)^JOBS *:= (\S+)$`).FindStringSubmatch(makefile)
	if jobs == nil || jobs[1] != module+"/jobs" {
		t.Fatalf("the Makefile stamps %q, not %s/jobs", jobs, module)
	}
	var names []string
	for _, x := range regexp.MustCompile(`-X \$\(JOBS\)\.(\w+)=\$\((STARLIFT_\w+)\)`).FindAllStringSubmatch(makefile, -1) {
		names = append(names, x[1])
		arg := strings.TrimPrefix(x[2], "STARLIFT_")
		if !strings.Contains(image, "\nARG "+arg+"\n") || !strings.Contains(image, x[2]+`="$`+arg+`"`) {
			t.Errorf("docs/Dockerfile has no ARG %s, or does not give it to make as %s", arg, x[2])
		}
	}
	if d := cmp.Diff([]string{"linkVersion", "linkCommit", "linkTime"}, names); d != "" {
		t.Errorf("what the Makefile stamps is not what version.go has (-want +got):\n%s", d)
	}
}
