package blob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// List implements Objects.
func (d *Dir) List(ctx context.Context, prefix string, o ListOptions) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		dir, _ := path.Split(prefix)
		err := d.walk(ctx, dir, prefix, o.Recursive, func(name string, e fs.DirEntry) (bool, error) {
			if strings.HasSuffix(name, "/") {
				return yield(Info{Name: name}, nil), nil
			}
			if _, temporary := parseTemporary(e.Name()); temporary || name <= o.After {
				return true, nil
			}
			info, err := describe(name, d.URL(name))
			if err != nil && e.Type()&fs.ModeSymlink != 0 {
				info, err = deadLink(name, e)
			}
			if errors.Is(err, fs.ErrNotExist) {
				return true, nil // removed just now
			}
			if err == nil && info.link && info.file.IsDir() && !o.Recursive {
				return yield(Info{Name: name + "/", link: true}, nil), nil
			}
			return err != nil || yield(info, nil), err
		})
		if err != nil {
			yield(Info{}, err)
		}
	}
}

// deadLink describes a link that leads nowhere, as far as that can be seen.
func deadLink(name string, e fs.DirEntry) (Info, error) {
	info, err := e.Info()
	if err != nil {
		return Info{}, err
	}
	described := infoOf(name, info)
	described.link = true
	return described, nil
}

// UnfinishedObject implements Transfers.
func (d *Dir) Unfinished(ctx context.Context, prefix string) iter.Seq2[UnfinishedObject, error] {
	return func(yield func(UnfinishedObject, error) bool) {
		dir, _ := path.Split(prefix)
		err := d.walk(ctx, dir, dir, true, func(name string, e fs.DirEntry) (bool, error) {
			final, ok := parseTemporary(e.Name())
			u := UnfinishedObject{Name: path.Join(path.Dir(name), final), ID: name}
			if !ok || !strings.HasPrefix(u.Name, prefix) {
				return true, nil
			}
			info, err := e.Info()
			if errors.Is(err, fs.ErrNotExist) {
				return true, nil // finished just now
			}
			if err != nil {
				return false, err
			}
			u.Started, u.Age = info.ModTime(), time.Since(info.ModTime())
			return yield(u, nil), nil
		})
		if err != nil {
			yield(UnfinishedObject{}, err)
		}
	}
}

// Discard implements Transfers.
func (d *Dir) Discard(ctx context.Context, u UnfinishedObject) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, ok := parseTemporary(path.Base(u.ID)); !ok || !filepath.IsLocal(filepath.FromSlash(u.ID)) {
		return fmt.Errorf("%q is nothing unfinished", u.ID)
	}
	if err := os.Remove(d.URL(u.ID)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("temporary file: %w", err)
	}
	return nil
}

// errStop ends a walk.
var errStop = errors.New("enough")

// walk calls visit for what has a name with the prefix in a folder, which is empty or ends
// with a slash, in the order of the bytes of names; folders are visited if it does not
// go into them.
func (d *Dir) walk(ctx context.Context, dir, prefix string, recursive bool, visit func(name string, e fs.DirEntry) (more bool, err error)) error {
	err := d.walkFolder(ctx, dir, prefix, recursive, visit)
	if errors.Is(err, errStop) {
		return nil
	}
	return err
}

func (d *Dir) walkFolder(ctx context.Context, dir, prefix string, recursive bool, visit func(name string, e fs.DirEntry) (more bool, err error)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	entries, err := os.ReadDir(d.URL(dir))
	if absent(err) {
		return nil
	}
	if err != nil {
		return err
	}
	// A folder stands where the names in it do: behind a name that goes on with a minus.
	key := func(e fs.DirEntry) string {
		if e.IsDir() {
			return e.Name() + "/"
		}
		return e.Name()
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(key(a), key(b)) })
	for _, e := range entries {
		name := dir + key(e)
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		if e.IsDir() && recursive {
			if err := d.walkFolder(ctx, name, prefix, recursive, visit); err != nil {
				return err
			}
			continue
		}
		more, err := visit(name, e)
		if err != nil {
			return err
		}
		if !more {
			return errStop
		}
	}
	return nil
}
