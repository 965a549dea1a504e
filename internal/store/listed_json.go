package store

import (
	"encoding/json"
	"time"

	"jobwatch/internal/job"
)

// listedJSON is the form in which people and programs get a job outside of events: the snapshot as
// events carry it, with what they leave out.
type listedJSON struct {
	kept
	SnapshotAt *time.Time `json:"snapshotAt"` // when it was asked for: an active job's progress is not kept up
	Tracked    job.Text   `json:"tracked"`    // configured, by hand, discovered, closing, owed, untracked; null: not any more
	Sequence   uint64     `json:"sequence"`   // of the job's last event, sent or not
	Sent       uint64     `json:"sent"`       // of the last that the broker acknowledged
	Unsent     int        `json:"unsent"`     // events that wait for the broker
}

// MarshalJSON leaves out what was told: subscribers have it from the stream.
func (l Listed) MarshalJSON() ([]byte, error) {
	j := listedJSON{Tracked: job.Text(l.Why), Sequence: l.Sequence, Sent: l.Sent, Unsent: l.Unsent}
	j.kept = kept{Snapshot: l.Snapshot, Machines: l.Snapshot.Machines, Truncated: l.Snapshot.Truncated}
	if !l.Seen.IsZero() {
		j.SnapshotAt = &l.Seen
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (l *Listed) UnmarshalJSON(data []byte) error {
	var j listedJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	*l = Listed{Snapshot: j.Snapshot, Why: Why(j.Tracked), Sequence: j.Sequence, Sent: j.Sent, Unsent: j.Unsent}
	l.Snapshot.Machines, l.Snapshot.Truncated = j.Machines, j.Truncated
	if j.SnapshotAt != nil {
		l.Seen = *j.SnapshotAt
	}
	return nil
}
