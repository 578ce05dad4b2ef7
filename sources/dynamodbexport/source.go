package dynamodbexport

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

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

	keyMistake error      // why the exports that are there do not tell the key; nil = it was not looked for, or found
	mu         sync.Mutex // of the key, which is set while others ask for the format
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
	if err := s.findKeyNow(ctx, o.Env); err != nil {
		return err
	}
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

// Format implements pipeline.FormatReporter. It has the key once it is known.
func (s *Source) Format() pipeline.Format {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Source.Format()
}

// FindKey implements pipeline.KeyFinder. What neither another source nor the exports tell, or where there are
// none yet, DynamoDB is asked for when the source is opened.
func (s *Source) FindKey(others []pipeline.Format) error {
	if len(s.cfg.Key) > 0 {
		return nil
	}
	name := s.cfg.tableName()
	for _, f := range others {
		if name != "" && f.Encoding != pipeline.JSON && f.Table == name && len(f.Key) > 0 {
			s.useKey(f.Key)
			return nil
		}
	}
	if s.cfg.Every != 0 {
		return pipeline.ErrKeyAtOpen
	}
	err := s.Source.FindKey(others)
	switch {
	case err == nil:
		s.cfg.Key = s.Source.Format().Key
		return nil
	case name == "":
		return renamed(err)
	}
	s.keyMistake = err
	return pipeline.ErrKeyAtOpen
}

// useKey sets the key as if the configuration named it.
func (s *Source) useKey(key []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cfg.Key = slices.Clone(key)
	s.Source.UseKey(key)
}

// findKeyNow finds the key out that FindKey has not.
func (s *Source) findKeyNow(ctx context.Context, env pipeline.Env) error {
	if s.keyMistake == nil || len(s.cfg.Key) > 0 {
		return nil
	}
	c, err := exportrequest.New(ctx, exportrequest.Options{Node: s.name, Table: s.cfg.Table, AWS: s.cfg.dynamoDB(), Env: env})
	if err != nil {
		return fmt.Errorf("%w; nor can DynamoDB be asked for it: %w", s.keyMistake, err)
	}
	t, err := c.DescribeTable(ctx)
	if err != nil {
		return fmt.Errorf("%w; nor does DynamoDB tell it: %w", s.keyMistake, err)
	}
	s.useKey(t.Key)
	return nil
}

// checkKey holds the key against the table's, or takes that.
func (s *Source) checkKey(of []string) error {
	if len(s.cfg.Key) == 0 {
		s.useKey(of)
		return nil
	}
	if !slices.Equal(slices.Sorted(slices.Values(s.cfg.Key)), slices.Sorted(slices.Values(of))) {
		return fmt.Errorf("its key is [%s], but the table's is [%s]: leave key out", strings.Join(s.cfg.Key, ", "), strings.Join(of, ", "))
	}
	return nil
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
