package commvault

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// details71 is an answer about job 71 with what is given inside its details.
func details71(inside string) string {
	return `<JobManager_JobDetailResponse><job><jobDetail><generalInfo jobId="71"/>` + inside + `</jobDetail></job></JobManager_JobDetailResponse>`
}

func TestXMLIsReadAsItComes(t *testing.T) {
	whole := details71(`<progressInfo state="Running"/>`)
	for words, body := range map[string]string{
		"as it is":             whole,
		"declared":             `<?xml version="1.0" encoding="UTF-8" standalone="no" ?>` + "\r\n" + whole + "\r\n\r\n",
		"declared as UTF-16":   `<?xml version="1.0" encoding="utf-16"?>` + whole,
		"byte order mark":      "\uFEFF" + whole,
		"comments":             "<!-- a -->" + strings.Replace(whole, "<job>", "<!-- <job> --><job>", 1) + "<!-- b -->",
		"an instruction":       strings.Replace(whole, "<job>", "<?go on?><job>", 1),
		"line ends":            strings.ReplaceAll(whole, "><", ">\r\n  <"),
		"prefixes":             strings.NewReplacer("<J", "<cv:J", "</J", "</cv:J", "<job>", `<cv:job xmlns:cv="urn:x">`, "</job>", "</cv:job>").Replace(whole),
		"a namespace":          strings.Replace(whole, "<JobManager_JobDetailResponse", `<JobManager_JobDetailResponse xmlns="urn:x" xmlns:xsi="urn:y" xsi:schemaLocation="urn:z"`, 1),
		"single quotes":        strings.ReplaceAll(whole, `"`, `'`),
		"elements for members": details71(`<progressInfo><state>Running</state><currentPhase/></progressInfo>`),
		"CDATA":                details71(`<progressInfo><state>Run<![CDATA[ning]]></state></progressInfo>`),
		"a text with a type":   details71(`<progressInfo><state xsi:type="xs:string" xml:space="preserve">Running</state></progressInfo>`),
		"references":           details71(`<progressInfo state="R&#117;n&#x6E;ing"/>`),
		"text between":         details71(`stray<progressInfo state="Running">words</progressInfo>`),
		"a section twice":      details71(`<progressInfo state="Killed"/><progressInfo state="Running"/>`),
		"what is not known":    details71(`<more a="1"><b/><c>d</c></more><progressInfo state="Running" e=""/>`),
	} {
		if !strings.Contains(body, "71") {
			t.Fatalf("%s: %s", words, body)
		}
		if s := decoded(t, body); s.State != "Running" || s.Phase != "" {
			t.Errorf("%s: %s: state %q, phase %q", words, body, s.State, s.Phase)
		}
	}
}

func TestTextsOfXMLAreTheServersOwn(t *testing.T) {
	for written, want := range map[string]string{
		`anna`:                           "anna",
		` anna `:                         " anna ",
		`   `:                            "",
		`-999`:                           "",
		`&lt;b&gt; &amp; &quot;&apos;`:   `<b> & "'`,
		`a&#10;b&#x9;c`:                  "a\nb\tc",
		"a\r\nb":                         "a\nb",
		"an\xffna":                       "an\uFFFDna",
		"B\xfc\xfcro":                    "B\uFFFD\uFFFDro",
		"an\x1bna":                       "an\uFFFDna",
		`an&#27;na`:                      "an\uFFFDna",
		`an&#x0;&#xD800;&#99999999999;a`: "an\uFFFD\uFFFD\uFFFDa",
		`a&#x1F600;`:                     "a\U0001F600",
		`{&quot;jobId&quot;:72}\`:        `{"jobId":72}\`,
	} {
		attribute := `<progressInfo reasonForJobDelay="` + written + `"/>`
		element := `<progressInfo><reasonForJobDelay>` + written + `</reasonForJobDelay></progressInfo>`
		for _, inside := range []string{attribute, element} {
			if got := decoded(t, details71(inside)).Reason; string(got) != want {
				t.Errorf("%q became %q, want %q", inside, got, want)
			}
		}
	}
}

func TestXMLThatIsNoAnswer(t *testing.T) {
	var (
		no    = "not_an_answer JobDetails of job 71: "
		page  = no + "a web page where an answer was expected (is url: the web service's root?)"
		whole = details71(`<progressInfo state="Running"/>`)
		cut   = func(at int) string { return fmt.Sprintf("%sthe answer is cut short after %d bytes", no, at) }
		deep  = strings.Repeat("<a>", 70) + strings.Repeat("</a>", 70)
	)
	for body, want := range map[string]string{
		`<`:                               cut(1),
		`<?xml version="1.0"?>`:           cut(21),
		`<JobManager_JobDetail`:           cut(21),
		whole[:50]:                        cut(50),
		whole[:len(whole)-1]:              cut(len(whole) - 1),
		whole[:len(whole)-31]:             cut(len(whole) - 31),
		whole + "x":                       no + "no XML from byte 152 on",
		whole + "<x/>":                    no + "no XML from byte 155 on",
		whole + whole:                     no + "no XML from byte 181 on",
		whole + "\x00":                    no + "no XML from byte 154 on",
		"x" + whole:                       no + "no JSON from byte 0 on",
		"{}" + whole:                      no + "no JSON from byte 2 on",
		details71("</progressInfo>"):      no + "no XML from byte 86 on",
		details71("<a></b>"):              no + "no XML from byte 78 on",
		details71("<p:a></a>"):            no + "no XML from byte 80 on",
		details71("<a b></a>"):            no + "no XML from byte 76 on",
		details71("<a b=1></a>"):          no + "no XML from byte 77 on",
		details71(deep):                   no + "XML nested deeper than 64",
		details71(`<a b="&nbsp;"/>`):      no + "no XML from byte 83 on",
		details71(`<!ENTITY a "b">`):      no + "XML with a DOCTYPE, or another declaration of its own",
		`<!DOCTYPE a SYSTEM "b">` + whole: no + "XML with a DOCTYPE, or another declaration of its own",
		`<!DOCTYPE JobManager_JobDetailResponse [<!ENTITY a "Running">]>` + strings.Replace(whole, "Running", "&a;", 1): no + "XML with a DOCTYPE, or another declaration of its own",
		`<?xml version="1.1"?>` + whole:                                 no + "no XML from byte 21 on",
		"<!doctype HTML PUBLIC><title>Log in</title>":                   page + ": Log in",
		`<html xmlns="urn:x"><head><title>Log in</title></head></html>`: page + ": Log in",
		`<br>`: page,
		`<jobmanager_jobdetailresponse><job/></jobmanager_jobdetailresponse>`:                                       page,
		`<JobManager_JobListResponse totalRecordsWithoutPaging="0"/>`:                                               no + "the answer is a JobManager_JobListResponse",
		`<Other><job><jobDetail><generalInfo jobId="71"/></jobDetail></job></Other>`:                                page,
		`<Other errorMessage="Access denied" errorCode="5"/>`:                                                       no + "an error instead of an answer: Access denied",
		`<Other><errList errLogMessage="No right"/></Other>`:                                                        no + "an error instead of an answer: No right",
		`<error errorMessage="Access denied" errorCode="5"/>`:                                                       no + "an error instead of a job: Access denied",
		`<error><errorMessage>Access denied</errorMessage></error>`:                                                 no + "an error instead of a job: Access denied",
		`<error><errList errorCode="587" errLogMessage="No such job"/></error>`:                                     "unknown_job JobDetails of job 71: the CommServe does not know the job: No such job",
		`<JobManager_JobDetailResponse><job/></JobManager_JobDetailResponse>`:                                       "unknown_job JobDetails of job 71: the CommServe does not know the job",
		`<JobManager_JobDetailResponse>none</JobManager_JobDetailResponse>`:                                         no + "an error instead of a job: none",
		`<JobManager_JobDetailResponse job="71"/>`:                                                                  no + "a job that is no object",
		details71("<clientStatusInfo>" + strings.Repeat(`<vmStatus a=""/>`, maxElements+1) + "</clientStatusInfo>"): no + "a list of more than 65536 elements",
		details71("<a" + strings.Repeat(` b=""`, maxElements+1) + "/>"):                                             no + "an XML element of more than 65536 attributes",
	} {
		s, err := decodeBody("prod", 71, []byte(body))
		if err == nil {
			t.Errorf("%.200s: an observation: %v", body, s.State)
			continue
		}
		if got := string(KindOf(err)) + " " + err.Error(); got != want {
			t.Errorf("%.300s:\n got %s\nwant %s", body, got, want)
		}
	}
}

// Every beginning of an answer is no answer.
func TestXMLCutAnywhereIsNoAnswer(t *testing.T) {
	whole := `<?xml version="1.0"?><!-- a -->` + details71(`<progressInfo state="R&#117;n"><a><![CDATA[b]]></a></progressInfo>`)
	decoded(t, whole)
	for at := range len(whole) {
		if _, err := decodeBody("prod", 71, []byte(whole[:at])); KindOf(err) != NotAnAnswer || !strings.Contains(err.Error(), "cut short") && at > 0 {
			t.Errorf("%s: %v", whole[:at], err)
		}
	}
}

func TestXMLOfNothingDoesNotFillTheMemory(t *testing.T) {
	const size = 128 << 10
	for words, inside := range map[string]string{
		"elements":   strings.Repeat(`<a/>`, size/4),
		"attributes": `<a` + strings.Repeat(` b=""`, size/5) + `/>`,
		"broken":     "<a>" + strings.Repeat("\xff", size) + "</a>",
	} {
		body := []byte(details71(inside))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := decodeBody("prod", 71, body); err != nil {
			t.Errorf("%s: %v", words, err)
		}
		runtime.ReadMemStats(&after)
		if took := (after.TotalAlloc - before.TotalAlloc) / uint64(len(body)); took > 100 {
			t.Errorf("%s: %d bytes were allocated for each of the body", words, took)
		}
	}
}

func TestPiecesOfXML(t *testing.T) {
	for words, body := range map[string]string{
		"a general part":        `<generalInfo jobId="71"/>`,
		"one left open":         `<?xml version="1.0"?>` + "\n" + `<generalInfo jobId="71" a='/>'><subclient clientName="a"/>`,
		"and what follows":      `<generalInfo jobId="71"><subclient clientName="a" /><progressInfo state="Running" />`,
		"closed":                `<generalInfo jobId="71"></generalInfo><progressInfo state="Running"/>`,
		"the other way round":   `<progressInfo state="Running"/><generalInfo jobId="71"/>`,
		"open, at the end":      `<progressInfo state="Running"/><generalInfo jobId="71">`,
		"job":                   `<job><jobDetail><generalInfo jobId="71"/></jobDetail></job>`,
		"jobDetail":             `<jobDetail><generalInfo jobId="71"/></jobDetail>`,
		"machines":              `<generalInfo jobId="71"><detailInfo endTime="1793958418"/><vmStatus vmName="a"/><vmStatus vmName="b"/>`,
		"clients":               `<generalInfo jobId="71"/><clientStatus status="2"><client clientName="a"/></clientStatus>`,
		"machines in their own": `<generalInfo jobId="71"/><clientStatusInfo><vmStatus vmName="a"/></clientStatusInfo>`,
	} {
		s := decoded(t, body)
		if strings.Contains(body, "Running") != (s.State == "Running") || strings.Count(body, "<vmStatus")+strings.Count(body, "<clientStatus ") != len(s.Machines) || strings.Contains(body, "endTime") != (s.EndTime != nil) {
			t.Errorf("%s: %s: %+v", words, body, s)
		}
	}
}

func TestWhatACommServeSendsIsNotCompleted(t *testing.T) {
	c := newClient(t, Config{Format: "xml", Transport: commserve(func(r *http.Request) (int, string) { return 200, `<generalInfo jobId="71"/>` })})
	if _, err := c.JobDetails(t.Context(), 71); KindOf(err) != NotAnAnswer {
		t.Errorf("%v", err)
	}
}

// Whatever XML it was, what is made of it is one object of valid JSON.
func FuzzXML(f *testing.F) {
	for _, row := range twins {
		f.Add([]byte(row.sent.inXML(detailsRoot)))
	}
	for _, body := range []string{"<a b='&#1;\"'>\xff\\</a>", "<a:b xmlns:a=''><c/>d<c>e</c></a:b>", "<a><!--b--><![CDATA[<]]></a>", "<!DOCTYPE a><a/>", "<\u00fc \u00fc='1'/>"} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		content, _, err := fromXML(body)
		if err == nil && (!jsontext.Value(content).IsValid(jsontext.AllowDuplicateNames(true)) || content[0] != '{') {
			t.Errorf("%q became %q", body, content)
		}
		if err != nil && KindOf(err) != NotAnAnswer {
			t.Errorf("%q: %v", body, err)
		}
	})
}
