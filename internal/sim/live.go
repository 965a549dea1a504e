package sim

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// live is a job with all that can be known of its answers beforehand.
type live struct {
	Job
	config     *Config
	steps      []step
	plan       time.Duration // how long it has to be at work until it is done; 0 for a job without end
	totalBytes int64         // of application data, when it is done
	totalFiles int64

	before *live // had the number until this one began; nil for none

	general *kept // of generalInfo, and of a list's line, what does not change
	summary *kept
	answers atomic.Int64 // of JobDetails
}

// step is a Step, and what was before it.
type step struct {
	Step
	done    bool
	ended   time.Duration // At of the first finished step, where there is no other between
	elapsed time.Duration // spent in busy states before this step
	worked  time.Duration // elapsed without the stalled steps

	folders, files int64     // failed
	machines       *machines // nil without VMs and clients
}

// moment is one job at one simulated time.
type moment struct {
	*live
	*step
	at      time.Duration
	old     bool // it is asked for as if it were now
	elapsed time.Duration
	portion float64 // of the work that is done, 0 to 1
	tries   int64   // Attempt, unless nobody asked
}

func newLive(config *Config, job Job) *live {
	scatter := mix(uint64(config.Seed) ^ mix(uint64(job.ID)))
	l := &live{Job: job, config: config, totalBytes: 1<<30 + int64(scatter%(200<<30)), totalFiles: 1000 + int64(scatter%500_000)}
	if l.Client == "" && job.hasClient() {
		l.Client = clients[scatter%uint64(len(clients))]
	}
	for _, s := range slices.SortedStableFunc(slices.Values(job.Steps), func(a, b Step) int { return int(a.At - b.At) }) {
		l.steps = append(l.steps, l.next(s))
	}
	l.plan = l.planned()
	if len(l.steps) > 0 {
		l.general, l.summary = keep(l.generalInfo), keep(l.summaryInfo)
	}
	return l
}

// next is the step that follows those that are there.
func (l *live) next(s Step) step {
	n := step{Step: s, done: s.finished(), ended: s.At}
	n.Failures = l.failuresText(s)
	_, _ = fmt.Sscanf(n.Failures, "%d Folders, %d Files", &n.folders, &n.files) // another text counts none
	if len(l.steps) > 0 {
		n.follow(&l.steps[len(l.steps)-1])
	}
	if n.machines == nil && (s.VMs != nil || s.Clients != nil) {
		n.machines = newMachines(l.config, s, l.start(s.At), n.ended)
	}
	return n
}

// start is when the job began: with its first step, which may be the one at hand.
func (l *live) start(at time.Duration) time.Duration {
	if len(l.steps) > 0 {
		return l.steps[0].At
	}
	return at
}

func (n *step) follow(last *step) {
	lasted := n.At - last.At
	n.elapsed, n.worked = last.elapsed, last.worked
	if last.busy() {
		n.elapsed += lasted
	}
	if last.busy() && !last.Stalled {
		n.worked += lasted
	}
	if n.done && last.done {
		n.ended = last.ended
	}
	if n.done == last.done && slices.Equal(n.VMs, last.VMs) && slices.Equal(n.Clients, last.Clients) {
		n.machines = last.machines
	}
}

// failuresText is what a job says that tells of no failures: a finished restore is silent.
func (l *live) failuresText(s Step) string {
	if s.Failures == "" && (l.Kind != Restore || !s.finished()) {
		return "0 Folders, 0 Files"
	}
	return s.Failures
}

// planned lets a job that will not complete be far from done when it ends.
func (l *live) planned() time.Duration {
	for i := range l.steps {
		switch s := &l.steps[i]; {
		case s.done && strings.HasPrefix(strings.ToLower(s.State), "completed"):
			return s.worked
		case s.done:
			return s.worked * 3 / 2
		}
	}
	return 0
}

// moment is the job at a time, or false if the CommServe does not know it then.
func (l *live) moment(at time.Duration) (moment, bool) {
	i, exact := slices.BinarySearchFunc(l.steps, at, func(s step, at time.Duration) int { return int(s.At - at) })
	for exact && i+1 < len(l.steps) && l.steps[i+1].At == at {
		i++ // of steps at one time the last holds
	}
	if !exact {
		i--
	}
	if i < 0 && l.before != nil {
		return l.before.moment(at)
	}
	if i < 0 || l.steps[i].Forgot {
		return moment{}, false
	}
	now := step{Step: Step{At: at}}
	now.follow(&l.steps[i])
	return moment{live: l, step: &l.steps[i], at: at, elapsed: now.elapsed, portion: l.portion(now.worked), tries: l.steps[i].Attempt}, true
}

// portion of a job without end never reaches 1, and never stands still.
func (l *live) portion(worked time.Duration) float64 {
	if l.plan == 0 {
		return float64(worked) / float64(worked+time.Minute)
	}
	return min(1, float64(worked)/float64(l.plan))
}
