package sim

import (
	"strings"
)

// summaryInfo is what a list says of a job that does not change.
func (l *live) summaryInfo(w *writer) {
	m := manners[l.Kind]
	w.number("jobId", l.ID)
	w.number("jobStartTime", l.config.wall(l.steps[0].At).Unix())
	w.text("jobType", m.jobType)
	w.number("opType", m.opType)
	w.text("localizedOperationName", m.operation)
	w.text("appTypeName", m.agent)
	w.number("commcellId", l.config.CommCellID)
	w.number("vsaParentJobID", l.Parent)
	w.word("isVisible", true)
	w.number("isPreemptable", 1)
	w.number("alertColorLevel", 0)
	w.number("errorType", 0)
	l.summaryLevel(w)
	l.summaryObjects(w)
}

// summaryLevel has a word that is misspelt as by Commvault.
func (l *live) summaryLevel(w *writer) {
	if l.hasClient() {
		w.text("destClientName", l.Client)
		w.text("backupSetName", "defaultBackupSet")
	}
	switch {
	case !l.isBackup():
		w.enum("backupLevel", 0, "NONE")
		return
	case l.isFull():
		w.enum("backupLevel", 1, "FULL")
	default:
		w.enum("backupLevel", 2, "INCREMANTAL")
	}
	w.text("backupLevelName", l.level())
	w.text("localizedBackupLevelName", l.level())
	w.text("subclientName", "default")
}

func (l *live) summaryObjects(w *writer) {
	l.subclient(w)
	w.object("userName", func() {
		w.number("userId", 1)
		w.text("userName", "admin")
	})
	if l.isBackup() {
		l.storagePolicy(w)
	}
	if l.hasClient() {
		w.list("clientGroups", 1, func(int) {
			w.number("_type_", 28)
			w.number("clientGroupId", 2)
			w.text("clientGroupName", "Servers")
		})
	}
}

// line is a job's jobSummary. It says status where the details say state, and numbers where they say
// texts; of reasons it has the pending one only.
func (m *moment) line(w *writer) {
	w.text("status", m.State)
	w.text("localizedStatus", m.State)
	w.text("statusColor", m.color())
	w.text("currentPhaseName", m.listedPhase())
	w.percent("percentComplete", m.listedPercent())
	w.number("lastUpdateTime", m.updated().Unix())
	w.number("jobElapsedTime", m.seconds())
	w.number("sizeOfApplication", m.doneBytes())
	w.number("totalNumOfFiles", max(0, m.fileCount()))
	w.ratio("percentSavings", m.listedSavings())
	w.number("totalFailedFolders", m.folders)
	w.number("totalFailedFiles", m.files)
	w.text("pendingReason", m.Reason)
	w.text("pendingReasonErrorCode", m.Code)
	w.number("jobSubmitErrorCode", m.submitError())
	w.word("isAged", m.neverStarted())
	if m.done {
		w.number("jobEndTime", m.ending().Unix())
	}
	w.put(m.summary)
}

func (m *moment) neverStarted() bool { return strings.EqualFold(m.State, "Failed to Start") }

func (m *moment) submitError() int64 {
	if m.neverStarted() {
		return 14
	}
	return 0
}

// listedPercent is 100 at the end, also of a job that never started.
func (m *moment) listedPercent() int {
	if m.done {
		return 100
	}
	return m.percent()
}

func (m *moment) listedPhase() string {
	if m.done {
		return ""
	}
	return m.Phase
}

func (m *moment) listedSavings() float64 {
	if !m.done || !m.isBackup() {
		return 0
	}
	return m.savings()
}

func (m *moment) color() string {
	switch {
	case !m.done:
		return "greenspan"
	case strings.HasPrefix(strings.ToLower(m.State), "failed"):
		return "redspan"
	}
	return "black"
}
