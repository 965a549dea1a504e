package commvault

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"slices"
	"testing"
	"time"
)

// BenchmarkDecode reads the typical answer of a running backup. The ratio is to what reading takes that
// tolerates nothing, in the same run: encoding/json into plain types, which would stop at the first
// number that comes as a text; and encoding/xml's tokens, of which nothing is made.
func BenchmarkDecode(b *testing.B) {
	inJSON := readFile(b, "testdata/running-backup.json")
	b.Run("json", func(b *testing.B) { compare(b, inJSON, plainJSON) })
	b.Run("xml", func(b *testing.B) { compare(b, asXML(b, inJSON), plainXML) })
	machines := readFile(b, "testdata/finished-machines.json")
	b.Run("xml-machines", func(b *testing.B) { compare(b, asXML(b, machines), plainXML) })
}

func compare(b *testing.B, body []byte, plain func(body []byte) error) {
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	var ours, theirs time.Duration
	for b.Loop() {
		began := time.Now()
		if _, err := decodeDetails("prod", 0, body); err != nil {
			b.Fatal(err)
		}
		between := time.Now()
		if err := plain(body); err != nil {
			b.Fatal(err)
		}
		ours, theirs = ours+between.Sub(began), theirs+time.Since(between)
	}
	b.ReportMetric(float64(ours.Nanoseconds())/float64(b.N), "decode-ns/op")
	b.ReportMetric(float64(ours)/float64(theirs), "ratio")
}

func plainJSON(body []byte) error {
	var into plainAnswer
	return json.Unmarshal(body, &into)
}

func plainXML(body []byte) error {
	decoder := xml.NewDecoder(bytes.NewReader(body))
	for {
		if _, err := decoder.Token(); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

// asXML writes an answer in JSON as the XML that the same CommServe would send.
func asXML(b *testing.B, body []byte) []byte {
	var answer map[string]any
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if err := decoder.Decode(&answer); err != nil {
		b.Fatal(err)
	}
	return []byte(treeOf(answer).inXML(detailsRoot))
}

func treeOf(object map[string]any) (t tree) {
	for _, name := range slices.Sorted(maps.Keys(object)) {
		t = append(t, member{name, twinOf(object[name])})
	}
	return t
}

func twinOf(value any) any {
	switch value := value.(type) {
	case map[string]any:
		return treeOf(value)
	case []any:
		all := []tree{}
		for _, one := range value {
			all = append(all, treeOf(one.(map[string]any)))
		}
		return all
	}
	return value
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
