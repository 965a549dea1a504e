package sim

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// leaves are the values of a document by their paths: "job.jobDetail.generalInfo.jobId".
type leaves map[string]string

// fromXML reads attributes, and numbers the elements of a name that occurs in a list.
func fromXML(t *testing.T, text string) (root string, all leaves) {
	t.Helper()
	type element struct {
		XMLName  xml.Name
		Attrs    []xml.Attr `xml:",any,attr"`
		Elements []element  `xml:",any"`
		Text     string     `xml:",chardata"`
	}
	var outer element
	if err := xml.Unmarshal([]byte(text), &outer); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	all = leaves{}
	var read func(path string, e element)
	read = func(path string, e element) {
		if e.Text != "" {
			t.Errorf("%s holds the text %q", path, e.Text)
		}
		for _, a := range e.Attrs {
			all[path+a.Name.Local] = a.Value
		}
		seen := map[string]int{}
		for _, inner := range e.Elements {
			name := inner.XMLName.Local
			if lists[name] {
				name += fmt.Sprint(seen[name])
				seen[inner.XMLName.Local]++
			}
			read(path+name+".", inner)
		}
	}
	read("", outer)
	return outer.XMLName.Local, all
}

var lists = map[string]bool{"vmStatus": true, "jobs": true, "clientGroups": true, "errList": true}

func fromJSON(t *testing.T, text string) leaves {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var outer any
	if err := decoder.Decode(&outer); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	all := leaves{}
	var read func(path string, value any)
	read = func(path string, value any) {
		switch v := value.(type) {
		case map[string]any:
			for name, inner := range v {
				read(strings.TrimPrefix(path+"."+name, "."), inner)
			}
		case []any:
			for i, inner := range v {
				read(path+fmt.Sprint(i), inner)
			}
		case nil:
		default:
			all[path] = fmt.Sprint(v)
		}
	}
	read("", outer)
	return all
}

// same says whether XML's value is JSON's, in XML's way to write it.
func same(name, inJSON, inXML string) bool {
	switch {
	case inJSON == "true" || inJSON == "false":
		return inXML == inJSON || inXML == map[string]string{"true": "1", "false": "0"}[inJSON]
	case name == "percentComplete" && strings.HasSuffix(inXML, ".000000"):
		return inXML == inJSON+".000000"
	case strings.Contains(inXML, "E+"):
		a, _ := strconv.ParseFloat(inJSON, 64)
		b, err := strconv.ParseFloat(inXML, 64)
		return err == nil && a >= 1e7 && math.Abs(a-b) < a*1e-6
	case name == "backupLevel" && slices.Contains(levels, inXML):
		return inJSON == strconv.Itoa(slices.Index(levels, inXML))
	}
	return inXML == inJSON
}

var levels = []string{"NONE", "FULL", "INCREMANTAL"}

// both asks for one thing in the two formats, and compares. It gives what XML said.
func both(c *caller, method, path, body string) (root string, all leaves) {
	c.t.Helper()
	c.header = map[string]string{"Accept": "application/json"}
	_, inJSON := c.text(method, path, body)
	c.header["Accept"] = "application/xml"
	_, inXML := c.text(method, path, body)
	one := fromJSON(c.t, inJSON)
	root, all = fromXML(c.t, inXML)
	if !slices.Equal(slices.Sorted(maps.Keys(one)), slices.Sorted(maps.Keys(all))) {
		c.t.Errorf("%s %s %s: members differ:\n%s\n%s", method, path, body, inJSON, inXML)
	}
	for place, value := range one {
		name := place[strings.LastIndexByte(place, '.')+1:]
		if !eachItsOwn[name] && !same(name, value, all[place]) {
			c.t.Errorf("%s %s %s: %s: %q in JSON, %q in XML", method, path, body, place, value, all[place])
		}
	}
	return root, all
}

// eachItsOwn are those that differ from one answer to the next.
var eachItsOwn = map[string]bool{"elapsedTime": true, "token": true, "loginAttempts": true}

func TestXMLSaysWhatJSONSays(t *testing.T) {
	var clock hand
	s := New(Config{Jobs: 150, Oddities: 0.1, VMs: 3, Clock: clock.now})
	s.Add(Job{ID: 6, Client: `"a" & <b>'s` + "\ttab", Steps: []Step{{State: "Pending", Reason: `C:\x "y" & <z> ü`, Code: "1:2"}}})
	c := call(t, s)
	for second := 0; second < 150; second += 10 {
		clock.set(time.Duration(second) * time.Second)
		for id := int64(firstJob); id < firstJob+150; id += 7 {
			both(c, "POST", "JobDetails", fmt.Sprintf(`{"jobId":%d}`, id))
			both(c, "GET", fmt.Sprintf("Job/%d", id), "")
		}
		both(c, "GET", "Job?jobFilter=", "")
	}
	if root, all := both(c, "POST", "JobDetails", `{"jobId":6}`); root != "JobManager_JobDetailResponse" ||
		all["job.jobDetail.progressInfo.reasonForJobDelay"] != `C:\x "y" & <z> ü` || all["job.jobDetail.generalInfo.subclient.clientName"] != `"a" & <b>'s`+"\ttab" {
		t.Errorf("%s %v", root, all)
	}
	for _, ask := range [][3]string{
		{"POST", "Jobs", `{"pagingConfig":{"limit":2}}`}, {"GET", "CommServ", ""}, {"POST", "Login", `{"username":"x"}`},
		{"POST", "Login", `{"username":"watcher","password":"d2F0Y2hlcg=="}`}, {"GET", "Nothing", ""}, {"POST", "JobDetails", "?"},
		{"POST", "JobDetails", `{"jobId":4}`}, {"POST", "JobDetails", `{"jobId":5}`}, {"POST", "JobDetails", `{"jobId":7}`},
	} {
		both(c, ask[0], ask[1], ask[2])
	}
}

func TestXMLAsItIsWritten(t *testing.T) {
	var clock hand
	s := New(Config{Clock: clock.now, Start: time.Unix(1700000000, 0)})
	s.Add(Job{ID: 71, Kind: VirtualServer, Client: "vc", Steps: []Step{
		{State: "Running", VMs: []VM{{Name: "dc-01", Job: 72}}}, {At: time.Hour, State: "Completed", VMs: []VM{{Name: "dc-01", Job: 72}}},
	}})
	clock.set(2 * time.Hour)
	c := call(t, s)
	ask := func(method, path, body string) string {
		_, text := c.text(method, path, body)
		return text
	}
	for _, row := range []struct{ got, want string }{
		{ask("POST", "JobDetails", `<JobManager_JobDetailRequest jobId="71"/>`), `?>` + "<JobManager_JobDetailResponse><job><jobDetail><generalInfo "},
		{ask("POST", "JobDetails", `<JobManager_JobDetailRequest jobId="71"><commcell commCellId="2"/></JobManager_JobDetailRequest>`), ` jobId="71" `},
		{ask("POST", "JobDetails", `<JobManager_JobDetailRequest jobId="71"><commcell commCellId="3"/></JobManager_JobDetailRequest>`), `<error><errList errorCode="2" `},
		{ask("POST", "JobDetails", `<JobManager_JobDetailRequest jobId="71"/>`), `<clientStatusInfo><vmStatus vmName="dc-01" `},
		{ask("POST", "JobDetails", `<JobManager_JobDetailRequest jobId="71"/>`), ` jobID="72" `},
		{ask("POST", "JobDetails", `<JobManager_JobDetailRequest jobId="71"/>`), ` ArchivedByCurrentJob="0" `},
		{ask("POST", "JobDetails", `<JobManager_JobDetailRequest jobId="71"/>`), `E+`},
		{ask("POST", "JobDetails", `<JobManager_Other jobId="71"/>`), `<JobManager_JobDetailResponse errorMessage="The request could not be read."`},
		{ask("POST", "JobDetails", `<JobManager_JobDetailRequest jobId="8"/>`), `?><JobManager_JobDetailResponse/>`},
		{ask("POST", "JobDetails", `<JobManager_JobDetailRequest jobId="9"/>`), `?><JobManager_JobDetailResponse><job/></JobManager_JobDetailResponse>`},
		{ask("POST", "Login", `<DM2ContentIndexing_CheckCredentialReq mode="Webconsole" username="watcher" password="d2F0Y2hlcg==" domain=""/>`),
			`?><DM2ContentIndexing_CheckCredentialResp token="QSDK `},
		{ask("POST", "Login", `<DM2ContentIndexing_CheckCredentialReq username="watcher" password="d2F0"/>`),
			`?><DM2ContentIndexing_CheckCredentialResp loginAttempts="1" remainingLockTime="0" isAccountLocked="0"><errList errorCode="5" `},
	} {
		if !strings.Contains(row.got, row.want) {
			t.Errorf("no %s in %s", row.want, row.got)
		}
	}
	s.Fault(Fault{Kind: AccountLocked, Next: 1})
	if got := ask("POST", "Login", "<x/>"); !strings.Contains(got, ` remainingLockTime="900" isAccountLocked="1">`) {
		t.Errorf("got %s", got)
	}
	c.header = map[string]string{"Accept": "application/xml"}
	if got := ask("GET", "Job/71", ""); !strings.Contains(got, `?><JobManager_JobListResponse totalRecordsWithoutPaging="1"><jobs><jobSummary status="Completed" `) ||
		!strings.Contains(got, ` percentComplete="100.000000" `) || !strings.HasSuffix(got, "</jobSummary></jobs></JobManager_JobListResponse>") {
		t.Errorf("got %s", got)
	}
}

func TestTheClientChoosesTheFormat(t *testing.T) {
	const inXML = `<JobManager_JobDetailRequest jobId="7"/>`
	for _, row := range []struct{ accept, body, want string }{
		{"", `{"jobId":7}`, "{"}, {"", inXML, "<"}, {"*/*", inXML, "<"},
		{"application/json", inXML, "{"}, {"application/xml", `{"jobId":7}`, "<"}, {"text/xml", `{"jobId":7}`, "<"},
		{"application/json, application/xml;q=0.1", inXML, "{"},
	} {
		c := call(t, running(7))
		c.header = map[string]string{"Accept": row.accept}
		response, err := c.do("POST", "JobDetails", row.body)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		isXML := strings.HasPrefix(response.Header.Get("Content-Type"), "application/xml")
		if !strings.HasPrefix(string(body), row.want) || !strings.Contains(string(body), "Running") || isXML != (row.want == "<") {
			t.Errorf("%q, %s: got %s %s", row.accept, row.body, response.Header, body)
		}
	}
}
