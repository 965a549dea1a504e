package commvault

import (
	"regexp"
	"slices"
)

// The words in which a CommServe says that there is no such job: "Job [71] does not exist.", "No job has this id.". In
// another language they are an error as any other: whoever asks learns of it, and no job is told as lost. What goes on
// after the word job tells a job from a job manager.
var (
	aJob      = `\bjob(?:\s*(?:id|details?))?(?:\s+with\s+(?:the\s+|this\s+)?id)?[^a-z]*`
	isGone    = `(?:(?:is|was|has|does|did|could|can)\s*)?(?:not|n['’]t|no longer)\s+(?:be\s+|been\s+|a\s+)?(?:exists?|found|known|valid)\b`
	isUnknown = `(?:is|was)\s+(?:unknown|invalid)\b`
	none      = `(?:\b(?:no|no such|unknown|invalid)|(?:not|n['’]t|unable to|failed to)\s+find)\s+(?:the\s+|a\s+|any\s+)?job(?:\s*id)?`
	thatIsAll = `(?:[^a-z]*$|\W*[\d.,;:\[(]|\s+(?:has|with|was|is|found|exists)\b)`
	noSuchJob = regexp.MustCompile(`(?i)` + aJob + `(?:` + isGone + `|` + isUnknown + `)|` + none + thatIsAll)
)

// refusesJob says whether a job is refused in the way that is known of JobDetails, an errList, and in words that say
// why: there is no such job.
func (r *remarks) refusesJob() bool {
	return r.listed && !slices.ContainsFunc(r.words, func(words string) bool { return !noSuchJob.MatchString(words) })
}

// noJob tells an answer that knows no such job from anything else that came without one. Only the former may lead to
// the job being given up as lost: nothing at all, or a refusal in words that say so.
func (r *remarks) noJob() error {
	if r.said && !r.refusesJob() {
		return r.instead("a job")
	}
	return &Error{Kind: UnknownJob, Words: r.complaint(), Err: ErrUnknownJob}
}
