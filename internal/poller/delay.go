package poller

import "time"

// delay is how long answers take just now, and how long they usually do. The zero delay is ready.
type delay struct {
	recent, usual time.Duration
	at            time.Time
}

const (
	recentAnswers = 16
	usualTime     = time.Hour              // in which the usual follows what has grown
	slowTimes     = 4                      // the usual is slow,
	slowBy        = 300 * time.Millisecond // and so much more: a fast server's jitter is none
)

// add takes the fastest of late for usual at once: what is slow at the start is no measure.
func (d *delay) add(took time.Duration, now time.Time) {
	if d.at.IsZero() {
		d.recent, d.usual = took, took
	} else {
		d.recent += (took - d.recent) / recentAnswers
		share := min(1, float64(now.Sub(d.at))/float64(usualTime))
		d.usual = min(d.recent, d.usual+time.Duration(share*float64(d.recent-d.usual)))
	}
	d.at = now
}

func (d *delay) slow() bool { return d.recent > slowTimes*d.usual && d.recent-d.usual > slowBy }
