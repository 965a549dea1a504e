package sim

import (
	"time"
)

const gigabyte = 1 << 30

// details is the answer of JobDetails. Sizes and times come as texts, as real ones do; an active job has
// no detailInfo, a finished one hardly any progressInfo.
func (m *moment) details(w *writer) {
	w.object("job", func() {
		w.object("jobDetail", func() { m.jobDetail(w) })
	})
}

func (m *moment) jobDetail(w *writer) {
	w.object("generalInfo", func() {
		w.number("totalNumOfFiles", m.fileCount())
		w.text("pendingReasonErrorCode", m.Code)
		w.put(m.general)
	})
	switch {
	case m.Mute:
	case m.done:
		w.object("progressInfo", func() { m.progressAfter(w) })
	default:
		w.object("progressInfo", func() { m.progress(w) })
	}
	if m.done {
		w.object("detailInfo", func() { m.detailInfo(w) })
	}
	if m.machines != nil {
		w.object("clientStatusInfo", func() { m.machines.write(w) })
	}
	if m.tries > 0 {
		m.attemptsInfo(w)
	}
}

func (m *moment) progress(w *writer) {
	w.text("reasonForJobDelay", m.Reason)
	w.text("state", m.State)
	w.text("currentPhase", m.Phase)
	w.number("percentComplete", int64(m.percent()))
	w.number("elapsedTime", m.freshSeconds())
	w.number("estimatedCompletionTime", m.expected())
	w.number("lastJobUpdateTime", m.updated().Unix())
	w.number("numOfFilesTransferred", m.doneFiles())
	w.numeral("sizeOfApplication", m.doneBytes())
	w.numeral("transferTime", m.seconds())
	w.ratio("averageThroughput", m.throughput())
	w.ratio("currentAttemptThroughput", m.throughput())
	w.text("failures", m.Failures)
}

func (m *moment) progressAfter(w *writer) {
	w.text("reasonForJobDelay", m.Reason)
	w.text("state", m.State)
	if m.isBackup() {
		w.number("numOfFilesTransferred", m.doneFiles())
	}
}

func (m *moment) detailInfo(w *writer) {
	w.number("startTime", m.began().Unix())
	w.number("endTime", m.ending().Unix())
	w.numeral("transferTime", m.seconds())
	w.numeral("sizeOfApplication", m.doneBytes())
	w.numeral("dataWritten", m.written())
	w.numeral("dataXferedNetwork", m.written()+m.written()/100)
	w.size("unCompressedBytes", m.doneBytes())
	w.size("compressedBytes", m.written())
	w.size("sizeOfMediaOnDisk", m.written())
	w.number("numOfObjects", m.doneFiles())
	w.number("skippedItems", 0)
	w.ratioText("savingsPercent", m.savings())
	w.ratioText("throughPut", m.throughput())
	if m.Failures != "" {
		m.failureCounts(w)
	}
	if m.Kind != Restore {
		w.number("numOfStreams", 4)
	}
}

func (m *moment) failureCounts(w *writer) {
	w.text("failures", m.Failures)
	w.number("backupFolderFailures", m.folders)
	w.number("backupFileFailures", m.files)
	w.number("scanFolderFailures", 0)
	w.number("scanFileFailures", 0)
}

func (m *moment) began() time.Time  { return m.config.wall(m.steps[0].At) }
func (m *moment) ending() time.Time { return m.config.wall(m.ended) }

// updated moves in steps of 300 simulated seconds, whatever happens in between, and to the end at the end.
func (m *moment) updated() time.Time {
	if m.done {
		return m.ending()
	}
	const every = 300 * time.Second
	age := m.at - m.steps[0].At
	first := time.Duration(mix(uint64(m.ID)) % uint64(every))
	if age < first {
		return m.began()
	}
	return m.config.wall(m.steps[0].At + first + (age-first)/every*every)
}

// expected is 0 before there is anything to reckon from.
func (m *moment) expected() int64 {
	if m.plan == 0 || m.portion == 0 {
		return 0
	}
	left := time.Duration((1 - m.portion) * float64(m.plan))
	return m.config.wall(m.at + left).Unix()
}

// seconds is the time at work by the CommServe's clock, pauses excluded.
func (m *moment) seconds() int64 {
	return int64(m.elapsed.Seconds() / m.config.Speed)
}

// freshSeconds differs from one answer to the next, also within one second: whoever takes two answers
// for the same because their bytes are shall not get away with it here.
func (m *moment) freshSeconds() int64 { return m.seconds()&^1 | m.answers.Add(1)&1 }

func (m *moment) percent() int     { return min(99, int(100*m.portion)) }
func (m *moment) doneBytes() int64 { return int64(m.portion * float64(m.totalBytes)) }
func (m *moment) doneFiles() int64 { return int64(m.portion * float64(m.totalFiles)) }

// fileCount is -999 where Commvault counts no files.
func (m *moment) fileCount() int64 {
	if m.Kind == FileSystem {
		return m.doneFiles()
	}
	return -999
}

func (m *moment) savings() float64 {
	if m.Kind == Restore {
		return 100 // of nothing written
	}
	return float64(mix(uint64(m.ID))%9000) / 100
}

func (m *moment) written() int64 { return int64(float64(m.doneBytes()) * (1 - m.savings()/100)) }

// throughput is in GB an hour.
func (m *moment) throughput() float64 {
	if m.elapsed == 0 {
		return 0
	}
	return float64(m.doneBytes()) / gigabyte / (m.elapsed.Hours() / m.config.Speed)
}

// manner is how a kind of job names itself.
type manner struct {
	operation string // generalInfo.operationType
	jobType   string // the list's
	agent     string // appName
	appID     int64
	opType    int64
}

var manners = map[Kind]manner{
	FileSystem:       {"Backup", "Backup", "Windows File System", 33, 4},
	VirtualServer:    {"Backup", "Backup", "Virtual Server", 106, 4},
	Restore:          {"Restore", "Restore", "Linux File System", 29, 5},
	DisasterRecovery: {"Disaster Recovery Backup", "CS DR Backup", "Default Application Type Name", 0, 11},
	Verification:     {"Data Verification", "Data Verification", "Default Application Type Name", 0, 31},
}

// attributes is what real servers send: it takes an int64, a float64 counts to 2^53 only.
const attributes = 1 << 58

func (j *Job) hasClient() bool { return j.Kind != DisasterRecovery && j.Kind != Verification }

// isBackup leaves out the CommServe's own, which has no storage policy.
func (j *Job) isBackup() bool { return j.Kind == FileSystem || j.Kind == VirtualServer }

// generalInfo is what JobDetails says of a job that does not change.
func (l *live) generalInfo(w *writer) {
	w.number("jobId", l.ID)
	w.text("operationType", manners[l.Kind].operation)
	w.number("opType", manners[l.Kind].opType)
	w.text("backupType", l.level())
	w.number("startTime", l.config.wall(l.steps[0].At).Unix())
	w.text("jobStartedBy", "admin")
	w.text("jobStartedFrom", "Schedule")
	w.number("priority", l.priority())
	w.text("systemState", "No")
	w.text("encrypted", "No")
	w.number("jobAttributes", attributes)
	w.number("jobAttributesEx", 0)
	w.number("vsaParentJobID", l.Parent)
	w.number("jobIdActedOn", 0)
	if l.Kind == Restore {
		l.restored(w)
		return
	}
	w.text("softwareCompression", "Storage Policy")
	l.subclient(w)
	w.object("destinationClient", func() { w.number("clientId", 0) })
	w.object("commcell", func() { w.number("commCellId", l.config.CommCellID) })
	if l.isBackup() {
		l.storagePolicy(w)
		w.object("mediaAgent", func() {
			w.number("mediaAgentId", 3)
			w.text("mediaAgentName", "ma-01")
		})
	}
}

// restored is the rest of a restore's, which lacks the policy, the MediaAgent and the CommCell.
func (l *live) restored(w *writer) {
	w.text("softwareCompression", "Off")
	w.text("useScalableResourceAllocation", "Unavailable")
	l.subclient(w)
	w.object("destinationClient", func() { w.text("clientName", l.Client) })
}

// priority is -999 where it does not apply.
func (l *live) priority() int64 {
	if l.Kind == FileSystem {
		return 166
	}
	return -999
}

// level is the backup level by its word.
func (l *live) level() string {
	switch {
	case !l.isBackup():
		return "Unknown"
	case l.isFull():
		return "Full"
	}
	return "Incremental"
}

func (l *live) isFull() bool { return mix(uint64(l.ID))%3 == 0 }

func (l *live) storagePolicy(w *writer) {
	w.object("storagePolicy", func() {
		w.number("storagePolicyId", 12)
		w.text("storagePolicyName", "daily-to-disk")
	})
}

func (l *live) subclient(w *writer) {
	w.object("subclient", func() {
		w.number("applicationId", manners[l.Kind].appID)
		w.text("appName", manners[l.Kind].agent)
		if !l.hasClient() {
			w.number("clientId", 0)
			w.number("instanceId", 0)
			w.number("backupsetId", 0)
			w.number("subclientId", 0)
			return
		}
		l.clientSubclient(w)
	})
}

func (l *live) clientSubclient(w *writer) {
	w.number("clientId", int64(100+hash(l.Client)%900))
	w.text("clientName", l.Client)
	w.text("displayName", l.Client)
	w.number("instanceId", 1)
	w.text("instanceName", l.instance())
	w.number("backupsetId", 7)
	w.text("backupsetName", "defaultBackupSet")
	if !l.isBackup() {
		w.number("subclientId", 0)
		return
	}
	w.number("subclientId", int64(40+mix(uint64(l.ID))%60))
	w.text("subclientName", "default")
}

func (l *live) instance() string {
	if l.Kind == VirtualServer {
		return "VMware"
	}
	return "DefaultInstanceName"
}
