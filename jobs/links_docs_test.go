package jobs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	mdCode    = regexp.MustCompile("(?s)```.*?```")
	mdHeading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	mdLink    = regexp.MustCompile(`\[([^\]]*)\]\(([^)\s]+)\)`)
	notInSlug = regexp.MustCompile(`[^\p{L}\p{N}_\- ]`)
)

// TestLinksInDocs: what pages lead to is there, the heading as well.
func TestLinksInDocs(t *testing.T) {
	files, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, "../README.md", "../CONTRIBUTING.md", "../CHANGELOG.md")
	links := 0
	for _, file := range files {
		for _, link := range mdLink.FindAllStringSubmatch(mdCode.ReplaceAllString(readFile(t, file), ""), -1) {
			path, heading, _ := strings.Cut(link[2], "#")
			if strings.Contains(path, "://") {
				continue
			}
			links++
			target := file
			if path != "" {
				target = filepath.Join(filepath.Dir(file), path)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s leads to %s: %v", file, link[2], err)
			} else if heading != "" && strings.HasSuffix(target, ".md") && !hasHeading(t, target, heading) {
				t.Errorf("%s leads to %s, and there is no such heading", file, link[2])
			}
		}
	}
	if links < 200 {
		t.Errorf("%d links were found", links)
	}
}

// hasHeading tells whether a page has a heading of this anchor, as GitHub makes it.
func hasHeading(t *testing.T, file, anchor string) bool {
	for _, h := range mdHeading.FindAllStringSubmatch(mdCode.ReplaceAllString(readFile(t, file), ""), -1) {
		text := strings.ToLower(mdLink.ReplaceAllString(h[1], "$1"))
		if strings.ReplaceAll(notInSlug.ReplaceAllString(text, ""), " ", "-") == anchor {
			return true
		}
	}
	return false
}
