package commvault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"jobwatch/internal/failpoint"
	"jobwatch/internal/system"
)

// pairFiles keeps a pair in two files, each holding one token. Two files cannot be replaced at once, so
// the new pair is written into a third one first, which is durable before either is touched:
//
//	<refresh>.pending   the old and the new pair, while the two files are being replaced; the old one alone where its
//	                    renewal brought no new one that could be read, until somebody has put another there
//	<refresh>.lock      locked by the process that renews; it stays
//	<any>.new           not yet under its name
//
// A crash at any point leaves a pair that is good, or a pending one that the next start completes. One
// gap cannot be closed: between the server's answer and the first write the new pair is in memory only,
// and the old one is dead.
type pairFiles struct {
	access, refresh string
	readSecret      func(key, file string) (string, error)
}

// replacement is the pair that takes the place of another.
type replacement struct {
	Was pair `json:"was"`
	Is  pair `json:"is"`
}

func (f *pairFiles) pendingName() string { return f.refresh + ".pending" }

func (f *pairFiles) pending() bool {
	_, err := os.Lstat(f.pendingName())
	return err == nil
}

func (f *pairFiles) read() (held pair, err error) {
	if held.Access, err = tokenIn(f.readSecret, "auth.access_token_file", "", f.access)(); err != nil {
		return pair{}, err
	}
	held.Refresh, err = tokenIn(f.readSecret, "auth.refresh_token_file", "", f.refresh)()
	return held, err
}

// advice says what to do where the pair is dead.
func (f *pairFiles) advice() string {
	return fmt.Sprintf("make a new pair (in the Command Center, an access token that can be renewed) and put it into %s and %s (auth.access_token_file and auth.refresh_token_file)",
		f.access, f.refresh)
}

// checkWritable finds out whether the files can be replaced, before the old pair is given up.
func (f *pairFiles) checkWritable() error {
	for _, name := range []string{f.pendingName(), f.access} {
		if err := write(name, nil); err != nil {
			return unwritable(err)
		}
	}
	return nil
}

func (f *pairFiles) removeTemporary() {
	for _, name := range []string{f.pendingName(), f.access} {
		_ = os.Remove(name + ".new") // the next renewal writes it again
	}
}

// save makes a replacement durable. completePending applies it.
func (f *pairFiles) save(e replacement) error {
	text, _ := json.Marshal(e) // of strings: cannot fail
	if err := f.replace(f.pendingName(), text); err != nil {
		return err
	}
	failpoint.Pass(failpoint.Renewal)
	return nil
}

// completePending applies a pending replacement, unless somebody has put another pair there meanwhile. The error is a
// *spentError where there is nothing to replace the pair with.
func (f *pairFiles) completePending() error {
	text, err := os.ReadFile(f.pendingName())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var e replacement
	if err == nil {
		err = json.Unmarshal(text, &e)
	}
	if err != nil || !e.valid() {
		return fmt.Errorf("%s: holds no pair of tokens; remove it, and put a new pair into auth.access_token_file and auth.refresh_token_file", f.pendingName())
	}
	held, err := f.read()
	if err != nil {
		return err
	}
	if err := f.apply(&e, held); err != nil {
		return err
	}
	return f.removePending()
}

func (f *pairFiles) apply(e *replacement, held pair) error {
	switch {
	case e.spent() && held.Refresh == e.Was.Refresh:
		return &spentError{advice: f.advice()}
	case !e.appliesTo(held):
		return nil
	}
	if err := f.replace(f.access, []byte(e.Is.Access+"\n")); err != nil {
		return err
	}
	failpoint.Pass(failpoint.Renewal)
	return f.replace(f.refresh, []byte(e.Is.Refresh+"\n"))
}

// spent says that the refresh token is used up, and that nothing came for it.
func (e *replacement) spent() bool { return e.Is == pair{} && e.Was.Refresh != "" }

func (e *replacement) valid() bool { return e.spent() || e.Is.Access != "" && e.Is.Refresh != "" }

// appliesTo says whether each file holds what it held before the replacement, or what it is to hold.
func (e *replacement) appliesTo(held pair) bool {
	return (held.Access == e.Was.Access || held.Access == e.Is.Access) &&
		(held.Refresh == e.Was.Refresh || held.Refresh == e.Is.Refresh)
}

func (f *pairFiles) removePending() error {
	if err := os.Remove(f.pendingName()); err != nil {
		return unwritable(err)
	}
	if err := failpoint.At(failpoint.Removed, f.pendingName()); err != nil {
		return err
	}
	return system.SyncFolder(filepath.Dir(f.refresh))
}

// replace replaces a file, durably.
func (f *pairFiles) replace(name string, text []byte) error {
	if err := write(name, text); err != nil {
		return unwritable(err)
	}
	if err := failpoint.At(failpoint.Wrote, name); err != nil {
		return err
	}
	if err := os.Rename(name+".new", name); err != nil {
		return unwritable(err)
	}
	if err := failpoint.At(failpoint.Renamed, name); err != nil {
		return err
	}
	return system.SyncFolder(filepath.Dir(name))
}

// write writes <name>.new, for those alone who may read the file that it is to replace. What has that name already is not
// written to: a link, or somebody's file that he has open, would hand him the token.
func write(name string, text []byte) (err error) {
	mode := fs.FileMode(0o600)
	if old, err := os.Stat(name); err == nil {
		mode = old.Mode().Perm()
	}
	if err := syscall.Unlink(name + ".new"); err != nil && !errors.Is(err, fs.ErrNotExist) { // a folder stays
		return &fs.PathError{Op: "remove", Path: name + ".new", Err: err}
	}
	file, err := os.OpenFile(name+".new", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := file.Chmod(mode); err != nil {
		return err
	}
	if _, err := file.Write(text); err != nil {
		return err
	}
	return file.Sync()
}

func unwritable(err error) error {
	return fmt.Errorf("auth.access_token_file and auth.refresh_token_file are written at each renewal: %w; put both where the watcher may write", err)
}

const lockPoll = 50 * time.Millisecond

// lock waits until no other process renews the pair.
func (f *pairFiles) lock(ctx context.Context, patience time.Duration) (unlock func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	file, err := os.OpenFile(f.refresh+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, unwritable(err)
	}
	for system.Lock(file) != nil {
		select {
		case <-ctx.Done():
			file.Close()
			return nil, fmt.Errorf("%s.lock: another process has been renewing the pair for too long; stop it", f.refresh)
		case <-time.After(lockPoll):
		}
	}
	return func() { file.Close() }, nil
}
