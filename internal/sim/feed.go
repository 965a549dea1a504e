package sim

import (
	"cmp"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Entries of the feed are the CommServe's own events (GET Events). They follow from the jobs' steps and are kept
// nowhere: the same entry has the same id however often it is asked for.

// stepAt is a step of a job, which may have written entries.
type stepAt struct {
	*live
	i int
}

// feedQuery is what a request for the feed asks for.
type feedQuery struct {
	job           int64 // 0: all
	from, to      int64 // Unix seconds
	hidden        map[int64]bool
	offset, limit int
}

func readFeedQuery(r *http.Request) feedQuery {
	q := r.URL.Query()
	wanted := feedQuery{job: int64(integer(q.Get("jobId"))), from: seconds(q, "fromTime", 0), to: seconds(q, "toTime", math.MaxInt64), hidden: map[int64]bool{}, limit: defaultLimit}
	for name, severity := range severities {
		wanted.hidden[severity] = strings.EqualFold(q.Get(name), "false")
	}
	if offset, limit, paged := strings.Cut(r.Header.Get("paginginfo"), ","); paged {
		wanted.offset, wanted.limit = max(integer(offset), 0), max(integer(strings.TrimSpace(limit)), 0)
	}
	return wanted
}

var severities = map[string]int64{"showInfo": 0, "showMinor": 3, "showMajor": 6, "showCritical": 9}

func seconds(q url.Values, name string, without int64) int64 {
	n, err := strconv.ParseInt(q.Get(name), 10, 64)
	if err != nil {
		return without
	}
	return n
}

// feed answers with a page of the entries, the newest first.
func (s *Sim) feed(q feedQuery) answer {
	if s.config.NoFeed {
		return noSuchOperation
	}
	at := s.config.Clock()
	var page []feedEntry
	skip := q.offset
	for _, step := range s.jobs.steps(s.config.since(q.from), at) {
		for _, e := range slices.Backward(step.entries()) {
			if len(page) == q.limit {
				return ok(feedPage(page))
			}
			if !q.wants(&e) {
				continue
			}
			if skip--; skip < 0 {
				page = append(page, e)
			}
		}
	}
	return ok(feedPage(page))
}

func (q *feedQuery) wants(e *feedEntry) bool {
	return e.time >= q.from && e.time <= q.to && !q.hidden[e.severity] && (q.job == 0 || q.job == e.job)
}

// since is the simulated time at which the CommServe's clock showed a time, or before that.
func (c *Config) since(unix int64) time.Duration {
	at := float64(unix-c.Start.Unix()-1) * float64(time.Second) * c.Speed
	return time.Duration(max(at, math.MinInt64/2))
}

// steps gives those between two times, the newest first. Jobs that ended before are passed over.
func (j *jobs) steps(from, to time.Duration) []stepAt {
	j.arrive(to)
	j.mu.RLock()
	defer j.mu.RUnlock()
	var found []stepAt
	for _, id := range j.ids {
		until := to
		for l := j.byID[id]; l != nil && len(l.steps) > 0; l = l.before {
			found = l.stepsBetween(from, until, found)
			until = min(until, l.steps[0].At-1)
		}
	}
	slices.SortFunc(found, func(a, b stepAt) int { return cmp.Compare(b.feedID(0), a.feedID(0)) })
	return found
}

func (l *live) stepsBetween(from, to time.Duration, found []stepAt) []stepAt {
	for i := len(l.steps) - 1; i >= 0 && l.steps[i].At >= from; i-- {
		if l.steps[i].At <= to {
			found = append(found, stepAt{l, i})
		}
	}
	return found
}

const (
	feedEpoch  = 400 * 24 * time.Hour // before Start, at the latest, jobs have begun
	idsPerTick = 4096                 // in a simulated microsecond
)

// feedID is that of a step's entry: it grows with time, and differs from those of other jobs at the same time.
func (s stepAt) feedID(entry int) int64 {
	return max(1, int64((s.steps[s.i].At+feedEpoch)/time.Microsecond))*idsPerTick + (s.ID*8+int64(entry))%idsPerTick
}

// feedPage is an answer of the feed. Without entries the member is missing, not empty.
func feedPage(page []feedEntry) doc {
	return func(w *writer) {
		if len(page) > 0 {
			w.list("commservEvents", len(page), func(i int) { page[i].write(w) })
		}
	}
}

// write leaves out what newer releases leave out of some entries.
func (e *feedEntry) write(w *writer) {
	var subsystem, number int64
	_, _ = fmt.Sscanf(e.code, "%d:%d", &subsystem, &number) // another code has the number 0
	w.number("severity", e.severity)
	w.text("eventCode", strconv.FormatInt(subsystem<<24|number, 10))
	w.text("eventCodeString", e.code)
	w.text("description", e.text)
	w.number("timeSource", e.time)
	if e.job != 0 {
		w.number("jobId", e.job)
	}
	if e.id != 0 {
		w.number("acknowledge", 0)
		w.text("subsystem", e.subsystem)
		w.number("id", e.id)
		w.number("type", 0)
	}
	w.object("clientEntity", func() {
		w.number("clientId", 2)
		w.text("clientName", "commserve")
	})
}

// feedEntry is one of the CommServe's own events.
type feedEntry struct {
	id        int64 // 0: newer releases give some none
	job       int64 // 0: it is about none
	code      string
	subsystem string
	severity  int64 // 0 information, 3 minor, 6 major, 9 critical
	time      int64 // Unix seconds
	text      string
}

// Codes as seen on a real CommServe, where one was.
var endings = map[string]feedEntry{
	"completed":                         {code: "19:1076", text: "%s job [%d] completed."},
	"completed w/ one or more errors":   {code: "19:1916", severity: 3, text: "%s job [%d] completed with one or more errors."},
	"completed w/ one or more warnings": {code: "19:1916", text: "%s job [%d] completed with one or more warnings."},
	"committed":                         {code: "19:1081", text: "%s job [%d] has been committed by admin."},
	"killed":                            {code: "19:1081", text: "%s job [%d] has been killed by admin. Reason:[]."},
	"failed":                            {code: "19:122", severity: 6, text: "<html><b>%s job [%d] failed.</b><br>See the job's details &amp; its log.</html>"},
	"failed to start":                   {code: "19:168", severity: 9, text: "%s job [%d] could not be started."},
	"suspended":                         {code: "19:1086", text: "%s job [%d] has been suspended by user admin. Reason:[]."},
	"interrupted":                       {code: "19:1087", severity: 3, text: "%s job [%d] has been interrupted."},
}

// pauses are the states that a job resumes from.
var pauses = map[string]bool{"pending": true, "suspended": true, "interrupted": true}

// entries are what a step has written, in order: a phase, or a count that grows, writes nothing.
func (s stepAt) entries() []feedEntry {
	now := &s.steps[s.i]
	if now.Forgot || s.i > 0 && strings.EqualFold(s.steps[s.i-1].State, now.State) {
		return nil
	}
	var all []feedEntry
	if s.i == 0 {
		all = append(all, s.entry("19:133", 0, "New %s request received for client [%s], application type [%s].",
			strings.ToLower(manners[s.Kind].operation), s.Client, manners[s.Kind].agent))
	}
	if e, tells := s.told(); tells {
		all = append(all, e)
	}
	all = append(all, s.others()...)
	for k := range all {
		all[k].time = s.config.wall(now.At).Unix()
		if all[k].subsystem != "" {
			all[k].id = s.feedID(k)
		}
	}
	return all
}

func (s stepAt) entry(code string, severity int64, format string, values ...any) feedEntry {
	return feedEntry{job: s.ID, code: code, subsystem: "JobManager", severity: severity, text: fmt.Sprintf(format, values...)}
}

// told is what the job manager tells of a state, if anything.
func (s stepAt) told() (feedEntry, bool) {
	now := &s.steps[s.i]
	state := strings.ToLower(now.State)
	ending, is := endings[state]
	switch {
	case is:
		return s.entry(ending.code, ending.severity, ending.text, manners[s.Kind].operation, s.ID), true
	case state == "kill pending":
		return s.entry("19:182", 0, "Kill request pending for job [%d].", s.ID), true
	case state == "suspend pending", state == "interrupt pending":
		return s.entry("19:183", 0, "Stop request pending for job [%d].", s.ID), true
	case state == "pending":
		return s.entry("19:122", 3, "Received failed message for job [%d], phase [%s].", s.ID, now.Phase), true
	case state == "running" && s.i > 0 && pauses[strings.ToLower(s.steps[s.i-1].State)]:
		return s.entry("19:979", 0, "Job [%d] resumed by user admin.", s.ID), true
	}
	return feedEntry{}, false
}

// others are now and then entries that are none of the job manager's, in the form of older and of newer releases.
func (s stepAt) others() []feedEntry {
	switch mix(uint64(s.feedID(0))) % 16 {
	case 0:
		return []feedEntry{{code: "32:75", subsystem: "MediaManager", text: `Mount path [[ma-01] E:\Backup] in the disk library [disk-01] is now marked offline.`}}
	case 1:
		return []feedEntry{{code: "64:1097", severity: 6, text: "Storage accelerator is disabled: the mount path is not accessible."}}
	}
	return nil
}
