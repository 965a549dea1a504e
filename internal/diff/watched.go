package diff

import "jobwatch/internal/job"

// Watch is what only time tells of a job, and so whoever has a clock.
type Watch struct {
	Stalled bool // the job is active and shows no progress, for long enough
	Moved   bool // it shows progress since the poll before
	Lost    bool // the CommServe does not know it, for long enough
}

// Watched gives the changes that the watching itself has found. They come after those of Since, with
// those told.
func Watched(told job.Told, seen *job.Snapshot, w Watch) []job.Change {
	detail := ""
	switch {
	case w.Lost && !told.Lost:
		detail = job.DetailLost
	case w.Stalled && !told.Stalled:
		detail = job.DetailStalled
	case w.Moved && told.Stalled && !seen.Terminal:
		detail = job.DetailResumed
	default:
		return nil
	}
	return []job.Change{{Kind: job.KindWatch, Detail: detail}}
}
