package file

import (
	"cmp"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
)

// How often, and after how long, a folder is looked at again before a gap is told.
const (
	shiftLooks = 4
	shiftPause = 50 * time.Millisecond
)

// findMissing deals with files that are not among those that the path matches: what was
// rotated is read first where it is, with what came between. What can't be is a gap.
func (r *resolver) findMissing(inputs []input) []input {
	inTheirPlace := map[string]int{}
	for i := range inputs {
		if inputs[i].at == nil {
			inTheirPlace[r.s.files.Abs(inputs[i].path)] = i
		}
	}
	before := map[int][]input{}
	for _, k := range r.known {
		if k.found {
			continue
		}
		if isLog := r.matched[k.name]; !isLog || !k.newestOfName && !k.unverified {
			more, i, err := r.unfinished(k, inputs)
			if err != nil {
				r.errs = append(r.errs, err)
			}
			if more != nil {
				before[i] = append(before[i], *more)
				continue
			}
		}
		if !k.newestOfName && !k.unverified {
			continue
		}
		i, replaced := inTheirPlace[k.name]
		if !replaced && k.at.Done && !k.unverified || k.at.PriorProgress != nil || r.isWhereItWas(k) && !replaced {
			continue
		}
		more, err := r.rotatedFiles(k, inputs, i, replaced)
		for range shiftLooks { // names may be shifted right now, one after the other
			if k.at.Tag != "" || !errors.Is(err, pipeline.ErrGap) || r.ctx.Err() != nil {
				break
			}
			time.Sleep(shiftPause)
			r.inodes = newInodeIndex(r.s.files)
			more, err = r.rotatedFiles(k, inputs, i, replaced)
		}
		if err != nil {
			r.errs = append(r.errs, err)
		}
		if !replaced {
			i = 0
		}
		before[i] = append(before[i], more...)
	}
	if len(before) == 0 {
		return inputs
	}
	var all []input
	number := func(in input) int64 {
		if in.at == nil {
			return math.MaxInt64
		}
		return in.at.Number
	}
	for i := range inputs {
		slices.SortStableFunc(before[i], func(a, b input) int { return cmp.Compare(number(a), number(b)) })
		all = append(append(all, before[i]...), inputs[i])
	}
	return all
}

// rotatedFiles returns the file that was read under a name, and those that had the name
// after it; replaced says that file i has it now.
func (r *resolver) rotatedFiles(k *knownFile, inputs []input, i int, replaced bool) (more []input, err error) {
	matched := map[fileID]bool{}
	for j := range inputs {
		matched[idOf(inputs[j].info)] = true
	}
	all, err := generations(r.ctx, r.s.files, k.name)
	if err != nil {
		return nil, transient(err)
	}
	origin, err := r.origin(k, all)
	if err != nil {
		return nil, err
	}
	var between []input
	for _, g := range all {
		if matched[g.id] || g.info.Size() == 0 || !g.isNewerThan(origin, k.at.Mtime) {
			continue
		}
		in := input{path: g.path, display: g.path, info: g.info, items: -1}
		known, err := r.readOf(&in)
		switch {
		case err != nil:
			return nil, err
		case known == nil:
			between = append(between, in)
		case !known.found && !known.isFinished(g.info.Size()):
			known.assignTo(&in)
			between = append(between, in)
		}
	}
	switch {
	case origin == nil && (len(between) > 0 || !replaced):
		return nil, newGapError(k.at, k.at.goneText(k.at.Path, k.at.unreadBytes()), k.at.unreadBytes())
	case origin == nil:
		in := &inputs[i]
		return nil, k.at.changedError(in.path, k.at.checkUnchanged(nil, in.info.Size(), r.isCompressed(in), false))
	}
	if hole := holeBefore(k.name, origin, all); hole != "" {
		return nil, newGapError(k.at, k.at.holeText(origin.path, hole), 0)
	}
	first := input{path: origin.path, display: origin.path, info: origin.info, items: -1}
	k.assignTo(&first)
	return append(append(more, first), between...), nil
}

// readOf returns what was read before of a file that the path does not match; nil = nothing was.
func (r *resolver) readOf(in *input) (*knownFile, error) {
	for _, k := range r.byID[idOf(in.info)] {
		if same, err := r.isContinuation(k, in); same || err != nil {
			return k, err
		}
	}
	return nil, nil
}

// isFinished reports whether a file of this size was read to its end.
func (k *knownFile) isFinished(size int64) bool {
	return k.at.Done || !k.at.Compressed && k.at.Offset >= size
}

// unfinished returns a file that a run before has begun to read and that is a generation of one
// that the path matches, input i; nil = k is none. Files are read side by side, so others that
// came after it may have been read further.
func (r *resolver) unfinished(k *knownFile, inputs []input) (more *input, i int, err error) {
	if k.at.Done || k.at.PriorProgress != nil || k.at.Tag != "" || !k.at.Compressed && k.at.unreadBytes() == 0 {
		return nil, 0, nil
	}
	for i := range inputs {
		path := r.s.files.Abs(inputs[i].path)
		_, isGeneration := markOf(k.name, path)
		if filepath.Dir(k.name) != filepath.Dir(path) || !isGeneration && k.name != path {
			continue
		}
		all, err := generations(r.ctx, r.s.files, path)
		if err != nil {
			return nil, 0, transient(err)
		}
		g, err := r.origin(k, all)
		if err == nil && g == nil && k.at.TailBytes == 0 { // of one that was followed, that was told
			err = newGapError(k.at, k.at.goneText(k.at.Path, k.at.unreadBytes()), k.at.unreadBytes())
		}
		if err != nil || g == nil || slices.ContainsFunc(inputs, func(in input) bool { return idOf(in.info) == g.id }) {
			return nil, 0, err
		}
		more = &input{path: g.path, display: g.path, info: g.info, items: -1}
		k.assignTo(more)
		return more, i, nil
	}
	return nil, 0, nil
}

// origin returns the file that was read, among those that were rotated or in its
// folder; nil = it is not there.
func (r *resolver) origin(k *knownFile, all []*generation) (*generation, error) {
	candidates := slices.Clone(all)
	if path := r.inodes.find(r.ctx, k.at.ID, k.name); path != "" && path != k.name {
		if at, err := r.s.files.Stat(r.ctx, path); err == nil {
			candidates = slices.Insert(candidates, 0, newGeneration(path, k.name, at.Info))
		}
	}
	for _, g := range candidates {
		same, err := r.isContinuation(k, &input{path: g.path, info: g.info})
		if same || err != nil {
			return g, err
		}
	}
	return nil, nil
}
