package commvault

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"jobwatch/internal/job"
)

// Line is what the Job list and a summary say of a job. Status is the list's word for the state.
type Line struct {
	Number        int64
	Status        job.Text
	Phase         job.Text
	Reason        job.Text // pendingReason
	ReasonCode    job.Text
	FailedFiles   *int64
	FailedFolders *int64
	Percent       *float64
	StartTime     *time.Time
	EndTime       *time.Time // newer releases only
	UpdateTime    *time.Time // moves in steps of minutes: no sign that nothing changed

	Parent       *int64   // the job of all machines, of a machine's own
	Client       job.Text // subclient.clientName, else the destination's
	ClientGroups []job.Text
	JobType      job.Text
	Operation    job.Text
	Application  job.Text
	Subclient    job.Text
}

// Finished says whether the job has ended, as far as its line tells.
func (l *Line) Finished() bool { return job.LookUp(l.Status, l.EndTime != nil).Finished }

const (
	pageSize     = 500
	smallestPage = 100 // a server's own page where it ignores the limit; none was seen to make smaller ones
	maxOverlap   = 10
	maxPages     = 2000 // a million jobs, ten times what a CommServe runs
)

// List asks for all active jobs, of every type, and those that finished within the time (GET Job), and
// yields them a page at a time: 100,000 lines at once would be 200 MB. An error of yield's ends the list and
// is List's. GET Job is asked rather than POST Jobs: it is the documented one, in all releases.
//
// Jobs come and go while pages are read, so each page begins a little before the end of the last one,
// and a job seen twice is yielded twice, last as seen last. What slips through is in the next list.
func (c *Client) List(ctx context.Context, finishedWithin time.Duration, yield func([]Line) error) error {
	seen := map[int64]struct{}{}
	offset, idle := 0, 0 // idle: pages in a row without news
	for range maxPages {
		page, err := c.page(ctx, finishedWithin, offset)
		if err != nil {
			return err
		}
		known := len(seen)
		for _, line := range page.lines {
			seen[line.Number] = struct{}{}
		}
		if err := yield(page.lines); err != nil {
			return err
		}
		if idle++; len(seen) > known {
			idle = 0
		}
		if page.isLast(offset, idle) {
			return nil
		}
		offset += page.rows - min(page.rows/10, maxOverlap)
	}
	return &Error{Operation: "Jobs", Kind: TooLarge, Err: fmt.Errorf("the list goes on after %d pages", maxPages)}
}

// Summary asks for one job's line (GET Job/<id>). Errors as of JobDetails.
func (c *Client) Summary(ctx context.Context, number int64) (Line, error) {
	var line Line
	q := query{operation: "Summary", job: number, method: http.MethodGet, path: fmt.Sprintf("/Job/%d", number)}
	q.decode = func(body []byte) (err error) {
		line, err = decodeSummary(number, body)
		return err
	}
	_, err := c.ask(ctx, q)
	return line, err
}

// listPage is one page of the Job list.
type listPage struct {
	lines []Line
	rows  int    // as sent, with those that name no job
	total *int64 // of all pages
}

// isLast goes by the total, if it can be that of all pages: some servers give that of the page, or none.
// A page without news is the end then, and where it is longer than the overlap: some ignore the offset.
// A short one may come in the middle.
func (p listPage) isLast(offset, idle int) bool {
	ofAll := p.total != nil && *p.total > int64(p.rows)
	switch {
	case idle > 1, idle == 1 && (!ofAll || p.rows > maxOverlap):
		return true
	case ofAll:
		return int64(offset+p.rows) >= *p.total
	}
	return offset == 0 && p.rows < smallestPage
}

func (c *Client) page(ctx context.Context, finishedWithin time.Duration, offset int) (listPage, error) {
	var page listPage
	q := query{operation: "Jobs", method: http.MethodGet, path: listPath(finishedWithin), limit: pageSize, offset: offset}
	q.decode = func(body []byte) (err error) {
		page, err = decodeList(body)
		if err == nil && offset == 0 && page.rows == 0 && page.total != nil && *page.total > 0 {
			err = notAnAnswer("a list of %d jobs that shows none", *page.total)
		}
		return err
	}
	_, err := c.ask(ctx, q)
	return page, err
}

// Without a jobFilter the list holds backups only; an empty one takes every type.
func listPath(finishedWithin time.Duration) string {
	if finishedWithin <= 0 {
		return "/Job?jobCategory=Active&jobFilter="
	}
	seconds := (finishedWithin + time.Second - 1) / time.Second
	return fmt.Sprintf("/Job?completedJobLookupTime=%d&jobFilter=", seconds)
}

func decodeList(body []byte) (listPage, error) {
	answer, err := parse[jobList](body, listRoot)
	switch {
	case err != nil:
		return listPage{}, err
	case !answer.present():
		return listPage{}, noObject(body)
	}
	list := &answer.v
	if len(list.Jobs) == 0 {
		if r := remarksIn(body); r.complains() || !list.saysThatNoneFollow() {
			return listPage{}, r.instead("a list")
		}
	}
	page := listPage{rows: len(list.Jobs), total: list.Total.value}
	for i := range list.Jobs {
		summary := &list.Jobs[i].Summary.v
		if summary.JobID.positive() != nil {
			page.lines = append(page.lines, summary.line())
		}
	}
	if len(page.lines) == 0 && page.rows > 0 {
		e := notAnAnswer("a list whose %d rows name no job", page.rows)
		e.Words = complaintOf(body)
		return listPage{}, e
	}
	return page, nil
}

// saysThatNoneFollow says of a list without rows whether it means that: an array without elements, or a number of all
// jobs. Where that is above 0, this may be the page behind the last.
func (l *jobList) saysThatNoneFollow() bool {
	return l.Jobs != nil || l.Total.value != nil && *l.Total.value >= 0
}

func decodeSummary(number int64, body []byte) (Line, error) {
	answer, err := parse[jobList](body, listRoot)
	switch {
	case err != nil:
		return Line{}, err
	case answer.misshapen():
		return Line{}, noObject(body)
	case len(answer.v.Jobs) == 0:
		r := remarksIn(body)
		if total := answer.v.Total.value; total != nil && *total == 0 && !r.complains() {
			return Line{}, &Error{Kind: UnknownJob, Err: ErrUnknownJob}
		}
		return Line{}, r.noJob()
	}
	for i := range answer.v.Jobs {
		summary := &answer.v.Jobs[i].Summary.v
		if id := summary.JobID.positive(); id == nil || *id != number {
			continue
		}
		switch {
		case summary.status().broken():
			return Line{}, brokenByte("status", summary.status())
		case summary.Phase.broken():
			return Line{}, brokenByte("phase", summary.Phase)
		}
		return summary.line(), nil
	}
	e := notAnAnswer("the answer is of another job")
	e.Words = complaintOf(body)
	return Line{}, e
}

func (s *jobSummary) status() text { return either(s.Status, s.State) }

func (s *jobSummary) line() Line {
	var clip clipper
	line := Line{
		Number:        *s.JobID.value,
		Status:        clip.name("", s.status().whole()),
		Phase:         clip.name("", s.Phase.whole()),
		Reason:        clip.reason("", s.Reason),
		ReasonCode:    clip.name("", s.ReasonCode),
		FailedFiles:   s.FailedFiles.value,
		FailedFolders: s.FailedFolders.value,
		Percent:       s.Percent.value,
		StartTime:     s.StartTime.time(),
		EndTime:       s.EndTime.time(),
		UpdateTime:    s.Updated.time(),
		Parent:        s.Parent.positive(),
		Client:        clip.name("", either(s.Subclient.v.ClientName, either(s.DestinationClient.v.Name, s.DestinationName))),
		JobType:       clip.name("", s.JobType),
		Operation:     clip.name("", either(s.Operation, s.LocalizedOperation)),
		Application:   clip.name("", either(s.Application, s.Subclient.v.AppName)),
		Subclient:     clip.name("", either(s.Subclient.v.SubclientName, s.SubclientName)),
	}
	for _, group := range s.ClientGroups {
		if group.Name.words != "" {
			line.ClientGroups = append(line.ClientGroups, clip.name("", group.Name))
		}
	}
	return line
}
