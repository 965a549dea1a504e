package audit

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/mod/sumdb/tlog"
)

// tree is the Merkle tree over the lines, in the file hashes. A copy may grow without the original noticing.
type tree struct {
	file  *os.File
	size  int64       // lines
	saved int64       // hashes in the file that belong to it
	fresh []tlog.Hash // those behind them
}

// ReadHashes is tlog.HashReader's.
func (t *tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for n, index := range indexes {
		if index >= t.saved {
			if index-t.saved >= int64(len(t.fresh)) {
				return nil, fmt.Errorf("no hash %d", index)
			}
			hashes[n] = t.fresh[index-t.saved]
			continue
		}
		if _, err := t.file.ReadAt(hashes[n][:], index*tlog.HashSize); err != nil {
			return nil, fmt.Errorf("hashes: %w", err)
		}
	}
	return hashes, nil
}

func (t *tree) add(leaf tlog.Hash) error {
	hashes, err := tlog.StoredHashesForRecordHash(t.size, leaf, t)
	if err != nil {
		return err
	}
	t.fresh = append(t.fresh[:len(t.fresh):len(t.fresh)], hashes...)
	t.size++
	return nil
}

func (t *tree) root() (tlog.Hash, error) { return tlog.TreeHash(t.size, t) }

// save brings what is fresh to the disk.
func (t *tree) save() error {
	var data []byte
	for _, h := range t.fresh {
		data = append(data, h[:]...)
	}
	if err := writeAll(t.file, t.saved*tlog.HashSize, data); err != nil {
		return err
	}
	t.saved += int64(len(t.fresh))
	t.fresh = nil
	return nil
}

func (t *tree) close() error {
	if t.file == nil {
		return nil
	}
	return t.file.Close()
}

// leaf is the hash of the nth line, from 1 on.
func (t *tree) leaf(n int64) (tlog.Hash, error) {
	hashes, err := t.ReadHashes([]int64{tlog.StoredHashIndex(0, n-1)})
	if err != nil {
		return tlog.Hash{}, err
	}
	return hashes[0], nil
}

// writeAll has the file end with data at an offset, on the disk.
func writeAll(f *os.File, offset int64, data []byte) error {
	if err := f.Truncate(offset); err != nil {
		return err
	}
	if _, err := f.WriteAt(data, offset); err != nil {
		return err
	}
	return f.Sync()
}

// replaceFile replaces a file as a whole, or not at all.
func replaceFile(name string, data []byte, mode os.FileMode) error {
	f, err := os.OpenFile(name+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(name+".new", name); err != nil {
		return err
	}
	return syncDirOf(name)
}
