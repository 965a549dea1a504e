package record_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/commvault"
	"jobwatch/internal/job"
	"jobwatch/internal/sim"
	"jobwatch/internal/testing/slow"
)

// TestEachFaultIsPlayedAgain: what a client makes of a bad answer it makes of the record's, too.
func TestEachFaultIsPlayedAgain(t *testing.T) {
	slow.Test(t, "4 s", "each kind of fault that the simulator knows, in both formats")
	t.Parallel()
	for _, kind := range sim.FaultKinds() {
		for _, format := range []string{"json", "xml"} {
			if large := kind == sim.Huge || kind == sim.GzipBomb; large && format == "xml" {
				continue // read no further in one than in the other
			}
			t.Run(string(kind)+" "+format, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					play := sim.New(sim.Config{})
					for _, j := range personal() {
						play.Add(j)
					}
					play.Fault(sim.Fault{Kind: kind, Rate: 0.7, Next: 5, Skip: 1})
					w, dir := newWriter(t, nil)
					was := outcomes(t, newClient(t, format, play.Inside(), func(c *commvault.Config) { c.Wrap = w.Tap }))
					closed(t, w)
					is := outcomes(t, newClient(t, format, player(t, dir), nil))
					if was != is {
						t.Errorf("first\n%s\nthen\n%s", was, is)
					}
				})
			})
		}
	}
}

// outcomes asks each question some times, and says what came of it.
func outcomes(t *testing.T, client *commvault.Client) (all string) {
	for range 4 {
		for _, number := range []int64{71, 99} {
			seen, err := client.JobDetails(t.Context(), number)
			all += fmt.Sprintln("details", kindOf(err), seen.Snapshot.StateClass, seen.Snapshot.FailedFiles != nil, len(seen.Snapshot.Machines), commvault.SourceDown(err))
			line, err := client.Summary(t.Context(), number)
			all += fmt.Sprintln("summary", kindOf(err), job.LookUp(line.Status, false), line.Status == "", line.Number)
		}
		lines, err := listed(t, client)
		all += fmt.Sprintln("list", kindOf(err), lines)
		entries, mark, err := client.Feed(t.Context(), commvault.FeedMark{})
		all += fmt.Sprintln("feed", kindOf(err), len(entries), mark.Begun())
		_, err = client.GUID(t.Context())
		all += fmt.Sprintln("guid", kindOf(err))
		time.Sleep(10 * time.Second)
	}
	quota, _ := json.Marshal(client.Quota())
	return all + string(quota)
}

func listed(t *testing.T, client *commvault.Client) (lines int, err error) {
	err = client.List(t.Context(), time.Hour, func(page []commvault.Line) error { lines += len(page); return nil })
	return lines, err
}

// kindOf is also how long the server wants to be left alone.
func kindOf(err error) string {
	e, ours := errors.AsType[*commvault.Error](err)
	if !ours {
		return fmt.Sprint(err)
	}
	return fmt.Sprint(e.Kind, e.Code, e.RetryAfter.Round(time.Second), commvault.FailureOf(err))
}
