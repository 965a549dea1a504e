package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// open locks the folder, and opens the log in it, or begins one. What a crash has left above the checkpoint is cut off; what
// does not fit below it is a *Damage.
func open(c Config) (*writer, error) {
	if err := os.MkdirAll(c.Dir, 0o750); err != nil {
		return nil, err
	}
	w := &writer{Config: c, known: newKnown()}
	if err := w.lockFolder(); err != nil {
		return nil, err
	}
	if err := w.openLocked(); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w *writer) openLocked() error {
	has, err := holdsLog(w.Dir)
	if err != nil {
		return err
	}
	if err := w.openKey(has); err != nil {
		return err
	}
	if !has {
		if err := w.beginLog(); err != nil {
			return err
		}
	}
	return w.resume()
}

// lockFolder waits a little: a verify holds the lock for a moment.
func (w *writer) lockFolder() error {
	if w.lock == nil {
		lock, err := os.OpenFile(w.path(lockName), os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return err
		}
		w.lock = lock
	}
	for tries := 0; ; tries++ {
		err := syscall.Flock(int(w.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			w.held = true
			return nil
		case !errors.Is(err, syscall.EWOULDBLOCK):
			return err
		case tries == 20:
			return fmt.Errorf("%s: %w; give each relay a folder of its own", w.Dir, errInUse)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

var errInUse = errors.New("in use by another process")

// lend lets others lock the folder.
func (w *writer) lend() {
	if w.held && syscall.Flock(int(w.lock.Fd()), syscall.LOCK_UN) == nil {
		w.held = false
	}
}

// retake locks the folder again, and says whether the log is as it was left.
func (w *writer) retake() (same bool, err error) {
	if w.held {
		return true, nil
	}
	if err := w.lockFolder(); err != nil {
		return false, err
	}
	lock, err := os.Stat(w.path(lockName))
	ours, oursErr := w.lock.Stat()
	if err != nil || oursErr != nil || !os.SameFile(lock, ours) {
		return false, nil
	}
	current, err := os.ReadFile(w.path(checkpointName))
	return err == nil && bytes.Equal(current, w.current) && w.untouched() == nil, nil
}

// BeingWritten says whether somebody writes the log in the folder at this moment.
func BeingWritten(dir string) bool {
	lock, err := os.Open(filepath.Join(dir, lockName))
	if err != nil {
		return false
	}
	defer lock.Close()
	return errors.Is(syscall.Flock(int(lock.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

// holdsLog says whether there is, or must have been, a log. One whose making was cut short is none.
func holdsLog(dir string) (bool, error) {
	if has, err := exists(filepath.Join(dir, checkpointName)); has || err != nil {
		return has, err
	}
	files, strange, err := parts(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return len(files)+len(strange) > 0, err
}

func (w *writer) openKey(has bool) error {
	signer, err := readSigner(w.KeyFile)
	missing := errors.Is(err, fs.ErrNotExist)
	began, existsErr := exists(w.KeyFile + ".pub")
	switch {
	case existsErr != nil:
		return existsErr
	case err != nil && !missing:
		return err
	case missing && has:
		return damaged("%s holds a log, and its key %s is missing; restore the key, or move the folder away", w.Dir, w.KeyFile)
	case !missing && !has && began:
		return damaged("%s has signed a log that is not in %s; restore it, or move the key and its .pub away to begin a new one", w.KeyFile, w.Dir)
	case missing:
		if err := os.MkdirAll(filepath.Dir(w.KeyFile), 0o750); err != nil {
			return err
		}
		if err := writeKeyFile(w.disk, w.KeyFile, w.Origin); err != nil {
			return err
		}
		signer, err = readSigner(w.KeyFile)
	}
	w.signer = signer
	return err
}

// beginLog signs the empty tree. The key's .pub comes last, in resume: with it a log that is gone is missed.
func (w *writer) beginLog() error {
	for _, name := range []string{hashesName, keysName, checkpointsName, sumsName, removedName, publishedName} {
		if err := w.disk.remove(w.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := replace(w.disk, w.path(hashesName), nil, 0o644); err != nil {
		return err
	}
	if err := replace(w.disk, w.path(keysName), []byte(strings.Join(w.signer.public, "\n")+"\n"), 0o644); err != nil {
		return err
	}
	if err := w.sign(&peaks{}); err != nil {
		return err
	}
	return w.disk.syncFolder(filepath.Dir(filepath.Clean(w.Dir)))
}

// resume finds out how far the log goes.
func (w *writer) resume() error {
	checkpoint, by, keys, err := readCurrent(w.Dir, w.signer)
	if err != nil {
		return err
	}
	if err := w.openHashes(checkpoint); err != nil {
		return err
	}
	removed, err := readRemoved(w.Dir, w.signer.origin(), keys)
	if err != nil {
		return damaged("%s: %v", w.Dir, err)
	}
	files, err := w.tidyParts(checkpoint.Size, removed)
	if err != nil {
		return err
	}
	if err := w.openPart(files, checkpoint.Size, removed); err != nil {
		return err
	}
	if err := w.known.readBack(files, w.recent); err != nil {
		return err
	}
	return w.resumeKeys(by)
}

// examine is what can be known of a log without writing.
func examine(c Config) (Checkpoint, error) {
	signer, err := readSigner(c.KeyFile)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("audit.key_file: %w", err)
	}
	checkpoint, _, _, err := readCurrent(c.Dir, signer)
	return checkpoint, err
}

// readCurrent reads the checkpoint, which one of the signer's keys must have signed.
func readCurrent(dir string, signer signer) (c Checkpoint, by []string, keys keyring, err error) {
	raw, err := os.ReadFile(filepath.Join(dir, checkpointName))
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil, nil, damaged("%s: checkpoint is missing; restore it from a copy", dir)
	}
	if err != nil {
		return c, nil, nil, err
	}
	public, err := os.ReadFile(filepath.Join(dir, keysName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return c, nil, nil, err
	}
	known, err := parseKeys(string(public))
	if err != nil {
		return c, nil, nil, damaged("%s: keys: %v; restore it from a copy", dir, err)
	}
	keys = unite(signer.keys, known)
	s, err := openNote(raw, keys)
	if err != nil {
		return c, nil, nil, damaged("%s: checkpoint: %v", dir, err)
	}
	if !slices.ContainsFunc(s.by, signer.keys.has) {
		return c, nil, nil, damaged("%s: checkpoint is signed by %s, and the key is %s; a new key takes over by watcher audit rekey", dir, strings.Join(s.by, ", "), signer.keys)
	}
	c, err = parseCheckpoint(s.text)
	if err == nil && c.Origin != signer.origin() {
		err = fmt.Errorf("of another log, %s", c.Origin)
	}
	if err != nil {
		return c, nil, nil, damaged("%s: checkpoint: %v", dir, err)
	}
	return c, s.by, keys, nil
}

// openHashes opens the hashes, and cuts off what the checkpoint does not cover.
func (w *writer) openHashes(c Checkpoint) error {
	f, err := w.disk.open(w.path(hashesName), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return damaged("%s: hashes is missing; restore it from a copy", w.Dir)
	}
	if err != nil {
		return err
	}
	w.hashes = f
	info, err := f.Stat()
	if err != nil {
		return err
	}
	want := hashesSize(c.Size)
	if info.Size() < want {
		return damaged("%s: hashes has %d bytes; the checkpoint of %d lines needs %d", w.Dir, info.Size(), c.Size, want)
	}
	if info.Size() > want {
		if err := f.Truncate(want); err != nil {
			return err
		}
	}
	if w.tree, err = readPeaks(hashReader(f), c.Size); err != nil {
		return err
	}
	if w.tree.root() != c.Root {
		return damaged("%s: hashes do not give the root of the checkpoint; watcher audit verify says where", w.Dir)
	}
	return nil
}

func readPeaks(r tlog.HashReader, size int64) (*peaks, error) {
	tree := &peaks{size: size}
	var from int64
	for level := 62; level >= 0; level-- {
		if size&(1<<level) == 0 {
			continue
		}
		found, err := r.ReadHashes([]int64{tlog.StoredHashIndex(level, from>>level)})
		if err != nil {
			return nil, err
		}
		tree.roots = append(tree.roots, found...)
		from += 1 << level
	}
	return tree, nil
}

// tidyParts ends what a crash has cut short: a rotation, a removal. What is missing is a *Damage.
func (w *writer) tidyParts(size, removed int64) ([]part, error) {
	leftover, err := filepath.Glob(filepath.Join(w.Dir, "*"+unfinished))
	if err != nil {
		return nil, err
	}
	for _, name := range leftover {
		if err := w.disk.remove(name); err != nil {
			return nil, err
		}
	}
	all, strange, err := parts(w.Dir)
	if err != nil {
		return nil, err
	}
	if len(strange) > 0 {
		return nil, damaged("%s: %s is no file of the log; move it away", w.Dir, strange[0])
	}
	sums, err := readSums(w.Dir)
	if err != nil {
		return nil, damaged("%s: %v", w.Dir, err)
	}
	before := len(sums)
	for _, p := range twins(all) {
		delete(sums, partName(p.first, rotated))
	}
	for len(all) > 1 && all[1].first <= removed+1 && all[0].first != all[1].first {
		if err := w.disk.remove(all[0].path); err != nil {
			return nil, err
		}
		all = all[1:]
	}
	for name := range sums {
		var first int64
		_, _ = fmt.Sscanf(name, "audit-%d", &first)
		if !slices.ContainsFunc(all, func(p part) bool { return p.name() == name }) {
			if first > removed {
				return nil, damaged("%s: %s is missing; restore it from a copy", w.Dir, name)
			}
			delete(sums, name)
		}
	}
	if len(sums) != before {
		if err := replace(w.disk, w.path(sumsName), sums.text(), 0o644); err != nil {
			return nil, err
		}
	}
	return w.settleParts(all, sums, size)
}

// settleParts removes the rotated twin of a file whose rotation was cut short, and a file that was begun and never
// acknowledged. Of those left, all but the last are rotated.
func (w *writer) settleParts(all []part, sums sums, size int64) (settled []part, err error) {
	for i, p := range all {
		twin := i > 0 && all[i-1].first == p.first
		if twin || p.first > size && !p.rotated {
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

// resumeKeys sees to it that the keys which sign are known beside the log, and that a checkpoint is kept which all of them
// have signed: with it a new key takes over.
func (w *writer) resumeKeys(by []string) error {
	if err := w.listKeys(); err != nil {
		return err
	}
	var now []string
	for _, v := range w.signer.keys {
		now = append(now, keyName(v.Name(), v.KeyHash()))
	}
	slices.Sort(now)
	if by = slices.Clone(by); !slices.Equal(now, slices.Sorted(slices.Values(by))) {
		if err := w.sign(w.tree); err != nil {
			return err
		}
		if err := w.keep(w.now()); err != nil {
			return err
		}
	}
	var err error
	if w.current, err = os.ReadFile(w.path(checkpointName)); err != nil {
		return err
	}
	info, err := os.Stat(w.path(checkpointsName))
	if errors.Is(err, fs.ErrNotExist) {
		if w.tree.size > 0 {
			return damaged("%s: checkpoints is missing; restore it from a copy", w.Dir)
		}
		if err := w.keep(w.now()); err != nil {
			return err
		}
	} else if err != nil {
		return err
	} else {
		w.kept = info.ModTime()
	}
	pub := []byte(strings.Join(w.signer.public, "\n") + "\n")
	if is, err := os.ReadFile(w.KeyFile + ".pub"); err == nil && bytes.Equal(is, pub) {
		return nil
	}
	return replace(w.disk, w.KeyFile+".pub", pub, 0o644)
}

// listKeys adds the keys that sign to those that have ever signed.
func (w *writer) listKeys() error {
	listed, err := os.ReadFile(w.path(keysName))
	if err != nil {
		return err
	}
	all := listed
	for _, public := range w.signer.public {
		if !slices.Contains(strings.Split(string(all), "\n"), public) {
			all = append(all, public+"\n"...)
		}
	}
	if bytes.Equal(all, listed) {
		return nil
	}
	return replace(w.disk, w.path(keysName), all, 0o644)
}
