package main

import (
	"os"
	"testing"
)

const manyJobs = 100_000

// BenchmarkMemory has the watcher find 100,000 jobs in the Job list and tell them all, and then look at all of them
// again and again: `first` is the most memory of its own that it takes until the first tick is over, `then` the most
// in the ticks after it. Its files' pages, which the system may take back, are left out.
func BenchmarkMemory(b *testing.B) {
	s := newSurroundings(b, manyJobs, "    schedule: \"@every 1s\"\n    concurrency: 64")
	watcher := startProcess(b, "watcher", "run", "-c", s.config)
	tick := func() (most int64) {
		before := s.lists.Load()
		waitFor(b, "the next tick", func() bool {
			most = max(most, watcher.memory())
			return s.lists.Load() > before
		})
		return most
	}
	first, then := max(tick(), tick()), int64(0) // to the first, and through it
	for b.Loop() {
		then = max(then, tick())
	}
	b.ReportMetric(mebibytes(first), "first-MiB")
	b.ReportMetric(mebibytes(then), "then-MiB")
	b.ReportMetric(mebibytes(size(b, s.store)), "file-MiB")
}

func mebibytes(bytes int64) float64 { return float64(bytes) / (1 << 20) }

func size(b testing.TB, file string) int64 {
	info, err := os.Stat(file)
	if err != nil {
		b.Fatal(err)
	}
	return info.Size()
}
