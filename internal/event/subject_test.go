package event

import (
	"slices"
	"strings"
	"testing"

	"jobwatch/internal/job"
)

func TestClientToken(t *testing.T) {
	long := strings.Repeat("x", 129)
	for _, row := range []struct{ client, want string }{
		{"skma_2", "skma_2"},
		{"", "-"},
		{"-", "%2D"},
		{"--", "--"},
		{"a-b", "a-b"},
		{"fall.example.com", "fall%2Eexample%2Ecom"},
		{"*", "%2A"},
		{">", "%3E"},
		{"100%", "100%25"},
		{"fall%2Eexample", "fall%252Eexample"}, // a name that looks encoded stays another one
		{"SQL Server (prod)", "SQL%20Server%20(prod)"},
		{"a\tb\nc\x00d\x7f", "a%09b%0Ac%00d%7F"},
		{"a\u00a0b\u2003c\u0085", "a%C2%A0b%E2%80%83c%C2%85"}, // white space and controls beyond ASCII
		{"Lübeck", "Lübeck"},
		{"東京/1", "東京/1"},
		{"$JS", "$JS"},
		{strings.Repeat("x", 128), strings.Repeat("x", 128)},
		{long, long[:111] + "~0ec9eb33e74510bc"},
		{"." + long + "x", "%2E" + long[:108] + "~7dedaddf39ad5b7c"}, // of the name, not of the token
	} {
		if got := clientToken(row.client); got != row.want {
			t.Errorf("client %q is the token %q, want %q", row.client, got, row.want)
		}
	}
}

// The head of a long token ends before what would not fit whole.
func TestClientTokenCutsNothingInTwo(t *testing.T) {
	for _, row := range []struct {
		client, head string
	}{
		{strings.Repeat("x", 110) + strings.Repeat("ä", 20), strings.Repeat("x", 110)},
		{strings.Repeat("x", 109) + strings.Repeat("ä", 20), strings.Repeat("x", 109) + "ä"},
		{strings.Repeat("x", 109) + strings.Repeat(".", 20), strings.Repeat("x", 109)},
		{strings.Repeat("x", 108) + strings.Repeat(".", 20), strings.Repeat("x", 108) + "%2E"},
		{strings.Repeat("\u00a0", 40), strings.Repeat("%C2%A0", 18)}, // six bytes each
	} {
		got := clientToken(row.client)
		head, hash, found := strings.Cut(got, "~")
		if head != row.head || !found || len(hash) != 16 || len(got) > tokenLimit {
			t.Errorf("client %q is the token %q, want %q ~ 16 digits", row.client, got, row.head)
		}
	}
	head := strings.Repeat("x", 200)
	if clientToken(head+"a") == clientToken(head+"b") {
		t.Error("two long names have one token")
	}
}

func TestAddress(t *testing.T) {
	fall := job.Snapshot{Client: "fall.example.com", State: "Running"}
	vm := job.Change{Kind: job.KindFailure, Detail: job.DetailVM, VM: "mail.example.com", To: "disk full"}
	for _, row := range []struct {
		event        Event
		prefix, want string
	}{
		{mint(t, 1, stateChange("", "Running"), fall), "", "jobs.prod.1248.fall%2Eexample%2Ecom.state.running"},
		{mint(t, 2, vm, fall), "acme", "acme.jobs.prod.1248.fall%2Eexample%2Ecom.failure.vm"},
		{mint(t, 1, phaseChange("", "Archive Index"), job.Snapshot{}), "acme.eu", "acme.eu.jobs.prod.1248.-.phase.archive_index"},
		{mintCommCell(t, 1, job.DetailUnreachable, "no route to host"), "", "commcells.prod.unreachable"},
		{mintCommCell(t, 2, job.DetailReachable, ""), "acme", "acme.commcells.prod.reachable"},
	} {
		id, err := row.event.JobID()
		if err != nil {
			t.Fatal(err)
		}
		Valid(t, row.want, message(t, row.event))
		eventID, got, err := Address(row.prefix, id, message(t, row.event))
		if err != nil || got != row.want || eventID != row.event.ID {
			t.Errorf("%q is published under %q (%v), want %q under %q", eventID, got, err, row.event.ID, row.want)
		}
	}
}

func TestNoAddress(t *testing.T) {
	prod := job.ID{CommCell: "prod", Number: 1248}
	for _, row := range []string{
		``, `null`, `[]`, `{}`, `{"id":"a"}`, `{"id":"a","data":null}`, `{"id":"a","data":{"change":{}}}`,
		`{"data":{"change":{"kind":"state","detail":"running"},"job":{"client":"fall"}}}`,
		`{"id":"a","data":{"change":{"kind":"state","detail":"running`,
	} {
		if _, subject, err := Address("", prod, []byte(row)); err == nil {
			t.Errorf("%s is published under %q", row, subject)
		}
	}
	reordered := `{"data":{"job":{"client":"fall"},"change":{"detail":"running","kind":"state"}},"id":"a"}`
	if id, subject, err := Address("", prod, []byte(reordered)); id != "a" || subject != "jobs.prod.1248.fall.state.running" || err != nil {
		t.Errorf("in another order %q is published under %q (%v)", id, subject, err)
	}
}

func TestFilter(t *testing.T) {
	prod := job.ID{CommCell: "prod", Number: 1248}
	for _, row := range []struct {
		id           job.ID
		prefix, want string
	}{
		{prod, "", "jobs.prod.1248.>"},
		{prod, "acme", "acme.jobs.prod.1248.>"},
		{job.ID{CommCell: "prod"}, "", "commcells.prod.>"},
		{job.ID{CommCell: "prod"}, "acme", "acme.commcells.prod.>"},
	} {
		if got := Filter(row.prefix, row.id); got != row.want {
			t.Errorf("the filter of %s is %q, want %q", row.id, got, row.want)
		}
	}
}

func TestParseSubject(t *testing.T) {
	prod := job.ID{CommCell: "prod", Number: 1248}
	for _, row := range []struct {
		prefix, subject string
		want            job.ID // the zero ID: none
	}{
		{"", "jobs.prod.1248.fall.state.running", prod},
		{"acme", "acme.jobs.prod.1248.fall.state.running", prod},
		{"acme.eu", "acme.eu.jobs.prod.1248.-.failure.vm", prod},
		{"acme", "jobs.prod.1248.fall.state.running", job.ID{}},
		{"", "acme.jobs.prod.1248.fall.state.running", job.ID{}},
		{"", "jobs.prod.1248.fall.state", job.ID{}},
		{"", "jobs.prod.1248.fall.state.running.on", job.ID{}},
		{"", "jobs.prod.01248.fall.state.running", job.ID{}}, // our filter would not match it
		{"", "jobs.prod.+1248.fall.state.running", job.ID{}},
		{"", "jobs.prod.-1.fall.state.running", job.ID{}},
		{"", "jobs.prod.0.fall.state.running", job.ID{}},
		{"", "jobs.prod.99999999999999999999.fall.state.running", job.ID{}},
		{"", "jobs.prod.x.fall.state.running", job.ID{}},
		{"", "jobs", job.ID{}},
		{"", "commcells.prod.unreachable", job.ID{}},
	} {
		id, ours := ParseSubject(row.prefix, row.subject)
		if id != row.want || ours != (row.want != job.ID{}) {
			t.Errorf("with the prefix %q, %s is about %v (%v), want %v", row.prefix, row.subject, id, ours, row.want)
		}
	}
}

func TestSubjects(t *testing.T) {
	for prefix, want := range map[string][]string{
		"":     {"jobs.>", "commcells.>"},
		"acme": {"acme.jobs.>", "acme.commcells.>"},
	} {
		if got := Subjects(prefix); !slices.Equal(got, want) {
			t.Errorf("with the prefix %q a stream holds %q, want %q", prefix, got, want)
		}
	}
}

// A mapping may lead a single detail elsewhere: check has to ask for each that is known beforehand.
func TestSamplesNameEachKindAndDetail(t *testing.T) {
	samples := Samples("acme", "prod")
	for _, want := range []string{
		"acme.jobs.prod.0.-.state.running", "acme.jobs.prod.0.-.state.completed_with_errors", "acme.jobs.prod.0.-.state.failed_to_start",
		"acme.jobs.prod.0.-.phase.check", "acme.jobs.prod.0.-.failure.state", "acme.jobs.prod.0.-.failure.vm", "acme.jobs.prod.0.-.watch.lost",
		"acme.commcells.prod.unreachable", "acme.commcells.prod.reachable",
	} {
		if !slices.Contains(samples, want) {
			t.Errorf("%s is not asked for", want)
		}
	}
	for _, sample := range samples {
		if _, ofJob := ParseSubject("acme", sample); ofJob {
			t.Errorf("%s is a job's", sample)
		}
	}
}
