package event

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestAMessageThatWouldDoHarmIsNoneOfOurs: who may publish on a job's subjects has it told what would not fit into an event of
// ours, or a number behind which there is none. It is passed over, quickly.
func TestAMessageThatWouldDoHarmIsNoneOfOurs(t *testing.T) {
	made := func(sequence, data string) string {
		return fmt.Sprintf(`{"specversion":"1.0","id":"x-1","type":"jobwatch.job.state.v1","sequence":%q,"partitionkey":"prod/71","data":%s}`, sequence, data)
	}
	state := func(text string) string {
		return fmt.Sprintf(`{"change":{"kind":"state","detail":"x","to":%q,"observedAt":"2026-11-23T14:00:00Z"},"severity":"info","job":{"commcell":"prod","id":71}}`, text)
	}
	const third = "00000000000000000003"
	var ours Fold
	if ours.Add(1, []byte(made(third, state("Running")))); ours.Told.State != "Running" {
		t.Fatalf("the example is none itself: %+v", ours)
	}
	for name, text := range map[string]string{
		"a state of a MiB":          made(third, state(strings.Repeat("a", 1<<20))),
		"deep lists":                made(third, strings.Repeat("[", 1<<19)+strings.Repeat("]", 1<<19)),
		"deep, and cut":             strings.Repeat(`{"data":`, 1<<17),
		"deep, within the size":     made(third, strings.Repeat("[", 25_000)+strings.Repeat("]", 25_000)),
		"the last sequence":         made("18446744073709551615", state("Running")),
		"a sequence behind it":      made("99999999999999999999", state("Running")),
		"no sequence":               made("00000000000000000000", state("Running")),
		"a million members":         `{"specversion":"1.0",` + strings.Repeat(`"a":1,`, 1_000_000) + `"id":"x"}`,
		"a number without an end":   `{"specversion":"1.0","sequence":` + strings.Repeat("9", 1<<20) + `}`,
		"a text that is not closed": `{"specversion":"` + strings.Repeat(`\u0000`, 1<<17),
	} {
		began, f := time.Now(), Fold{}
		f.Add(9, []byte(text))
		if took := time.Since(began); !f.Empty() || f.Stream != 9 || took > 10*time.Second {
			t.Errorf("%s: told number %d, at %d, in %v", name, f.Last.Number(), f.Stream, took)
		}
	}
}
