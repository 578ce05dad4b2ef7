package duckdb

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/disk"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// Config is a duckdb sink in a pipeline file.
type Config struct {
	DSN         string     `yaml:"dsn" required:"true" file:"true" change:"identity" desc:"The DuckDB file. It is made when it is missing."`
	Schema      string     `yaml:"schema" default:"main" change:"identity" desc:"The schema of the tables. It is made when it is missing."`
	MemoryLimit spec.Bytes `yaml:"memory_limit" min:"64MiB" change:"free" desc:"The memory that DuckDB may take. Without it, 192 MiB and 128 KiB for each column of the tables, and more for an epoch that does not fit, up to half of what the machine or the container has."`
	Threads     int        `yaml:"threads" min:"0" change:"free" desc:"The threads that DuckDB may use; 0 = half the processors, as the others decode the next epoch."`
}

// scheme is what DuckDB takes for something else than a local file, or an
// extension's: :memory:, md:, s3://, postgres:.
var scheme = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9_+.-]+)?:`)

// Without a limit DuckDB may take baseMemory, and for each column what its buffers
// need while rows go from the spool into a table, however few they are.
const (
	baseMemoryBytes   = 192 << 20
	columnMemoryBytes = 128 << 10
)

// defaultSchema is the schema that every file has.
const defaultSchema = "main"

// targets names where a table is.
func (c *Config) targets(t *pipeline.Table) (key string, places [][]string) {
	path, err := disk.Canonical(c.DSN)
	if err != nil {
		path = c.DSN
	}
	return "dsn", [][]string{{"duckdb", path, strings.ToLower(c.Schema), strings.ToLower(t.Name)}}
}

// check returns all mistakes of the configuration.
func (c *Config) check() error {
	var errs []error
	switch {
	case c.DSN == "":
		errs = append(errs, &spec.FieldError{Path: []string{"dsn"}, Message: "dsn is missing: give the DuckDB file"})
	case scheme.MatchString(c.DSN):
		errs = append(errs, &spec.FieldError{Path: []string{"dsn"}, Message: "dsn has to be the path of a local file: what the tables hold must outlive the process"})
	case strings.ContainsAny(c.DSN, "?%"):
		errs = append(errs, &spec.FieldError{Path: []string{"dsn"}, Message: "dsn has to be the path of a file without ? and %: options are keys of the sink"})
	}
	if err := dialect.CheckSchema(c.Schema); err != nil {
		errs = append(errs, err)
	}
	path, err := disk.Canonical(c.DSN)
	if err != nil {
		path = c.DSN
	}
	if catalogue, _, _ := strings.Cut(filepath.Base(path), "."); c.Schema != "" && strings.EqualFold(catalogue, c.Schema) && !strings.EqualFold(c.Schema, defaultSchema) {
		errs = append(errs, &spec.FieldError{Path: []string{"schema"}, Message: fmt.Sprintf("schema %q has the name of the file %s, and DuckDB could not tell its tables from the file's: give one of them another name", c.Schema, filepath.Base(path))})
	}
	return errors.Join(errs...)
}
