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
)

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
	s, c, err := openCheckpoint(raw, keys)
	if err == nil && c.Origin != signer.origin() {
		err = fmt.Errorf("of another log, %s", c.Origin)
	}
	if err != nil {
		return c, nil, nil, damaged("%s: checkpoint: %v", dir, err)
	}
	if !signer.keys.hasOneOf(s.by) {
		return c, nil, nil, damaged("%s: checkpoint is signed by %s, and the key is %s; a new key takes over by watcher audit rekey", dir, strings.Join(s.by, ", "), signer.keys)
	}
	return c, s.by, keys, nil
}

// resumeKeys sees to it that the keys which sign are known beside the log, and that a checkpoint is kept which all of them
// have signed: with it a new key takes over.
func (w *writer) resumeKeys(by []string) error {
	if err := w.listKeys(); err != nil {
		return err
	}
	var now []string
	for _, v := range w.signer.keys {
		now = append(now, nameOf(v))
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
