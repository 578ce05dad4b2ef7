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

// testSuite is the tests of one pipeline file.
type testSuite struct {
	file     string
	assembly *assembly.Pipeline
	pipeline *fixture.Pipeline
	tests    []*fixture.Test
	warnings []*spec.Mistake // of the pipeline file
}

// testSuffix ends the name of a file of tests, before its extension.
const testSuffix = "_test"

// testFileOf returns the name of the file of tests beside a pipeline file.
func testFileOf(path string) string {
	ext := filepath.Ext(path)
	return strings.TrimSuffix(path, ext) + testSuffix + ext
}

// pipelineFiles replaces each file of tests by its pipeline file, and removes repetitions, so
// that a pattern for all files of a folder works.
func pipelineFiles(args []string) []string {
	var files []string
	for _, path := range args {
		ext := filepath.Ext(path)
		if tested, ok := strings.CutSuffix(strings.TrimSuffix(path, ext), testSuffix); ok {
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

// loadSuite loads a pipeline file, and compiles its tests. The error joins every mistake, of
// both files.
func loadSuite(path string, set []string) (*testSuite, error) {
	a, err := assembly.Load(path, set)
	beside, besideErr := loadTestFile(testFileOf(path))
	if err != nil {
		return nil, usage.Wrap(errors.Join(err, besideErr))
	}
	p := testPipeline(a, path, set)
	one := &testSuite{file: path, assembly: a, pipeline: p, warnings: a.File.Warnings()}
	one.add(a, a.File, a.File.Tests, path)
	if beside != nil {
		one.add(a, beside, beside.Tests, testFileOf(path))
		besideErr = beside.Err()
	}
	return one, usage.Wrap(errors.Join(a.File.Err(), besideErr))
}

// loadTestFile reads a file of tests; nil = there is none of that name.
func loadTestFile(path string) (*spec.Tests, error) {
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
func (s *testSuite) add(a *assembly.Pipeline, file interface{ Add(...*spec.Mistake) }, tests []spec.Test, path string) {
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

// testPipeline returns what package fixture needs of the pipeline.
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
