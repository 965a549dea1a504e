package store

// Unsynced has no transaction wait for the disk. It is for simulations, which crash the program and never the machine:
// there a file that was written is there, and a disk's pace would set theirs.
func (s *Store) Unsynced() { s.db.NoSync = true }
