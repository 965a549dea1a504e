package commvault

import (
	"errors"
	"net/http"
)

// Failure is how a CommServe as a whole fails, in a word.
type Failure string

// The failures.
const (
	NoAnswer Failure = "no_answer" // nothing comes
	Refused  Failure = "refused"   // it answers, and takes neither token nor login, or gives no right
	NotAsked Failure = "not_asked" // nothing is sent: there is nothing to authenticate with
	Unusable Failure = "unusable"  // it answers, and with nothing that it was asked for
)

// FailureOf says which one an error is.
func FailureOf(err error) Failure {
	e, ours := errors.AsType[*Error](err)
	switch {
	case !ours: // another CommServe than the one wanted, say
		return Unusable
	case e.Kind == Auth && e.Code == 0 && !e.refusal:
		return NotAsked
	case e.Kind == Auth, e.Code == http.StatusUnauthorized, e.Code == http.StatusForbidden:
		return Refused
	case e.Code == 0:
		return NoAnswer
	}
	return Unusable
}

// Says is the predicate of a sentence about the CommServe.
func (f Failure) Says() string {
	switch f {
	case Refused:
		return "answers, and refuses this watcher"
	case NotAsked:
		return "cannot be asked"
	case Unusable:
		return "answers with errors only"
	}
	return "does not answer"
}
