package audit

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// Names in the folder.
const (
	hashesName      = "hashes"
	checkpointName  = "checkpoint"
	checkpointsName = "checkpoints"
	sumsName        = "SHA256SUMS"
	removedName     = "removed"
	keysName        = "keys"
	lockName        = "lock"
	publishedName   = "published"

	plain   = ".jsonl"
	rotated = ".jsonl.zst"
)

// part is a file of lines.
type part struct {
	path    string
	first   int64 // n of its first line
	rotated bool
}

func (p part) name() string { return filepath.Base(p.path) }

func partName(first int64, suffix string) string { return fmt.Sprintf("audit-%020d%s", first, suffix) }

// partOf is the file of lines of that name.
func partOf(dir, name string) (p part, ok bool) {
	stem, isRotated := strings.CutSuffix(name, rotated)
	suffix := rotated
	if !isRotated {
		stem, suffix = strings.TrimSuffix(name, plain), plain
	}
	first, err := strconv.ParseInt(strings.TrimPrefix(stem, "audit-"), 10, 64)
	return part{filepath.Join(dir, name), first, isRotated}, err == nil && first > 0 && name == partName(first, suffix)
}

// parts are the files of lines in a folder by their first lines, a plain one before its rotated twin; strange is what else
// begins as they do.
func parts(dir string) (all []part, strange []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "audit-") || strings.HasSuffix(e.Name(), unfinished) {
			continue
		}
		if p, ok := partOf(dir, e.Name()); ok && e.Type().IsRegular() {
			all = append(all, p)
		} else {
			strange = append(strange, e.Name())
		}
	}
	slices.SortStableFunc(all, func(a, b part) int {
		return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(len(a.path), len(b.path)))
	})
	return all, strange, nil
}

// hasTwin says of a rotated file that the plain one of the same lines stands before it: a crash during the rotation leaves
// both, and so does a rotation at this moment.
func hasTwin(all []part, i int) bool { return i > 0 && all[i-1].first == all[i].first }

// rawLine is a line as it stands in a file.
type rawLine struct {
	text  []byte // without its newline; valid until the next
	whole bool   // it has a newline
}

// lines reads the lines of a file. The last may not be whole. After an error there are no more.
func (p part) lines() iter.Seq2[rawLine, error] {
	return func(yield func(rawLine, error) bool) {
		f, err := os.Open(p.path)
		if err != nil {
			yield(rawLine{}, err)
			return
		}
		defer f.Close()
		var in io.Reader = f
		if p.rotated {
			decoder, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(256<<20), zstd.WithDecoderMaxWindow(32<<20))
			if err != nil {
				yield(rawLine{}, err)
				return
			}
			defer decoder.Close()
			in = decoder
		}
		readLines(in, yield)
	}
}

// linesOf reads a file, which may be rotated at this moment.
func linesOf(p part) iter.Seq2[rawLine, error] {
	return func(yield func(rawLine, error) bool) {
		for raw, err := range p.lines() {
			if errors.Is(err, fs.ErrNotExist) && !p.rotated {
				p.path, p.rotated = strings.TrimSuffix(p.path, plain)+rotated, true
				p.lines()(yield)
				return
			}
			if !yield(raw, err) {
				return
			}
		}
	}
}

func readLines(in io.Reader, yield func(rawLine, error) bool) {
	buffered := bufio.NewReaderSize(in, 256<<10)
	var long []byte
	for {
		text, err := buffered.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) && len(long)+len(text) <= longest {
			long = append(long, text...)
			continue
		}
		if len(long) > 0 {
			long = append(long, text...)
			text = long
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			yield(rawLine{}, errors.New("a line is longer than any that is written"))
			return
		case errors.Is(err, io.EOF):
			if len(text) > 0 {
				yield(rawLine{text, false}, nil)
			}
			return
		case err != nil:
			yield(rawLine{}, err)
			return
		}
		if !yield(rawLine{text[:len(text)-1], true}, nil) {
			return
		}
		long = long[:0]
	}
}

// sums are the SHA-256 of the rotated files by their names.
type sums map[string]string

func readSums(dir string) (sums, error) {
	text, err := os.ReadFile(filepath.Join(dir, sumsName))
	if errors.Is(err, os.ErrNotExist) {
		return sums{}, nil
	}
	if err != nil {
		return nil, err
	}
	all := sums{}
	for line := range strings.Lines(string(text)) {
		sum, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		if !ok || len(sum) != 2*sha256.Size || name == "" {
			return nil, fmt.Errorf("%s: not what sha256sum writes: %.80q", sumsName, line)
		}
		all[name] = sum
	}
	if !bytes.Equal(all.text(), text) {
		return nil, fmt.Errorf("%s: not as it was written", sumsName)
	}
	return all, nil
}

func (s sums) text() []byte {
	var text bytes.Buffer
	names := make([]string, 0, len(s))
	for name := range s {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&text, "%s  %s\n", s[name], name)
	}
	return text.Bytes()
}

func sumOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// removal is the signed note that says up to which line files were removed.
func removal(origin string, upTo int64) string {
	return fmt.Sprintf("jobwatch audit removed\n%s\n%d\n", origin, upTo)
}

// readRemoved is the last line that was removed on purpose; 0: none.
func readRemoved(dir, origin string, keys keyring) (int64, error) {
	raw, err := os.ReadFile(filepath.Join(dir, removedName))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	s, err := openNote(raw, keys)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", removedName, err)
	}
	lines := strings.Split(s.text, "\n")
	if len(lines) == 4 {
		upTo, err := strconv.ParseInt(lines[2], 10, 64)
		if err == nil && upTo > 0 && s.text == removal(origin, upTo) {
			return upTo, nil
		}
	}
	return 0, fmt.Errorf("%s: says nothing about this log", removedName)
}
