package standin_test

import (
	"fmt"
	"strings"
	"testing"

	"jobwatch/internal/job"
	"jobwatch/internal/standin"
)

// one gives the stand-in of a value in a member.
func one(s *standin.Scrubber, member, value string) string {
	body, _ := s.Body([]byte(`{"` + member + `":` + value + `}`))
	_, is, _ := strings.Cut(body, ":")
	return strings.TrimSuffix(is, `}`)
}

func TestValues(t *testing.T) {
	for _, row := range []struct{ member, value, want string }{
		// What may stay.
		{"state", `"Running"`, `"Running"`},
		{"status", `"Completed w/ one or more errors"`, `"Completed w/ one or more errors"`},
		{"currentPhase", `"archive index"`, `"archive index"`},
		{"backupLevelName", `"Incremental"`, `"Incremental"`},
		{"appName", `"Virtual Server"`, `"Virtual Server"`},
		{"pendingReasonErrorCode", `"19:1131"`, `"19:1131"`},
		{"eventCodeString", `"[19:133]"`, `"[19:133]"`},
		{"failures", `"3 Folders, 12 Files"`, `"3 Folders, 12 Files"`},
		{"failures", `" 3 folders ,12 Files "`, `"3 Folders, 12 Files"`},
		{"releaseName", `"11.36.2"`, `"11.36.2"`},
		{"startTime", `1497264303`, `1497264303`},
		{"startTime", `"2026-11-30T18:04:00Z"`, `"2026-11-30T18:04:00Z"`},
		{"sizeOfApplication", `"266793"`, `"266793"`},
		{"jobAttributes", `288230376151711744`, `288230376151711744`},
		{"sizeOfMediaOnDisk", `"12345678"`, `"12345678"`},
		{"totalRecordsWithoutPaging", `"12345"`, `"12345"`},
		{"numOfFilesTransferred", `"12345"`, `"12345"`},
		{"throughPut", `"123.45"`, `"123.45"`},
		{"isAccountLocked", `"1"`, `"1"`},
		{"savingsPercent", `"76.15"`, `"76.15"`},
		{"unCompressedBytes", `"4.571424E+09"`, `"4.571424E+09"`},
		{"clientName", `""`, `""`},
		{"clientName", `" "`, `" "`},
		{"priority", `-999`, `-999`},
		{"anything", `null`, `null`},
		{"anything", `"True"`, `"True"`},
		{"anything", `false`, `false`},
		{"jobId", `1248`, `1248`},
		{"capability", `4328650366975`, `4328650366975`},
		// What may not.
		{"clientName", `"Running"`, `"name-1"`},
		{"jobStartedBy", `"admin"`, `"name-1"`},
		{"state", `"Wird gesichert"`, `"Unknown state a"`},
		{"currentPhase", `"Zyxquell"`, `"Unknown phase a"`},
		{"pendingReasonErrorCode", `"Zyxquell"`, `"Text a"`},
		{"Agent", `"Oracle"`, `"name-1"`},
		{"Host", `"esx-01.corp.example.org"`, `"host-1.example.com"`},
		{"smtpAddress", `"j.zyx@corp.example.org"`, `"user-1@example.com"`},
		{"hostName", `"10.11.12.13"`, `"198.18.0.1"`},
		{"hostName", `"fe80::1"`, `"2001:db8::0:1"`},
		{"path", `"D:\\Zyx\\Quell"`, `"C:\\folder\\file-1"`},
		{"path", `"\\\\fs\\Zyx"`, `"\\\\host\\share-1"`},
		{"path", `"/home/zyx"`, `"/folder/file-1"`},
		{"link", `"https://zyx.corp/quell"`, `"https://host-1.example.com/"`},
		{"token", `"QSDK 5ec2e7"`, `"QSDK token-1"`},
		{"sessionId", `"5ec2e7"`, `"token-1"`},
		{"failures", `"zyx 3"`, `"Text a 1"`},
		{"reasonForJobDelay", `"zyx"`, `"Text a"`},
		{"releaseName", `"Zyx 11"`, `"Text a 1"`},
		{"GUID", `"{00000000-0000-0000-0000-000000000000}"`, `"{00000000-0000-0000-0000-000000000000}"`},
	} {
		if got := one(standin.New(false), row.member, row.value); got != row.want {
			t.Errorf("%s %s: got %s, want %s", row.member, row.value, got, row.want)
		}
	}
}

// Of these nothing is known beforehand, but that they are others of the same shape.
func TestDrawnValues(t *testing.T) {
	for _, row := range []struct{ member, value string }{
		{"clientName", `"20260101"`},
		{"subclientName", `"7"`},
		{"vmName", `"4711"`},
		{"phoneNumber", `4915112345678`},
		{"phoneNumber", `"4915112345678"`},
		{"password", `1234`},
		{"errorMessage", `"4915112345678"`},
		{"jobStartedBy", `"12"`},
		{"sessionId", `12345678`},
		{"somebody", `"-12345.678"`},
		{"zip", `98765`},
		{"GUID", `"7f1d3a52-0c9e-4b7a-9d12-6f0e8c5b4a31"`},
	} {
		s := standin.New(false)
		got, again := one(s, row.member, row.value), one(s, row.member, row.value)
		if got == row.value || got != again || shape(got) != shape(row.value) {
			t.Errorf("%s %s: got %s, then %s", row.member, row.value, got, again)
		}
	}
}

// TestDifferentNumbersStayDifferent, also where there are few of their length.
func TestDifferentNumbersStayDifferent(t *testing.T) {
	s, seen := standin.New(false), map[string]string{}
	for i := 2; i < 300; i++ {
		was := fmt.Sprintf("%q", fmt.Sprint(i))
		is := one(s, "clientName", was)
		if other, taken := seen[is]; taken || is == was {
			t.Errorf("%s stands for %s and %s", is, was, other)
		}
		seen[is] = was
	}
}

// TestWhatIsTooLongStaysSo: an event's texts are cut, and say so.
func TestWhatIsTooLongStaysSo(t *testing.T) {
	for member, limit := range map[string]int{"clientName": job.NameLimit, "reasonForJobDelay": job.ReasonLimit, "state": job.NameLimit} {
		for _, size := range []int{limit - 100, limit, limit + 1, 2 * limit} {
			was := strings.Repeat("z", size)
			is := unquoted(t, one(standin.New(false), member, quoted(t, was)))
			_, cutBefore := job.Clip(was, limit)
			if _, cut := job.Clip(is, limit); cut != cutBefore {
				t.Errorf("%s of %d bytes becomes one of %d", member, len(was), len(is))
			}
		}
	}
}

func shape(text string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("0123456789abcdef", r) {
			return '9'
		}
		return r
	}, text)
}

func TestNamesOfMembersMayBeData(t *testing.T) {
	s := standin.New(false)
	body := `{"attemptsInfo":{"attemptNumber":1},"zyxquell.corp":{"phaseZyxquell":2,"4711-Zyx":3},"@jobId":1,"jMFailureReasonStatus":"","GUIDs":[],"":0,"10.11.12.13":0,"DM2Content":0,"77":0}`
	want := `{"attemptsInfo":{"attemptNumber":1},"Xa.Xb":{"phaseXc":2,"1-Xd":3},"@jobId":1,"jMFailureReasonStatus":"","GUIDs":[],"":0,"2.3.4.5":0,"DM2Content":0,"6":0}`
	if got, form := s.Body([]byte(body)); got != want || form != standin.JSON {
		t.Errorf("%s:\n got %s\nwant %s", form, got, want)
	}
}

// Two reasons that are the same to the diff stay so, and two that are not stay different.
func TestReasonsStayAsDifferentAsTheyWere(t *testing.T) {
	reasons := []string{
		"Zyx", "zyx", "Zyx ", "Zyx 1", "Zyx 22", " Zyx", "12 of 40 streams", "3 of 40 streams", "12", "34", "",
		"Zyx\nQuell", "Quell\nZyx", "Quell\nZyx 1", "Quell\nQuell", "Quell", "Quell 1\nQuell 2", "Quell 1\nQuell 1", "Zyx\r\nQuell",
		"Job [71] does not exist.", "Job 71 is Zyx", "ز ١٢", "ز ٣", strings.Repeat("long ", 400), strings.Repeat("long ", 401),
	}
	s := standin.New(false)
	texts := make([]string, len(reasons))
	for i, reason := range reasons {
		texts[i] = unquoted(t, one(s, "reasonForJobDelay", quoted(t, reason)))
	}
	for i, a := range reasons {
		for k, b := range reasons {
			was, is := same(a, b), same(texts[i], texts[k])
			if was != is {
				t.Errorf("%q and %q are the same: %v; their stand-ins %q and %q: %v", a, b, was, texts[i], texts[k], is)
			}
		}
	}
}

// same is how the diff compares: a job's reason, a machine's, and whether a text is one at all.
func same(a, b string) [4]bool {
	x, y := job.Text(a), job.Text(b)
	return [4]bool{x == y, x.WithoutNumbers() == y.WithoutNumbers(), job.SameReasons(x, y), strings.TrimSpace(a) == ""}
}

func TestIDsAreRenumberedAlike(t *testing.T) {
	s := standin.New(true)
	got, _ := s.Body([]byte(`{"jobId":5000,"jobIdActedOn":"5000","jobID":5001,"vsaParentJobID":0,"commCellId":2,"commcellId":6,"applicationId":33}`))
	job, machine, cell := between(got, `"jobId":`, `,`), between(got, `"jobID":`, `,`), between(got, `"commcellId":`, `,`)
	want := fmt.Sprintf(`{"jobId":%s,"jobIdActedOn":"%s","jobID":%s,"vsaParentJobID":0,"commCellId":2,"commcellId":%s,"applicationId":33}`, job, job, machine, cell)
	if got != want || job == "5000" || machine == "5001" || job >= machine || cell == "6" {
		t.Errorf("got %s", got)
	}
	if s.ID("job", 5000) == 5000 || standin.New(false).ID("job", 5000) != 5000 {
		t.Error("an id is renumbered where that is wanted, and nowhere else")
	}
}

func between(text, before, behind string) string {
	_, text, _ = strings.Cut(text, before)
	text, _, _ = strings.Cut(text, behind)
	return text
}

func TestBodies(t *testing.T) {
	for _, row := range []struct {
		body, want string
		form       standin.Form
	}{
		{"", "", standin.Empty},
		{"null", "null", standin.JSON},
		{"\uFEFF{} ", "{}", standin.JSON},
		{"{\"clientName\":\"zy\rx\"}", `{"clientName":"name-1"}`, standin.JSON},
		{`{"job":{"jobDetail":{"state":"zyx`, `{"job":{"jobDetail":{"state":`, standin.CutJSON},
		{`{"state":"Running"} zyx`, `{"state":"Running"}?`, standin.BrokenJSON},
		{`{"state":zyx}`, `{"state":?`, standin.BrokenJSON},
		{`{zyx}`, `{?`, standin.BrokenJSON},
		{"\x01zyx", "?", standin.Other},
		{"User zyx logged out", "Text a", standin.Prose},
		{"<!DOCTYPE html><html><title>Zyx</title>", `<!DOCTYPE html><html><head><title>A web page</title></head><body></body></html>`, standin.HTML},
		{"<HTML>zyx", `<!DOCTYPE html><html><head></head><body></body></html>`, standin.HTML},
		{`<?xml version="1.0" zyx="z"?><!-- zyx --><job xmlns:q="zyx" q:zyx="z" state="Running" clientName="zyx"/>`,
			`<?xml version="1.0" encoding="UTF-8"?><job state="Running" clientName="name-1"></job>`, standin.XML},
		{`<job><state>Running</state><zyx>zyx &amp; zyx</zyx></job>`, `<job><state>Running</state><Xa>Text a</Xa></job>`, standin.XML},
		{`<job><state>Runn`, `<job><state>Unknown state a<`, standin.CutXML},
		{`<job><state>Running</zyx>`, `<job><state>Running<>`, standin.BrokenXML},
		{`<!DOCTYPE zyx [<!ENTITY zyx "zyx">]><job>&zyx;</job>`, `<!DOCTYPE other>`, standin.BrokenXML},
	} {
		if got, form := standin.New(false).Body([]byte(row.body)); got != row.want || form != row.form {
			t.Errorf("%q:\n got %s %q\nwant %s %q", row.body, form, got, row.form, row.want)
		}
	}
}
