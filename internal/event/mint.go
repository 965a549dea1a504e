package event

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"jobwatch/internal/job"
)

// Minter makes events, each with an id that no other event has had or will have: the epoch is
// random and made at each start, so a store file that was copied or restored can repeat none.
type Minter struct {
	epoch    string
	minted   atomic.Uint64
	severity map[string]string // by state slug
}

// NewMinter starts an epoch. The severities, by state slug, replace those of the table of states.
func NewMinter(severity map[string]string) *Minter {
	random := make([]byte, 10) // 80 bits
	rand.Read(random)
	epoch := strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(random))
	return &Minter{epoch: epoch, severity: maps.Clone(severity)}
}

// UndocumentedStates are the slugs of severities that belong to no state that Commvault documents.
func UndocumentedStates(severity map[string]string) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(severity)), job.KnowsSlug)
}

// Epoch is what the ids of this start's events begin with.
func (m *Minter) Epoch() string { return m.epoch }

// Minted says whether an event's id is one of this epoch.
func (m *Minter) Minted(id string) bool { return m.epoch == Epoch(id) }

// Epoch is the start of a watcher that an event's id was minted in; "" where the id is none of ours.
func Epoch(id string) string {
	epoch, number, _ := strings.Cut(id, "-")
	if _, err := strconv.ParseUint(number, 10, 64); err != nil {
		return ""
	}
	return epoch
}

// Job makes the event of one change of a job; number is its sequence. A zero notBefore is null. Of a log that is too
// long the newest entries stay.
func (m *Minter) Job(number uint64, c job.Change, o job.Observation, notBefore time.Time, log ...job.FeedEntry) (Event, error) {
	id := o.ID()
	data := JobData{
		Change:    Observed{Change: c, ObservedAt: stamp(o.Answered), Log: log[max(0, len(log)-job.FeedLimit):]},
		Severity:  m.severityOf(c, &o.Snapshot),
		Job:       o.Snapshot,
		Truncated: o.Snapshot.Truncated,
	}
	if !notBefore.IsZero() {
		data.Change.NotBefore = new(stamp(notBefore))
	}
	e := m.envelope(id, number, o.Answered)
	e.Type = jobType + c.Kind + ".v1"
	e.Subject = fmt.Sprintf("jobs/%d", id.Number)
	e.DataSchema = "urn:jobwatch:job-change:v1"
	return e, e.fill(data)
}

// CommCell makes the event of one change of a CommCell.
func (m *Minter) CommCell(number uint64, c job.Change, id job.ID, at time.Time, reason string) (Event, error) {
	text, _ := job.Clip(reason, job.ReasonLimit)
	data := CommCellData{
		CommCell: id.CommCell, Detail: c.Detail, Reason: text, Severity: job.Info, ObservedAt: stamp(at),
	}
	if c.Detail == job.DetailUnreachable {
		data.Severity = job.Warning
	}
	e := m.envelope(id, number, at)
	e.Type = commCellType + c.Detail + ".v1"
	e.Subject = "commcells/" + id.CommCell
	e.DataSchema = "urn:jobwatch:commcell-change:v1"
	return e, e.fill(data)
}

func (m *Minter) envelope(id job.ID, number uint64, at time.Time) Event {
	return Event{
		SpecVersion:     "1.0",
		ID:              fmt.Sprintf("%s-%012d", m.epoch, m.minted.Add(1)),
		Source:          "/commcells/" + id.CommCell,
		Time:            stamp(at),
		DataContentType: "application/json",
		Sequence:        fmt.Sprintf("%020d", number),
		PartitionKey:    id.String(),
	}
}

func (e *Event) fill(data any) error {
	encoded, err := json.Marshal(data)
	e.Data = encoded
	return err
}

// severityOf follows the table of states and its overrides for a state and its failure; any other
// failure is a warning, as is a job that is lost or stalled; the rest is info.
func (m *Minter) severityOf(c job.Change, seen *job.Snapshot) job.Severity {
	switch {
	case c.Kind == job.KindState, c.Kind == job.KindFailure && c.Detail == job.DetailState:
		if severity, set := m.severity[job.Slug(c.To)]; set {
			return job.Severity(severity)
		}
		return job.LookUp(c.To, seen.EndTime != nil).Severity
	case c.Kind == job.KindFailure:
		return job.Warning
	case c.Kind == job.KindWatch && (c.Detail == job.DetailLost || c.Detail == job.DetailStalled):
		return job.Warning
	}
	return job.Info
}

// stamp is a time as events show it: UTC, in milliseconds.
func stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }
