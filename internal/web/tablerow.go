package web

import (
	"cmp"
	"encoding/json"
	"hash/maphash"
	"math"
	"strconv"
	"strings"
	"time"
	"unique"

	"github.com/klauspost/compress/gzip"

	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

// tableRow is a job as the table shows it. There may be 100,000 of them: texts are shared.
type tableRow struct {
	id       job.ID
	mark     uint64 // of what it was made from
	terminal bool
	texts    [len(textColumns)]unique.Handle[string]
	numbers  [len(numberColumns)]int64
	percent  float64 // of the snapshot; NaN: it says none
}

// none is a number that is not known: null.
const none = math.MinInt64

var textColumns = [...]string{
	"commcell", "state", "class", "phase", "client", "agent", "backupset", "subclient", "policy", "mediaAgent",
	"operation", "level", "startedBy", "reason", "code", "failures", "failedVms",
}

var numberColumns = [...]string{"start", "end", "stateSince", "stalledSince", "size", "vmsFailed", "vmsTotal", "sequence", "noProgressSince"}

const startColumn = 0 // of numberColumns

func newTableRow(r store.Entry) (*tableRow, error) {
	l, err := r.Listed()
	if err != nil {
		return nil, err
	}
	s, told := &l.Snapshot, l.Told
	row := &tableRow{id: r.ID, mark: r.Mark(), terminal: r.Terminal, percent: math.NaN()}
	for i, text := range [...]job.Text{ // in the order of textColumns
		job.Text(r.ID.CommCell), s.State, job.Text(r.Class), s.Phase, s.Client, s.Agent, s.Backupset, s.Subclient, s.StoragePolicy,
		s.MediaAgent, s.Operation, s.BackupLevel, s.StartedBy, s.Reason, s.ReasonCode, s.Failures, failedMachines(s.Machines),
	} {
		row.texts[i] = unique.Make(string(text))
	}
	row.id.CommCell = row.texts[0].Value()
	end, failed, total := int64(none), int64(none), int64(none)
	if r.Terminal {
		end = time.Unix(0, r.End).Unix()
	}
	if s.VMs != nil {
		failed, total = int64(s.VMs.Failed), int64(s.VMs.Total)
	}
	size := int64(none)
	if s.SizeOfApplication != nil {
		size = *s.SizeOfApplication
	}
	row.numbers = [...]int64{ // so, too
		unixSeconds(s.StartTime), end, cmp.Or(told.StateSince, none), stalledSince(told), size, failed, total, cmp.Or(int64(l.Sequence), none),
		unixSeconds(l.NoProgressSince()),
	}
	if s.PercentComplete != nil {
		row.percent = *s.PercentComplete
	}
	return row, nil
}

func stalledSince(t job.Told) int64 {
	if !t.Stalled {
		return none
	}
	return cmp.Or(t.StalledSince, none)
}

func unixSeconds(t *time.Time) int64 {
	if t == nil || t.IsZero() {
		return none
	}
	return t.Unix()
}

const failedShown = 5 // machines of a job whose names the table has

func failedMachines(machines []job.VM) job.Text {
	var names []string
	for i := range machines {
		if machines[i].Reason != "" && len(names) < failedShown {
			names = append(names, machines[i].Name)
		}
	}
	return job.Text(strings.Join(names, ", "))
}

// tableWriter writes the table as JSON, compressed while it comes.
type tableWriter struct {
	zip    *gzip.Writer
	sum    *maphash.Hash // of all behind the time
	buffer []byte

	texts map[unique.Handle[string]]int // => place in order
	order []string
}

func (w *tableWriter) flush(atLeast int) {
	if len(w.buffer) < atLeast {
		return
	}
	_, _ = w.sum.Write(w.buffer)
	_, _ = w.zip.Write(w.buffer) // into memory
	w.buffer = w.buffer[:0]
}

// column writes one value a row.
func (w *tableWriter) column(name string, rows []*tableRow, add func(*tableRow)) {
	w.buffer = append(strconv.AppendQuote(w.buffer, name), ":["...)
	for i, row := range rows {
		if i > 0 {
			w.buffer = append(w.buffer, ',')
		}
		add(row)
		w.flush(32 << 10)
	}
	w.buffer = append(w.buffer, ']', ',')
}

func (w *tableWriter) number(n int64) {
	if n == none {
		w.buffer = append(w.buffer, "null"...)
		return
	}
	w.buffer = strconv.AppendInt(w.buffer, n, 10)
}

// further writes how much more a number is than the last one above it. What grows along the rows takes no place then once
// it is compressed: of 50,000 jobs numbers and times of start were a fifth of a megabyte.
func (w *tableWriter) further(of func(*tableRow) int64) func(*tableRow) {
	last := int64(0)
	return func(r *tableRow) {
		n := of(r)
		w.number(after(n, last))
		if n != none {
			last = n
		}
	}
}

// after is how much later n is; where one of the two is not known, n itself.
func after(n, than int64) int64 {
	if n == none || than == none {
		return n
	}
	return n - than
}

func (w *tableWriter) text(t unique.Handle[string]) {
	place, known := w.texts[t]
	if !known {
		place = len(w.order)
		w.texts[t], w.order = place, append(w.order, t.Value())
	}
	w.number(int64(place))
}

// rows writes all that the answer says of jobs.
func (w *tableWriter) rows(rows []*tableRow, percent func(*tableRow) float64) {
	w.texts = map[unique.Handle[string]]int{unique.Make(""): 0}
	w.order = []string{""}
	w.buffer = append(w.buffer, `"columns":{`...)
	w.column("id", rows, w.further(func(r *tableRow) int64 { return r.id.Number }))
	w.column("terminal", rows, func(r *tableRow) {
		if r.terminal {
			w.number(1)
		} else {
			w.number(0)
		}
	})
	for i, name := range textColumns {
		w.column(name, rows, func(r *tableRow) { w.text(r.texts[i]) })
	}
	for i, name := range numberColumns {
		of := func(r *tableRow) int64 { return r.numbers[i] }
		switch name {
		case "start":
			w.column(name, rows, w.further(of))
		case "end", "stateSince", "stalledSince", "noProgressSince":
			w.column(name, rows, func(r *tableRow) { w.number(after(of(r), r.numbers[startColumn])) })
		default:
			w.column(name, rows, func(r *tableRow) { w.number(of(r)) })
		}
	}
	w.column("percent", rows, func(r *tableRow) {
		if p := percent(r); math.IsNaN(p) {
			w.number(none)
		} else {
			w.buffer = strconv.AppendFloat(w.buffer, p, 'f', -1, 64)
		}
	})
	w.buffer = append(w.buffer[:len(w.buffer)-1], `},"texts":`...) // without the last comma
	texts, _ := json.Marshal(w.order)                              // strings cannot fail
	w.buffer = append(w.buffer, texts...)
}
