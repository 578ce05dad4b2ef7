package file

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/starlift-etl/starlift/sources/file/listing"
)

// clockTick is how coarse the clock is that files' times are of: of a file that was
// changed so short a time ago, the time does not tell whether it is changed again.
// One whose time has no fraction may be of a file system that knows seconds only.
func clockTick(changed time.Time) time.Duration {
	if changed.Nanosecond() == 0 {
		return 2 * time.Second
	}
	return 20 * time.Millisecond
}

// recordStat takes down what the system says of the file that is about to be read.
func (c *cursor) recordStat(info fs.FileInfo, now time.Time) {
	changed := info.ModTime()
	c.Size, c.ID, c.Mtime, c.Recent = info.Size(), idOf(info), changed.UnixNano(), now.Sub(changed) <= clockTick(changed)
	c.Tag = tagOf(info)
}

// tagOf returns what a store says of an object's content; empty = nothing, or it is a file of
// the local disk.
func tagOf(info fs.FileInfo) string {
	o, _ := listing.ObjectOf(info)
	return o.Tag
}

// isObject reports whether something is no file of the local disk.
func isObject(info fs.FileInfo) bool {
	_, ok := listing.ObjectOf(info)
	return ok
}

// statUnchanged reports whether the system says the same of the file.
func (c *cursor) statUnchanged(info fs.FileInfo) bool {
	if tag := tagOf(info); tag != "" {
		return c.Tag == tag && c.Size == info.Size()
	}
	return !c.Recent && c.Mtime == info.ModTime().UnixNano() && c.Size == info.Size() && c.ID == idOf(info) && c.ID.known()
}

// readExtent returns what was read of the file, in this reading or one before.
func (c *cursor) readExtent() (bytes int64, hash digest) {
	if f := c.PriorProgress; f != nil && f.Offset > c.Offset {
		return f.Offset, f.Hash
	}
	return c.Offset, c.Hash
}

// matchesContent reports whether an open file begins with all that was read: its content, if it
// is compressed. short says that it has less. It notes of a file that is done whether it has
// no more.
func (c *cursor) matchesContent(ctx context.Context, f storedBytes) (same, short bool, err error) {
	n, want := c.readExtent()
	whole, err := f.Range(ctx, 0, -1)
	if err != nil {
		return false, false, err
	}
	defer func() { _ = whole.Close() }() // nothing was written
	content, done, err := contentOf(&counter{ctx: ctx, r: whole})
	if err != nil {
		return n == 0, true, notAStream(err)
	}
	defer done()
	got, ok, err := digestOf(content, n)
	if same = ok && got.sum() == want.sum(); same && c.Done {
		_, behind := io.ReadFull(content, make([]byte, 1))
		c.endsThere = behind == io.EOF
	}
	return same, !ok, notAStream(err)
}

// notAStream leaves out errors about what a file holds: it is another one then.
func notAStream(err error) error {
	if err != nil && (isSystem(err) || errors.Is(err, context.Canceled)) {
		return err
	}
	return nil
}

// start notes what tells the file again that is about to be read, and how it is stored.
func (c *cursor) start(f io.ReaderAt, info fs.FileInfo, now time.Time) error {
	head, err := part(f, 0, headBytes)
	if err != nil {
		return err
	}
	c.recordStat(info, now)
	c.Head, c.HeadBytes, c.Done, c.Unended = xxh3.Hash(head), len(head), false, false
	c.Compressed = compression(head) != ""
	return nil
}

// resume holds an open file against the cursor, and makes it that of going on. skip
// says that there is nothing new in it. verified says that its content was compared.
func (c *cursor) resume(ctx context.Context, f storedBytes, info fs.FileInfo, path string, now time.Time, verified bool) (skip bool, err error) {
	if c.statUnchanged(info) && (c.Done || c.Offset > 0) {
		return c.Done, nil
	}
	if verified = verified || c.statUnchanged(info); !verified {
		if verified, _, err = c.matchesContent(ctx, f); err != nil {
			return false, err
		}
	}
	if !verified && c.Offset == 0 { // nothing of it took effect but by an earlier reading
		*c = cursor{}
	}
	was := *c
	if err := c.start(f, info, now); err != nil || was.Offset == 0 {
		return false, err
	}
	if err := was.checkUnchanged(f, info.Size(), c.Compressed, verified); err != nil {
		return false, was.changedError(path, err)
	}
	packed := was.Compressed || c.Compressed // and may hold more in as many bytes
	return was.Done && was.Size == c.Size && (!packed || was.endsThere), nil
}

// changedError is the error about a file that is no longer what was read of it.
func (c *cursor) changedError(path string, how error) error {
	return fmt.Errorf("%s: the file was changed after it had been read to line %d: %w. Give the new content a name of its own, "+
		"put the old file back, or begin anew: starlift reset FILE", path, c.Line, how)
}

// checkUnchanged says how a file of a size is no longer what was read of it; nil = it is.
func (c *cursor) checkUnchanged(f io.ReaderAt, size int64, packed, verified bool) error {
	switch {
	case size < c.Size && !packed && !c.Compressed:
		return fmt.Errorf("it has %d bytes and had %d", size, c.Size)
	case !verified:
		return fmt.Errorf("the first %d bytes of its content, which were read, are others", c.Offset)
	case !c.Done || !c.Unended || size == c.Size || packed:
		return nil
	}
	// What was appended must not belong to the last record that was read.
	next, err := part(f, c.Offset, tailBytes)
	if err != nil {
		return err
	}
	rest := bytes.TrimLeft(next, " \t\r\n")
	begins := len(rest) == 0 || rest[0] == '{' || rest[0] == '['
	if begins && (!c.Inline || next[0] == '\n' || bytes.HasPrefix(next, []byte("\r\n"))) {
		return nil
	}
	return errors.New("its last record had no end then, and has been written on")
}

// knownFile is a file that was read before.
type knownFile struct {
	partition    string
	at           *cursor
	name         string // absolute
	found        bool
	newestOfName bool // of those that had its name
	// unverified says that another file was followed under its name before it was decided
	// whether something of it is lost.
	unverified bool
	// lookedFor says that it was asked whether it is where it was, and stays what the answer was.
	lookedFor, stays bool
}

// resolver finds out which files are those that were read before.
type resolver struct {
	ctx     context.Context
	s       *Source
	known   []*knownFile
	byName  map[string][]*knownFile
	byID    map[fileID][]*knownFile
	bySize  map[int64][]*knownFile
	matched map[string]bool // names of files, absolute
	byStem  map[string][]*knownFile
	inodes  *inodeIndex
	errs    []error
}

// resolve gives files that were read before their cursors: by their names, if they
// still begin with what was read; else by what they are. A file that is not where it
// was is looked for in its folder, with those that have been there in its place since.
// The others are new.
func (s *Source) resolve(ctx context.Context, inputs []input, cursors map[string][]byte) ([]input, error) {
	r := &resolver{ctx: ctx, s: s, byName: map[string][]*knownFile{}, byID: map[fileID][]*knownFile{},
		matched: map[string]bool{}, bySize: map[int64][]*knownFile{}, byStem: map[string][]*knownFile{}, inodes: newInodeIndex(s.files)}
	for partition, raw := range cursors {
		c, err := parseCursor(partition, raw)
		if err != nil {
			return nil, err
		}
		c.Path = cmp.Or(c.Path, partition)
		r.known = append(r.known, &knownFile{partition: partition, at: c, name: s.files.Abs(c.Path)})
	}
	// The newest first: of two that one file may be, it is that.
	slices.SortFunc(r.known, func(a, b *knownFile) int {
		return cmp.Or(cmp.Compare(b.at.Number, a.at.Number), cmp.Compare(a.partition, b.partition))
	})
	names := nameHistory{}
	for _, k := range r.known {
		k.newestOfName, k.unverified, _ = names.next(k.name, k.partition, k.at)
		r.byName[k.name] = append(r.byName[k.name], k)
		if k.at.ID.known() {
			r.byID[k.at.ID] = append(r.byID[k.at.ID], k)
		}
		stem := filepath.Join(filepath.Dir(k.name), stemOf(k.name))
		r.bySize[k.at.Size], r.byStem[stem] = append(r.bySize[k.at.Size], k), append(r.byStem[stem], k)
	}
	for i := range inputs {
		r.matched[r.s.files.Abs(inputs[i].path)] = true
		r.identify(&inputs[i])
	}
	r.findMoved(inputs)
	inputs = r.findMissing(inputs)
	r.namePartitions(inputs)
	return inputs, errors.Join(r.errs[:min(len(r.errs), errorsListedMax)]...)
}

// identify finds the cursor of a file by its name or identity.
func (r *resolver) identify(in *input) {
	candidates := slices.Concat(r.byID[idOf(in.info)], r.byName[r.s.files.Abs(in.path)])
	slices.SortStableFunc(candidates, func(a, b *knownFile) int {
		return cmp.Compare(untouchedFirst(a, in), untouchedFirst(b, in))
	})
	for _, k := range candidates {
		if k.found {
			continue
		}
		same, err := r.isContinuation(k, in)
		if err != nil {
			r.errs = append(r.errs, err)
			return
		}
		if same {
			k.assignTo(in)
			return
		}
	}
}

func untouchedFirst(k *knownFile, in *input) int {
	if k.at.statUnchanged(in.info) {
		return 0
	}
	return 1
}

func (k *knownFile) assignTo(in *input) {
	k.found, in.at, in.partition, in.verified = true, k.at, k.partition, true
}

// isContinuation reports whether a file is one that was read before: its content tells.
func (r *resolver) isContinuation(k *knownFile, in *input) (same bool, err error) {
	if k.at.statUnchanged(in.info) {
		return true, nil
	}
	if n, _ := k.at.readExtent(); !k.at.Compressed && in.info.Size() < n && !r.isCompressed(in) {
		return false, nil
	}
	f, err := r.s.files.Open(r.ctx, in.path)
	if err != nil {
		return false, transient(err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	same, _, err = k.at.matchesContent(r.ctx, f)
	return same, transient(err)
}

// isCompressed reports whether the file is compressed, as far as it can be read.
func (r *resolver) isCompressed(in *input) bool {
	f, err := r.s.files.Open(r.ctx, in.path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	head, err := part(f, 0, 4)
	return err == nil && compression(head) != ""
}

// findMoved finds files that were copied or compressed, and are gone themselves, by
// their content. While the original is there, a copy is another file.
func (r *resolver) findMoved(inputs []input) {
	for i := range inputs {
		in := &inputs[i]
		if in.at != nil {
			continue
		}
		for _, k := range r.candidates(in) {
			if k.found || r.isWhereItWas(k) {
				continue
			}
			same, err := r.isContinuation(k, in)
			if err != nil {
				r.errs = append(r.errs, err)
				break
			}
			if same {
				k.assignTo(in)
				break
			}
		}
	}
}

// candidates returns what a file may be under a new name and identity: what had its size,
// and that of which it is a generation by its name.
func (r *resolver) candidates(in *input) []*knownFile {
	all := slices.Clone(r.bySize[in.info.Size()])
	path := r.s.files.Abs(in.path)
	stem := filepath.Join(filepath.Dir(path), stemOf(path))
	for i := len(filepath.Dir(path)) + 1; i <= len(stem); i++ {
		if i < len(stem) && stem[i] != '-' && stem[i] != '_' {
			continue
		}
		for _, k := range r.byStem[stem[:i]] {
			if _, ok := markOf(path, k.name); ok || compressedLater(path, k.name) {
				all = append(all, k)
			}
		}
	}
	return all
}

// isWhereItWas reports whether a file that was not found is where it was, and the path does
// not match it.
func (r *resolver) isWhereItWas(k *knownFile) bool {
	if r.matched[k.name] {
		return false // it has other content
	}
	if k.lookedFor {
		return k.stays
	}
	at, err := r.s.files.Stat(r.ctx, k.name)
	k.lookedFor = true
	if err == nil && isObject(at.Info) {
		k.stays = k.at.statUnchanged(at.Info)
	} else {
		k.stays = err == nil && k.at.ID.known() && idOf(at.Info) == k.at.ID
	}
	return k.stays
}

// namePartitions gives each new file a partition that no other has.
func (r *resolver) namePartitions(inputs []input) {
	taken := map[string]bool{}
	for _, k := range r.known {
		taken[k.partition] = k.found || k.at.PriorProgress == nil
	}
	for i := range inputs {
		in := &inputs[i]
		if in.at != nil {
			continue
		}
		in.partition = in.path
		for n := 2; taken[in.partition]; n++ {
			in.partition = fmt.Sprintf("%s#%d", in.path, n)
		}
		taken[in.partition] = true
	}
}
