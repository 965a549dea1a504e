package commvault

// What a CommServe writes. The names are its own, as documented or seen.

// envelope is the answer to JobDetails. Old service packs wrap it once more.
type envelope struct {
	reply
	Old section[reply] `json:"JobManager_JobDetailResponse"`
}

type reply struct {
	Job  section[jobNode] `json:"job"`
	Jobs list[jobLine]    `json:"jobs"` // of a Job list, which answers something else
}

type jobNode struct {
	Detail section[jobDetail] `json:"jobDetail"`
}

// jobDetail has a detailInfo once the job has finished; its progressInfo may be nearly empty then.
type jobDetail struct {
	General  section[generalInfo]      `json:"generalInfo"`
	Progress section[progressInfo]     `json:"progressInfo"`
	Detail   section[detailInfo]       `json:"detailInfo"`
	Clients  section[clientStatusInfo] `json:"clientStatusInfo"`
	Attempts attempts                  `json:"attemptsInfo"`
}

type generalInfo struct {
	JobID             integer                `json:"jobId"`
	OperationType     text                   `json:"operationType"`
	BackupType        text                   `json:"backupType"`
	StartTime         integer                `json:"startTime"`
	StartedBy         text                   `json:"jobStartedBy"`
	StartedFrom       text                   `json:"jobStartedFrom"`
	Priority          integer                `json:"priority"`
	TotalFiles        integer                `json:"totalNumOfFiles"`
	Compression       text                   `json:"softwareCompression"`
	SystemState       text                   `json:"systemState"`
	ReasonCode        text                   `json:"pendingReasonErrorCode"`
	ParentJob         integer                `json:"vsaParentJobID"`
	Subclient         section[subclient]     `json:"subclient"`
	StoragePolicy     section[storagePolicy] `json:"storagePolicy"`
	MediaAgent        section[mediaAgent]    `json:"mediaAgent"`
	DestinationClient section[clientEntity]  `json:"destinationClient"`
}

type subclient struct {
	ClientName    text `json:"clientName"`
	AppName       text `json:"appName"`
	InstanceName  text `json:"instanceName"`
	BackupsetName text `json:"backupsetName"`
	SubclientName text `json:"subclientName"`
}

type storagePolicy struct {
	Name text `json:"storagePolicyName"`
}

type mediaAgent struct {
	Name text `json:"mediaAgentName"`
}

type clientEntity struct {
	Name text `json:"clientName"`
}

type progressInfo struct {
	State             text    `json:"state"`
	Phase             text    `json:"currentPhase"`
	DelayReason       text    `json:"reasonForJobDelay"`
	PendingReason     text    `json:"pendingReason"`
	Elapsed           integer `json:"elapsedTime"`
	Estimated         integer `json:"estimatedCompletionTime"`
	Updated           integer `json:"lastJobUpdateTime"`
	Percent           real    `json:"percentComplete"`
	FilesTransferred  integer `json:"numOfFilesTransferred"`
	SizeOfApplication integer `json:"sizeOfApplication"`
	TransferTime      integer `json:"transferTime"`
	AverageThroughput real    `json:"averageThroughput"`
	CurrentThroughput real    `json:"currentAttemptThroughput"`
	Failures          text    `json:"failures"`
}

type detailInfo struct {
	StartTime         integer `json:"startTime"`
	EndTime           integer `json:"endTime"`
	TransferTime      integer `json:"transferTime"`
	DataWritten       integer `json:"dataWritten"`
	DataTransferred   integer `json:"dataXferedNetwork"`
	SizeOfApplication integer `json:"sizeOfApplication"`
	UncompressedBytes integer `json:"unCompressedBytes"`
	CompressedBytes   integer `json:"compressedBytes"`
	SizeOfMedia       integer `json:"sizeOfMediaOnDisk"`
	Objects           integer `json:"numOfObjects"`
	Streams           integer `json:"numOfStreams"`
	SkippedItems      integer `json:"skippedItems"`
	SavingsPercent    real    `json:"savingsPercent"`
	Throughput        real    `json:"throughPut"`
	Failures          text    `json:"failures"`
}

// clientStatusInfo has machines in backups, restores and replications of such, clients in installations, updates and
// the sending of logs.
type clientStatusInfo struct {
	Machines list[vmStatus]     `json:"vmStatus"`
	Clients  list[clientStatus] `json:"clientStatus"`
}

// clientStatus has a status number too, of which nothing is known.
type clientStatus struct {
	Client section[clientEntity] `json:"client"`
	Reason text                  `json:"jMFailureReasonStatus"`
}

type vmStatus struct {
	Name      text    `json:"vmName"`
	GUID      text    `json:"GUID"`
	Job       integer `json:"jobID"`
	Status    integer `json:"Status"`
	Sync      integer `json:"syncStatus"`
	Reason    text    `json:"FailureReason"`
	Agent     text    `json:"Agent"`
	Host      text    `json:"Host"`
	Start     integer `json:"BackupStartTime"`
	End       integer `json:"BackupEndTime"`
	Size      integer `json:"Size"`
	UsedSpace integer `json:"UsedSpace"`
	GuestSize integer `json:"GuestSize"`

	Client          integer `json:"clientId"`
	OperatingSystem text    `json:"OperatingSystem"`
	HardwareVersion text    `json:"HardwareVersion"`
	ToolsVersion    text    `json:"ToolsVersion"`
	BackupType      integer `json:"BackupType"`
	TransportMode   text    `json:"TransportMode"`
	CBTStatus       text    `json:"CBTStatus"`

	Archived        boolean `json:"ArchivedByCurrentJob"`
	Stub            boolean `json:"StubStatus"`
	PoweredOff      boolean `json:"PoweredOffByCurrentJob"`
	PoweredOffSince integer `json:"PoweredOffSince"`
}

// jobList is the answer to GET Job and to GET Job/<id>.
type jobList struct {
	Total integer       `json:"totalRecordsWithoutPaging"`
	Jobs  list[jobLine] `json:"jobs"`
}

type jobLine struct {
	Summary section[jobSummary] `json:"jobSummary"`
}

// jobSummary calls status what JobDetails calls state, and keeps the phase's name apart from its number.
type jobSummary struct {
	JobID              integer               `json:"jobId"`
	Status             text                  `json:"status"`
	State              text                  `json:"state"` // where status is empty
	Phase              text                  `json:"currentPhaseName"`
	Reason             text                  `json:"pendingReason"`
	ReasonCode         text                  `json:"pendingReasonErrorCode"`
	FailedFiles        integer               `json:"totalFailedFiles"`
	FailedFolders      integer               `json:"totalFailedFolders"`
	Percent            real                  `json:"percentComplete"`
	StartTime          integer               `json:"jobStartTime"`
	EndTime            integer               `json:"jobEndTime"` // newer releases only
	Updated            integer               `json:"lastUpdateTime"`
	Parent             integer               `json:"vsaParentJobID"`
	JobType            text                  `json:"jobType"`
	Operation          text                  `json:"operation"`
	LocalizedOperation text                  `json:"localizedOperationName"`
	Application        text                  `json:"appTypeName"`
	DestinationName    text                  `json:"destClientName"`
	SubclientName      text                  `json:"subclientName"`
	Subclient          section[subclient]    `json:"subclient"`
	DestinationClient  section[clientEntity] `json:"destinationClient"`
	ClientGroups       list[clientGroup]     `json:"clientGroups"`
}

type clientGroup struct {
	Name text `json:"clientGroupName"`
}

type loginAnswer struct {
	Token         text              `json:"token"`
	Data          section[saasAuth] `json:"data"`
	RemainingLock integer           `json:"remainingLockTime"`
	Locked        boolean           `json:"isAccountLocked"`
}

type saasAuth struct {
	Token text `json:"authToken"`
}

func (a *loginAnswer) tokenText() string { return either(a.Token, a.Data.v.Token).words }
