package audit

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
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
