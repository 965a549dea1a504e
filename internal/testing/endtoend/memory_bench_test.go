package endtoend

import (
	"os"
	"testing"
)

const manyJobs = 100_000

// BenchmarkMemory has the watcher find 100,000 jobs in the Job list and tell them all, and then poll them again and
// again: `first` is the most memory of its own that it takes until it has asked about the last, `then` the most until it
// has read the list once more, and again. Its files' pages, which the system may take back, are left out.
func BenchmarkMemory(b *testing.B) {
	s := newSurroundings(b, manyJobs, "    schedule: \"@every 1s\"\n    concurrency: 64")
	watcher := startProcess(b, "watcher", "run", "-c", s.config)
	until := func(what string, holds func() bool) (most int64) {
		waitFor(b, what, func() bool {
			most = max(most, watcher.memory())
			return holds()
		})
		return most
	}
	first, then := until("all have been asked about", func() bool { return s.answers.Load() >= manyJobs }), int64(0)
	for b.Loop() {
		before := s.lists.Load()
		then = max(then, until("the list is read again", func() bool { return s.lists.Load() > before+1 }))
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
