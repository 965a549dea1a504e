package commvault

import (
	"encoding/json"
	"testing"
)

// BenchmarkDecode reads the typical answer of a running backup; beside it what encoding/json takes
// for the same members as plain types, which would stop at the first number that comes as a string.
func BenchmarkDecode(b *testing.B) {
	body := readFile(b, "testdata/running-backup.json")
	b.Run("tolerant", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Decode("prod", 2071, body); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("plain", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var into plainAnswer
			if err := json.Unmarshal(body, &into); err != nil {
				b.Fatal(err)
			}
		}
	})
}

type plainAnswer struct {
	Job struct {
		JobDetail struct {
			GeneralInfo struct {
				JobID           int64  `json:"jobId"`
				OperationType   string `json:"operationType"`
				BackupType      string `json:"backupType"`
				StartTime       int64  `json:"startTime"`
				JobStartedBy    string `json:"jobStartedBy"`
				JobStartedFrom  string `json:"jobStartedFrom"`
				Priority        int64  `json:"priority"`
				TotalNumOfFiles int64  `json:"totalNumOfFiles"`
				Compression     string `json:"softwareCompression"`
				SystemState     string `json:"systemState"`
				ReasonCode      string `json:"pendingReasonErrorCode"`
				ParentJob       int64  `json:"vsaParentJobID"`
				Subclient       struct {
					ClientName    string `json:"clientName"`
					AppName       string `json:"appName"`
					InstanceName  string `json:"instanceName"`
					BackupsetName string `json:"backupsetName"`
					SubclientName string `json:"subclientName"`
				} `json:"subclient"`
				StoragePolicy struct {
					Name string `json:"storagePolicyName"`
				} `json:"storagePolicy"`
				MediaAgent struct {
					Name string `json:"mediaAgentName"`
				} `json:"mediaAgent"`
				DestinationClient struct {
					Name string `json:"clientName"`
				} `json:"destinationClient"`
			} `json:"generalInfo"`
			ProgressInfo struct {
				State             string  `json:"state"`
				Phase             string  `json:"currentPhase"`
				DelayReason       string  `json:"reasonForJobDelay"`
				PendingReason     string  `json:"pendingReason"`
				Elapsed           int64   `json:"elapsedTime"`
				Estimated         int64   `json:"estimatedCompletionTime"`
				Updated           int64   `json:"lastJobUpdateTime"`
				Percent           float64 `json:"percentComplete"`
				FilesTransferred  int64   `json:"numOfFilesTransferred"`
				SizeOfApplication string  `json:"sizeOfApplication"`
				TransferTime      string  `json:"transferTime"`
				AverageThroughput string  `json:"averageThroughput"`
				CurrentThroughput float64 `json:"currentAttemptThroughput"`
				Failures          string  `json:"failures"`
			} `json:"progressInfo"`
		} `json:"jobDetail"`
	} `json:"job"`
}
