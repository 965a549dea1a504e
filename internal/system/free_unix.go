//go:build unix

package system

import "golang.org/x/sys/unix"

// FreeBytes is what this process may still write on the folder's disk; known is false where the disk does not say.
func FreeBytes(folder string) (free int64, known bool) {
	var disk unix.Statfs_t
	if unix.Statfs(folder, &disk) != nil || disk.Blocks == 0 {
		return 0, false
	}
	return max(0, int64(disk.Bavail)) * int64(disk.Bsize), true
}
