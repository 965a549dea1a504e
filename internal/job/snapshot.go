package job

import "time"

// Snapshot is what one answer said of a job (Commvault, POST JobDetails), normalized. It is the
// `job` member of an event, so its JSON names are a promise. What the CommServe did not say, or
// said as -999, is null: "" for a Text, nil for the others. Nothing of it is a guess.
//
// Times come as Unix seconds and are kept in UTC, sizes are bytes, throughputs are GB an hour. Members
// without a comment keep Commvault's name; docs/fields.md has them all beside Commvault's.
type Snapshot struct {
	CommCell   string `json:"commcell"`
	Number     int64  `json:"id"`
	State      Text   `json:"state"`      // progressInfo.state
	StateClass Text   `json:"stateClass"` // null where the state is
	Terminal   bool   `json:"terminal"`   // the job has ended
	Phase      Text   `json:"phase"`      // progressInfo.currentPhase; a finished job's is nothing

	Client            Text `json:"client"` // subclient.clientName, else destinationClient.clientName
	DestinationClient Text `json:"destinationClient"`
	Agent             Text `json:"agent"`     // subclient.appName
	Instance          Text `json:"instance"`  // subclient.instanceName
	Backupset         Text `json:"backupset"` // subclient.backupsetName
	Subclient         Text `json:"subclient"` // subclient.subclientName
	StoragePolicy     Text `json:"storagePolicy"`
	MediaAgent        Text `json:"mediaAgent"`

	Operation           Text   `json:"operation"`           // generalInfo.operationType
	BackupLevel         Text   `json:"backupLevel"`         // generalInfo.backupType
	StartedBy           Text   `json:"startedBy"`           // generalInfo.jobStartedBy, a user
	StartedFrom         Text   `json:"startedFrom"`         // generalInfo.jobStartedFrom: Interactive, Schedule
	SystemState         Text   `json:"systemState"`         // Yes, No, Unavailable
	SoftwareCompression Text   `json:"softwareCompression"` // where it is done
	Priority            *int64 `json:"priority"`
	ParentJob           *int64 `json:"parentJob"` // generalInfo.vsaParentJobID
	Attempt             *int64 `json:"attempt"`   // where the server tells attempts

	StartTime               *time.Time `json:"startTime"`      // generalInfo.startTime, else detailInfo's
	EndTime                 *time.Time `json:"endTime"`        // detailInfo.endTime
	LastUpdateTime          *time.Time `json:"lastUpdateTime"` // progressInfo.lastJobUpdateTime
	EstimatedCompletionTime *time.Time `json:"estimatedCompletionTime"`
	ElapsedSeconds          *int64     `json:"elapsedSeconds"`  // without pauses: no wall time
	TransferSeconds         *int64     `json:"transferSeconds"` // detailInfo.transferTime, else progressInfo's

	PercentComplete   *float64 `json:"percentComplete"`   // 100 is not success: "Failed to Start" says it too
	TotalFiles        *int64   `json:"totalFiles"`        // generalInfo.totalNumOfFiles
	FilesTransferred  *int64   `json:"filesTransferred"`  // progressInfo.numOfFilesTransferred
	Objects           *int64   `json:"objects"`           // detailInfo.numOfObjects
	SkippedItems      *int64   `json:"skippedItems"`      // a count
	Streams           *int64   `json:"streams"`           // detailInfo.numOfStreams
	SizeOfApplication *int64   `json:"sizeOfApplication"` // bytes; detailInfo's, else progressInfo's
	DataWritten       *int64   `json:"dataWritten"`       // bytes
	DataTransferred   *int64   `json:"dataTransferred"`   // bytes; detailInfo.dataXferedNetwork
	UncompressedBytes *int64   `json:"uncompressedBytes"`
	CompressedBytes   *int64   `json:"compressedBytes"`
	SizeOfMediaOnDisk *int64   `json:"sizeOfMediaOnDisk"` // bytes
	SavingsPercent    *float64 `json:"savingsPercent"`    // may be negative
	AverageThroughput *float64 `json:"averageThroughput"` // GB an hour, as the documentation says
	CurrentThroughput *float64 `json:"currentThroughput"` // GB an hour; progressInfo.currentAttemptThroughput
	Throughput        *float64 `json:"throughput"`        // GB an hour; detailInfo.throughPut

	Failures      Text     `json:"failures"` // as told: "0 Folders, 0 Files"
	FailedFiles   *int64   `json:"failedFiles"`
	FailedFolders *int64   `json:"failedFolders"`
	Reason        Text     `json:"pendingReason"`     // progressInfo.reasonForJobDelay, else .pendingReason
	ReasonCode    Text     `json:"pendingReasonCode"` // generalInfo.pendingReasonErrorCode, "19:579"
	VMs           *VMCount `json:"vms"`               // null where the answer lists neither machines nor clients

	Machines  []VM     `json:"-"` // clientStatusInfo: vmStatus and clientStatus; events carry the counts only
	Truncated []string `json:"-"` // JSON names of the members that were cut
}

// JobID names the job that the snapshot is of.
func (s *Snapshot) JobID() ID { return ID{CommCell: s.CommCell, Number: s.Number} }

// ReasonText is the pending reason in the CommServe's words, which may be no more than its code.
func (s *Snapshot) ReasonText() Text {
	if s.Reason == "" {
		return s.ReasonCode
	}
	return s.Reason
}

// Updated is the answer's own time, by the CommServe's clock: when it last changed the job, or ended it.
// The zero time: it says none.
func (s *Snapshot) Updated() time.Time {
	var updated time.Time
	for _, t := range []*time.Time{s.LastUpdateTime, s.EndTime} {
		if t != nil && t.After(updated) {
			updated = *t
		}
	}
	return updated
}

// BeganAfter says whether the answer is of a job that began after a time by the CommServe's clock. A start that is absent
// tells nothing; one after the answer's own time has shifted, by a time zone, say.
func (s *Snapshot) BeganAfter(last time.Time) bool {
	if s.StartTime == nil || last.IsZero() || !s.StartTime.After(last) {
		return false
	}
	own := s.Updated()
	return own.IsZero() || !own.Before(*s.StartTime)
}

// EndsWithoutState says of a finished job that the answer does not tell how it ended.
func (s *Snapshot) EndsWithoutState() bool { return s.State == "" && s.EndTime != nil }

// Settle derives what follows from the rest of the snapshot: class, end, the end's empty phase, counts.
// Code that fills a snapshot calls it last.
func (s *Snapshot) Settle() {
	info := LookUp(s.State, s.EndTime != nil)
	s.Terminal = info.Finished
	s.StateClass = ""
	if s.State != "" {
		s.StateClass = Text(info.Class)
	}
	if s.Terminal {
		s.Phase = ""
	}
	if folders, files, ok := ParseFailures(s.Failures); ok {
		s.FailedFolders, s.FailedFiles = &folders, &files
	}
	if s.Machines == nil {
		return
	}
	s.VMs = &VMCount{Total: len(s.Machines)}
	for i := range s.Machines {
		if s.Machines[i].Reason != "" {
			s.VMs.Failed++
		}
	}
}
