package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// relative is a name of a file that is not written whole. It is looked for from the configuration file's folder;
// versions before looked for it from the folder that they were started in.
type relative struct {
	at       node   // the key
	now, old string // both absolute
}

// folderOf is where the names in a configuration file are looked for.
func folderOf(file string) string {
	folder := filepath.Dir(file)
	if whole, err := filepath.Abs(folder); err == nil {
		return whole
	}
	return folder
}

// path reads the name of a file or folder.
func (r *reader) path(dst *string, checks ...func(string) error) func(node) {
	return func(n node) {
		name, ok := r.textAt(n, checks)
		if ok {
			put(r, n, dst, r.placed(n, name))
		}
	}
}

// placed makes a name absolute; an empty one names nothing.
func (r *reader) placed(n node, name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	now := filepath.Join(r.folder, name)
	if old, err := filepath.Abs(name); err == nil && old != now {
		r.relative = append(r.relative, relative{n, now, old})
	}
	return now
}

// Keys whose files hold what was told and what waits; none of them may be begun anew unseen.
const (
	storePath   = "store.path"
	embeddedDir = "nats.embedded.dir"
)

// placeDefaults is for the names that the file leaves out.
func (r *reader) placeDefaults(c *Config) {
	if r.lines[storePath] == 0 {
		c.Store.Path = r.placed(node{key: storePath}, c.Store.Path)
	}
	if r.lines[embeddedDir] == 0 {
		c.NATS.Embedded.Dir = r.placed(node{key: embeddedDir}, c.NATS.Embedded.Dir)
	}
}

// findLeftBehind refuses a name under which nothing is found now, and something was by a version before: a new store
// must not take the place of one in use. Where both are there, a warning says which is used.
func (r *reader) findLeftBehind(c *Config) {
	for _, f := range r.relative {
		switch {
		case f.at.key == embeddedDir && !c.NATS.UsesEmbedded(), !isThere(f.old):
		case isAbsent(f.now):
			in, name := f.at.key[:strings.LastIndexByte(f.at.key, '.')], f.at.key[strings.LastIndexByte(f.at.key, '.')+1:]
			r.fail(f.at, "%[1]s is not there, and %[2]s is: a name that does not begin with / is looked for from this file's folder, "+
				"no longer from the folder of the start; to go on with what is there write %[3]s: %[2]s under %[4]s, or else %[3]s: %[1]s",
				f.now, f.old, name, in)
		case (f.at.key == storePath || f.at.key == embeddedDir) && !sameFile(f.now, f.old):
			both := fmt.Sprintf("%s is used; %s, which a version before would have used when started here, is left alone", f.now, f.old)
			r.leftBehind = append(r.leftBehind, (&Error{r.file, f.at.line, f.at.key, both}).Error())
		}
	}
}

func isThere(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// isAbsent is not the contrary: what cannot be looked at is neither.
func isAbsent(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

func sameFile(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}
