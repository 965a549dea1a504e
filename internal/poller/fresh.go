package poller

import (
	"math"
	"time"
)

const (
	ticksLate = 3           // a schedule may be so many ticks late, and no more than
	longLate  = time.Hour   // this, however seldom it comes; but always
	shortLate = time.Minute // this longer than one request may take
)

// FreshUntil is when a Poller that gives no sign of life any more is to be taken for dead. A sign is
// a request, a poll or a cycle that ends, whatever its outcome; a cycle that takes long lives as long as its requests
// end, however few a rate allows. The zero time is: no sign yet.
func (p *Poller) FreshUntil() time.Time {
	alive := p.Counts.alive.Load()
	if alive == 0 {
		return time.Time{}
	}
	due := p.Schedule.Next(time.Unix(0, alive))
	last := due
	for range ticksLate {
		last = p.Schedule.Next(last)
	}
	late := min(max(last.Sub(due), p.Timeout+shortLate), longLate+p.Timeout)
	late += 2 * p.limiter.Interval() // the end of a list waits for a permit and asks nothing
	return due.Add(late)
}

// Progress is what the last answer about a job said of how far it is. It is in no event, and the
// store does not keep it.
type Progress struct {
	Percent *float64 // nil: it said nothing of it
	Asked   time.Time
}

// Progress reads a job's; false if this process has had no answer about it.
func (p *Poller) Progress(number int64) (Progress, bool) {
	p.mu.Lock()
	s := p.cached[number]
	p.mu.Unlock()
	if s == nil || s.shown.Load() == 0 {
		return Progress{}, false
	}
	progress := Progress{Asked: time.Unix(0, s.shown.Load()).UTC()}
	if percent := math.Float64frombits(s.percent.Load()); !math.IsNaN(percent) {
		progress.Percent = &percent
	}
	return progress, true
}

// show lets others read the answer's progress while the Poller goes on.
func (s *cachedJob) show(percent *float64, asked time.Time) {
	said := math.NaN()
	if percent != nil {
		said = *percent
	}
	s.percent.Store(math.Float64bits(said))
	s.shown.Store(asked.UnixNano())
}

// showLine goes by what the list says of a job that was polled; not every list tells percents.
func (s *cachedJob) showLine(percent *float64, read time.Time) {
	if percent != nil && s.shown.Load() != 0 {
		s.show(percent, read)
	}
}
