package console

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

// The texts of a job's line.

// StateOf is the state, and whether the job gets no further.
func StateOf(l *store.Listed) string {
	if l.Told.Stalled && !l.Snapshot.Terminal {
		return string(l.Snapshot.State) + ", stalled"
	}
	return string(l.Snapshot.State)
}

// DoneOf is how far a job is by the last answer. One that has ended has none: 100 % is not success.
func DoneOf(l *store.Listed) *float64 {
	switch {
	case l.Snapshot.Terminal:
		return nil
	case l.Progress != nil && l.Progress.Percent != nil:
		return l.Progress.Percent
	default:
		return l.Snapshot.PercentComplete
	}
}

// Followed says why a job is polled, or who follows it in place of this watcher: the page says it in the same words.
func Followed(l *store.Listed) string {
	if l.FollowedBy != "" && !l.Snapshot.Terminal {
		return "followed by " + l.FollowedBy
	}
	return string(l.Why)
}

// doneText is how far a job is, as far as this watcher follows it.
func doneText(l *store.Listed) string {
	if l.FollowedBy != "" && !l.Snapshot.Terminal {
		return Followed(l)
	}
	return percent(DoneOf(l))
}

func percent(value *float64) string {
	if value == nil {
		return ""
	}
	return fmt.Sprintf("%.0f%%", *value)
}

// TurnOf is since when a job runs, or when it ended, or was seen to have.
func TurnOf(l *store.Listed) *time.Time {
	if !l.Snapshot.Terminal {
		return l.Snapshot.StartTime
	}
	return EndOf(l)
}

// EndOf is nil where the job has not ended.
func EndOf(l *store.Listed) *time.Time {
	switch {
	case l.Snapshot.EndTime != nil:
		return l.Snapshot.EndTime
	case l.Snapshot.Terminal && !l.Seen.IsZero():
		return &l.Seen
	default:
		return nil
	}
}

// TookOf is how long a job took, or takes by now; negative where that is not known.
func TookOf(l *store.Listed, now time.Time) time.Duration {
	start := l.Snapshot.StartTime
	if start == nil {
		return -time.Second
	}
	if end := EndOf(l); end != nil {
		now = *end
	} else if l.Snapshot.Terminal {
		return -time.Second
	}
	return now.Sub(*start)
}

// FailedOf counts what failed: machines, else files and folders.
func FailedOf(s *job.Snapshot) string {
	if s.VMs != nil && s.VMs.Failed > 0 {
		return fmt.Sprintf("%d of %d", s.VMs.Failed, s.VMs.Total)
	}
	items := int64(0)
	for _, count := range []*int64{s.FailedFolders, s.FailedFiles} {
		if count != nil {
			items += max(*count, 0)
		}
	}
	switch items {
	case 0:
		return ""
	case 1:
		return "1 item"
	default:
		return fmt.Sprintf("%d items", items)
	}
}

// WhyOf is the reason, or where none is given, which machines failed.
func WhyOf(s *job.Snapshot) string {
	if text := s.ReasonText(); text != "" {
		return string(text)
	}
	var names []string
	for i := range s.Machines {
		if s.Machines[i].Reason != "" {
			names = append(names, s.Machines[i].Name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// LastAnswer is when the CommServe last answered about a job, as far as is known.
func LastAnswer(l *store.Listed) time.Time {
	if l.Progress != nil && l.Progress.Asked.After(l.Seen) {
		return l.Progress.Asked
	}
	return l.Seen
}
