package sim

import (
	"fmt"
	"strings"
)

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
