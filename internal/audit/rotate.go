package audit

import (
	"io"
	"os"
	"time"

	"github.com/klauspost/compress/zstd"
)

// rotateIfDue ends the file once it is as large or as old as it may be.
func (w *writer) rotateIfDue(now time.Time) error {
	large := w.Size > 0 && w.size >= w.Size
	old := w.Age > 0 && now.Sub(w.began) >= w.Age
	if w.part == nil || w.size == 0 || !large && !old {
		return nil
	}
	if err := w.keep(now); err != nil {
		return err
	}
	if err := w.compress(); err != nil {
		return err
	}
	return w.removeOld()
}

// compress puts a rotated file in the place of the plain one. Both are there for a moment; the plain one counts.
func (w *writer) compress() error {
	from, to := w.path(partName(w.first, plain)), w.path(partName(w.first, rotated))
	if err := w.compressTo(to + unfinished); err != nil {
		return err
	}
	if err := w.disk.rename(to+unfinished, to); err != nil {
		return err
	}
	if err := w.disk.syncFolder(w.Dir); err != nil {
		return err
	}
	all, err := readSums(w.Dir)
	if err != nil {
		return err
	}
	if all[partName(w.first, rotated)], err = sumOf(to); err != nil {
		return err
	}
	if err := replace(w.disk, w.path(sumsName), all.text(), 0o644); err != nil {
		return err
	}
	w.part.Close()
	w.part = nil
	if err := w.disk.remove(from); err != nil {
		return err
	}
	return w.disk.syncFolder(w.Dir)
}

func (w *writer) compressTo(name string) error {
	f, err := w.disk.open(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	defer f.Close()
	encoder, err := zstd.NewWriter(&appender{f: f}, zstd.WithEncoderCRC(true), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
	if err != nil {
		return err
	}
	if _, err := io.Copy(encoder, io.NewSectionReader(w.part, 0, w.size)); err != nil {
		_ = encoder.Close()
		return err
	}
	if err := encoder.Close(); err != nil {
		return err
	}
	return f.Sync()
}

// appender writes at the end of a file.
type appender struct {
	f  file
	at int64
}

func (a *appender) Write(data []byte) (int, error) {
	n, err := a.f.WriteAt(data, a.at)
	a.at += int64(n)
	return n, err
}

// removeOld removes the rotated files beyond those that are kept. That they are removed on purpose is signed first.
func (w *writer) removeOld() error {
	if w.Keep == 0 {
		return nil
	}
	all, _, err := parts(w.Dir)
	if err != nil || len(all) <= w.Keep {
		return err
	}
	old, left := all[:len(all)-w.Keep], all[len(all)-w.Keep:]
	signed, err := w.signer.sign(removal(w.signer.origin(), left[0].first-1))
	if err != nil {
		return err
	}
	if err := replace(w.disk, w.path(removedName), signed, 0o644); err != nil {
		return err
	}
	return w.remove(old)
}

func (w *writer) remove(old []part) error {
	all, err := readSums(w.Dir)
	if err != nil {
		return err
	}
	for _, p := range old {
		if err := w.disk.remove(p.path); err != nil {
			return err
		}
		delete(all, p.name())
	}
	if err := w.disk.syncFolder(w.Dir); err != nil {
		return err
	}
	return replace(w.disk, w.path(sumsName), all.text(), 0o644)
}

// beganAt is when the file's first line was written.
func beganAt(first Line, now time.Time) time.Time {
	if first.At.IsZero() || first.At.After(now) {
		return now
	}
	return first.At
}
