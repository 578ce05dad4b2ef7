package jobs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/jobs/assembly"
	"github.com/starlift-etl/starlift/jobs/fixture"
	"github.com/starlift-etl/starlift/jobs/usage"
	"github.com/starlift-etl/starlift/pipeline/engine"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// suite is the tests of one pipeline file.
type suite struct {
	file     string
	assembly *assembly.Pipeline
	pipeline *fixture.Pipeline
	tests    []*fixture.Test
	warnings []*spec.Mistake // of the pipeline file
}

// testMark is what the name of a file of tests has more than that of its pipeline.
const testMark = "_test"

// besideFile returns the name of the file of tests beside a pipeline file.
func besideFile(path string) string {
	ext := filepath.Ext(path)
	return strings.TrimSuffix(path, ext) + testMark + ext
}

// pipelineFiles names the pipeline in the place of each file of tests, and each
// but once, so that a pattern for all files of a folder does what is meant.
func pipelineFiles(args []string) []string {
	var files []string
	for _, path := range args {
		ext := filepath.Ext(path)
		if tested, ok := strings.CutSuffix(strings.TrimSuffix(path, ext), testMark); ok {
			data, err := os.ReadFile(path)
			if _, statErr := os.Stat(tested + ext); err == nil && statErr == nil && spec.IsTests(data) {
				path = tested + ext
			}
		}
		if !slices.Contains(files, path) {
			files = append(files, path)
		}
	}
	return files
}

// loadSuite reads and builds a pipeline file, and holds its tests against it. The
// error holds every mistake, of both files.
func loadSuite(path string, set []string) (*suite, error) {
	a, err := assembly.Load(path, set)
	beside, besideErr := loadBeside(besideFile(path))
	if err != nil {
		return nil, usage.Wrap(errors.Join(err, besideErr))
	}
	p := testPipeline(a, path, set)
	one := &suite{file: path, assembly: a, pipeline: p, warnings: a.File.Warnings()}
	one.add(a, a.File, a.File.Tests, path)
	if beside != nil {
		one.add(a, beside, beside.Tests, besideFile(path))
		besideErr = beside.Err()
	}
	return one, usage.Wrap(errors.Join(a.File.Err(), besideErr))
}

// loadBeside reads a file of tests; nil = there is none of that name.
func loadBeside(path string) (*spec.Tests, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !spec.IsTests(data) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("tests: %w", err)
	}
	return spec.LoadTests(path, data, spec.Options{Env: os.LookupEnv})
}

// add compiles tests; their mistakes go to the file that they are of.
func (s *suite) add(a *assembly.Pipeline, file interface{ Add(...*spec.Mistake) }, tests []spec.Test, path string) {
	before := s.tests
	for i := range tests {
		t := &tests[i]
		if t.Name == "" {
			continue // it is reported
		}
		if slices.ContainsFunc(before, func(o *fixture.Test) bool { return o.Name == t.Name }) {
			file.Add(t.At.Get("name").Mistake(fmt.Sprintf("there is a test %q already, in %s", t.Name, s.file), "give one of them another name"))
		}
		compiled, mistakes := fixture.Compile(s.pipeline, &a.Config, t, filepath.Dir(path))
		file.Add(mistakes...)
		s.tests = append(s.tests, compiled)
	}
}

// testPipeline describes the pipeline to its tests.
func testPipeline(a *assembly.Pipeline, path string, set []string) *fixture.Pipeline {
	return &fixture.Pipeline{
		Build: func() (*engine.Config, error) {
			again, err := assembly.Load(path, set)
			if err != nil {
				return nil, err
			}
			return &again.Config, nil
		},
		Records: assembly.OpenRecords,
	}
}
