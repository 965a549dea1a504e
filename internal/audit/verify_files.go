package audit

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"

	"jobwatch/internal/progress"
)

func (v *verification) readRemoved() {
	var err error
	origin := v.checkpoint.Origin
	if !v.signed && len(v.kept) > 0 {
		origin = v.kept[0].Origin
	}
	if v.removed, err = readRemoved(v.dir, origin, v.trusted); err != nil {
		v.find("%v", err)
	}
	v.report.Removed = v.removed
}

// removedMeanwhile says whether the writer has removed a file of lines, on purpose, since the files were listed.
func (v *verification) removedMeanwhile(p part) bool {
	if v.active && p.first > v.removed {
		v.readRemoved()
	}
	return v.active && p.first <= v.removed
}

func (v *verification) readSums() {
	var err error
	if v.sums, err = readSums(v.dir); err != nil {
		v.find("%v", err)
	}
}

// checkSums holds each rotated file against what it was when it was rotated.
func (v *verification) checkSums(ctx context.Context, files []part) {
	if v.sums == nil {
		return
	}
	is := progress.Of(ctx, "summing", "files", int64(len(files)))
	for i, p := range files {
		if ctx.Err() != nil {
			return
		}
		if is(int64(i)); !p.rotated {
			continue
		}
		want, listed := v.sums[p.name()]
		delete(v.sums, p.name())
		rotating := v.active && hasTwin(files, i)
		if !listed {
			if !rotating && !v.removedMeanwhile(p) {
				v.find("%s: not listed in %s", p.name(), sumsName)
			}
			continue
		}
		sum, err := sumOf(p.path)
		switch {
		case errors.Is(err, fs.ErrNotExist) && v.removedMeanwhile(p):
		case err != nil:
			v.find("%s: %v", p.name(), reason(err))
		case sum != want:
			v.find("%s: not the bytes of which %s has the sum (lines from %d on)", p.name(), sumsName, p.first)
		}
	}
	for name := range v.sums { // rotated since the files were listed, or not there
		there, _ := exists(filepath.Join(v.dir, name))
		p, ok := partOf(v.dir, name)
		if !v.active || !there && (!ok || !v.removedMeanwhile(p)) {
			v.find("%s: missing", name)
		}
	}
}

// reason leaves out the path of an error of the file system.
func reason(err error) error {
	if e, is := errors.AsType[*fs.PathError](err); is {
		return e.Err
	}
	return err
}

// checkRotations: where a file ends a checkpoint was kept.
func (v *verification) checkRotations(files []part, size int64) {
	has := func(size int64) bool {
		return slices.ContainsFunc(v.kept, func(c Checkpoint) bool { return c.Size == size })
	}
	for i, p := range files {
		end := size
		if i+1 < len(files) {
			end = files[i+1].first - 1
		}
		overtaken := v.active && i == len(files)-1 // it goes on behind the checkpoint that was read
		if p.rotated && !has(end) && !overtaken {
			v.find("checkpoints: that of %d lines is missing, which was kept when %s was rotated", end, p.name())
		}
		if i == 0 && p.first > 1 && !has(p.first-1) {
			v.find("checkpoints: that of %d lines is missing, after which %s begins", p.first-1, p.name())
		}
	}
}
