package audit

import (
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// tidyParts ends what a crash has cut short: a rotation, a removal. What is missing is a *Damage.
func (w *writer) tidyParts(size, removed int64) ([]part, error) {
	if err := w.removeUnfinished(); err != nil {
		return nil, err
	}
	all, strange, err := parts(w.Dir)
	if err != nil {
		return nil, err
	}
	if len(strange) > 0 {
		return nil, damaged("%s: %s is no file of the log; move it away", w.Dir, strange[0])
	}
	for len(all) > 1 && all[1].first <= removed+1 && all[0].first != all[1].first {
		if err := w.disk.remove(all[0].path); err != nil {
			return nil, err
		}
		all = all[1:]
	}
	sums, err := w.tidySums(all, removed)
	if err != nil {
		return nil, err
	}
	return w.settleParts(all, sums, size)
}

func (w *writer) removeUnfinished() error {
	names, err := filepath.Glob(filepath.Join(w.Dir, "*"+unfinished))
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := w.disk.remove(name); err != nil {
			return err
		}
	}
	return nil
}

// tidySums takes out the sums of files that were removed, and of rotated twins, which are removed next.
func (w *writer) tidySums(all []part, removed int64) (sums, error) {
	sums, err := readSums(w.Dir)
	if err != nil {
		return nil, damaged("%s: %v", w.Dir, err)
	}
	before := len(sums)
	for i, p := range all {
		if hasTwin(all, i) {
			delete(sums, p.name())
		}
	}
	for name := range sums {
		if slices.ContainsFunc(all, func(p part) bool { return p.name() == name }) {
			continue
		}
		if p, ok := partOf(w.Dir, name); !ok || p.first > removed {
			return nil, damaged("%s: %s is missing; restore it from a copy", w.Dir, name)
		}
		delete(sums, name)
	}
	if len(sums) == before {
		return sums, nil
	}
	return sums, replace(w.disk, w.path(sumsName), sums.text(), 0o644)
}

// settleParts removes the rotated twin of a file whose rotation was cut short, and a file that was begun and never
// acknowledged. Of those left, all but the last are rotated.
func (w *writer) settleParts(all []part, sums sums, size int64) (settled []part, err error) {
	for i, p := range all {
		if hasTwin(all, i) || p.first > size && !p.rotated {
			if err := w.disk.remove(p.path); err != nil {
				return nil, err
			}
			continue
		}
		if p.rotated && sums[p.name()] == "" {
			return nil, damaged("%s: %s was not written by this log: %s does not list it", w.Dir, p.name(), sumsName)
		}
		settled = append(settled, p)
	}
	for i, p := range settled {
		if !p.rotated && i < len(settled)-1 {
			return nil, damaged("%s: %s follows %s, which was never rotated", w.Dir, settled[i+1].name(), p.name())
		}
	}
	return settled, nil
}

// openPart reads the newest file, holds its lines against the hashes, and cuts off what the checkpoint does not cover.
func (w *writer) openPart(files []part, size, removed int64) error {
	if len(files) == 0 {
		if size > removed {
			return damaged("%s: the checkpoint covers %d lines, and there is no file of them", w.Dir, size)
		}
		return nil
	}
	newest := files[len(files)-1]
	if newest.first > size {
		return damaged("%s: %s begins behind the last line of the checkpoint, %d", w.Dir, newest.name(), size)
	}
	end, firstLine, err := w.readNewest(newest, size)
	if err != nil || newest.rotated {
		return err
	}
	w.part, err = w.disk.open(newest.path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	w.first, w.size, w.began = newest.first, end, beganAt(firstLine, w.now())
	info, err := w.part.Stat()
	if err == nil && info.Size() > end {
		err = w.part.Truncate(end)
	}
	return err
}

// readNewest gives where the last line that the checkpoint covers ends.
func (w *writer) readNewest(newest part, size int64) (end int64, firstLine Line, err error) {
	n := newest.first
	hashes := hashReader(w.hashes)
	for raw, err := range newest.lines() {
		if err != nil {
			return 0, firstLine, damaged("%s: %v", newest.name(), err)
		}
		if n > size {
			break
		}
		want, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, n-1)})
		if err != nil {
			return 0, firstLine, err
		}
		if !raw.whole || tlog.RecordHash(raw.text) != want[0] {
			return 0, firstLine, damaged("%s: line %d is not what was written; watcher audit verify says more", newest.name(), n)
		}
		line, err := parseLine(raw.text)
		if err != nil {
			return 0, firstLine, damaged("%s: line %d: %v", newest.name(), n, err)
		}
		if n == newest.first {
			firstLine = line
		}
		w.known.add(line.id())
		w.lastSeq = line.Seq
		end += int64(len(raw.text)) + 1
		n++
	}
	if n <= size {
		return 0, firstLine, damaged("%s: line %d is missing", newest.name(), n)
	}
	w.known.read = append(w.known.read, newest)
	return end, firstLine, nil
}
