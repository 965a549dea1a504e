package commvault

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/job"
)

// field is a row of docs/fields.md.
type field struct{ commvault, member, kind string }

func documentedFields(t *testing.T) (fields []field) {
	t.Helper()
	for line := range strings.Lines(string(readFile(t, "../../docs/fields.md"))) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 6 || !strings.Contains(cells[2], "`") {
			continue
		}
		for i := range cells {
			cells[i] = strings.Trim(cells[i], " `")
		}
		fields = append(fields, field{cells[1], cells[2], cells[3]})
	}
	return fields
}

// commvaultsFields are the response parameters that Commvault documents (POST JobDetails).
var commvaultsFields = map[string]string{
	"generalInfo": "jobId totalNumOfFiles jobStartedBy startTime jobStartedFrom priority systemState softwareCompression backupType " +
		"subclient.backupsetName subclient.subclientName subclient.appName subclient.instanceName subclient.clientName " +
		"mediaAgent.mediaAgentName storagePolicy.storagePolicyName",
	"progressInfo": "currentPhase state elapsedTime numOfFilesTransferred sizeOfApplication transferTime estimatedCompletionTime " +
		"lastJobUpdateTime percentComplete currentAttemptThroughput averageThroughput",
	"detailInfo": "savingsPercent failures unCompressedBytes compressedBytes endTime numOfObjects transferTime startTime dataWritten " +
		"numOfStreams dataXferedNetwork sizeOfApplication",
	"clientStatusInfo.vmStatus": "OperatingSystem Size UsedSpace ArchivedByCurrentJob CBTStatus BackupType GuestSize Status Agent vmName " +
		"ToolsVersion clientId Host HardwareVersion StubStatus BackupEndTime FailureReason BackupStartTime TransportMode " +
		"PoweredOffByCurrentJob PoweredOffSince",
}

func TestEveryDocumentedFieldIsRead(t *testing.T) {
	read := map[string]bool{}
	for _, f := range documentedFields(t) {
		read[f.commvault] = true
	}
	for section, parameters := range commvaultsFields {
		for parameter := range strings.FieldsSeq(parameters) {
			if !read[section+"."+parameter] {
				t.Errorf("docs/fields.md has no row of %s.%s", section, parameter)
			}
		}
	}
}

func TestTheTableOfFieldsIsThatOfTheTypes(t *testing.T) {
	kinds := map[string]string{}
	for prefix, of := range map[string]reflect.Type{
		"": reflect.TypeFor[job.Snapshot](), "vms.": reflect.TypeFor[job.VMCount](), "machines[].": reflect.TypeFor[job.VM](),
	} {
		for _, f := range reflect.VisibleFields(of) {
			if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "-" {
				kinds[prefix+name] = kindOf(f.Type)
			}
		}
	}
	told := map[string]bool{}
	for _, f := range documentedFields(t) {
		told[f.member] = true
		if kinds[f.member] != f.kind {
			t.Errorf("%s: the table says %q, the type %q", f.member, f.kind, kinds[f.member])
		}
	}
	for member := range kinds {
		if !told[member] {
			t.Errorf("docs/fields.md has no row of %s", member)
		}
	}
}

func kindOf(of reflect.Type) string {
	if of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	switch {
	case of == reflect.TypeFor[time.Time]():
		return "time"
	case of.Kind() == reflect.String:
		return "text"
	case of.Kind() == reflect.Int64, of.Kind() == reflect.Int:
		return "integer"
	case of.Kind() == reflect.Float64:
		return "number"
	case of.Kind() == reflect.Bool:
		return "boolean"
	}
	return "object"
}

// Each parameter, alone in an answer beside the job's number, makes its member speak.
func TestEachFieldIsReadAlone(t *testing.T) {
	said := map[string]struct {
		sent any
		want string
	}{
		"text": {"the words", `"the words"`}, "integer": {literal("71"), "71"}, "number": {literal("7.5"), "7.5"},
		"boolean": {literal("1"), "true"}, "time": {literal("1793958318"), `"2026-11-06T09:45:18Z"`},
	}
	rows := 0
	for _, f := range documentedFields(t) {
		if f.commvault == "" {
			continue
		}
		rows++
		sent := answerWith(strings.Split(f.commvault, "."), said[f.kind].sent)
		for _, body := range []string{sent.inJSON(), sent.inXML(detailsRoot)} {
			if got := memberOf(t, decoded(t, body), f.member); got != said[f.kind].want {
				t.Errorf("%s of %s is %s, want %s", f.member, body, got, said[f.kind].want)
			}
		}
	}
	if rows < 70 {
		t.Errorf("%d rows, want 70 at least", rows)
	}
}

// companions are what an answer, and a machine, needs in order to be one.
var companions = map[string]member{"generalInfo": {"jobId", literal("71")}, "vmStatus": {"vmName", "mail"}}

// answerWith is an answer of job 71 that says the value at the path, and no more.
func answerWith(path []string, value any) tree {
	for i := len(path) - 1; i > 0; i-- {
		object := tree{{path[i], value}}
		companion, needed := companions[path[i-1]]
		if needed && path[i] != companion.name && path[i] != "GUID" {
			object = append(object, companion)
		}
		value = object
	}
	said := member{path[0], value}
	if path[0] == "generalInfo" {
		return detailsOf(said)
	}
	return detailsOf(member{"generalInfo", tree{companions["generalInfo"]}}, said)
}

func memberOf(t *testing.T, s job.Snapshot, name string) string {
	t.Helper()
	var of any = s
	if inner, machine := strings.CutPrefix(name, "machines[]."); machine {
		name, of = inner, s.Machines[0]
	}
	written, err := json.Marshal(of)
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(written, &members); err != nil {
		t.Fatal(err)
	}
	return string(members[name])
}
