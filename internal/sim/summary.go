package sim

import (
	"fmt"
	"strings"
)

// summaryInfo is what a list says of a job that does not change.
func (l *live) summaryInfo() []byte {
	m := manners[l.Kind]
	o := object{
		"jobId": l.ID, "jobStartTime": l.config.wall(l.steps[0].At).Unix(), "jobType": m.jobType, "opType": m.opType,
		"localizedOperationName": m.operation, "appTypeName": m.agent, "subclient": l.subclient(),
		"backupLevel": 0, "commcellId": l.config.CommCellID, "vsaParentJobID": 0, "isVisible": true, "isPreemptable": 1,
		"alertColorLevel": 0, "errorType": 0, "userName": object{"userId": 1, "userName": "admin"},
	}
	if l.hasClient() {
		o["destClientName"], o["backupSetName"] = l.Client, "defaultBackupSet"
		o["clientGroups"] = []object{{"_type_": 28, "clientGroupId": 2, "clientGroupName": "Servers"}}
	}
	if l.isBackup() {
		o["subclientName"], o["storagePolicy"] = "default", l.storagePolicy()
		o["backupLevel"], o["backupLevelName"], o["localizedBackupLevelName"] = 2, l.level(), l.level()
		if l.isFull() {
			o["backupLevel"] = 1
		}
	}
	return o.open()
}

// line appends a job's jobSummary. It says status where the details say state, and numbers where they say
// texts; of reasons it has the pending one only.
func (m *moment) line(b []byte) []byte {
	b = append(b, `{"jobSummary":`...)
	b = append(b, m.summary...)
	b = fmt.Appendf(b, `,"status":%s,"localizedStatus":%s,"statusColor":"%s","currentPhaseName":%s,"percentComplete":%d,`+
		`"lastUpdateTime":%d,"jobElapsedTime":%d,"sizeOfApplication":%d,"totalNumOfFiles":%d,"percentSavings":%.2f,`+
		`"totalFailedFolders":%d,"totalFailedFiles":%d,"pendingReason":%s,"pendingReasonErrorCode":%s,`+
		`"jobSubmitErrorCode":%d,"isAged":%t`,
		m.state, m.state, m.color(), m.listedPhase(), m.listedPercent(),
		m.updated().Unix(), m.seconds(), m.doneBytes(), max(0, m.fileCount()), m.listedSavings(),
		m.folders, m.files, m.reason, m.code,
		m.submitError(), m.neverStarted())
	if m.done {
		b = fmt.Appendf(b, `,"jobEndTime":%d`, m.ending().Unix())
	}
	return append(b, `}}`...)
}

func (m *moment) neverStarted() bool { return strings.EqualFold(m.State, "Failed to Start") }

func (m *moment) submitError() int {
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
		return `""`
	}
	return m.phase
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
