package contract_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/testing/eventtest"
)

var update = flag.Bool("update", false, "write the example of the documentation anew, with the members an event has now")

const docs = "../docs/subjects-and-events.md"

var (
	example   = regexp.MustCompile("(?s)```json\n(.*?)\n```")
	published = regexp.MustCompile("published under\\s+`([^`]+)`")
)

// The example is an event as it was once published. One that has got other members since is written
// anew by: go test ./contract -update
func TestExampleOfTheDocs(t *testing.T) {
	text := kept(t, docs)
	if *update {
		text = example.ReplaceAllFunc(text, func(block []byte) []byte {
			return []byte("```json\n" + renewed(t, example.FindSubmatch(block)[1]) + "\n```")
		})
		if err := os.WriteFile(docs, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	examples, subjects := example.FindAllSubmatch(text, -1), published.FindAllSubmatch(text, -1)
	if len(examples) != 1 || len(subjects) != 1 {
		t.Fatalf("%d examples, %d subjects; want one of each", len(examples), len(subjects))
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, examples[0][1]); err != nil {
		t.Fatal(err)
	}
	eventtest.Valid(t, string(subjects[0][1]), nil, compact.Bytes())
	if t.Failed() {
		t.Log("mend it with: go test ./contract -update")
	}
}

// renewed is an event with the members that its job has now.
func renewed(t *testing.T, text []byte) string {
	t.Helper()
	e, err := event.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	data, err := e.Job()
	if err != nil {
		t.Fatal(err)
	}
	if e.Data, err = json.Marshal(data); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(string(printed(t, e)), "\n")
}

// table gives the cells of a table's rows, found by its head.
func table(t *testing.T, head string) [][]string {
	t.Helper()
	_, after, found := strings.Cut(string(kept(t, docs)), "\n| "+head+" |")
	if !found {
		t.Fatalf("no table %q", head)
	}
	var rows [][]string
	for i, line := range strings.Split(after, "\n") {
		if i > 1 && !strings.HasPrefix(line, "|") {
			break
		}
		if i > 1 {
			cells := strings.Split(strings.Trim(line, "|"), "|")
			for c := range cells {
				cells[c] = strings.Trim(cells[c], " `")
			}
			rows = append(rows, cells)
		}
	}
	return rows
}

func TestStatesOfTheDocs(t *testing.T) {
	for _, row := range table(t, "states | class | finished | severity") {
		for state := range strings.SplitSeq(row[0], ", ") {
			got := job.LookUp(job.Text(state), false)
			finished := map[bool]string{true: "yes", false: "no"}[got.Finished]
			if state == "any other" && !got.Finished && job.LookUp("any other", true).Finished {
				finished = "only with an end time"
			}
			if string(got.Class) != row[1] || finished != row[2] || string(got.Severity) != row[3] {
				t.Errorf("%s is %s, finished %s, %s; the docs say %q", state, got.Class, finished, got.Severity, row[1:])
			}
		}
	}
}

// The table of kinds has the kinds and details of the schema, and their severities.
func TestKindsOfTheDocs(t *testing.T) {
	documented := map[string]string{}
	for _, row := range table(t, "kind | detail | tells that | from, to | severity") {
		documented[row[0]+" "+row[1]] = row[4]
	}
	if schema := severities(t); !maps.Equal(documented, schema) {
		t.Errorf("documented are %v\nthe schema has  %v", documented, schema)
	}
}

// severities are those of each kind and detail in the schema, in the words of the docs.
func severities(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	defs := event.Schema().Defs
	for _, name := range slices.Sorted(maps.Keys(defs)) {
		base, isData := strings.CutSuffix(name, "Data")
		if !isData {
			continue
		}
		kind, of := any("commcell"), defs[name]
		if change := defs[base+"Change"]; change != nil {
			kind, of = *change.Properties["kind"].Const, change
		}
		detail := any("a slug")
		if fixed := of.Properties["detail"].Const; fixed != nil {
			detail = *fixed
		}
		severity := any("of the state")
		if enum := defs[name].Properties["severity"].Enum; len(enum) == 1 {
			severity = enum[0]
		}
		all[kind.(string)+" "+detail.(string)] = severity.(string)
	}
	return all
}

// What the docs say of tokens is what is published.
func TestTokensOfTheDocs(t *testing.T) {
	text := string(kept(t, docs))
	for client, want := range map[job.Text]string{
		"fall.example.com": "fall%2Eexample%2Ecom", "Front Desk": "Front%20Desk", "-": "%2D", "Lübeck": "Lübeck",
	} {
		s := job.Snapshot{CommCell: "prod", Number: 1248, Client: client}
		at := time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)
		c := job.Change{Kind: job.KindPhase, Detail: job.Slug("Archive Index"), To: "Archive Index"}
		e, err := event.NewMinter(nil).Job(1, c, job.Observation{Snapshot: s, Asked: at, Answered: at}, at)
		if err != nil {
			t.Fatal(err)
		}
		row, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		_, subject, err := event.Address("", s.JobID(), row)
		if err != nil || subject != "jobs.prod.1248."+want+".phase.archive_index" || !strings.Contains(text, "`"+want+"`") {
			t.Errorf("client %q: %s (%v), or not in the docs", client, subject, err)
		}
	}
}
