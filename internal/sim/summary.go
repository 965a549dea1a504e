package sim

import (
	"strings"
)

// summaryInfo is what a list says of a job that does not change.
func (l *live) summaryInfo() node {
	m := manners[l.Kind]
	n := node{
		number("jobId", l.ID), number("jobStartTime", l.config.wall(l.steps[0].At).Unix()), text("jobType", m.jobType),
		number("opType", int64(m.opType)), text("localizedOperationName", m.operation), text("appTypeName", m.agent),
		number("commcellId", l.config.CommCellID), number("vsaParentJobID", l.Parent), word("isVisible", true),
		number("isPreemptable", 1), number("alertColorLevel", 0), number("errorType", 0),
		object("userName", node{number("userId", 1), text("userName", "admin")}), object("subclient", l.subclient()),
	}
	if l.hasClient() {
		n = append(n, text("destClientName", l.Client), text("backupSetName", "defaultBackupSet"), list("clientGroups", []node{
			{number("_type_", 28), number("clientGroupId", 2), text("clientGroupName", "Servers")},
		}))
	}
	if !l.isBackup() {
		return append(n, enum("backupLevel", 0, "NONE"))
	}
	return append(n, text("subclientName", "default"), object("storagePolicy", l.storagePolicy()),
		l.levelEnum(), text("backupLevelName", l.level()), text("localizedBackupLevelName", l.level()))
}

// levelEnum is misspelt as by Commvault.
func (l *live) levelEnum() member {
	if l.isFull() {
		return enum("backupLevel", 1, "FULL")
	}
	return enum("backupLevel", 2, "INCREMANTAL")
}

// line is a job's jobSummary. It says status where the details say state, and numbers where they say
// texts; of reasons it has the pending one only.
func (m *moment) line() node {
	n := node{
		m.summary, text("status", m.State), text("localizedStatus", m.State), text("statusColor", m.color()),
		text("currentPhaseName", m.listedPhase()), percent("percentComplete", m.listedPercent()),
		number("lastUpdateTime", m.updated().Unix()), number("jobElapsedTime", m.seconds()),
		number("sizeOfApplication", m.doneBytes()), number("totalNumOfFiles", max(0, m.fileCount())),
		ratio("percentSavings", m.listedSavings()), number("totalFailedFolders", int64(m.folders)),
		number("totalFailedFiles", int64(m.files)), text("pendingReason", m.Reason), text("pendingReasonErrorCode", m.Code),
		number("jobSubmitErrorCode", m.submitError()), word("isAged", m.neverStarted()),
	}
	if m.done {
		n = append(n, number("jobEndTime", m.ending().Unix()))
	}
	return n
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
