package metrics

import (
	"slices"

	"jobwatch/internal/job"
)

// endClasses are those that a job may end in.
var endClasses = []job.Class{job.Succeeded, job.Partial, job.Failed, job.Killed, job.Unknown}

// operations are the values of the label operation: slugs of what a CommServe calls them, which may also be another
// language's, or a workflow's own, and are otherOperation then.
var operations = []string{
	"backup", "snap_backup", "synthetic_full", "archive", "disaster_recovery_backup", "restore",
	"auxiliary_copy", "data_aging", "data_verification", otherOperation,
}

const otherOperation = "other"

func operationOf(s *job.Snapshot) string {
	if slug := job.Slug(s.Operation); slices.Contains(operations, slug) {
		return slug
	}
	return otherOperation
}

// ends says whether a change of state is a job's end: one from a finished state to another is none, for it was counted
// before.
func ends(change job.Change, of *job.Snapshot) bool {
	return change.Kind == job.KindState && of.Terminal && !job.LookUp(change.From, false).Finished && job.LookUp(change.To, true).Finished
}
