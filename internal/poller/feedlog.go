package poller

import (
	"slices"
	"sync"
	"time"

	"jobwatch/internal/job"
)

// feedLog is what the feed has said of jobs since their last events, in memory: of the few jobs that it
// has just named. The zero feedLog is ready.
type feedLog struct {
	mu   sync.Mutex
	jobs map[int64][]loggedEntry // guarded by mu
}

// loggedEntry is an entry, and when we saw it.
type loggedEntry struct {
	job.FeedEntry
	at time.Time
}

const maxLogged = 10_000 // with entries; of one more none are kept

func (l *feedLog) add(number int64, said []job.FeedEntry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.jobs == nil {
		l.jobs = map[int64][]loggedEntry{}
	}
	entries, known := l.jobs[number]
	if !known && len(l.jobs) >= maxLogged {
		return
	}
	for _, e := range said {
		if !e.Time.IsZero() {
			entries = append(entries, loggedEntry{e, time.Now()})
		}
	}
	if len(entries) > 0 {
		l.jobs[number] = slices.Clone(entries[max(0, len(entries)-job.FeedLimit):])
	}
}

// until gives the entries that were shown before an answer was complete: a later one may tell of what the answer
// does not show.
func (l *feedLog) until(number int64, answered time.Time) []job.FeedEntry {
	l.mu.Lock()
	defer l.mu.Unlock()
	var said []job.FeedEntry
	for _, e := range l.jobs[number] {
		if !e.at.After(answered) {
			said = append(said, e.FeedEntry)
		}
	}
	return said
}

// carried drops the entries that an event has carried.
func (l *feedLog) carried(number int64, answered time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	left := slices.DeleteFunc(l.jobs[number], func(e loggedEntry) bool { return !e.at.After(answered) })
	if len(left) == 0 {
		delete(l.jobs, number)
		return
	}
	l.jobs[number] = left
}

func (l *feedLog) forget(number int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.jobs, number)
}
