package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"jobwatch/internal/commvault"
	"jobwatch/internal/diff"
	"jobwatch/internal/job"
	"jobwatch/internal/printable"
	"jobwatch/internal/record"
)

// inspectRecord shows what is in a record, or what it says of one job.
func inspectRecord(out io.Writer, dir string, of []string, bodies bool) error {
	head, entries, err := record.Read(dir)
	if err != nil {
		return fail(err)
	}
	if len(of) == 0 {
		return fail(printRecord(out, head, entries))
	}
	number, err := strconv.ParseInt(of[0], 10, 64)
	if err != nil {
		return fmt.Errorf("%s: no number of a job; name one of those that watcher inspect %s lists", of[0], dir)
	}
	entries = slices.DeleteFunc(entries, func(e record.Entry) bool { return e.Job != number })
	if len(entries) == 0 {
		return fail(fmt.Errorf("%s: nothing was asked about job %d; watcher inspect %s lists what was", dir, number, dir))
	}
	return fail(printAnswers(out, entries, bodies))
}

// askedOften is one question of a record, and what came of it.
type askedOften struct {
	op          string
	job         int64
	count       int
	first, last time.Duration
	outcomes    []string
	counts      map[string]int
}

func printRecord(out io.Writer, head record.Head, entries []record.Entry) error {
	_, err := fmt.Fprintf(out, "of %s, by watcher %s; asked in %s, ids %s\n", head.Began.UTC().Format(time.RFC3339),
		printable.Line(head.Version), printable.Line(head.Asked), printable.Line(head.IDs))
	if err != nil {
		return err
	}
	t := newTable(out, "WHAT", "JOB", "ASKED", "FIRST", "LAST", "ANSWERS")
	for _, q := range questions(entries) {
		number := ""
		if q.job != 0 {
			number = strconv.FormatInt(q.job, 10)
		}
		t.row(q.op, number, strconv.Itoa(q.count), q.first.String(), q.last.String(), q.told())
	}
	return t.end()
}

func questions(entries []record.Entry) []*askedOften {
	var all []*askedOften
	known := map[string]*askedOften{}
	for i := range entries {
		e := &entries[i]
		key := e.Op + strconv.FormatInt(e.Job, 10)
		q := known[key]
		if q == nil {
			q = &askedOften{op: e.Op, job: e.Job, first: sentAt(e), counts: map[string]int{}}
			known[key] = q
			all = append(all, q)
		}
		q.count++
		q.last = sentAt(e)
		outcome := outcomeOf(e)
		if q.counts[outcome]++; q.counts[outcome] == 1 {
			q.outcomes = append(q.outcomes, outcome)
		}
	}
	return all
}

func (q *askedOften) told() string {
	var all []string
	for _, outcome := range q.outcomes {
		if n := q.counts[outcome]; n > 1 {
			outcome = fmt.Sprintf("%d × %s", n, outcome)
		}
		all = append(all, outcome)
	}
	return strings.Join(all, ", ")
}

func sentAt(e *record.Entry) time.Duration {
	return (time.Duration(e.At) * time.Millisecond).Round(100 * time.Millisecond)
}

// outcomeOf is what came of a request, in some words.
func outcomeOf(e *record.Entry) string {
	switch {
	case e.Failure != "":
		return e.Failure
	case e.Long:
		return strconv.Itoa(e.Status) + " too long"
	case e.Cut:
		return strconv.Itoa(e.Status) + " broken off"
	}
	return strings.TrimSpace(strconv.Itoa(e.Status) + " " + string(e.Form))
}

// printAnswers prints what was answered about a job, and below each answer the transitions that it shows.
func printAnswers(out io.Writer, entries []record.Entry, bodies bool) error {
	var told job.Told
	for i := range entries {
		e := &entries[i]
		words := ""
		var changes []job.Change
		if e.Op == record.Details && e.Status != 0 {
			seen, err := commvault.DecodeSaved("-", []byte(e.Body))
			if err != nil {
				words = ": " + err.Error()
			} else {
				changes = diff.Since(told, &seen)
				told = told.TellAll(changes, &seen, time.Time{})
			}
		}
		line := fmt.Sprintf("%v  %s  %s, %d bytes%s", sentAt(e), e.Op, outcomeOf(e), len(e.Body), words)
		if _, err := fmt.Fprintln(out, printable.Line(line)); err != nil {
			return err
		}
		if bodies && e.Body != "" {
			if _, err := fmt.Fprintln(out, printable.Line(e.Body)); err != nil {
				return err
			}
		}
		for _, c := range changes {
			if err := json.NewEncoder(printable.JSON{Out: out}).Encode(c); err != nil {
				return err
			}
		}
	}
	return nil
}
