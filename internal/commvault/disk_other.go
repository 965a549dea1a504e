//go:build !unix

package commvault

import "os"

// tryLock locks nothing here: there is no flock. One watcher a pair.
func tryLock(*os.File) error { return nil }

func syncFolder(string) error { return nil }
