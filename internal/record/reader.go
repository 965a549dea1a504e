package record

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Read reads a record. A last line that is not whole, as after a kill, is left out.
func Read(dir string) (Head, []Entry, error) {
	name := filepath.Join(dir, FileName)
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return Head{}, nil, fmt.Errorf("%s: no record is there; make one with: watcher record %s", dir, dir)
	}
	if err != nil {
		return Head{}, nil, err
	}
	defer file.Close()
	head, entries, err := read(file)
	if err != nil {
		return Head{}, nil, fmt.Errorf("%s: %w", name, err)
	}
	return head, entries, nil
}

func read(in io.Reader) (head Head, entries []Entry, err error) {
	lines := bufio.NewReader(in)
	first, err := lines.ReadBytes('\n')
	if json.Unmarshal(first, &head) != nil || head.Format != format {
		return head, nil, fmt.Errorf("its first line is none of a %s", format)
	}
	if !slices.Contains(basePaths, head.BasePath) { // whoever wrote it
		head.BasePath = ""
	}
	for number := 2; err == nil; number++ {
		var line []byte
		if line, err = lines.ReadBytes('\n'); err != nil {
			break
		}
		var e Entry
		if err := json.Unmarshal(line, &e); err != nil {
			return head, nil, fmt.Errorf("line %d: no entry of a record: %w", number, err)
		}
		entries = append(entries, e)
	}
	if !errors.Is(err, io.EOF) {
		return head, nil, err
	}
	return head, entries, nil
}
