package sim

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
