package store

import (
	"path/filepath"

	"jobwatch/internal/system"
)

// Room is how many bytes are free on the disk of the file.
func (s *Store) Room() (bytes int64, known bool) { return system.FreeBytes(filepath.Dir(s.db.Path())) }
