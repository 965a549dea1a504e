package commvault

import (
	"fmt"
	"strings"
	"testing"

	"jobwatch/internal/job"
)

func TestMachines(t *testing.T) {
	for written, want := range map[string]string{
		`{}`:                            "none told",
		`{"vmStatus":null}`:             "none told",
		`{"vmStatus":""}`:               "none told",
		`{"vmStatus":[]}`:               "",
		`{"vmStatus":[null,{},7]}`:      "",
		`{"vmStatus":{"vmName":"a"}}`:   "a:",
		`{"vmStatus":[{"GUID":"g"}]}`:   "g/g:",
		`{"vmStatus":[{"vmName":"-"}]}`: "-:",
		`{"vmStatus":[{"Status":2}]}`:   "",
		`{"vmStatus":[{"vmName":"a"},{"vmName":"b","FailureReason":"x"}]}`:                           "a: b:x",
		`{"vmStatus":[{"vmName":"a"},{"vmName":"a","FailureReason":"x"}]}`:                           "a:x",
		`{"vmStatus":[{"vmName":"a","FailureReason":"y"},{"vmName":"a"},{"vmName":"a"}]}`:            "a:y",
		`{"vmStatus":[{"vmName":"a","FailureReason":"y"},{"vmName":"a","FailureReason":"x"}]}`:       "a:x\ny",
		`{"vmStatus":[{"vmName":"a","FailureReason":"x\nz"},{"vmName":"a","FailureReason":"y\nx"}]}`: "a:x\ny\nz",
		`{"vmStatus":[{"vmName":"a","FailureReason":"b; a"},{"vmName":"a","FailureReason":"b; a"}]}`: "a:b; a",
		`{"vmStatus":[{"FailureReason":"x"}]}`:                                                       "-:x",

		// A machine is its GUID, unless that is none.
		`{"vmStatus":[{"vmName":"a","GUID":"g"},{"vmName":"a","GUID":"h","FailureReason":"x"}]}`: "a/g: a/h:x",
		`{"vmStatus":[{"vmName":"a","GUID":"g"},{"vmName":"b","GUID":"g","FailureReason":"x"}]}`: "b/g:x",
		`{"vmStatus":[{"vmName":"a","GUID":"g"},{"vmName":"a"}]}`:                                "a/g: a:",
		`{"vmStatus":[{"vmName":"a","GUID":"00000000-0000-0000-0000-000000000000"},
			{"vmName":"b","GUID":"00000000-0000-0000-0000-000000000000"}]}`: "a: b:",

		// Status 1 has failed, also without a reason; so has a live sync that says so.
		`{"vmStatus":[{"vmName":"a","Status":1},{"vmName":"b","Status":"1","FailureReason":" "},{"vmName":"c","Status":5}]}`: "a:? b:? c:",
		`{"vmStatus":[{"vmName":"a","Status":1,"FailureReason":"x"}]}`:                                                       "a:x",
		`{"vmStatus":[{"Status":1}]}`: "-:?",
		`{"vmStatus":[{"vmName":"a","Status":1},{"vmName":"a","FailureReason":"x"}]}`: "a:x",
		`{"vmStatus":[{"vmName":"a","FailureReason":"x"},{"vmName":"a","Status":1}]}`: "a:x",
		`{"vmStatus":[{"vmName":"a","Status":1},{"vmName":"a","syncStatus":5},{"vmName":"b","syncStatus":5},{"vmName":"b","Status":1}]}`: fmt.Sprintf(
			"a:%s b:%[1]s", job.SyncFailed),
		`{"vmStatus":[{"vmName":"a","syncStatus":5},{"vmName":"a","syncStatus":8},{"vmName":"b","syncStatus":8},{"vmName":"b","syncStatus":5}]}`: fmt.Sprintf(
			"a:%s b:%[1]s", job.SyncFailed),
		`{"vmStatus":[{"vmName":"a","syncStatus":5,"FailureReason":"x"}]}`: "a:x",
		`{"vmStatus":[{"vmName":"a","syncStatus":5},{"vmName":"b","syncStatus":8,"Status":1},{"vmName":"c","syncStatus":10}]}`: fmt.Sprintf(
			"a:%s b:%s c:%s", job.SyncFailed, job.SyncValidationFailed, job.SyncRevertFailed),
		`{"vmStatus":[{"vmName":"a","syncStatus":1},{"vmName":"b","syncStatus":2},{"vmName":"c","syncStatus":6}]}`: "a: b: c:",

		// Clients fail with a reason, whatever their status number.
		`{"clientStatus":[]}`:                  "none told",
		`{"clientStatus":[{},{"status":1},7]}`: "",
		`{"clientStatus":{"client":"a"}}`:      "",
		`{"clientStatus":{"client":{"clientName":"a"},"status":1,"jMFailureReasonStatus":""}}`:                                  "a:",
		`{"clientStatus":[{"client":{"clientName":"a"},"status":4},{"client":{"clientName":"b"},"jMFailureReasonStatus":"x"}]}`: "a: b:x",
		`{"clientStatus":[{"jMFailureReasonStatus":"x"}]}`:                                                                      "-:x",
		`{"vmStatus":[{"vmName":"a","GUID":"g"}],"clientStatus":[{"client":{"clientName":"b"}}]}`:                               "a/g: b:",
		`{"vmStatus":[{"vmName":"a"}],"clientStatus":[{"client":{"clientName":"a"},"jMFailureReasonStatus":"x"}]}`:              "a:x",
	} {
		body := `{"job":{"jobDetail":{"generalInfo":{"jobId":71},"clientStatusInfo":` + written + `}}}`
		if got := listed(decoded(t, body)); got != want {
			t.Errorf("%s: got %q, want %q", written, got, want)
		}
	}
}

func TestMachinesOfXML(t *testing.T) {
	for written, want := range map[string]string{
		``:                    "none told",
		`<clientStatusInfo/>`: "none told",
		`<clientStatusInfo><vmStatus/></clientStatusInfo>`:                                                                                "none told",
		`<clientStatusInfo><vmStatus vmName="a"/></clientStatusInfo>`:                                                                     "a:",
		`<clientStatusInfo><vmStatus vmName="a"/><x/><vmStatus vmName="b" FailureReason="c"/></clientStatusInfo>`:                         "a: b:c",
		`<clientStatusInfo><vmStatus><vmName>a</vmName></vmStatus><vmStatus vmName="a" FailureReason="c"/></clientStatusInfo>`:            "a:c",
		`<clientStatusInfo><vmStatus vmName="a" GUID="g" Status="1"/><vmStatus vmName="a" GUID="h" Status="0"/></clientStatusInfo>`:       "a/g:? a/h:",
		`<clientStatusInfo><vmStatus vmName="a" FailureReason="x&#xA;y"/></clientStatusInfo>`:                                             "a:x\ny",
		`<clientStatusInfo><clientStatus status="2" jMFailureReasonStatus="c"><client clientName="a"/></clientStatus></clientStatusInfo>`: "a:c",
	} {
		if got := listed(decoded(t, details71(written))); got != want {
			t.Errorf("%s: got %q, want %q", written, got, want)
		}
	}
}

// listed gives the machines as name/GUID:reason, where ? stands for the usual stand-in, and holds the counts against them.
func listed(s job.Snapshot) string {
	if s.VMs == nil {
		return "none told"
	}
	var all []string
	failed := 0
	for _, vm := range s.Machines {
		called := vm.Name
		if vm.GUID != "" {
			called += "/" + string(vm.GUID)
		}
		if vm.Reason != "" {
			failed++
		}
		if vm.Reason == job.Unexplained {
			vm.Reason = "?"
		}
		all = append(all, called+":"+string(vm.Reason))
	}
	if *s.VMs != (job.VMCount{Total: len(s.Machines), Failed: failed}) {
		return fmt.Sprintf("counted %+v: %v", *s.VMs, all)
	}
	return strings.Join(all, " ")
}
