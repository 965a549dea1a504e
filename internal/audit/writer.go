package audit

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// writer is an open log. After an error it is of no more use: what is on disk is known when it is opened again.
type writer struct {
	Config
	lock   *os.File
	held   bool // the lock
	signer signer

	tree    *peaks
	current []byte // the checkpoint
	lastSeq uint64 // in the stream, of the last line
	known   *known

	part   file  // the file that lines are appended to; nil: the next line begins one
	first  int64 // its first line
	began  time.Time
	size   int64 // of it, in bytes
	hashes file
	kept   time.Time // when a checkpoint was last kept
}

func (w *writer) path(name string) string { return filepath.Join(w.Dir, name) }

// append writes the entries that the log has not, so that they outlive a power cut.
func (w *writer) append(all []entry) error {
	fresh, err := w.unknown(all)
	if err != nil || len(fresh) == 0 {
		return err
	}
	now := w.now()
	if err := w.rotateIfDue(now); err != nil {
		return err
	}
	if err := w.write(fresh, now); err != nil {
		return err
	}
	if now.Sub(w.kept) >= 24*time.Hour || now.Before(w.kept) {
		return w.keep(now)
	}
	return nil
}

// unknown are the entries that stand in no line yet, each once.
func (w *writer) unknown(all []entry) (fresh []entry, err error) {
	here := map[fingerprint]bool{}
	for _, e := range all {
		if here[e.id] {
			continue
		}
		here[e.id] = true
		stands, err := w.stands(e)
		if err != nil {
			return nil, err
		}
		if !stands {
			fresh = append(fresh, e)
		}
	}
	return fresh, nil
}

func (w *writer) write(fresh []entry, now time.Time) error {
	if err := w.begin(now); err != nil {
		return err
	}
	if err := w.untouched(); err != nil {
		return err
	}
	tree := w.tree.clone()
	var lines, hashes bytes.Buffer
	for _, e := range fresh {
		line := e.line(tree.size+1, now)
		lines.Write(line)
		lines.WriteByte('\n')
		for _, h := range tree.add(tlog.RecordHash(line)) {
			hashes.Write(h[:])
		}
	}
	if _, err := w.part.WriteAt(lines.Bytes(), w.size); err != nil {
		return err
	}
	if _, err := w.hashes.WriteAt(hashes.Bytes(), hashesSize(w.tree.size)); err != nil {
		return err
	}
	if err := w.part.Sync(); err != nil {
		return err
	}
	if err := w.hashes.Sync(); err != nil {
		return err
	}
	if err := w.sign(tree); err != nil {
		return err
	}
	w.tree, w.size = tree, w.size+int64(lines.Len())
	w.lastSeq = fresh[len(fresh)-1].seq
	for _, e := range fresh {
		w.known.add(e.id)
	}
	return nil
}

// begin begins a file unless there is one.
func (w *writer) begin(now time.Time) error {
	if w.part != nil {
		return nil
	}
	first := w.tree.size + 1
	f, err := w.disk.open(w.path(partName(first, plain)), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	w.part, w.first, w.size, w.began = f, first, 0, now
	return w.disk.syncFolder(w.Dir)
}

// sign makes the checkpoint of a tree whose lines and hashes are on the disk.
func (w *writer) sign(tree *peaks) error {
	checkpoint, err := w.signer.sign(Checkpoint{w.signer.origin(), tree.size, tree.root()}.text())
	if err != nil {
		return err
	}
	if err := replace(w.disk, w.path(checkpointName), checkpoint, 0o644); err != nil {
		return err
	}
	w.current = checkpoint
	return nil
}

// keep adds the checkpoint to those that are kept.
func (w *writer) keep(now time.Time) error {
	all, err := os.ReadFile(w.path(checkpointsName))
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	if bytes.HasSuffix(all, slices.Concat([]byte("\n"), w.current, []byte("\n"))) || bytes.Equal(all, slices.Concat(w.current, []byte("\n"))) {
		w.kept = now
		return nil
	}
	if err := replace(w.disk, w.path(checkpointsName), slices.Concat(all, w.current, []byte("\n")), 0o644); err != nil {
		return err
	}
	w.kept = now
	return nil
}

func (w *writer) close() {
	for _, f := range []file{w.part, w.hashes} {
		if f != nil {
			f.Close()
		}
	}
	if w.lock != nil {
		w.lock.Close()
	}
}

// untouched says whether the open files are still those of the folder, and as long as they were left.
func (w *writer) untouched() error {
	if err := same(w.hashes, w.path(hashesName), hashesSize(w.tree.size)); err != nil || w.part == nil {
		return err
	}
	return same(w.part, w.path(partName(w.first, plain)), w.size)
}

func same(f file, path string, size int64) error {
	ours, err := f.Stat()
	if err != nil {
		return err
	}
	there, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !os.SameFile(ours, there) || there.Size() != size {
		return fmt.Errorf("%s: somebody else has written it", path)
	}
	return nil
}
