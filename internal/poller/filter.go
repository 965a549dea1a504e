package poller

import (
	"maps"
	"path"
	"slices"
	"strings"

	"jobwatch/internal/commvault"
	"jobwatch/internal/job"
)

// Filter says which jobs of the Job list are tracked: those that match each key of include, by one of its
// globs, and no glob of exclude. The zero Filter takes all.
//
// Globs are those of path.Match, without regard to case; but a * takes a slash too, since names of
// subclients and job types hold some. What a line does not say is the empty name, which only a * matches.
type Filter struct{ rules []rule }

// rule is one key of include or exclude.
type rule struct {
	name    string // as in the configuration: include.client
	values  func(*commvault.Line) []job.Text
	globs   []string
	exclude bool
}

// NewFilter reads include and exclude as the configuration gives them: keys (client, client_group, …) to
// globs that path.Match accepts. A key without globs says nothing.
func NewFilter(include, exclude map[string][]string) Filter {
	return Filter{append(rules("include.", include, false), rules("exclude.", exclude, true)...)}
}

func rules(prefix string, by map[string][]string, exclude bool) []rule {
	var all []rule
	for _, key := range slices.Sorted(maps.Keys(by)) {
		if values := lineValues[key]; len(by[key]) > 0 && values != nil {
			all = append(all, rule{prefix + key, values, folded(by[key]), exclude})
		}
	}
	return all
}

var lineValues = map[string]func(*commvault.Line) []job.Text{
	"client":       func(l *commvault.Line) []job.Text { return []job.Text{l.Client} },
	"client_group": groups,
	"job_type":     func(l *commvault.Line) []job.Text { return []job.Text{l.JobType} },
	"operation":    func(l *commvault.Line) []job.Text { return []job.Text{l.Operation} },
	"application":  func(l *commvault.Line) []job.Text { return []job.Text{l.Application} },
	"subclient":    func(l *commvault.Line) []job.Text { return []job.Text{l.Subclient} },
}

func groups(l *commvault.Line) []job.Text {
	if len(l.ClientGroups) == 0 {
		return []job.Text{""}
	}
	return l.ClientGroups
}

func folded(globs []string) []string {
	all := make([]string, len(globs))
	for i, glob := range globs {
		all[i] = plainName(glob)
	}
	return all
}

// plainName has names compared without case, and makes them no paths.
func plainName(text string) string { return strings.ReplaceAll(strings.ToLower(text), "/", "\x00") }

// LeftOutBy names the first rule that keeps a job from being tracked: "exclude.client"; "" if none does.
func (f Filter) LeftOutBy(line *commvault.Line) string {
	for _, r := range f.rules {
		if r.matches(line) == r.exclude {
			return r.name
		}
	}
	return ""
}

func (r *rule) matches(line *commvault.Line) bool {
	for _, value := range r.values(line) {
		name := plainName(string(value))
		for _, glob := range r.globs {
			if matched, _ := path.Match(glob, name); matched {
				return true
			}
		}
	}
	return false
}

// filterResult is what a filter makes of a list. The zero filterResult is ready.
type filterResult struct {
	passed  bool
	leftOut map[string]bool // the rules that left some out
}

// pass gives the lines that pass the filter.
func (s *filterResult) pass(f Filter, lines []commvault.Line) []commvault.Line {
	var passing []commvault.Line
	for _, line := range lines {
		rule := f.LeftOutBy(&line)
		if rule == "" {
			passing = append(passing, line)
			continue
		}
		if s.leftOut == nil {
			s.leftOut = map[string]bool{}
		}
		s.leftOut[rule] = true
	}
	s.passed = s.passed || len(passing) > 0
	return passing
}

// warnIfNothingPasses judges the first list that has jobs.
func (p *Poller) warnIfNothingPasses(s *filterResult) {
	if p.cycleState.filterJudged || !s.passed && len(s.leftOut) == 0 {
		return
	}
	p.cycleState.filterJudged = true
	if !s.passed {
		rules := strings.Join(slices.Sorted(maps.Keys(s.leftOut)), ", discover.")
		p.Log.Warn("the Job list names jobs, and none passes discover."+rules, "commcell", p.CommCell)
	}
}
