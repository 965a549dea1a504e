package cli

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"jobwatch/internal/console"
	"jobwatch/internal/printable"
	"jobwatch/internal/store"
)

// Forms of a list of jobs, beside table and json.
const (
	asWide  = "wide"
	asJSONL = "jsonl"
	asCSV   = "csv"
	asName  = "name"
)

var listForms = []string{asTable, asWide, asJSON, asJSONL, asCSV, asName}

// jobList is a way to print jobs, one by one: there may be 100,000.
type jobList interface {
	add(l store.Listed) error
	end() error
}

func newJobList(form output, screen console.Screen, clock console.Clock) jobList {
	switch form {
	case asJSON:
		return &jobArray{array{out: screen.Out}}
	case asJSONL:
		return jobLines{printable.JSON{Out: screen.Out}}
	case asCSV:
		return newJobCSV(screen.Out)
	case asName:
		return jobNames{screen.Out}
	case asWide:
		return newJobTable(screen.Whole(), clock, true)
	default:
		return newJobTable(screen, clock, false)
	}
}

type jobTable struct {
	*console.Grid[*store.Listed]
}

func newJobTable(screen console.Screen, clock console.Clock, wide bool) jobList {
	return jobTable{console.NewGrid(screen, console.JobColumns(screen, clock, wide))}
}

func (t jobTable) add(l store.Listed) error { return t.Add(&l) }
func (t jobTable) end() error               { return t.End() }

// jobLines prints a JSON object a line.
type jobLines struct{ out io.Writer }

func (j jobLines) add(l store.Listed) error {
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	_, err = j.out.Write(append(text, '\n'))
	return err
}

func (jobLines) end() error { return nil }

// jobNames prints names for other commands: watcher jobs list --failed -o name | xargs -n 1 watcher jobs history
type jobNames struct{ out io.Writer }

func (j jobNames) add(l store.Listed) error {
	_, err := fmt.Fprintln(j.out, l.ID())
	return err
}

func (jobNames) end() error { return nil }

type jobCSV struct{ *csv.Writer }

var csvHead = []string{
	"job", "commcell", "id", "state", "class", "stalled", "phase", "percent", "client", "agent", "subclient", "operation", "level",
	"started", "ended", "seconds", "failed_machines", "machines", "failed_folders", "failed_files", "bytes_written", "reason",
}

func newJobCSV(out io.Writer) jobList {
	w := jobCSV{csv.NewWriter(out)}
	_ = w.Write(csvHead) // an error comes again, with the first row or the end
	return w
}

func (w jobCSV) add(l store.Listed) error {
	s := &l.Snapshot
	seconds, failedVMs, vms := "", "", ""
	if took := console.TookOf(&l, time.Now()); took >= 0 {
		seconds = strconv.FormatInt(int64(took/time.Second), 10)
	}
	if s.VMs != nil {
		failedVMs, vms = strconv.Itoa(s.VMs.Failed), strconv.Itoa(s.VMs.Total)
	}
	return w.Write([]string{
		l.ID().String(), s.CommCell, strconv.FormatInt(s.Number, 10), field(s.State), field(s.StateClass),
		strconv.FormatBool(l.Told.Stalled), field(s.Phase), numeral(console.DoneOf(&l)), field(s.Client), field(s.Agent), field(s.Subclient),
		field(s.Operation), field(s.BackupLevel), inUTC(s.StartTime), inUTC(console.EndOf(&l)), seconds, failedVMs, vms,
		numeral(s.FailedFolders), numeral(s.FailedFiles), numeral(s.DataWritten), field(console.WhyOf(s)),
	})
}

func (w jobCSV) end() error {
	w.Flush()
	return w.Error()
}

// field is a text from outside: it moves no terminal, and is no formula of a spreadsheet.
func field[T ~string](text T) string { return printable.Inert(printable.Line(string(text))) }

func numeral[T int64 | float64](value *T) string {
	if value == nil {
		return ""
	}
	return fmt.Sprint(*value)
}

func inUTC(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// array prints a JSON array.
type array struct {
	out   io.Writer
	count int
}

type jobArray struct{ array }

func (a *jobArray) add(l store.Listed) error {
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	return a.put(text)
}

func (a *array) put(text []byte) error {
	opening := "[\n"
	if a.count > 0 {
		opening = ",\n"
	}
	a.count++
	_, err := fmt.Fprintf(printable.JSON{Out: a.out}, "%s%s", opening, text)
	return err
}

func (a *array) end() error {
	if a.count == 0 {
		_, err := fmt.Fprintln(a.out, "[]")
		return err
	}
	_, err := fmt.Fprintln(a.out, "\n]")
	return err
}
