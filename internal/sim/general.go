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
func (l *live) generalInfo() []byte {
	o := object{
		"jobId": l.ID, "operationType": manners[l.Kind].operation, "opType": manners[l.Kind].opType,
		"backupType": l.level(), "startTime": l.config.wall(l.steps[0].At).Unix(),
		"jobStartedBy": "admin", "jobStartedFrom": "Schedule", "priority": -999,
		"softwareCompression": "Storage Policy", "systemState": "No", "encrypted": "No",
		"jobAttributes": int64(attributes), "jobAttributesEx": 0, "vsaParentJobID": 0, "jobIdActedOn": 0,
		"subclient": l.subclient(), "destinationClient": object{"clientId": 0},
	}
	if l.Kind == FileSystem {
		o["priority"] = 166
	}
	if l.Kind == Restore {
		o["destinationClient"] = object{"clientName": l.Client}
		o["softwareCompression"] = "Off"
		o["useScalableResourceAllocation"] = "Unavailable"
		return o.open()
	}
	o["commcell"] = object{"commCellId": l.config.CommCellID}
	if l.isBackup() {
		o["storagePolicy"] = l.storagePolicy()
		o["mediaAgent"] = object{"mediaAgentId": 3, "mediaAgentName": "ma-01"}
	}
	return o.open()
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

func (l *live) storagePolicy() object {
	return object{"storagePolicyId": 12, "storagePolicyName": "daily-to-disk"}
}

func (l *live) subclient() object {
	m := manners[l.Kind]
	if !l.hasClient() {
		return object{
			"clientId": 0, "instanceId": 0, "backupsetId": 0, "subclientId": 0,
			"applicationId": 0, "appName": m.agent,
		}
	}
	o := object{
		"clientId": 100 + hash(l.Client)%900, "clientName": l.Client, "displayName": l.Client,
		"applicationId": m.appID, "appName": m.agent, "instanceId": 1, "instanceName": "DefaultInstanceName",
		"backupsetId": 7, "backupsetName": "defaultBackupSet", "subclientId": 0,
	}
	if l.Kind == VirtualServer {
		o["instanceName"] = "VMware"
	}
	if l.isBackup() {
		o["subclientId"], o["subclientName"] = 40+mix(uint64(l.ID))%60, "default"
	}
	return o
}
