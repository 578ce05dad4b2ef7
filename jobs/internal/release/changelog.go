package main

import (
	"fmt"
	"regexp"
	"strings"
)

const unreleased = "Unreleased"

// section returns a section of a changelog: its heading, and what is below it up to the
// next. It is empty where there is none.
func section(changelog, name string) (heading, below string) {
	_, rest, ok := strings.Cut("\n"+changelog, "\n## ["+name+"]")
	if !ok {
		return "", ""
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	line, below, _ := strings.Cut(rest, "\n")
	return "## [" + name + "]" + line, strings.TrimSpace(below)
}

var (
	releaseVersion = regexp.MustCompile(`^v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?$`)
	released       = regexp.MustCompile(`^## \[[^\]]+\] - \d{4}-\d\d-\d\d$`)
)

// checkChangelog says what the changelog of a release lacks. A candidate
// (v1.2.3-rc.1) needs no section of its own.
func checkChangelog(changelog, version string) error {
	part := releaseVersion.FindStringSubmatch(version)
	if part == nil {
		return fmt.Errorf("the tag %s is no version: vX.Y.Z, or a candidate vX.Y.Z-rc.N", version)
	}
	name := strings.TrimPrefix(version, "v")
	heading, below := section(changelog, name)
	if heading == "" && part[4] != "" {
		return nil
	}
	if !released.MatchString(heading) || below == "" {
		return fmt.Errorf("CHANGELOG.md has no section for %s with entries: rename Unreleased to ## [%s] - YYYY-MM-DD, put an empty Unreleased above it, commit, and tag that commit", version, name)
	}
	if _, open := section(changelog, unreleased); open != "" {
		return fmt.Errorf("CHANGELOG.md has entries under Unreleased that are part of %s: move them to its section", version)
	}
	return nil
}

// notes returns what a version brings: its section, else what is unreleased.
func notes(changelog, version string) (string, error) {
	for _, name := range []string{strings.TrimPrefix(version, "v"), unreleased} {
		if heading, below := section(changelog, name); heading != "" {
			return heading + "\n\n" + below + "\n", nil
		}
	}
	return "", fmt.Errorf("CHANGELOG.md has no section for %s, and none that is called Unreleased", version)
}
