package parquet

import (
	"context"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/blob"
	"github.com/starlift-etl/starlift/pipeline/spec"
)

// Reset implements pipeline.Resettable. The files of the pipeline in the folders that
// its owner files name go, whatever tables the sink writes now, and then the owner
// files, and folders that are empty.
func (s *Sink) Reset(ctx context.Context, r pipeline.Reset) (all []pipeline.TargetObject, err error) {
	var folders []string
	for o, err := range s.target.List(ctx, "", blob.ListOptions{}) {
		if err != nil {
			return nil, err
		}
		if o.IsFolder() {
			folders = append(folders, path.Clean(o.Name))
		}
	}
	for _, folder := range folders {
		some, err := s.resetFolder(ctx, folder, &r)
		if err != nil {
			return nil, fmt.Errorf("folder %s: %w", s.target.URL(folder), err)
		}
		all = append(all, some...)
	}
	return all, nil
}

func (s *Sink) resetFolder(ctx context.Context, folder string, r *pipeline.Reset) ([]pipeline.TargetObject, error) {
	found, err := s.readOwner(ctx, folder)
	name := "folder " + s.target.URL(folder)
	switch {
	case err != nil:
		return []pipeline.TargetObject{{Name: name, KeptBecause: err.Error()}}, nil
	case found == nil && slices.ContainsFunc(r.Tables, func(t *pipeline.Table) bool { return escape(t.Name) == folder }):
		file, nested, err := s.dataIn(ctx, folder)
		if err != nil || file == "" && nested == "" {
			return nil, err
		}
		return []pipeline.TargetObject{{Name: name, KeptBecause: "it has files and no " + ownerFile + ": something else has written them, or an older starlift; delete it yourself if nobody needs it"}}, nil
	case found == nil:
		return nil, nil
	case found.Pipeline != r.Pipeline:
		return []pipeline.TargetObject{{Name: name, KeptBecause: fmt.Sprintf("it belongs to pipeline %q", found.Pipeline)}}, nil
	case !r.Owns(s.name, found.Pipeline, found.Sink):
		return nil, nil
	}
	content, err := s.contentOf(ctx, folder, r)
	if err != nil {
		return nil, err
	}
	all := []pipeline.TargetObject{{Name: name + ": " + spec.Count(len(content.ours)+len(content.unfinished), "file") + r.OfState(found.StateID)}}
	if n := len(content.others); n > 0 {
		more := ""
		if n > 1 {
			more = " …"
		}
		all = append(all, pipeline.TargetObject{Name: fmt.Sprintf("%s: %s (%s%s)", name, spec.Count(n, "file"), s.target.URL(content.others[0]), more), KeptBecause: "this pipeline's sink did not write them; delete them yourself if nobody needs them"})
	}
	if !r.Do {
		return all, nil
	}
	return all, s.removeContent(ctx, folder, content)
}

func (s *Sink) removeContent(ctx context.Context, folder string, c *folderContent) error {
	for _, u := range c.unfinished {
		if err := s.target.Discard(ctx, u); err != nil {
			return err
		}
	}
	if err := s.target.Delete(ctx, c.ours...); err != nil {
		return err
	}
	if err := s.target.Prune(ctx, folder+"/"); err != nil {
		return err
	}
	// Last: until then the rest is known for ours.
	if err := s.target.Delete(ctx, path.Join(folder, ownerFile)); err != nil {
		return err
	}
	return s.target.Prune(ctx, folder+"/")
}

var dataFile = regexp.MustCompile(`^(.+)-([A-Za-z][A-Za-z0-9_]*)-[^-]+-\d{10,}-\d{10,}-\d{3,}\.parquet$`)

// folderContent is what is in a folder besides its owner file.
type folderContent struct {
	ours       []string
	unfinished []blob.UnfinishedObject // ours
	others     []string                // that readers would take for data
}

// contentOf lists what is in a folder. Ours is what is to be given back, whatever state
// folder it was written with.
func (s *Sink) contentOf(ctx context.Context, folder string, r *pipeline.Reset) (*folderContent, error) {
	ours := func(name string) bool {
		m := dataFile.FindStringSubmatch(name)
		return m != nil && m[1] == escape(r.Pipeline) && r.Owns(s.name, r.Pipeline, m[2])
	}
	c := &folderContent{}
	for o, err := range s.target.List(ctx, folder+"/", blob.ListOptions{Recursive: true}) {
		base := path.Base(o.Name)
		switch {
		case err != nil:
			return nil, err
		case o.Name == path.Join(folder, ownerFile):
		case ours(base):
			c.ours = append(c.ours, o.Name)
		case !hidden(base):
			c.others = append(c.others, o.Name)
		}
	}
	// Older versions wrote owner files under names that begin as those of data do.
	owners := escape(r.Pipeline) + "-" + escape(s.name) + "-"
	for u, err := range s.target.Unfinished(ctx, folder+"/") {
		if err != nil {
			return nil, err
		}
		base := path.Base(u.Name)
		if ours(base) || base == ownerFile || strings.HasPrefix(base, owners) && strings.HasSuffix(base, ownerFile) {
			c.unfinished = append(c.unfinished, u)
		}
	}
	return c, nil
}
