package audit

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"

	"jobwatch/internal/progress"
)

// walker goes through the lines, beside the hashes that were written of them.
type walker struct {
	*verification
	size   int64 // lines that there have to be
	claims map[int64][]claim

	stored   *bufio.Reader // the hashes, in their order
	random   *os.File      // the same
	ofLines  *peaks        // tree of the lines as they are
	ofHashes *peaks        // tree of the hashes of lines as they were written
	rewrote  bool          // lines are missing, or there are others: their tree proves nothing

	lines, tails, hashes, roots []string // findings; tails: behind the last line that is signed
	lastRaw                     []byte

	is func(lines int64) // how far it is
}

// walk reads all lines. Whether lines or hashes are wrong where they differ is told by the root that was signed.
func (v *verification) walk(ctx context.Context, files []part) error {
	f, err := os.Open(filepath.Join(v.dir, hashesName))
	if err != nil {
		v.find("hashes: %v", reason(err))
		if !errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if f, err = os.Open(os.DevNull); err != nil {
			return err
		}
	}
	defer f.Close()
	w := &walker{verification: v, claims: v.claims(), stored: bufio.NewReaderSize(f, 256<<10), random: f, ofLines: &peaks{}, ofHashes: &peaks{}}
	w.sizeUp()
	files = w.choose(files)
	v.checkRotations(files, w.size)
	w.check()
	w.is = progress.Of(ctx, "reading", "lines", w.size)
	for i, p := range files {
		end := w.size
		if i+1 < len(files) {
			end = files[i+1].first - 1
		}
		if w.readFile(ctx, i == 0, p, end); ctx.Err() != nil {
			return nil
		}
	}
	if w.report.First > w.report.Last { // all were removed
		w.report.First, w.report.Last = 0, 0
	}
	if n := w.ofLines.size + 1; n <= w.size {
		if len(files) == 0 && v.removed >= w.size {
			w.fill(w.size)
		} else {
			w.missing(n, w.size)
		}
	}
	w.judge()
	return nil
}

// sizeUp finds how many lines there have to be: the checkpoint says it, else the hashes.
func (w *walker) sizeUp() {
	info, err := w.random.Stat()
	if err != nil {
		return
	}
	bytes := info.Size()
	if w.signed {
		w.size = w.checkpoint.Size
	} else {
		for hashesSize(w.size+1) <= bytes {
			w.size += max(1, (bytes-hashesSize(w.size))/tlog.HashSize/4)
		}
		w.report.Size = w.size
	}
	want := hashesSize(w.size)
	if bytes < want {
		say(&w.hashes, "hashes: %d bytes, and %d lines need %d", bytes, w.size, want)
	}
	if bytes > want && !w.active {
		say(&w.hashes, "hashes: %d bytes behind those of the %d lines that are signed; %s", bytes-want, w.size, unsigned)
	}
}

const unsigned = "a crash leaves such, and the relay cuts it off when it goes on; else somebody has added it"

// choose leaves out what is written now, and the rotated one of two that hold the same.
func (w *walker) choose(files []part) (chosen []part) {
	for i, p := range files {
		switch {
		case hasTwin(files, i):
			if !w.active {
				w.find("%s: there besides %s; a crash during the rotation leaves both, and the relay mends it when it goes on", p.name(), files[i-1].name())
			}
		case p.first > w.size:
			if !w.active {
				say(&w.tails, "%s: behind line %d, the last that is signed; %s", p.name(), w.size, unsigned)
			}
		default:
			chosen = append(chosen, p)
		}
	}
	w.report.First, w.report.Last = 0, 0
	if len(chosen) > 0 {
		w.report.First, w.report.Last = chosen[0].first, w.size
	}
	return chosen
}

// readFile reads the lines of a file, up to end.
func (w *walker) readFile(ctx context.Context, oldest bool, p part, end int64) {
	if n := w.ofLines.size + 1; n < p.first {
		if oldest && p.first <= w.removed+1 {
			w.fill(p.first - 1)
		} else {
			w.missing(n, p.first-1)
		}
	}
	for raw, err := range linesOf(p) {
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, fs.ErrNotExist) && w.removedMeanwhile(p) {
			w.fill(min(end, w.removed))
			w.report.First = end + 1
			break
		}
		if err != nil {
			say(&w.lines, "line %d: %s cannot be read there: %v", w.ofLines.size+1, p.name(), reason(err))
			w.rewrote = true
			break
		}
		n := w.ofLines.size + 1
		if n > end {
			w.behind(p, n, end, raw)
			break
		}
		w.line(p, n, end, raw)
		w.is(w.ofLines.size)
	}
	if n := w.ofLines.size + 1; n <= end {
		w.missing(n, end)
	}
}

// behind is what stands in a file behind its last line.
func (w *walker) behind(p part, n, end int64, raw rawLine) {
	l, _ := parseLine(raw.text)
	written, was := w.leafAt(l.N)
	switch {
	case was && written == tlog.RecordHash(raw.text):
		say(&w.lines, "line %d: moved, or there twice: stands in %s behind line %d", l.N, p.name(), end)
		w.rewrote = true
	case end < w.size:
		say(&w.lines, "line %d: another one stands in %s behind line %d", n, p.name(), end)
		w.rewrote = true
	case !w.active:
		say(&w.tails, "line %d: %s goes on behind line %d, the last that is signed; %s", n, p.name(), end, unsigned)
	}
}

// line holds a line against the hash that was written of it. One that stands elsewhere than it was written is known by the
// number that it bears.
func (w *walker) line(p part, n, end int64, raw rawLine) {
	leaf := tlog.RecordHash(raw.text)
	want, has := w.leafAt(n)
	if !raw.whole && n <= end {
		say(&w.lines, "line %d: cut short in %s", n, p.name())
		w.rewrote = true
	} else if has && leaf != want {
		l, err := parseLine(raw.text)
		written, was := w.leafAt(l.N)
		switch {
		case err != nil || !was || written != leaf || l.N == n:
			say(&w.lines, "line %d: changed in %s", n, p.name())
			say(&w.hashes, "hashes: that of line %d is not the line's", n)
		case l.N > n:
			w.missing(n, min(l.N-1, end))
			if l.N > end {
				return
			}
		default:
			say(&w.lines, "line %d: moved, or there twice: stands in %s where line %d was", l.N, p.name(), n)
			w.rewrote = true
			return
		}
	}
	w.lastRaw = append(w.lastRaw[:0], raw.text...)
	w.add(leaf)
}

// missing says so, and goes on behind what is missing.
func (w *walker) missing(from, to int64) {
	w.rewrote = true
	if from == to {
		say(&w.lines, "line %d: missing, or moved", from)
	} else {
		say(&w.lines, "line %d: missing, with all up to line %d", from, to)
	}
	w.fill(to)
}

// fill takes the hashes up to a line for the lines, which are not there.
func (w *walker) fill(to int64) {
	for w.ofLines.size < to {
		leaf, has := w.leafAt(w.ofLines.size + 1)
		if !has { // nor are the hashes: nothing more can be told
			w.rewrote = true
			w.ofLines.size, w.ofHashes.size = to, to
			return
		}
		w.add(leaf)
	}
}

func (w *walker) leafAt(n int64) (leaf tlog.Hash, has bool) {
	if n < 1 || n > w.size {
		return leaf, false
	}
	_, err := w.random.ReadAt(leaf[:], tlog.StoredHashIndex(0, n-1)*tlog.HashSize)
	return leaf, err == nil
}

// add adds a line to the tree of the lines, and its written hash to the other, whose nodes are compared.
func (w *walker) add(leaf tlog.Hash) {
	w.ofLines.add(leaf)
	var stored tlog.Hash
	if _, err := io.ReadFull(w.stored, stored[:]); err != nil {
		w.ofHashes.size++
		w.check()
		return
	}
	for i, node := range w.ofHashes.add(stored) {
		if i == 0 {
			continue
		}
		if _, err := io.ReadFull(w.stored, stored[:]); err != nil || stored != node {
			say(&w.hashes, "hashes: a node over line %d is not that of its two", w.ofLines.size)
		}
	}
	w.check()
}
