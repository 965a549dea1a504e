package endtoend

import (
	"fmt"
	"os"
	"slices"
	"time"
)

// measured is what the watcher takes.
type measured struct {
	memory int64 // of its own; 0 where there is no /proc
	file   int64
	used   int64 // of the file
	kept   int   // jobs in the store
}

func (m measured) String() string {
	return fmt.Sprintf("%.1f MiB of memory, %.1f MiB of file, %.1f used, %d jobs kept",
		mebibytes(m.memory), mebibytes(m.file), mebibytes(m.used), m.kept)
}

// measure waits until so much of the soak is over. Memory is the median of the last twentieth of that: it rises
// until the garbage collector runs.
func (s *soak) measure(at time.Duration) measured {
	age := func() time.Duration { return s.clock.now() / soakSpeed }
	s.wait(fmt.Sprintf("%s of the soak are over", at), func() bool { return age() >= at-at/20 })
	var memory []int64
	for len(memory) == 0 || age() < at {
		memory = append(memory, s.memory())
		time.Sleep(200 * time.Millisecond)
	}
	slices.Sort(memory)
	stat := s.stat()
	return measured{memory[len(memory)/2], size(s.t, s.file), stat.Bytes - stat.FreeBytes, stat.Jobs}
}

func (s *soak) memory() int64 {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		return 0
	}
	return process{s.child, s.t}.memory()
}
