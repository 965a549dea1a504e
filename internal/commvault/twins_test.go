package commvault

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/job"
)

func whole(n int64) *int64          { return &n }
func ratio(f float64) *float64      { return &f }
func unix(seconds int64) *time.Time { t := time.Unix(seconds, 0).UTC(); return &t }
func yesOrNo(b bool) *bool          { return &b }

var backupOfHerbst = tree{
	{"jobId", literal("2071")}, {"operationType", "Backup"}, {"backupType", "Incremental"}, {"priority", literal("166")},
	{"totalNumOfFiles", literal("0")}, {"startTime", literal("1793958318")}, {"jobAttributes", literal("288230376151711744")},
	{"subclient", tree{{"clientName", "herbst.example.com"}, {"appName", "Windows File System"}, {"subclientName", "default"}}},
	{"storagePolicy", tree{{"storagePolicyName", "Keep_30"}}}, {"mediaAgent", tree{{"mediaAgentName", "ma-one"}}},
}

func herbst(state job.Text, more func(*job.Snapshot)) job.Snapshot {
	s := job.Snapshot{
		CommCell: "prod", Number: 2071, State: state, Operation: "Backup", BackupLevel: "Incremental", Priority: whole(166),
		TotalFiles: whole(0), StartTime: unix(1793958318), Client: "herbst.example.com", Agent: "Windows File System", Subclient: "default",
		StoragePolicy: "Keep_30", MediaAgent: "ma-one",
	}
	more(&s)
	s.Settle()
	return s
}

func bare71(more func(*job.Snapshot)) job.Snapshot {
	s := job.Snapshot{CommCell: "prod", Number: 71}
	more(&s)
	s.Settle()
	return s
}

var job71 = member{"generalInfo", tree{{"jobId", literal("71")}}}

var failingMachine = tree{{"vmName", "web"}, {"Status", literal("2")}, {"FailureReason", "Disk <2> is gone"}, {"PoweredOffByCurrentJob", literal("true")}}

func machinesOf(vms ...tree) tree {
	return detailsOf(job71, member{"clientStatusInfo", tree{{"vmStatus", vms}}})
}

// twins are jobs as a CommServe tells them, and what is made of them, in either format.
var twins = []struct {
	words string
	sent  tree
	want  job.Snapshot
}{
	{"running",
		detailsOf(member{"generalInfo", backupOfHerbst}, member{"progressInfo", tree{{"state", "Running"}, {"currentPhase", "Scan"},
			{"elapsedTime", literal("18")}, {"percentComplete", "50.500000"}, {"failures", "1 Folders, 2 Files"}, {"averageThroughput", "1.5"}}}),
		herbst("Running", func(s *job.Snapshot) {
			s.Phase, s.ElapsedSeconds, s.PercentComplete, s.AverageThroughput = "Scan", whole(18), ratio(50.5), ratio(1.5)
			s.Failures = "1 Folders, 2 Files"
		})},
	{"finished, with floats that have an exponent",
		detailsOf(member{"generalInfo", backupOfHerbst}, member{"progressInfo", tree{{"state", "Completed"}, {"reasonForJobDelay", ""}, {"currentPhase", "Scan"}}},
			member{"detailInfo", tree{{"endTime", literal("1793958418")}, {"unCompressedBytes", "4.571424E+09"}, {"savingsPercent", "-28.3"}, {"throughPut", "3.40"}}}),
		herbst("Completed", func(s *job.Snapshot) {
			s.EndTime, s.UncompressedBytes, s.SavingsPercent, s.Throughput = unix(1793958418), whole(4571424000), ratio(-28.3), ratio(3.4)
		})},
	{"finished, without a state",
		detailsOf(job71, member{"detailInfo", tree{{"endTime", "1793958418"}}}),
		bare71(func(s *job.Snapshot) { s.EndTime = unix(1793958418) })},
	{"pending, with a reason",
		detailsOf(member{"generalInfo", append(backupOfHerbst[:len(backupOfHerbst):len(backupOfHerbst)], member{"pendingReasonErrorCode", "19:579"})},
			member{"progressInfo", tree{{"state", "Pending"}, {"currentPhase", "Backup"}, {"reasonForJobDelay", "No drive.\nSource: ma-one"}}}),
		herbst("Pending", func(s *job.Snapshot) {
			s.Phase, s.Reason, s.ReasonCode = "Backup", "No drive.\nSource: ma-one", "19:579"
		})},
	{"a restore, and what does not apply to it",
		detailsOf(member{"generalInfo", tree{{"jobId", "71"}, {"priority", literal("-999")}, {"totalNumOfFiles", "-999"}, {"operationType", "Restore"},
			{"destinationClient", tree{{"clientName", "db-07"}}}}}, member{"progressInfo", tree{{"state", "Running"}}}),
		bare71(func(s *job.Snapshot) {
			s.State, s.Operation, s.Client, s.DestinationClient = "Running", "Restore", "db-07", "db-07"
		})},
	{"no client, no progress", detailsOf(job71), bare71(func(*job.Snapshot) {})},
	{"umlauts and escapes",
		detailsOf(member{"generalInfo", tree{{"jobId", literal("71")}, {"jobStartedBy", `Jürgen "JJ" <j&j@büro.de> '\' ü` + "\u2028"}}},
			member{"progressInfo", tree{{"state", "Läuft & lädt"}, {"currentPhase", "Prüfen > Lesen"}}}),
		bare71(func(s *job.Snapshot) {
			s.State, s.Phase, s.StartedBy = "Läuft & lädt", "Prüfen > Lesen", `Jürgen "JJ" <j&j@büro.de> '\' ü`+"\u2028"
		})},
	{"a name that looks like a member",
		detailsOf(member{"generalInfo", tree{{"jobId", literal("71")}, {"jobStartedBy", `"@jobId":72,{"`}}}),
		bare71(func(s *job.Snapshot) { s.StartedBy = `"@jobId":72,{"` })},
	{"one machine", machinesOf(failingMachine),
		bare71(func(s *job.Snapshot) {
			s.Machines = []job.VM{{Name: "web", Status: whole(2), Reason: "Disk <2> is gone", PoweredOff: yesOrNo(true)}}
		})},
	{"three machines",
		machinesOf(tree{{"vmName", "mail"}, {"GUID", "5036e64d"}, {"Status", "0"}, {"FailureReason", ""}, {"Size", literal("5396461258")},
			{"ArchivedByCurrentJob", literal("0")}, {"StubStatus", literal("1")}, {"PoweredOffSince", literal("0")}, {"clientId", literal("4007")}},
			failingMachine, tree{{"GUID", "5036e64e"}, {"jobID", "72"}, {"TransportMode", "hotadd"}}),
		bare71(func(s *job.Snapshot) {
			s.Machines = []job.VM{
				{Name: "mail", GUID: "5036e64d", Status: whole(0), Size: whole(5396461258), Archived: yesOrNo(false), Stub: yesOrNo(true), Client: whole(4007)},
				{Name: "web", Status: whole(2), Reason: "Disk <2> is gone", PoweredOff: yesOrNo(true)},
				{Name: "5036e64e", GUID: "5036e64e", Job: whole(72), TransportMode: "hotadd"},
			}
		})},
	{"machines of one name that fail without a reason",
		machinesOf(tree{{"vmName", "web"}, {"GUID", "g-1"}, {"Status", literal("1")}, {"FailureReason", ""}, {"jobID", literal("0")}},
			tree{{"vmName", "web"}, {"GUID", "g-2"}, {"Status", "5"}, {"syncStatus", literal("8")}}),
		bare71(func(s *job.Snapshot) {
			s.Machines = []job.VM{
				{Name: "web", GUID: "g-1", Status: whole(1), Reason: job.Unexplained},
				{Name: "web", GUID: "g-2", Status: whole(5), SyncStatus: whole(8), Reason: job.SyncValidationFailed},
			}
		})},
	{"clients of an installation",
		detailsOf(job71, member{"clientStatusInfo", tree{{"clientStatus", []tree{
			{{"jMFailureReasonStatus", ""}, {"status", literal("4")}, {"client", tree{{"clientName", "fs-01"}}}},
			{{"jMFailureReasonStatus", "It needs a reboot."}, {"status", literal("2")}, {"client", tree{{"clientName", "fs-02"}}}},
		}}}}),
		bare71(func(s *job.Snapshot) {
			s.Machines = []job.VM{{Name: "fs-01"}, {Name: "fs-02", Reason: "It needs a reboot."}}
		})},
	{"a broken byte in a reason",
		detailsOf(job71, member{"progressInfo", tree{{"state", "Waiting"}, {"pendingReason", "Ger" + broken + "t im B" + broken + broken + "ro fehlt"}}}),
		bare71(func(s *job.Snapshot) { s.State, s.Reason = "Waiting", "Ger\uFFFDt im B\uFFFD\uFFFDro fehlt" })},
	{"an error object beside the job",
		append(detailsOf(job71), member{"error", tree{{"errorCode", literal("200")}, {"errorMessage", ""}}}),
		bare71(func(*job.Snapshot) {})},
}

// broken stands for a byte that is no UTF-8, which neither format's writer would write.
const broken = "(broken)"

// inBoth writes the tree in JSON, and in XML with the root element given.
func inBoth(t tree, root string) []string {
	breaks := strings.NewReplacer(broken, "\xe4")
	return []string{breaks.Replace(t.inJSON()), breaks.Replace(t.inXML(root))}
}

func TestBothFormatsSayTheSame(t *testing.T) {
	for _, row := range twins {
		for _, body := range inBoth(row.sent, detailsRoot) {
			got, err := decodeBody("prod", row.want.Number, []byte(body))
			if err != nil || !reflect.DeepEqual(got, row.want) {
				t.Errorf("%s: %s\ngot  %+v, %v\nwant %+v", row.words, body, got, err, row.want)
			}
		}
	}
}

func errorObject(members ...member) tree { return tree{{"error", tree(members)}} }

func TestBothFormatsRefuseTheSame(t *testing.T) {
	var (
		unknown  = "unknown_job JobDetails of job 71: the CommServe does not know the job"
		no       = "not_an_answer JobDetails of job 71: "
		listed   = []tree{{{"errorCode", literal("587")}, {"errLogMessage", "No such job"}}}
		progress = func(members ...member) tree { return detailsOf(job71, member{"progressInfo", tree(members)}) }
	)
	for _, row := range []struct {
		words string
		sent  tree
		want  string
	}{
		{"empty", tree{}, unknown},
		{"an empty job", tree{{"job", tree{}}}, unknown},
		{"no error", errorObject(member{"errorCode", literal("0")}, member{"errorMessage", ""}), unknown},
		{"an error list", errorObject(member{"errList", listed}), unknown + ": No such job"},
		{"an error list alone", tree{{"errList", listed}}, unknown + ": No such job"},
		{"errors of a list", tree{{"errors", []tree{{{"errList", listed}}}}}, unknown + ": No such job"},
		{"a code alone", errorObject(member{"errList", []tree{{{"errorCode", "587"}}}}), no + "an error instead of a job: error 587"},
		{"flat", tree{{"errorMessage", "Access denied"}, {"errorCode", literal("5")}}, no + "an error instead of a job: Access denied"},
		{"nested", errorObject(member{"errorMessage", "Something <b>broke</b>"}, member{"errorCode", "500"}), no + "an error instead of a job: Something <b>broke</b>"},
		{"no job id", detailsOf(member{"generalInfo", tree{{"priority", literal("1")}}}), no + "the answer names no job id"},
		{"another job", detailsOf(member{"generalInfo", tree{{"jobId", literal("72")}}}), no + "the answer is of job 72"},
		{"a broken state", progress(member{"state", "Run" + broken + "ning"}), no + "a broken byte in the state: Run\uFFFDning"},
		{"a broken phase", progress(member{"state", "Running"}, member{"currentPhase", "B" + broken}), no + "a broken byte in the phase: B\uFFFD"},
		{"a state broken before", progress(member{"state", "Run\uFFFDning"}), no + "a broken byte in the state: Run\uFFFDning"},
	} {
		for _, body := range inBoth(row.sent, detailsRoot) {
			_, err := decodeBody("prod", 71, []byte(body))
			if got := string(KindOf(err)) + " " + errorText(err); got != row.want {
				t.Errorf("%s: %s\ngot  %s\nwant %s", row.words, body, got, row.want)
			}
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return "no error"
	}
	return err.Error()
}
