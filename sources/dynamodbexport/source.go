package dynamodbexport

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/spec"
	"github.com/starlift-etl/starlift/sources/file"
	"github.com/starlift-etl/starlift/sources/internal/exportrequest"
)

// Source reads the exports that are there, to their end.
type Source struct {
	*file.Source
	name string
	cfg  Config
}

var (
	_ pipeline.Source          = (*Source)(nil)
	_ pipeline.FormatReporter  = (*Source)(nil)
	_ pipeline.KeyFinder       = (*Source)(nil)
	_ pipeline.OldestReporter  = (*Source)(nil)
	_ pipeline.ExportRequester = (*Source)(nil)
)

// New returns a *Source, or with Every an *IncrementalSource. All mistakes in the configuration are
// *spec.FieldError, joined.
func New(name string, cfg Config) (pipeline.Source, error) {
	errs := cfg.check()
	at := cfg.URL
	if len(errs) > 0 {
		at = "." // what is wrong with it is said; the key may have mistakes too
	}
	files, err := cfg.fileAt(name, at)
	if err = errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	s := &Source{Source: files, name: name, cfg: cfg}
	if cfg.Every != 0 {
		return newIncrementalSource(s), nil
	}
	return s, nil
}

// Open implements pipeline.Source.
func (s *Source) Open(ctx context.Context, o pipeline.SourceOptions) error {
	o.Cursors = filesOnly(o.Cursors)
	return s.Source.Open(ctx, o)
}

// Rewind implements pipeline.Rewinder.
func (s *Source) Rewind(cursors map[string][]byte) (map[string][]byte, error) {
	return s.Source.Rewind(filesOnly(cursors))
}

// CursorText implements pipeline.Source.
func (s *Source) CursorText(partition string, raw []byte) string {
	if !isOwn(partition) {
		return s.Source.CursorText(partition, raw)
	}
	c, err := parseProgress(raw)
	if err != nil {
		return "unreadable: " + err.Error()
	}
	return c.text()
}

// keyTimeout is how long DynamoDB is asked for a table's key while a pipeline file is checked.
const keyTimeout = 15 * time.Second

// FindKey implements pipeline.KeyFinder. What the exports do not tell, or where there are none yet,
// DynamoDB is asked for.
func (s *Source) FindKey(others []pipeline.Format) error {
	if len(s.cfg.Key) > 0 {
		return nil
	}
	name := s.cfg.tableName()
	for _, f := range others {
		if name != "" && f.Encoding != pipeline.JSON && f.Table == name && len(f.Key) > 0 {
			return s.setKey(f.Key)
		}
	}
	if s.cfg.Every == 0 { // else DynamoDB is asked anyway
		if err := s.Source.FindKey(others); err == nil {
			s.cfg.Key = s.Source.Format().Key
			return nil
		} else if s.cfg.Table == "" {
			return renamed(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), keyTimeout)
	defer cancel()
	t, err := s.describeTable(ctx)
	if err != nil {
		return &spec.FieldError{Path: []string{"key"}, Message: fmt.Sprintf("key is missing, and DynamoDB does not tell it (%v): write `key: [<partition key>, <sort key>]`, as the table has them", err)}
	}
	return s.setKey(t.Key)
}

func (s *Source) describeTable(ctx context.Context) (exportrequest.Table, error) {
	c, err := exportrequest.New(ctx, exportrequest.Options{Node: s.name, Table: s.cfg.Table, AWS: s.cfg.dynamoDB(), Env: pipeline.NewEnv()})
	if err != nil {
		return exportrequest.Table{}, err
	}
	return c.DescribeTable(ctx)
}

// setKey sets the key as if the configuration named it.
func (s *Source) setKey(key []string) error {
	s.cfg.Key = slices.Clone(key)
	files, err := s.cfg.fileAt(s.name, s.cfg.URL)
	if err == nil {
		s.Source = files
	}
	return err
}

// renamed makes a mistake of package file's one of ours.
func renamed(err error) error {
	if f, ok := errors.AsType[*spec.FieldError](err); ok && len(f.Path) > 0 && f.Path[0] == "path" {
		f.Path[0] = "url"
	}
	return err
}

// WithRequestedExport implements pipeline.ExportRequester.
func (s *Source) WithRequestedExport() (pipeline.Source, error) {
	if err := errors.Join(s.cfg.checkRequest()...); err != nil {
		return nil, err
	}
	return newRequestSource(s), nil
}

// filesOnly returns the cursors of data files.
func filesOnly(cursors map[string][]byte) map[string][]byte {
	files := maps.Clone(cursors)
	maps.DeleteFunc(files, func(partition string, _ []byte) bool { return isOwn(partition) })
	return files
}

// tableText returns how people call the table.
func (s *Source) tableText() string { return cmp.Or(s.cfg.tableName(), s.name) }
