package sim

import (
	"slices"
	"sync"
	"time"
)

// jobs are all that the CommServe knows, has known or will know.
type jobs struct {
	config *Config

	mu      sync.RWMutex // guards the rest
	byID    map[int64]*live
	ids     []int64       // sorted
	arrived int64         // how many of the generated jobs that begin later are, or were, among them
	pruned  time.Duration // when those that ended long ago were last dropped
}

// begin generates the jobs that run at the start: each is somewhere in the first half of its life.
func (j *jobs) begin(config *Config) {
	j.config, j.byID = config, map[int64]*live{}
	for id := int64(firstJob); id < firstJob+int64(config.Jobs); id++ {
		job := life(config, id)
		ends := job.Steps[len(job.Steps)-1].At
		j.put(newLive(config, job.shifted(-time.Duration(mix(uint64(id))%uint64(ends/2+1)))))
	}
}

func (j *jobs) add(l *live, at time.Duration) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(l.steps) > 0 && l.steps[0].At > at {
		l.before = j.byID[l.ID]
	}
	j.put(l)
}

func (j *jobs) put(l *live) {
	if i, found := slices.BinarySearch(j.ids, l.ID); !found {
		j.ids = slices.Insert(j.ids, i, l.ID)
	}
	j.byID[l.ID] = l
}

// find gives the job as it is at a time, or false if it is not known then.
func (j *jobs) find(id int64, at time.Duration) (moment, bool) {
	j.arrive(at)
	j.mu.RLock()
	l := j.byID[id]
	if l == nil {
		l = j.byID[parentOf(id)].child(id)
	}
	j.mu.RUnlock()
	if l == nil {
		return moment{}, false
	}
	return l.moment(at)
}

// stale gives the job as it was some time before; without one, just before its last step.
func (j *jobs) stale(id int64, at, before time.Duration) (moment, bool) {
	m, known := j.find(id, at)
	switch {
	case before > 0:
		m, known = j.find(id, at-before)
	case !known || m.At <= m.steps[0].At:
		return m, known
	default:
		m, known = m.moment(m.At - 1)
	}
	m.old = true
	return m, known
}

// known gives the jobs that are known at a time, by their numbers.
func (j *jobs) known(at time.Duration) []moment {
	j.arrive(at)
	j.mu.RLock()
	defer j.mu.RUnlock()
	var moments []moment
	for _, id := range j.ids {
		if m, ok := j.byID[id].moment(at); ok {
			moments = append(moments, m)
		}
	}
	return moments
}

// another gives a job other than id, the next one that is known.
func (j *jobs) another(id int64, at time.Duration) (moment, bool) {
	known := j.known(at)
	for _, m := range known {
		if m.ID > id {
			return m, true
		}
	}
	if len(known) > 0 && known[0].ID != id {
		return known[0], true
	}
	return moment{}, false
}

// arrive generates the jobs that have begun by now.
func (j *jobs) arrive(at time.Duration) {
	if j.config.Arrivals <= 0 || !j.due(at) {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for j.comes(at) {
		id := firstJob + int64(j.config.Jobs) + j.arrived
		job := life(j.config, id).shifted(j.arrival())
		if job.ID = j.number(id); j.byID[job.ID] == nil || job.ID != id {
			j.put(newLive(j.config, job))
		}
		j.arrived++
	}
	j.prune(at)
}

// prune drops the generated jobs that ended long ago, now and then, as a CommServe does.
func (j *jobs) prune(at time.Duration) {
	keep := j.config.Keep
	if keep <= 0 || at-j.pruned < keep/8 {
		return
	}
	j.pruned = at
	j.ids = slices.DeleteFunc(j.ids, func(id int64) bool {
		l := j.byID[id]
		old := id >= firstJob && len(l.steps) > 0 && l.steps[len(l.steps)-1].At < at-keep
		if old {
			delete(j.byID, id)
		}
		return old
	})
}

// number is the next one, or now and then that of a job that has ended, as after a restore of the CommServe's
// database.
func (j *jobs) number(id int64) int64 {
	scatter := mix(uint64(j.config.Seed) ^ mix(uint64(id)))
	old := firstJob + int64(scatter%uint64(id-firstJob+1))
	if chance(scatter, j.config.Oddities) && j.over(old, j.arrival()) {
		return old
	}
	return id
}

// over says whether a generated job's number may be another's: it has ended, and been dropped where jobs are.
func (j *jobs) over(id int64, at time.Duration) bool {
	l := j.byID[id]
	return l == nil || j.config.Keep == 0 && l.steps[len(l.steps)-1].At < at
}

func (j *jobs) due(at time.Duration) bool {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return j.comes(at)
}

// comes says whether there is a next job, and it has begun.
func (j *jobs) comes(at time.Duration) bool {
	return (j.config.Most == 0 || j.arrived < int64(j.config.Most)) && j.arrival() <= at
}

// arrival is when the next job begins. They come evenly, but not in step.
func (j *jobs) arrival() time.Duration {
	early := float64(mix(uint64(j.config.Seed)^uint64(j.arrived))>>11) / (1 << 53)
	return time.Duration((float64(j.arrived) + 1 - early) / j.config.Arrivals * float64(time.Second))
}
