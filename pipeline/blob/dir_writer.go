package blob

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/starlift-etl/starlift/pipeline/disk"
)

// localWriter writes a file under a temporary name.
type localWriter struct {
	system   *system
	file     *os.File
	final    string
	ifAbsent bool
	access   disk.Access
	closed   bool
	pending  bool // the temporary file is there
}

// Create implements Objects.
func (d *Dir) Create(ctx context.Context, name string, o CreateOptions) (Writer, error) {
	if o.IfTag != "" {
		return nil, fmt.Errorf("%s: files have no tags: %w", d.URL(name), errors.ErrUnsupported)
	}
	w, err := d.create(ctx, name, o)
	if err != nil {
		return nil, err
	}
	return w, nil
}

func (d *Dir) create(ctx context.Context, name string, o CreateOptions) (*localWriter, error) {
	final, err := d.localNew(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := disk.MakeDir(filepath.Dir(final), d.access); err != nil {
		return nil, err
	}
	temp, err := temporaryName(final)
	if err != nil {
		return nil, err
	}
	f, err := disk.CreateNew(temp, d.access)
	if err != nil {
		return nil, err
	}
	return &localWriter{system: &d.system, file: f, final: final, ifAbsent: o.IfAbsent, access: d.access, pending: true}, nil
}

// Write implements Writer.
func (w *localWriter) Write(b []byte) (int, error) { return w.file.Write(b) }

// Finish implements Writer.
func (w *localWriter) Finish() error {
	if w.closed {
		return fmt.Errorf("%s: %w", w.final, fs.ErrClosed)
	}
	if err := w.system.syncFile(w.file); err != nil {
		return fmt.Errorf("sync %s: %w", w.file.Name(), err)
	}
	if err := w.close(); err != nil {
		return err
	}
	if err := w.publish(); err != nil {
		return err
	}
	return w.system.syncFolder(filepath.Dir(w.final))
}

// publish gives the file its name.
func (w *localWriter) publish() error {
	if !w.ifAbsent {
		if err := w.system.rename(w.file.Name(), w.final); err != nil {
			return fmt.Errorf("final name: %w", err)
		}
		w.pending = false
		return nil
	}
	// A link, because a name that is there is not replaced by one.
	err := w.system.link(w.file.Name(), w.final)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		// A file system without links.
		err = w.copyNew()
	}
	return errors.Join(err, w.Abort())
}

// copyNew makes the file under its name if there is none.
func (w *localWriter) copyNew() error {
	from, err := os.Open(w.file.Name())
	if err != nil {
		return err
	}
	to, err := disk.CreateNew(w.final, w.access)
	if err != nil {
		return errors.Join(err, from.Close())
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, w.system.syncFile(to), to.Close(), from.Close())
}

// Abort implements Writer.
func (w *localWriter) Abort() error {
	err := w.close()
	if !w.pending {
		return err
	}
	w.pending = false
	if e := os.Remove(w.file.Name()); e != nil && !errors.Is(e, fs.ErrNotExist) {
		err = errors.Join(err, fmt.Errorf("temporary file: %w", e))
	}
	return err
}

func (w *localWriter) close() error {
	if w.closed {
		return nil
	}
	w.closed = true
	if err := w.file.Close(); err != nil {
		return fmt.Errorf("close %s: %w", w.file.Name(), err)
	}
	return nil
}

// temporaryName returns a path beside another one, for one attempt to write it.
func temporaryName(final string) (string, error) {
	id := make([]byte, 4)
	if _, err := rand.Read(id); err != nil {
		return "", err
	}
	dir, name := filepath.Split(final)
	return dir + "." + name + "." + hex.EncodeToString(id) + ".tmp", nil
}

// Older versions wrote names without the digits of an attempt.
var temporaryFile = regexp.MustCompile(`^\.(.+?)(?:\.[0-9a-f]{8})?\.tmp$`)

// parseTemporary returns what temporaryName made a name of.
func parseTemporary(name string) (final string, ok bool) {
	if !strings.HasPrefix(name, ".") {
		return "", false
	}
	m := temporaryFile.FindStringSubmatch(name)
	if m == nil {
		return "", false
	}
	return m[1], true
}
