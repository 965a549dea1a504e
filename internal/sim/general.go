package sim

// manner is how a kind of job names itself.
type manner struct {
	operation string // generalInfo.operationType
	jobType   string // the list's
	agent     string // appName
	appID     int
	opType    int
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
func (l *live) generalInfo() node {
	n := node{
		number("jobId", l.ID), text("operationType", manners[l.Kind].operation), number("opType", int64(manners[l.Kind].opType)),
		text("backupType", l.level()), number("startTime", l.config.wall(l.steps[0].At).Unix()),
		text("jobStartedBy", "admin"), text("jobStartedFrom", "Schedule"), number("priority", l.priority()),
		text("systemState", "No"), text("encrypted", "No"), number("jobAttributes", attributes),
		number("jobAttributesEx", 0), number("vsaParentJobID", l.Parent), number("jobIdActedOn", 0),
		object("subclient", l.subclient()),
	}
	if l.Kind == Restore {
		return append(n, text("softwareCompression", "Off"), text("useScalableResourceAllocation", "Unavailable"),
			object("destinationClient", node{text("clientName", l.Client)}))
	}
	n = append(n, text("softwareCompression", "Storage Policy"), object("destinationClient", node{number("clientId", 0)}),
		object("commcell", node{number("commCellId", l.config.CommCellID)}))
	if l.isBackup() {
		n = append(n, object("storagePolicy", l.storagePolicy()),
			object("mediaAgent", node{number("mediaAgentId", 3), text("mediaAgentName", "ma-01")}))
	}
	return n
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

func (l *live) storagePolicy() node {
	return node{number("storagePolicyId", 12), text("storagePolicyName", "daily-to-disk")}
}

func (l *live) subclient() node {
	m := manners[l.Kind]
	if !l.hasClient() {
		return node{
			number("clientId", 0), number("instanceId", 0), number("backupsetId", 0), number("subclientId", 0),
			number("applicationId", 0), text("appName", m.agent),
		}
	}
	n := node{
		number("clientId", int64(100+hash(l.Client)%900)), text("clientName", l.Client), text("displayName", l.Client),
		number("applicationId", int64(m.appID)), text("appName", m.agent), number("instanceId", 1),
		text("instanceName", l.instance()), number("backupsetId", 7), text("backupsetName", "defaultBackupSet"),
	}
	if l.isBackup() {
		return append(n, number("subclientId", int64(40+mix(uint64(l.ID))%60)), text("subclientName", "default"))
	}
	return append(n, number("subclientId", 0))
}

func (l *live) instance() string {
	if l.Kind == VirtualServer {
		return "VMware"
	}
	return "DefaultInstanceName"
}
