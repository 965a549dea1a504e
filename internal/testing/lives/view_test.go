package lives

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// view is what a job's events have told, by the judge's own reading of the contract.
type view struct {
	state, before, phase, items, reason, code string
	folders, files                            int
	machines                                  map[string]string
	attempt                                   string
	failed                                    bool // failure.state was told of the state
	gone                                      bool // told as lost
}

// change is one that an event tells, or that an answer owes.
type change struct{ kind, vm, from, to, code string } // vm: name/GUID

func (c change) String() string {
	return fmt.Sprintf("%s: %s → %s", strings.TrimSpace(c.kind+" "+c.vm), c.from, c.to)
}

var (
	failing = regexp.MustCompile(`^(Failed|Killed|Completed w/ one or more errors)$`)
	digits  = regexp.MustCompile(`\d+`)
)

// due gives the changes that an answer owes against what was told.
func (v view) due(f *facts) (owed []change) {
	tell := func(kind, vm, from, to, code string) {
		c := change{kind, vm, from, to, code}
		owed = append(owed, c)
		v = v.told(c, f.reason != "" || f.code != "")
	}
	if f.state != v.state {
		tell("state", "", v.state, f.state, "")
	}
	if f.phase != "" && f.phase != v.phase {
		tell("phase", "", v.phase, f.phase, "")
	}
	if failing.MatchString(f.state) && !v.failed {
		tell("failure.state", "", v.before, f.state, "")
	}
	last, _ := strconv.ParseInt(v.attempt, 10, 64)
	again := f.attempt > last
	if folders, files := counts(f.failures); !again && (folders > v.folders || files > v.files) {
		tell("failure.items", "", v.items, f.failures, "")
	}
	for _, m := range f.machines {
		if told := v.machines[m.called]; !again && m.failsAnew(told) {
			tell("failure.vm", m.called, told, m.shown(), "")
		}
	}
	if f.reason != "" && !f.ended && !v.sameReason(f) {
		tell("failure.reason", "", v.reason, f.reason, f.code)
	}
	if again {
		tell("watch.attempt", "", v.attempt, strconv.FormatInt(f.attempt, 10), "")
	}
	return owed
}

func (v view) sameReason(f *facts) bool {
	if v.code != "" && f.code != "" {
		return v.code == f.code
	}
	return v.reason != "" && digits.ReplaceAllString(v.reason, "") == digits.ReplaceAllString(f.reason, "")
}

// shown is why the machine failed, ours where the CommServe does not say.
func (m *machine) shown() string { return cmp.Or(m.reason, unexplained) }

const unexplained = "failed; the CommServe gives no reason"

// failsAnew compares lines in no order, numbers left out. That no reason is given any more is no other one.
func (m *machine) failsAnew(told string) bool {
	lines := func(text string) []string {
		return slices.Sorted(strings.SplitSeq(digits.ReplaceAllString(text, ""), "\n"))
	}
	return told == "" || m.reason != "" && !slices.Equal(lines(m.reason), lines(told))
}

func counts(text string) (folders, files int) {
	if n := digits.FindAllString(text, 2); len(n) == 2 {
		folders, _ = strconv.Atoi(n[0])
		files, _ = strconv.Atoi(n[1])
	}
	return folders, files
}

// told gives the view after an event, whose job shows a pending reason or not.
func (v view) told(c change, reason bool) view {
	v.gone = false
	switch c.kind {
	case "state":
		if c.from == "" {
			v = view{}
		}
		v.before, v.state, v.failed = v.state, c.to, false
		if !reason {
			v.reason, v.code = "", ""
		}
	case "phase":
		v.phase = c.to
	case "failure.state":
		v.failed = true
	case "failure.items":
		folders, files := counts(c.to)
		v.items, v.folders, v.files = c.to, max(v.folders, folders), max(v.files, files)
	case "failure.vm":
		v.machines = maps.Clone(v.machines)
		if v.machines == nil {
			v.machines = map[string]string{}
		}
		v.machines[c.vm] = c.to
	case "failure.reason":
		v.reason, v.code = c.to, c.code
	case "watch.attempt":
		v.attempt, v.items, v.folders, v.files, v.machines = c.to, "", 0, 0, nil
	case "watch.lost":
		v.gone = true
	}
	return v
}
