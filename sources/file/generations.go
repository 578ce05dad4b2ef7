package file

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/starlift-etl/starlift/sources/file/listing"
)

// generation is a rotated file, which had the name of another one before: app.log.1,
// app.log-20260301.gz and app-2026-03-01.log are generations of app.log. The path need not
// match it.
type generation struct {
	path string
	info fs.FileInfo
	id   fileID
	mark string // what rotation added to the name: a number, a date
}

// generationMark matches what rotation adds to a name.
var generationMark = regexp.MustCompile(`^[-._]([0-9][-0-9TZtz:._+]*|old|bak|prev|previous|last)$`)

// compressedSuffixes are those of compressed files.
var compressedSuffixes = []string{".gz", ".zst", ".zstd", ".bz2"}

// markOf returns the mark of a generation of a file; ok says that it may be one by its name.
func markOf(path, of string) (mark string, ok bool) {
	name, base := filepath.Base(path), filepath.Base(of)
	for _, suffix := range compressedSuffixes {
		if trimmed, packed := strings.CutSuffix(name, suffix); packed {
			if trimmed == base {
				return "", true
			}
			name = trimmed
			break
		}
	}
	if mark, ok = strings.CutPrefix(name, base); ok {
		return mark, generationMark.MatchString(mark)
	}
	for i := range len(base) {
		if base[i] != '.' || i == 0 || !strings.HasPrefix(name, base[:i]) || !strings.HasSuffix(name, base[i:]) || len(name) <= len(base) {
			continue
		}
		if mark = name[i : len(name)-len(base)+i]; generationMark.MatchString(mark) {
			return mark, true
		}
	}
	return "", false
}

// compressedLater reports whether a file may be one that was a generation already when it was
// read, and was compressed later, under another number: app.log.3.gz of app.log.1.
func compressedLater(path, of string) bool {
	name, base := filepath.Base(path), filepath.Base(of)
	for _, suffix := range compressedSuffixes {
		if trimmed, packed := strings.CutSuffix(name, suffix); packed {
			at, otherAt := numberAt(trimmed), numberAt(base)
			return at > 0 && otherAt > 0 && trimmed[:at] == base[:otherAt]
		}
	}
	return false
}

// numberAt returns the index at which the number begins that a name ends with, including its
// dot or dash; 0 = there is none.
func numberAt(name string) int {
	stem := strings.TrimRight(name, "0123456789")
	if stem == name || stem == "" || !strings.ContainsRune("-._", rune(stem[len(stem)-1])) {
		return 0
	}
	return len(stem) - 1
}

func newGeneration(path, of string, info fs.FileInfo) *generation {
	mark, _ := markOf(path, of)
	return &generation{path: path, info: info, id: idOf(info), mark: mark}
}

// rotationsMax is the greatest number in a name that is a number of rotations: greater ones
// are dates.
const rotationsMax = 10_000

// number returns the number of rotations since the generation had the name; ok = its name
// has it.
func (g *generation) number() (n int, ok bool) {
	if g.mark == "" {
		return 0, false
	}
	n, err := strconv.Atoi(g.mark[1:])
	return n, err == nil && n < rotationsMax
}

// isNewerThan reports whether the generation is newer than origin, the file that was read
// under the name before; nil = that is gone, and was changed last at the time changed, in ns.
func (g *generation) isNewerThan(origin *generation, changed int64) bool {
	if origin == nil {
		return changed != 0 && g.info.ModTime().UnixNano() >= changed // with equal times it may be that file, compressed
	}
	return g.compare(origin) > 0
}

// compare orders generations of one name, the oldest first.
func (g *generation) compare(o *generation) int {
	n, numbered := g.number()
	m, otherNumbered := o.number()
	if numbered && otherNumbered {
		return cmp.Compare(m, n)
	}
	if !numbered && !otherNumbered && len(g.mark) == len(o.mark) && g.mark != o.mark && g.hasDate() && o.hasDate() {
		return cmp.Compare(g.mark, o.mark)
	}
	return g.info.ModTime().Compare(o.info.ModTime())
}

// hasDate reports whether the mark is a date that begins with the year, so that dates sort as
// texts.
func (g *generation) hasDate() bool {
	if len(g.mark) < 5 {
		return false
	}
	year, err := strconv.Atoi(g.mark[1:5])
	return err == nil && year >= 1970 && year < 2200
}

// generations returns the generations of a file, the oldest first. A listing during a
// rotation may miss some, so it is repeated until two in a row are the same.
func generations(ctx context.Context, files *listing.Tree, of string) ([]*generation, error) {
	all, err := listGenerations(ctx, files, of)
	for range listingsMax {
		if err != nil || len(all) == 0 {
			break
		}
		var again []*generation
		again, err = listGenerations(ctx, files, of)
		same := slices.EqualFunc(all, again, func(a, b *generation) bool { return a.path == b.path && a.id == b.id })
		if all = again; same {
			break
		}
	}
	return all, err
}

// listingsMax is how often a folder is listed again because two listings differed.
const listingsMax = 10

// listGenerations lists the generations once. Of a file that is being compressed, and so is
// there twice, it returns the original.
func listGenerations(ctx context.Context, files *listing.Tree, of string) ([]*generation, error) {
	folder, _ := files.Parent(of)
	entries, err := files.ReadDir(ctx, folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []*generation
	plain := map[string]bool{}
	for _, e := range entries {
		if _, ok := markOf(e.Path, of); !ok {
			continue
		}
		if e.IsDeadLink() {
			if _, err := files.Stat(ctx, e.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
		}
		if e.Info.Mode().IsRegular() {
			all = append(all, newGeneration(e.Path, of, e.Info))
			plain[e.Path] = true
		}
	}
	all = slices.DeleteFunc(all, func(g *generation) bool {
		for _, suffix := range compressedSuffixes {
			if original, packed := strings.CutSuffix(g.path, suffix); packed && plain[original] {
				return true
			}
		}
		return false
	})
	slices.SortStableFunc(all, (*generation).compare)
	return all, nil
}

// holeBefore returns the name of a generation that is missing between a numbered generation
// and the file itself; empty = none is.
func holeBefore(of string, origin *generation, all []*generation) string {
	n, ok := origin.number()
	if !ok {
		return ""
	}
	there := map[int]bool{}
	for _, g := range all {
		if m, numbered := g.number(); numbered {
			there[m] = true
		}
	}
	for m := n - 1; m >= 1; m-- {
		if !there[m] {
			return fmt.Sprintf("%s%c%d", of, origin.mark[0], m)
		}
	}
	return ""
}

// gapRecoveryHint says what to do about a gap that ends a run.
const gapRecoveryHint = ". Put the file back into its folder under a name that rotation gives, or begin with a new state folder; a source with follow: true tells of it and goes on"

// goneText says what is lost with a file that was rotated and can't be found; unread is the
// number of bytes that it is known to have had behind what was read.
func (c *cursor) goneText(path string, unread int64) string {
	lost := "how many bytes are lost is not known"
	if unread > 0 {
		lost = fmt.Sprintf("at least %d bytes are lost, and what was written to it later", unread)
	}
	if c.Tag != "" {
		return fmt.Sprintf("%s: the object that was read to line %d, byte %d of its content, and not to its end, is gone: it was removed, or renamed and replaced; %s", path, c.Line, c.Offset, lost)
	}
	return fmt.Sprintf("%s: the file that was read to line %d, byte %d of its content (inode %d, last changed %s), is gone from its folder: it was rotated away and "+
		"removed or altered, and whether it was read to its end is not known; %s", path, c.Line, c.Offset, c.ID.Ino, c.changedAt(), lost)
}

func (c *cursor) changedAt() string {
	return time.Unix(0, c.Mtime).UTC().Format(time.RFC3339)
}

// unreadBytes returns the bytes that the file is known to have had behind what was read.
func (c *cursor) unreadBytes() int64 {
	if c.Done || c.Compressed {
		return 0
	}
	return max(0, c.Size-c.Offset)
}

// holeText says that a generation is missing.
func (c *cursor) holeText(origin, missing string) string {
	return fmt.Sprintf("%s: it was rotated to %s (inode %d, read to line %d, byte %d of its content), and what was rotated after it, %s, is gone: how many bytes are lost is not known",
		c.Path, origin, c.ID.Ino, c.Line, c.Offset, missing)
}
