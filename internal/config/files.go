package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"
)

// relative is a name of a file that is not absolute. It begins in the configuration file's folder; in versions before, in
// the folder that they were started in.
type relative struct {
	at       node   // the key
	now, old string // both absolute
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

// Keys whose files hold what was told and what is still to be sent; none of them may be begun afresh unnoticed.
const (
	storePath   = "store.path"
	embeddedDir = "nats.embedded.dir"
)

// placeDefault is for a name that the file leaves out.
func (r *reader) placeDefault(key string, dst *string) {
	if r.lines[key] == 0 {
		*dst = r.placed(node{key: key, name: key[strings.LastIndexByte(key, '.')+1:]}, *dst)
	}
}

// findLeftBehind refuses a name under which nothing is found now, and something was by a version before: a new store
// must not take the place of one in use. Where both are there, a warning says which is used.
func (c *Config) findLeftBehind(r *reader, _ node) {
	r.placeDefault(storePath, &c.Store.Path)
	r.placeDefault(embeddedDir, &c.NATS.Embedded.Dir)
	for _, f := range r.relative {
		now, errNow := os.Stat(f.now)
		old, errOld := os.Stat(f.old)
		switch {
		case f.at.key == embeddedDir && !c.NATS.UsesEmbedded(), errOld != nil:
		case errors.Is(errNow, fs.ErrNotExist): // what cannot be read is there
			r.fail(f.at, "%[1]s is not there, and %[2]s is: a name that does not begin with / is looked for from this file's folder, "+
				"no longer from the folder of the start; to go on with what is there write %[3]s: %[2]s under %[4]s, or else %[3]s: %[1]s",
				f.now, f.old, f.at.name, strings.TrimSuffix(f.at.key, "."+f.at.name))
		case (f.at.key == storePath || f.at.key == embeddedDir) && (errNow != nil || !os.SameFile(now, old)):
			both := fmt.Sprintf("%s is used; %s, which a version before would have used when started here, is left alone", f.now, f.old)
			r.warnings = append(r.warnings, (&Error{r.file, f.at.line, f.at.key, both}).Error())
		}
	}
}

// maxSecret is many times a token; it keeps a wrong name (a device, a log) from being read whole.
const maxSecret = 64 << 10

// ReadSecret reads the secret in a file, without the line end behind it. What can only be sent wrong is refused.
// key is the configuration's key that names the file ("commcells[0].auth.token_file").
// The error names key, file and fix, never what the file holds.
func ReadSecret(key, file string) (string, error) {
	refuse := func(problem string) (string, error) {
		return "", errors.New(key + ": " + file + ": " + problem)
	}
	data, err := readAtMost(maxSecret, file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return refuse(reason(err) + "; write the secret into it, or mend the path")
	case errors.Is(err, fs.ErrPermission):
		return refuse(reason(err) + "; let the watcher's user read it")
	case err != nil:
		return refuse(reason(err))
	}
	secret := trimLineEnd(string(data))
	switch err := sendable(secret); {
	case secret == "":
		return refuse("empty; write the secret into it")
	case len(data) > maxSecret:
		return refuse("larger than 64 KiB; is it the right file?")
	case err != nil:
		return refuse(err.Error())
	}
	return secret, nil
}

func trimLineEnd(s string) string {
	return strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r")
}

// sendable refuses what an editor or a shell leaves in a secret and nobody sees. Sent along, the secret would be a wrong
// one, and each try counts towards a lock-out.
func sendable(secret string) error {
	first, _ := utf8.DecodeRuneInString(secret)
	last, _ := utf8.DecodeLastRuneInString(secret)
	switch {
	case strings.HasPrefix(secret, "\uFEFF"):
		return errors.New("begins with a byte order mark; save it as UTF-8 without one")
	case strings.HasPrefix(secret, "\xff\xfe"), strings.HasPrefix(secret, "\xfe\xff"):
		return errors.New("is UTF-16, with a byte order mark; save it as UTF-8 without one")
	case strings.Contains(secret, "\x00"):
		return errors.New("holds a NUL; is it UTF-16? Save it as UTF-8")
	case strings.ContainsAny(secret, "\n\r\v\f\u0085\u2028\u2029"):
		return errors.New("holds more than one line; keep the secret alone")
	case !utf8.ValidString(secret):
		return errors.New("is not UTF-8; save it as UTF-8")
	case unicode.Is(unicode.Cf, first):
		return fmt.Errorf("begins with an invisible character (%U); take it out", first)
	case unicode.Is(unicode.Cf, last):
		return fmt.Errorf("ends in an invisible character (%U); take it out", last)
	}
	for _, r := range secret {
		if unicode.IsControl(r) && r != '\t' {
			return fmt.Errorf("holds a control character (%U); take it out", r)
		}
	}
	return nil
}
