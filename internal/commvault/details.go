package commvault

import (
	"net/http"

	"jobwatch/internal/job"
)

// Decode reads a saved answer to JobDetails, also the inner elements alone of one in XML. Number 0
// takes any job's; else the answer must be of that job. The errors are those of Client.JobDetails.
func Decode(commcell string, number int64, body []byte) (job.Snapshot, error) {
	snapshot, err := decodeDetails(commcell, number, mended(body))
	if e, ok := err.(*Error); ok {
		e.Operation, e.Job, e.Code, e.Words = "JobDetails", number, http.StatusOK, oneLine(e.Words)
	}
	return snapshot, err
}

// decodeDetails decides by what is there: an error object beside a job says nothing, and what comes without a job
// says why there is none.
func decodeDetails(commcell string, number int64, body []byte) (job.Snapshot, error) {
	answer, err := parse[envelope](body, detailsRoot)
	if err != nil {
		return job.Snapshot{}, err
	}
	reply := &answer.is.reply
	if answer.is.Old.present() {
		reply = &answer.is.Old.is
	}
	detail := &reply.Job.is.Detail
	if !detail.present() || detail.is.General.is.JobID.positive() == nil {
		return job.Snapshot{}, withoutJob(answer, reply, body)
	}
	if err := detail.is.check(number); err != nil {
		return job.Snapshot{}, err
	}
	return detail.is.snapshot(commcell), nil
}

// withoutJob is the error of an answer that names no job.
func withoutJob(answer *section[envelope], reply *reply, body []byte) error {
	r := remarksIn(body)
	detail := &reply.Job.is.Detail
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
	id := *d.General.is.JobID.positive()
	switch {
	case number != 0 && id != number:
		return notAnAnswer("the answer is of job %d", id)
	case d.Progress.is.State.broken():
		return brokenByte("state", d.Progress.is.State)
	case d.Progress.is.Phase.broken():
		return brokenByte("phase", d.Progress.is.Phase)
	}
	return nil
}

func brokenByte(member string, t text) *Error {
	e := notAnAnswer("a broken byte in the %s", member)
	e.Words = t.words
	return e
}
