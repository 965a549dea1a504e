package main

import (
	"os"
	"testing"
)

const (
	manyJobs = 100_000
)

// BenchmarkMemory has the watcher find 100,000 jobs in the Job list, tell them all, and look at them
// once more: `first` is the most memory of its own that it has taken until the second look begins, `then` the
// most until that one ends.
func BenchmarkMemory(b *testing.B) {
	for b.Loop() {
		s := newSurroundings(b, manyJobs, "    schedule: \"@every 1s\"\n    concurrency: 64")
		watcher := startProcess(b, "watcher", "run", "-c", s.config)
		most := func(tick int64) float64 {
			most := int64(0)
			waitFor(b, "the tick", func() bool {
				most = max(most, watcher.memory())
				return s.lists.Load() > tick
			})
			return float64(most) / (1 << 20)
		}
		b.ReportMetric(most(1), "first-MiB")
		b.ReportMetric(most(2), "then-MiB")
		file, err := os.Stat(s.store)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(file.Size())/(1<<20), "file-MiB")
	}
}
