package store

import (
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Room is how many bytes are free for this user on the disk of a folder. A file system that does not say how large it is
// says nothing of that either.
func Room(dir string) (bytes int64, known bool) {
	var disk unix.Statfs_t
	if unix.Statfs(dir, &disk) != nil || disk.Blocks == 0 {
		return 0, false
	}
	return int64(disk.Bavail * uint64(disk.Bsize)), true
}

// Room is how many bytes are free on the disk of the file.
func (s *Store) Room() (bytes int64, known bool) { return Room(filepath.Dir(s.db.Path())) }
