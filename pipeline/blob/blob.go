package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"strings"
	"time"
)

// Store holds objects under names. All of it may be called from several goroutines. What is
// not there is an error that is fs.ErrNotExist, what may not be done one that is
// fs.ErrPermission; one after which the same call may succeed is pipeline.Retryable. No method goes on when its context is done.
type Store interface {
	Objects
	Transfers
	Location
}

// Objects are made, read and removed as a whole.
type Objects interface {
	// List yields the objects whose names begin with the prefix, in the order of the
	// bytes of their names. An error is the last that it yields.
	List(ctx context.Context, prefix string, o ListOptions) iter.Seq2[Info, error]
	// Stat describes an object.
	Stat(ctx context.Context, name string) (Info, error)
	// Open opens an object. The caller closes it.
	Open(ctx context.Context, name string) (Object, error)
	// Create starts an object. The caller ends the writer by Finish or Abort.
	Create(ctx context.Context, name string, o CreateOptions) (Writer, error)
	// Delete removes objects, durably; it is no error that one is not there.
	// After an error any of them may be there.
	Delete(ctx context.Context, names ...string) error
}

// Transfers are the ways besides writing from the start in which objects come to be.
type Transfers interface {
	// Upload makes an object of a local file that is synced, durably. The file may be
	// gone afterwards: it is moved where that can be, and keeps its mode then. After an
	// error either is there, or both, and the call may be repeated: where the file is
	// gone, and the object there, it makes that durable. UploadOptions.Content says
	// what becomes of an object that is there already.
	Upload(ctx context.Context, file, name string, o UploadOptions) error
	// Append opens an object to be changed from some place on, or makes it. The
	// error is errors.ErrUnsupported where objects can't grow.
	Append(ctx context.Context, name string) (Tail, error)
	// UnfinishedObject yields what a crash left of objects whose names begin with the
	// prefix: writers that were neither finished nor aborted. Some may be in use.
	Unfinished(ctx context.Context, prefix string) iter.Seq2[UnfinishedObject, error]
	// Discard removes what is unfinished.
	Discard(ctx context.Context, u UnfinishedObject) error
	// Prune removes what a store has besides objects below a prefix that ends with a
	// slash: empty folders.
	Prune(ctx context.Context, prefix string) error
}

// Location is where a store is.
type Location interface {
	// URL is an object's name for people: a path as they have written it.
	URL(name string) string
	// Canonical is the one name of an object's place in the world, whether there is
	// something or not: two that are equal are the same object.
	Canonical(name string) (string, error)
	// Around returns the stores that an object's place lies in, the innermost first.
	Around(name string) ([]Store, error)
	// Writable returns why objects can't be made, as far as that shows before
	// anything is; nil = they can.
	Writable(ctx context.Context) error
	// PartSize is the size of the parts in which Upload would send a file of a size; 0 =
	// it is sent as a whole.
	PartSize(size int64) int64
}

// ListOptions say what is listed.
type ListOptions struct {
	// Recursive yields all objects; else those with a slash behind the prefix are
	// yielded as one, by their names up to it: as a folder.
	Recursive bool
	// After yields only objects whose names come after it; empty = all. Folders whose
	// names do not may be yielded or not.
	After string
}

// CreateOptions say how an object is made.
type CreateOptions struct {
	// IfAbsent makes it only if there is none: else Finish returns fs.ErrExist. If
	// Finish returns any other error, it may be there.
	IfAbsent bool
	// IfTag makes it only in the place of the object that has this Info.Tag: else Finish
	// returns ErrChanged. The error of Create is errors.ErrUnsupported where objects have
	// no tags. Empty = in the place of any.
	IfTag string
}

// UploadOptions say what is uploaded.
type UploadOptions struct {
	// Content is what the file was found to hold when it was written. The object is made
	// only if there is none, as with IfAbsent: one that has the content is what was
	// wanted, made by a call before, and any other is a *ConflictError, and stays. What
	// arrives is compared with it as well, where the store can. nil = the object takes
	// the place of one that is there.
	Content *Content
	// Progress is called, by any goroutine, whenever bytes of the file were taken; nil =
	// nobody asks.
	Progress func()
}

// Content tells what a file holds from what else it may hold.
type Content struct {
	Size int64 `json:"size"` // in bytes
	// CRC64NVME is the checksum of all bytes in the way of S3 (see Checksum); empty =
	// not known.
	CRC64NVME string `json:"crc64nvme,omitempty"`
	// PartSize is what Location.PartSize said when the file was written: on S3 the tag
	// of an object depends on it.
	PartSize int64 `json:"part_size,omitempty"`
}

// ConflictError says that an object has the name of one that was to be made, and another
// content. It is an fs.ErrExist.
type ConflictError struct {
	URL    string
	Found  string // of its content, for people: 12 bytes
	Wanted Content
}

// Error says what is there and what was to be there.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("%s has %s, and %d bytes were prepared under this name: it was changed, or written by another process", e.URL, e.Found, e.Wanted.Size)
}

// Is makes it an fs.ErrExist.
func (e *ConflictError) Is(target error) bool { return target == fs.ErrExist }

// Info describes an object.
type Info struct {
	Name     string
	Size     int64 // in bytes
	Modified time.Time
	// Tag differs where the content does, if the store has such a thing: an entity tag.
	Tag string
	// CRC64NVME is the checksum of the content, in the way of Content, where the store knows
	// it without reading. Only Stat and Open tell it.
	CRC64NVME string

	file fs.FileInfo // of a local file
	link bool
}

// IsFolder reports whether it is not one object but the beginning of the names of some.
func (i Info) IsFolder() bool { return strings.HasSuffix(i.Name, "/") }

// File describes the local file that the object is; nil = it is none.
func (i Info) File() fs.FileInfo { return i.file }

// Link reports whether its name is that of a symbolic link on a local disk; what is
// described is what the link leads to, if it leads to something.
func (i Info) Link() bool { return i.link }

// Same reports whether both describe one content, as far as the store can tell without
// reading it.
func (i Info) Same(o Info) bool {
	if i.file != nil && o.file != nil && !os.SameFile(i.file, o.file) {
		return false
	}
	if i.Size != o.Size || i.Tag != o.Tag {
		return false
	}
	// Where a store has tags, its times are those of writing, to the second, and say less.
	return i.Tag != "" || i.Modified.Equal(o.Modified)
}

// IrregularError says that a name of the local disk is that of something, which is no
// object: a folder, a pipe, a device.
type IrregularError struct {
	Path string
	Info Info // whose File says what it is
}

// Error names it.
func (e *IrregularError) Error() string { return e.Path + ": not a regular file" }

// ErrChanged says that an object was replaced or removed: an open one, and the store can't
// give what it was when it was opened; or one that was to be replaced.
var ErrChanged = errors.New("the object was replaced or removed meanwhile")

// Object is an open object. What is read of it is of one content, that of the time when
// it was opened, even if it is replaced meanwhile: what can't be had any longer is
// ErrChanged. One that grows may be longer.
type Object interface {
	// Info describes it as it was opened.
	Info() Info
	// ReadAt implements io.ReaderAt. Each call may be a request.
	io.ReaderAt
	// Range returns the bytes from an offset on; length < 0 = to the end. The caller
	// closes it.
	Range(ctx context.Context, offset, length int64) (io.ReadCloser, error)
	Close() error
}

// Writer writes an object. One goroutine uses it.
type Writer interface {
	io.Writer
	// Finish makes it appear, durably. After an error Abort is still to be called, and
	// the object may be there.
	Finish() error
	// Abort drops what was written. After Finish without an error, or another Abort, it
	// does nothing.
	Abort() error
}

// Tail changes an object. Until Finish, any part of what was written may be in the object,
// and nothing of it is durable.
type Tail interface {
	io.WriterAt
	// Truncate ends the object at a size.
	Truncate(size int64) error
	// Finish makes it durable, and closes it even if that fails.
	Finish() error
	// Close ends it without that. After Finish it does nothing.
	Close() error
}

// UnfinishedObject is an object that nobody has finished yet.
type UnfinishedObject struct {
	Name    string    // that it would have
	Started time.Time // by the clock of the store
	// Age is how long ago that was, by the same clock.
	Age time.Duration
	ID  string // of the attempt, for the store
}

// checkName returns why a name is none of an object, or why the context is done.
func checkName(ctx context.Context, name string) error {
	if name == "" || name == "." || path.Clean(name) != name || strings.HasPrefix(name, "/") || strings.HasPrefix(name+"/", "../") {
		return noName(name)
	}
	return ctx.Err()
}

func noName(name string) error { return fmt.Errorf("%q is no name of an object", name) }

// OpenRange returns the content of an object from an offset to its end. The caller closes
// it.
func OpenRange(ctx context.Context, s Store, name string, offset int64) (io.ReadCloser, error) {
	o, err := s.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	r, err := o.Range(ctx, offset, -1)
	if err != nil {
		return nil, errors.Join(err, o.Close())
	}
	return &openRange{r, o}, nil
}

// openRange is the only range of an object.
type openRange struct {
	io.ReadCloser
	of Object
}

// Close closes both.
func (r *openRange) Close() error { return errors.Join(r.ReadCloser.Close(), r.of.Close()) }

// ReadAll returns the content of an object.
func ReadAll(ctx context.Context, s Store, name string) (content []byte, err error) {
	r, err := OpenRange(ctx, s, name, 0)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return io.ReadAll(r)
}

// WriteAll makes an object of the content.
func WriteAll(ctx context.Context, s Store, name string, content []byte, o CreateOptions) (err error) {
	w, err := s.Create(ctx, name, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Abort()) }()
	if _, err := w.Write(content); err != nil {
		return err
	}
	return w.Finish()
}
