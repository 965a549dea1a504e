package audit

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Report is what a verification found.
type Report struct {
	Dir      string   `json:"dir"`
	Key      string   `json:"key"` // the public key that the signatures were checked with
	Size     int64    `json:"size"`
	Root     string   `json:"root"`
	First    int64    `json:"first"` // the first line that is still there; those before were kept no longer
	FirstSeq uint64   `json:"firstSeq"`
	LastSeq  uint64   `json:"lastSeq"`
	Files    int      `json:"files"`
	Since    int64    `json:"since"`    // the size of the older checkpoint that it was held against; 0: none
	Behind   int64    `json:"behind"`   // lines that a running writer has not signed yet
	Problems []string `json:"problems"` // none: every byte is as it was written
}

// Verification says what is checked.
type Verification struct {
	Dir   string
	Key   string                           // the public key; default: <dir>.key's, else <dir>/public-key
	Since []byte                           // an older checkpoint, from elsewhere
	Visit func(seq uint64, eventID string) // is given each line
}

// most problems that are named; one change may make many.
const mostProblems = 20

// Verify reads every byte of a log, also while it is written. The error is one of reading; what was changed is in the report.
func Verify(v Verification) (Report, error) {
	r := Report{Dir: v.Dir, Problems: []string{}}
	public, err := v.publicKey()
	if err != nil {
		return r, err
	}
	r.Key = public.text
	c := &checker{Report: &r, asked: v, public: public}
	current, err := readCheckpoint(filepath.Join(v.Dir, "checkpoint"), public)
	if errors.Is(err, fs.ErrNotExist) {
		return r, fmt.Errorf("%s: no audit log: it has no checkpoint", v.Dir)
	}
	if err != nil {
		c.problem("%v", err)
		return r, nil
	}
	c.current = current
	r.Size, r.Root = current.size, current.root.String()
	return r, c.run()
}

type verifier struct {
	note.Verifier
	text string
}

func (v Verification) publicKey() (verifier, error) {
	text := v.Key
	if text == "" {
		if secret, err := os.ReadFile(filepath.Clean(v.Dir) + ".key"); err == nil {
			text, _ = publicKey(strings.TrimSpace(string(secret)))
		}
	}
	if text == "" {
		data, err := os.ReadFile(filepath.Join(v.Dir, "public-key"))
		if err != nil {
			return verifier{}, fmt.Errorf("no key to check with: %w; give the public key with --key", err)
		}
		text = strings.TrimSpace(string(data))
	}
	public, err := note.NewVerifier(text)
	if err != nil {
		return verifier{}, fmt.Errorf("%.60q: no public key of an audit log", text)
	}
	return verifier{public, text}, nil
}

// checker computes the tree anew from the bytes.
type checker struct {
	*Report
	asked   Verification
	public  verifier
	current checkpoint

	kept  tree       // the file of hashes, which nothing is believed of but where lines are kept no longer
	mine  memoryTree // what the lines say
	wrong bool       // a line was found wrong: what follows from it is not named too
}

func (c *checker) problem(format string, args ...any) {
	if len(c.Problems) < mostProblems {
		c.Problems = append(c.Problems, fmt.Sprintf(format, args...))
	}
}

func (c *checker) run() error {
	hashes, err := os.Open(filepath.Join(c.Dir, "hashes"))
	if err != nil {
		c.problem("hashes: %v", err)
		return nil
	}
	defer hashes.Close()
	c.kept = tree{file: hashes, size: c.current.size, saved: tlog.StoredHashCount(c.current.size)}
	if err := c.lines(); err != nil {
		return err
	}
	if c.mine.size == c.current.size {
		root, err := tlog.TreeHash(c.mine.size, &c.mine)
		if err != nil || root != c.current.root {
			if !c.wrong {
				c.problem("the lines give another root than the checkpoint has signed")
			}
		}
	}
	c.hashFile()
	if err := c.checkpoints(); err != nil {
		return err
	}
	c.older()
	return nil
}

// lines reads all lines, and holds each against its hash.
func (c *checker) lines() error {
	files, err := listFiles(c.Dir)
	if err != nil {
		c.problem("%v", err)
		return nil
	}
	c.Files = len(files)
	if len(files) == 0 {
		if c.Size > 0 {
			c.problem("no file of lines is there; the checkpoint covers %d lines", c.Size)
		}
		return nil
	}
	c.First = files[0].first
	from, err := keptFrom(c.Dir, c.public)
	if err != nil {
		c.problem("%v", err)
	} else if c.First > from {
		c.problem("line %d of the log is missing, and all up to line %d: their files were taken away", from, c.First-1)
	}
	if err := c.forgotten(); err != nil {
		c.problem("hashes: %v", err)
		return nil
	}
	for _, f := range files {
		if f.first != c.mine.size+1 && f.first <= c.Size {
			c.problem("%s begins with line %d of the log; the file before ends with line %d", filepath.Base(f.path), f.first, c.mine.size)
			c.wrong = true
			return nil
		}
		err := f.each(c.line)
		d, damaged := errors.AsType[*damage](err)
		switch {
		case damaged:
			c.problem("%s", d.text)
			c.wrong = true
			return nil
		case err != nil:
			return err
		}
	}
	if c.mine.size < c.Size {
		c.problem("line %d of the log is missing, and all behind it: the checkpoint covers %d", c.mine.size+1, c.Size)
		c.wrong = true
	}
	if c.Behind > 0 && !beingWritten(c.Dir) {
		c.problem("%d lines stand behind the last that the checkpoint covers, and nobody writes the log", c.Behind)
	}
	return nil
}

// forgotten takes the hashes of lines that are kept no longer from the file. A root that is right proves them.
func (c *checker) forgotten() error {
	for n := int64(1); n < c.First; n++ {
		leaf, err := c.kept.leaf(n)
		if err != nil {
			return err
		}
		if err := c.mine.add(leaf); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) line(l located) error {
	if l.n > c.Size {
		c.Behind++
		return nil
	}
	if c.wrong {
		return c.mine.add(tlog.RecordHash(l.text))
	}
	leaf, err := c.kept.leaf(l.n)
	if err != nil || leaf != tlog.RecordHash(l.text) || !l.whole {
		c.problem("%s:%d: line %d of the log is not as it was written", l.file, l.line, l.n)
		c.wrong = true
	}
	if err := c.mine.add(tlog.RecordHash(l.text)); err != nil {
		return err
	}
	seq, id := seqOf(l.text), idOf(l.text)
	if c.FirstSeq == 0 {
		c.FirstSeq = seq
	}
	c.LastSeq = max(c.LastSeq, seq)
	if c.asked.Visit != nil {
		c.asked.Visit(seq, id)
	}
	return nil
}

// beingWritten says whether a process has the log open for writing.
func beingWritten(dir string) bool {
	f, err := os.Open(filepath.Join(dir, "lock"))
	if err != nil {
		return false
	}
	defer f.Close()
	return syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) != nil
}

// hashFile holds the file of hashes against what the lines give.
func (c *checker) hashFile() {
	if c.wrong || c.mine.size != c.Size {
		return
	}
	data, err := os.ReadFile(filepath.Join(c.Dir, "hashes"))
	if err != nil {
		c.problem("hashes: %v", err)
		return
	}
	want := c.mine.bytes()
	switch {
	case len(data) < len(want):
		c.problem("hashes: %d bytes are missing at its end", len(want)-len(data))
	case !bytes.Equal(data[:len(want)], want):
		c.problem("hashes: not as it was written, though the lines are")
	case len(data) > len(want) && !beingWritten(c.Dir):
		c.problem("hashes: %d bytes too many, and nobody writes the log", len(data)-len(want))
	}
}

// checkpoints holds those of the rotations against the lines: one for each end of a file.
func (c *checker) checkpoints() error {
	data, err := os.ReadFile(filepath.Join(c.Dir, "checkpoints"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	files, err := listFiles(c.Dir)
	if err != nil {
		return nil // named already
	}
	ends, missing := map[int64]bool{}, map[int64]bool{}
	for i, f := range files {
		ends[f.first-1] = true
		// While it is written, that of the last rotation may still be to come.
		if i > 0 && f.first <= c.Size+1 && (i+1 < len(files) || !beingWritten(c.Dir)) {
			missing[f.first-1] = true
		}
	}
	before := int64(0)
	for i, text := range splitNotes(data) {
		kept, err := parseCheckpoint(text, c.public)
		switch {
		case err != nil:
			c.problem("checkpoints: the %d. is not as it was signed: %v", i+1, err)
			return nil
		case kept.size <= before && i > 0 || kept.size > c.Size:
			c.problem("checkpoints: the %d. is for %d lines, out of order or more than the log has", i+1, kept.size)
			return nil
		}
		before = kept.size
		c.holds(kept, fmt.Sprintf("checkpoints: the %d., of %d lines,", i+1, kept.size))
		if !ends[kept.size] && kept.size >= c.First {
			c.problem("checkpoints: the %d. is for %d lines, where no file ends", i+1, kept.size)
		}
		delete(missing, kept.size)
		c.packedFile(kept, files)
	}
	for size := range missing {
		c.problem("checkpoints: the one of %d lines, where a file ends, is missing", size)
	}
	return nil
}

// packedFile holds a packed file against its digest.
func (c *checker) packedFile(kept checkpoint, files []logFile) {
	name, digest, _ := strings.Cut(kept.file, " ")
	for _, f := range files {
		if filepath.Base(f.path) != name {
			continue
		}
		if now, err := digestOf(f.path); err != nil || now != digest {
			c.problem("%s: not the file that was signed", name)
		}
	}
}

// splitNotes takes signed notes apart that stand one behind the other with an empty line between.
func splitNotes(data []byte) (notes [][]byte) {
	const signature = "\n— "
	for len(data) > 0 {
		at := bytes.Index(data, []byte(signature))
		end := -1
		if at >= 0 {
			if newline := bytes.IndexByte(data[at+1:], '\n'); newline >= 0 {
				end = at + 1 + newline + 1
			}
		}
		if end < 0 {
			return append(notes, data)
		}
		notes = append(notes, data[:end])
		data = data[end:]
		if len(data) > 0 && data[0] == '\n' {
			data = data[1:]
		} else if len(data) > 0 {
			return append(notes, append([]byte("no empty line before: "), data...))
		}
	}
	return notes
}

// holds says whether the log of today begins with that of a checkpoint.
func (c *checker) holds(older checkpoint, what string) {
	if c.wrong || c.mine.size != c.Size {
		return
	}
	root, err := tlog.TreeHash(older.size, &c.mine)
	if err != nil || root != older.root {
		c.problem("%s does not fit the lines: they were another log then", what)
	}
}

// older holds the log against a checkpoint from elsewhere.
func (c *checker) older() {
	if c.asked.Since == nil {
		return
	}
	then, err := parseCheckpoint(c.asked.Since, c.public)
	if err != nil {
		c.problem("the older checkpoint: %v", err)
		return
	}
	c.Since = then.size
	if then.size > c.Size {
		c.problem("the older checkpoint is of %d lines; the log of today has %d: its end was taken away", then.size, c.Size)
		return
	}
	c.holds(then, fmt.Sprintf("the older checkpoint, of %d lines,", then.size))
}

// memoryTree is a tree of which nothing is on the disk.
type memoryTree struct {
	size   int64
	hashes []tlog.Hash
}

func (t *memoryTree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	all := make([]tlog.Hash, len(indexes))
	for n, index := range indexes {
		if index >= int64(len(t.hashes)) {
			return nil, fmt.Errorf("no hash %d", index)
		}
		all[n] = t.hashes[index]
	}
	return all, nil
}

func (t *memoryTree) add(leaf tlog.Hash) error {
	hashes, err := tlog.StoredHashesForRecordHash(t.size, leaf, t)
	t.hashes = append(t.hashes, hashes...)
	t.size++
	return err
}

func (t *memoryTree) bytes() []byte {
	data := make([]byte, 0, len(t.hashes)*sha256.Size)
	for _, h := range t.hashes {
		data = append(data, h[:]...)
	}
	return data
}
