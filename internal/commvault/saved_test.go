package commvault

import (
	"encoding/binary"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"unicode/utf16"
)

const (
	savedInner = `{"generalInfo":{"jobId":71,"startTime":1793958318,"subclient":{"clientName":"Käse"}},"progressInfo":{"state":"Running"},` +
		`"clientStatusInfo":{"vmStatus":[{"vmName":"web","GUID":"g-1","Status":1}]}}`
	savedWhole = `{"job":{"jobDetail":` + savedInner + `}}`
	savedXML   = `<JobManager_JobDetailResponse><job><jobDetail>` + savedXMLIn + `</jobDetail></job></JobManager_JobDetailResponse>`
	savedXMLIn = `<generalInfo jobId="71" startTime="1793958318"><subclient clientName="Käse"/></generalInfo><progressInfo state="Running"/>` +
		`<clientStatusInfo><vmStatus vmName="web" GUID="g-1" Status="1"/></clientStatusInfo>`
)

// utf16Text is a text in UTF-16, behind a byte order mark if it begins with one.
func utf16Text(text string, order binary.AppendByteOrder) string {
	var out []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		out = order.AppendUint16(out, unit)
	}
	return string(out)
}

func asString(text string) string {
	quoted, _ := json.Marshal(text) // a string: cannot fail
	return string(quoted)
}

func TestSavedAnswers(t *testing.T) {
	want := decoded(t, savedWhole)
	for words, saved := range map[string]string{
		"whole":                         savedWhole,
		"as cvpysdk gives it":           `{"jobDetail":` + savedInner + `}`,
		"as the PowerShell SDK does":    savedInner,
		"an array of one":               `[` + savedWhole + `]`,
		"of a piece":                    ` [ {"jobDetail":` + savedInner + `} ] `,
		"in arrays inside":              `{"job":[{"jobDetail":[` + savedInner + `]}]}`,
		"an array as PowerShell 5 does": `{"value":[` + savedInner + `],"Count":1}`,
		"a response of PowerShell's":    `{"StatusCode":200,"Content":` + asString(savedWhole) + `}`,
		"a string":                      asString(savedWhole),
		"a string of a piece":           asString(savedInner),
		"a string in a string":          asString(asString(savedWhole)),
		"a string in an array":          `[` + asString(savedWhole) + `]`,
		"XML in a string":               asString(savedXML),
		"in the old envelope":           `{"JobManager_JobDetailResponse":{"job":{"jobDetail":` + strings.ReplaceAll(savedInner, `"jobId"`, `"@jobId"`) + `}}}`,
		"UTF-8 with a BOM":              "\uFEFF" + savedWhole,
		"UTF-16LE with a BOM":           utf16Text("\uFEFF"+savedWhole+"\r\n", binary.LittleEndian),
		"UTF-16BE with a BOM":           utf16Text("\uFEFF"+savedWhole, binary.BigEndian),
		"UTF-16LE":                      utf16Text(savedWhole, binary.LittleEndian),
		"UTF-16BE of a piece":           utf16Text(savedInner, binary.BigEndian),
		"UTF-16 XML":                    utf16Text("\uFEFF"+`<?xml version="1.0" encoding="utf-16"?>`+savedXML, binary.LittleEndian),
		"a piece of XML":                `<jobDetail>` + savedXMLIn + `</jobDetail>`,
		"its inner elements":            savedXMLIn,
		"a response with its head":      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + savedWhole,
		"a response in XML":             "HTTP/2 200\r\ncontent-type: application/xml\r\n\r\n" + savedXML,
		"a line of a log":               `2026-11-29 12:00:01 DEBUG answer: ` + savedWhole + ` (took 12 ms)`,
		"a piece in such a line":        `DEBUG details: {"jobDetail":` + savedInner + `}`,
	} {
		got, err := DecodeSaved("prod", []byte(saved))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v\n got %+v\nwant %+v", words, err, got, want)
		}
	}
}

func TestWhatASavedFileHoldsInstead(t *testing.T) {
	for saved, want := range map[string]string{
		"":         "empty",
		" \r\n":    "empty",
		"\uFEFF":   "empty",
		`""`:       "empty",
		"\xff\xfe": "empty",
		"[]":       "an empty array",
		`[` + savedWhole + `,` + savedWhole + `]`:                                        "an array of 2; ",
		savedWhole + "\n" + savedWhole:                                                   "several answers",
		`{"job":{"jobDetail":{"generalInfo":"@{jobId=71; startTime=1}"}}}`:               "-Depth 10",
		`{"generalInfo":{"jobId":71,"subclient":"@{clientName=fs}"}}`:                    "-Depth 10",
		`{"generalInfo":{"jobId":71},"clientStatusInfo":{"vmStatus":"System.Object[]"}}`: "-Depth 10",
		`{"generalInfo":{"jobId":71},"clientStatusInfo":{"vmStatus":["@{vmName=a}"]}}`:   "-Depth 10",
		"@{generalInfo=; progressInfo=}":                                                 "what PowerShell shows",
		"\r\njob : @{jobDetail=}\r\n\r\n":                                                "what PowerShell shows",
		"generalInfo  : @{jobId=71}\r\nprogressInfo : @{state=Running}":                  "what PowerShell shows",
		`<Objs Version="1.1.0.1"><Obj/></Objs>`:                                          "Export-Clixml",
		"{'jobDetail': {'generalInfo': {'jobId': 71}}}":                                  "what Python prints",
		`{"jobs":[{"jobSummary":{"jobId":71,"status":"Running"}}]}`:                      "a Job list or a job's summary",
		`{"totalRecordsWithoutPaging":0}`:                                                "a Job list",
		`{"jobSummary":{"jobId":71}}`:                                                    "a job's summary",
		`[{"jobId":71,"status":"Running","percentComplete":40}]`:                         "a job's summary",
		`[{"jobId":71,"status":"Running"},{"jobId":72,"status":"Running"}]`:              "a job's summary",
		`{"commservEvents":[]}`:                                                          "GET Events",
		`{"aliasName":"admin","userGUID":"g","token":"QSDK 5ec2e7"}`:                     "the answer to a login",
		`{"specversion":"1.0","type":"jobwatch.job.state.v1","data":{}}`:                 "an event",
		`<JobManager_JobListResponse/>`:                                                  "a Job list",
		`<DM2ContentIndexing_CheckCredentialResp token="QSDK 5ec2e7"/>`:                  "the answer to a login",
		"<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>":              `a web page, "Sign in"`,
		"\x1f\x8b\x08\x00": "gzip",
		`{"job":{"jobDetail":{"generalInfo":{"jobId":71`:                                      "cut short",
		utf16Text(`{"job":{"jobDetail":{"generalInfo":{"jobId":71`, binary.LittleEndian)[:80]: "cut short",
		`{}`:                   "does not know the job",
		`[{}]`:                 "does not know the job",
		`[7]`:                  "no object",
		`"hello"`:              "no JSON",
		`hello {there}`:        "no JSON",
		`ask for {"jobId":71}`: "no JSON",
		strings.Repeat("[", 9) + savedWhole + strings.Repeat("]", 9): "no object",
		strings.Repeat("[", 99): "deeper than",
		`{"error":{"errList":[{"errorCode":4,"errLogMessage":"No such job"}]}}`: "No such job",
		`{"progressInfo":{"state":"Running"}}`:                                  "names no job id",
	} {
		_, err := DecodeSaved("prod", []byte(saved))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "5ec2e7") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.60q: got %v, want %q", saved, err, want)
		}
	}
}

// What is read of a file is not read of a CommServe.
func TestPiecesAreNoAnswer(t *testing.T) {
	for _, body := range []string{
		`{"jobDetail":` + savedInner + `}`, savedInner, `[` + savedWhole + `]`, asString(savedWhole), utf16Text("\uFEFF"+savedWhole, binary.LittleEndian),
		"HTTP/1.1 200 OK\r\n\r\n" + savedWhole, "answer: " + savedWhole,
	} {
		c := newClient(t, Config{Transport: commserve(func(*http.Request) (int, string) { return http.StatusOK, body })})
		if s, err := c.JobDetails(t.Context(), 71); err == nil {
			t.Errorf("%.60q is read as %+v", body, s)
		}
	}
}

func FuzzSaved(f *testing.F) {
	for _, saved := range []string{savedWhole, savedInner, asString(savedWhole), utf16Text(savedInner, binary.BigEndian), `{"value":[` + savedInner + `]}`, savedXMLIn} {
		f.Add([]byte(saved))
	}
	f.Fuzz(func(t *testing.T, saved []byte) {
		if s, err := DecodeSaved("prod", saved); err == nil {
			wellFormed(t, s)
		}
	})
}
