package audit

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"jobwatch/internal/event"
	"jobwatch/internal/printable"
	"jobwatch/internal/progress"
)

// Period is when the events were that are wanted: from From on, before To. Zero: no limit.
type Period struct{ From, To time.Time }

func (p Period) whole() bool { return p.From.IsZero() && p.To.IsZero() }

func (p Period) has(t time.Time) bool {
	return (p.From.IsZero() || !t.Before(p.From)) && (p.To.IsZero() || t.Before(p.To))
}

// Columns of the CSV. New ones are added at the end.
var Columns = []string{"n", "seq", "at", "id", "time", "type", "commcell", "job", "kind", "detail", "severity", "from", "to",
	"client", "agent", "backupset", "subclient", "operation", "level", "state", "class", "vm", "reason", "sequence", "not_before", "observed_at"}

// Export writes the lines up to the checkpoint, as they are (JSON Lines) or as CSV (RFC 4180). It proves nothing: Verify does.
func Export(ctx context.Context, dir string, asCSV bool, period Period, out io.Writer) error {
	if !asCSV {
		buffered := bufio.NewWriter(out)
		err := eachLine(ctx, dir, func(raw []byte, l Line) error {
			if !period.whole() {
				if e, err := event.Parse(l.Event); err != nil || !period.has(e.Time) {
					return nil
				}
			}
			if _, err := buffered.Write(raw); err != nil {
				return err
			}
			return buffered.WriteByte('\n')
		})
		if err != nil {
			return err
		}
		return buffered.Flush()
	}
	w := csv.NewWriter(out)
	w.UseCRLF = true
	if err := w.Write(Columns); err != nil {
		return err
	}
	err := eachLine(ctx, dir, func(_ []byte, l Line) error {
		row, at := rowOf(l)
		if !period.has(at) {
			return nil
		}
		for i := range row {
			row[i] = printable.Inert(row[i])
		}
		return w.Write(row)
	})
	if err != nil {
		return err
	}
	w.Flush()
	return w.Error()
}

// rowOf has the columns of a line. What is no event of jobwatch has but its first three and its id.
func rowOf(l Line) (row []string, at time.Time) {
	row = []string{strconv.FormatInt(l.N, 10), strconv.FormatUint(l.Seq, 10), l.At.UTC().Format(time.RFC3339Nano)}
	e, err := event.Parse(l.Event)
	if err != nil {
		var any struct {
			ID string `json:"id"`
		}
		_ = json.Unmarshal(l.Event, &any)
		return append(append(row, any.ID), make([]string, len(Columns)-4)...), at
	}
	row = append(row, e.ID, e.Time.UTC().Format(time.RFC3339Nano), e.Type)
	if e.IsCommCell() {
		d, _ := e.CommCell()
		row = append(row, d.CommCell, "", "", d.Detail, string(d.Severity))
		row = append(row, make([]string, 11)...)
		return append(row, string(d.Reason), e.Sequence, "", d.ObservedAt.UTC().Format(time.RFC3339Nano)), e.Time
	}
	d, _ := e.Job()
	id, _ := e.JobID()
	j, notBefore := d.Job, ""
	if d.Change.NotBefore != nil {
		notBefore = d.Change.NotBefore.UTC().Format(time.RFC3339Nano)
	}
	return append(row, id.CommCell, strconv.FormatInt(int64(id.Number), 10), d.Change.Kind, d.Change.Detail, string(d.Severity),
		string(d.Change.From), string(d.Change.To), string(j.Client), string(j.Agent), string(j.Backupset), string(j.Subclient),
		string(j.Operation), string(j.BackupLevel), string(j.State), string(j.StateClass), string(d.Change.VM), string(j.ReasonText()),
		e.Sequence, notBefore, d.Change.ObservedAt.UTC().Format(time.RFC3339Nano)), e.Time
}

// eachLine shows the lines that there are, up to the checkpoint.
func eachLine(ctx context.Context, dir string, show func(raw []byte, l Line) error) error {
	raw, err := os.ReadFile(filepath.Join(dir, checkpointName))
	if err != nil {
		return err
	}
	text, _, _ := strings.Cut(string(raw), "\n\n")
	c, err := parseCheckpoint(text + "\n")
	if err != nil {
		return fmt.Errorf("%s: checkpoint: %w", dir, err)
	}
	all, _, err := parts(dir)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(p part) bool {
		return p.rotated && slices.ContainsFunc(all, func(q part) bool { return q.first == p.first && !q.rotated })
	})
	before := int64(0) // lines that are not there any more
	if len(all) > 0 {
		before = all[0].first - 1
	}
	is := progress.Of(ctx, "reading", "lines", c.Size-before)
	for i, p := range all {
		end := c.Size
		if i+1 < len(all) {
			end = min(end, all[i+1].first-1)
		}
		n := p.first
		for raw, err := range linesOf(p) {
			if n > end {
				break
			}
			if ctx.Err() != nil {
				return errEnded
			}
			var l Line
			if err == nil {
				l, err = parseLine(raw.text)
			}
			if err == nil && l.N != n {
				err = fmt.Errorf("it says that it is line %d", l.N)
			}
			if err != nil {
				return fmt.Errorf("%s: line %d: %w; watcher audit verify says more", p.name(), n, err)
			}
			if err := show(raw.text, l); err != nil {
				return err
			}
			is(n - before)
			n++
		}
	}
	return nil
}
