package commvault

import (
	"context"
	"net/http"
	"sync/atomic"

	"jobwatch/internal/job"
)

// attemptsAsked is whether this server takes the request that asks for attempts, a form that the oldest do not know.
type attemptsAsked struct {
	taken    atomic.Bool  // it was answered once
	refusals atomic.Int32 // the plain request was answered where this form was refused
	words    atomic.Value // why, a string
}

// enoughRefusals: one may be a passing failure that was over when the plain request came.
const enoughRefusals = 3

// details asks for a job with its attempts. Where that is refused, it asks once more without them, and where it was
// the form alone that was refused, time and again, it asks no more for attempts.
func (c *Client) details(ctx context.Context, number int64) (job.Observation, error) {
	if c.attempts.refusals.Load() >= enoughRefusals {
		return c.askDetails(ctx, number, false)
	}
	seen, refusal := c.askDetails(ctx, number, true)
	if refusal == nil {
		c.attempts.taken.Store(true)
		return seen, nil
	}
	if !c.attempts.mayBeRefused(refusal) {
		return seen, refusal
	}
	seen, err := c.askDetails(ctx, number, false)
	if err == nil {
		c.refuseAttempts(refusal)
	}
	return seen, err
}

// mayBeRefused says whether an error can be one about the form of the request. HTTP 400 is about nothing else. What
// a busy server says too counts only as long as it has never answered the form.
func (a *attemptsAsked) mayBeRefused(err error) bool {
	e, ours := err.(*Error)
	switch {
	case !ours || e.page:
		return false
	case e.Code == http.StatusBadRequest:
		return true
	case a.taken.Load() || e.Words == "":
		return false
	}
	return e.Code == http.StatusInternalServerError || e.Code == http.StatusOK && (e.Kind == NotAnAnswer || e.Kind == UnknownJob)
}

func (c *Client) refuseAttempts(refusal error) {
	c.attempts.words.Store(refusal.Error())
	if !c.attempts.taken.Load() && c.attempts.refusals.Add(1) == enoughRefusals {
		c.log.Warn("the CommServe is too old to tell attempts: it refuses showAttempt, and answers without it", "err", refusal)
	}
}

// RefusedForm says of a server too old for the request that asks for attempts in which words it refused it; "" is:
// it takes it, or was not asked yet.
func (c *Client) RefusedForm() string {
	words, _ := c.attempts.words.Load().(string)
	if c.attempts.taken.Load() {
		return ""
	}
	return words
}
