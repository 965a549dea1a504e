package audit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"
)

const (
	plainEnd   = ".jsonl"
	packedEnd  = ".jsonl.zst"
	nameDigits = 20

	longestLine = 16 << 20 // an event is under 64 KiB
)

var fileName = regexp.MustCompile(`^audit-([0-9]{20})\.jsonl(\.zst)?$`)

func nameOf(first int64) string { return fmt.Sprintf("audit-%0*d", nameDigits, first) }

func syncDirOf(name string) error {
	d, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// logFile is a file of lines.
type logFile struct {
	path   string
	first  int64 // n of its first line, as its name says
	packed bool
}

// listFiles gives the files of lines in their order. Where a file is there packed and not, its packing was cut short:
// the one that is not counts.
func listFiles(dir string) ([]logFile, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	byFirst := map[int64]logFile{}
	for _, e := range entries {
		m := fileName.FindStringSubmatch(e.Name())
		if m == nil {
			continue
		}
		first, err := strconv.ParseInt(m[1], 10, 64)
		if err != nil || first < 1 {
			return nil, fmt.Errorf("%s: no name of a file of this log", e.Name())
		}
		f := logFile{filepath.Join(dir, e.Name()), first, m[2] != ""}
		if was, twice := byFirst[first]; !twice || was.packed {
			byFirst[first] = f
		}
	}
	var files []logFile
	for _, f := range byFirst {
		files = append(files, f)
	}
	slices.SortFunc(files, func(a, b logFile) int { return int(a.first - b.first) })
	return files, nil
}

// located is a line and where it is.
type located struct {
	file  string // its name
	line  int    // in the file, from 1
	n     int64  // that it should have
	text  []byte // without its newline; valid until the next one
	whole bool   // it ends with a newline
}

// eachLine gives yield the lines of all files.
func eachLine(dir string, yield func(located) error) error {
	files, err := listFiles(dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := f.each(yield); err != nil {
			return err
		}
	}
	return nil
}

func (f logFile) each(yield func(located) error) error {
	in, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer in.Close()
	var plain io.Reader = in
	if f.packed {
		unpacked, err := zstd.NewReader(in, zstd.WithDecoderMaxMemory(256<<20))
		if err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(f.path), err)
		}
		defer unpacked.Close()
		plain = unpacked
	}
	lines := bufio.NewReaderSize(plain, 1<<20)
	l := located{file: filepath.Base(f.path), n: f.first - 1}
	for {
		text, err := readLine(lines)
		if len(text) > 0 {
			l.n++
			l.line++
			l.text, l.whole = bytes.TrimSuffix(text, []byte("\n")), bytes.HasSuffix(text, []byte("\n"))
			if err := yield(l); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return &damage{fmt.Sprintf("%s: behind line %d: %v", l.file, l.line, err), l.n + 1}
		}
	}
}

var errLongLine = errors.New("a line without an end")

func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
		if len(line) > longestLine {
			return nil, errLongLine
		}
	}
}

// damage is something in the files that is not as it was written.
type damage struct {
	text string
	n    int64 // of the line, or 0
}

func (d *damage) Error() string { return d.text }

// pack compresses a rotated file.
func pack(f logFile) (logFile, error) {
	data, err := os.ReadFile(f.path)
	if err != nil {
		return f, err
	}
	w, err := zstd.NewWriter(nil)
	if err != nil {
		return f, err
	}
	packed := logFile{strings.TrimSuffix(f.path, plainEnd) + packedEnd, f.first, true}
	if err := replaceFile(packed.path, w.EncodeAll(data, nil), 0o640); err != nil {
		return f, err
	}
	if err := os.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	return packed, syncDirOf(f.path)
}
