package commvault

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"jobwatch/internal/job"
)

// JobDetails asks for one job (POST JobDetails). A nil error is an observation; errors.Is(err, ErrUnknownJob)
// says that the CommServe answered, and does not know the job or does not show it.
//
// A finished job's answer may carry no state; its summary does. That one is asked for then, and where it cannot be
// had there is no observation: what the answer showed comes with the error, for who knows the state otherwise.
func (c *Client) JobDetails(ctx context.Context, number int64) (job.Observation, error) {
	seen, err := c.detailsWithAttempts(ctx, number)
	if err != nil {
		return job.Observation{}, err
	}
	if seen.Snapshot.EndsWithoutState() {
		err = c.addState(ctx, &seen.Snapshot)
	}
	seen.Answered = time.Now().UTC()
	return seen, err
}

func (c *Client) askDetails(ctx context.Context, number int64, attempts bool) (seen job.Observation, err error) {
	body := c.format.details(number, c.commcellID, attempts)
	q := query{operation: "JobDetails", job: number, method: http.MethodPost, path: "/JobDetails", body: body}
	q.decode = func(body []byte) (err error) {
		seen.Snapshot, err = decodeDetails(c.commcell, number, body)
		return err
	}
	seen.Asked, err = c.ask(ctx, q)
	return seen, err
}

func (c *Client) addState(ctx context.Context, snapshot *job.Snapshot) error {
	line, err := c.Summary(ctx, snapshot.Number)
	if errors.Is(err, ErrUnknownJob) {
		return nil
	}
	if err != nil {
		return err
	}
	if job.LookUp(line.Status, false).Finished {
		snapshot.State = line.Status
		snapshot.Settle()
	}
	return nil
}

// decodeDetails decides by what is there: an error object beside a job says nothing, and what comes without a job
// says why there is none.
func decodeDetails(commcell string, number int64, body []byte) (job.Snapshot, error) {
	answer, err := parse[envelope](body, detailsRoot)
	if err != nil {
		return job.Snapshot{}, err
	}
	reply := &answer.v.reply
	if answer.v.Old.present() {
		reply = &answer.v.Old.v
	}
	detail := &reply.Job.v.Detail
	if !detail.present() || detail.v.General.v.JobID.positive() == nil {
		return job.Snapshot{}, withoutJob(answer, reply, body)
	}
	if err := detail.v.check(number); err != nil {
		return job.Snapshot{}, err
	}
	return detail.v.snapshot(commcell), nil
}

// withoutJob is the error of an answer that names no job.
func withoutJob(answer *section[envelope], reply *reply, body []byte) error {
	r := remarksIn(body)
	detail := &reply.Job.v.Detail
	var e *Error
	switch {
	case answer.misshapen():
		return noObject(body)
	case reply.Job.misshapen(), detail.misshapen():
		e = notAnAnswer("a job that is no object")
	case detail.present():
		e = notAnAnswer("the answer names no job id")
	case len(reply.Jobs) > 0:
		e = notAnAnswer("a Job list, and no answer to JobDetails")
	default:
		return r.noJob()
	}
	e.Words = r.all()
	return e
}

func (d *jobDetail) check(number int64) error {
	id := *d.General.v.JobID.positive()
	switch {
	case number != 0 && id != number:
		return notAnAnswer("the answer is of job %d", id)
	case d.Progress.v.State.broken():
		return brokenByte("state", d.Progress.v.State)
	case d.Progress.v.Phase.broken():
		return brokenByte("phase", d.Progress.v.Phase)
	}
	return nil
}

func brokenByte(member string, t text) *Error {
	e := notAnAnswer("a broken byte in the %s", member)
	e.Words = t.words
	return e
}

// attemptsSupport is whether this server accepts the request that asks for attempts, which the oldest do not know.
type attemptsSupport struct {
	accepted atomic.Bool  // it was answered once
	refusals atomic.Int32 // the plain request was answered where this form was refused
	words    atomic.Value // why, a string
}

// enoughRefusals is more than one, which may be a passing failure that was over when the plain request came.
const enoughRefusals = 3

// detailsWithAttempts asks for a job with its attempts. Where that is refused, it asks again without them, and where
// it was the form alone that was refused, several times, it stops asking for attempts.
func (c *Client) detailsWithAttempts(ctx context.Context, number int64) (job.Observation, error) {
	if c.attempts.refusals.Load() >= enoughRefusals {
		return c.askDetails(ctx, number, false)
	}
	seen, refusal := c.askDetails(ctx, number, true)
	if refusal == nil {
		c.attempts.accepted.Store(true)
		return seen, nil
	}
	if !c.attempts.mayBeAboutForm(refusal) {
		return seen, refusal
	}
	seen, err := c.askDetails(ctx, number, false)
	if err == nil {
		c.noteRefusal(refusal)
	}
	return seen, err
}

// mayBeAboutForm says whether an error can be about the form of the request. HTTP 400 is about nothing else. What a
// busy server says too counts only as long as it has never answered the form.
func (a *attemptsSupport) mayBeAboutForm(err error) bool {
	e, ours := errors.AsType[*Error](err)
	switch {
	case !ours || e.page:
		return false
	case e.Code == http.StatusBadRequest:
		return true
	case a.accepted.Load() || e.Words == "":
		return false
	}
	return e.Code == http.StatusInternalServerError || e.Code == http.StatusOK && (e.Kind == NotAnAnswer || e.Kind == UnknownJob)
}

func (c *Client) noteRefusal(refusal error) {
	c.attempts.words.Store(refusal.Error())
	if !c.attempts.accepted.Load() && c.attempts.refusals.Add(1) == enoughRefusals {
		c.log.Warn("the CommServe is too old to tell attempts: it refuses showAttempt, and answers without it", "err", refusal)
	}
}

// AttemptsRefused gives the words in which an old server refused the request that asks for attempts; "" if it accepts
// it, or was not asked yet.
func (c *Client) AttemptsRefused() string {
	words, _ := c.attempts.words.Load().(string)
	if c.attempts.accepted.Load() {
		return ""
	}
	return words
}
