package job

import (
	"slices"
	"strings"
	"time"
)

// VMCount counts the machines of a job.
type VMCount struct {
	Total  int `json:"total"`
	Failed int `json:"failed"`
}

// VM is one virtual machine of a job (vmStatus), or a client that a job installs, updates or fetches logs from
// (clientStatus), of which only name and reason are said. It is its GUID, else its name. One with a Reason has failed.
type VM struct {
	Name       string     `json:"name"` // vmName, else GUID
	GUID       Text       `json:"guid"`
	Job        *int64     `json:"job"`           // jobID: the child job, where there is one
	Status     *int64     `json:"status"`        // 0 is well, 1 has failed, 5 was seen while it runs
	SyncStatus *int64     `json:"syncStatus"`    // of a live sync: 5, 8 and 10 are failures
	Reason     Text       `json:"failureReason"` // a placeholder where the server gives none
	Agent      Text       `json:"agent"`         // the proxy that took the backup
	Host       Text       `json:"host"`          // where the machine runs
	StartTime  *time.Time `json:"startTime"`
	EndTime    *time.Time `json:"endTime"`
	Size       *int64     `json:"size"`      // bytes that its disks may grow to
	UsedSpace  *int64     `json:"usedSpace"` // bytes backed up, without white space
	GuestSize  *int64     `json:"guestSize"` // bytes in use on the storage; 0 for Linux

	Client          *int64 `json:"clientId"` // of the virtualization client
	OperatingSystem Text   `json:"operatingSystem"`
	HardwareVersion Text   `json:"hardwareVersion"`
	ToolsVersion    Text   `json:"toolsVersion"` // of the guest's tools: "Out of date", "Not running"
	BackupType      *int64 `json:"backupType"`   // the method's number; its meaning is not documented
	TransportMode   Text   `json:"transportMode"`
	CBTStatus       Text   `json:"cbtStatus"` // changed block tracking: "Used"

	Archived        *bool      `json:"archivedByCurrentJob"`
	Stub            *bool      `json:"stubStatus"` // archived, by any job
	PoweredOff      *bool      `json:"poweredOffByCurrentJob"`
	PoweredOffSince *time.Time `json:"poweredOffSince"`
}

// The reasons of machines that fail and to which the server gives none.
const (
	Unexplained          Text = "failed; the CommServe gives no reason"
	SyncFailed           Text = "live sync failed; the CommServe gives no reason"
	SyncValidationFailed Text = "live sync validation failed; the CommServe gives no reason"
	SyncRevertFailed     Text = "live sync revert failed; the CommServe gives no reason"
)

// IsPlaceholder says whether a machine's reason is one of ours.
func (t Text) IsPlaceholder() bool {
	return t == Unexplained || t == SyncFailed || t == SyncValidationFailed || t == SyncRevertFailed
}

// Identity is the machine's GUID, else its name.
func (v *VM) Identity() string {
	if v.GUID != "" {
		return string(v.GUID)
	}
	return v.Name
}

// JobNumber is that of the machine's own job, 0 where it has none.
func (v *VM) JobNumber() int64 {
	if v.Job == nil {
		return 0
	}
	return *v.Job
}

// HasNewFailure says whether the machine has failed, and nothing or another reason was told of it. That its reason is
// given no longer is no other reason.
func (v *VM) HasNewFailure(told Text) bool {
	switch {
	case v.Reason == "":
		return false
	case told == "":
		return true
	case v.Reason == Unexplained, v.Reason.IsPlaceholder() && !told.IsPlaceholder():
		return false
	}
	return !SameReasons(v.Reason, told)
}

// SameReasons compares the reasons of a machine, a line each: neither their order nor the numbers in them count.
func SameReasons(a, b Text) bool {
	return a == b || slices.Equal(reasons(a), reasons(b))
}

// reasons are the lines of a text without their numbers, in order. Lines that differ in numbers are two.
func reasons(t Text) []Text {
	var lines []Text
	for line := range strings.Lines(string(t)) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, Text(line))
		}
	}
	slices.Sort(lines)
	lines = slices.Compact(lines)
	for i, line := range lines {
		lines[i] = line.WithoutNumbers()
	}
	slices.Sort(lines)
	return lines
}
