package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// maxSize is far above any configuration (10,000 jobs are 200 kB) and keeps junk from filling memory.
const maxSize = 1 << 20

// Load reads and checks the file; a ${NAME} in it is looked up in the process's environment.
// The error names file, line, key and mend of everything that is wrong, one a line: each an *Error.
func Load(path string) (*Config, error) {
	data, err := read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &Error{File: path, Problem: "no such file; name one with -c, or start from configs/minimal.yaml"}
	}
	if err != nil {
		return nil, &Error{File: path, Problem: reason(err)}
	}
	return Parse(path, data, os.LookupEnv)
}

// Parse is Load of data already read; name is the file in errors, from whose folder the names of files are looked for,
// getenv looks a ${NAME} up.
func Parse(name string, data []byte, getenv func(string) (string, bool)) (*Config, error) {
	r := &reader{file: name, folder: folderOf(name), getenv: getenv, lines: map[string]int{}, set: map[string]bool{}}
	root, err := r.document(data)
	if err != nil {
		return nil, err
	}
	c := r.config(root)
	if len(r.errs) == 0 {
		r.placeDefaults(c)
		r.findLeftBehind(c)
	}
	if len(r.errs) > 0 {
		return nil, join(r.errs)
	}
	c.Text, c.file, c.lines, c.set, c.leftBehind = data, name, r.lines, r.set, r.leftBehind
	return c, nil
}

// read takes one byte more than may be there, by which document tells a file that is too large.
func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxSize+1))
}

// reason is err without the file's name and the system call, which the one who asks names better.
func reason(err error) string {
	if inner := new(fs.PathError); errors.As(err, &inner) {
		return inner.Err.Error()
	}
	return fmt.Sprint(err)
}
