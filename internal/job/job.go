// Package job says what is known of one Commvault job: what an answer showed of it (Snapshot), what the stream has told of
// it (Told, the one word that is our own: the fold of the job's events), and a difference between the two (Change).
// It knows no wire, no file and no clock.
package job

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ID names a job. Commvault's number is unique in one CommCell only, and CommCells are told apart
// by the name the configuration gives them: the number 2 is every CommServe's own CommCell id.
//
// Number 0 is no job; the ID with it stands for the CommCell itself.
type ID struct {
	CommCell string
	Number   int64
}

// String is the form that people type and read: prod/1248.
func (id ID) String() string {
	if id.IsCommCell() {
		return id.CommCell
	}
	return id.CommCell + "/" + strconv.FormatInt(id.Number, 10)
}

// IsCommCell says whether the ID stands for the CommCell itself.
func (id ID) IsCommCell() bool { return id.Number == 0 }

// ParseID reads the form that String writes.
func ParseID(text string) (ID, error) {
	name, number, found := strings.Cut(text, "/")
	n, err := strconv.ParseInt(number, 10, 64)
	if !found || name == "" || err != nil || n <= 0 || number != strconv.FormatInt(n, 10) {
		return ID{}, fmt.Errorf("%q names no job; write <commcell>/<job id>, as in prod/1248", text)
	}
	return ID{CommCell: name, Number: n}, nil
}

// Compare orders jobs by CommCell and number.
func Compare(a, b ID) int {
	return cmp.Or(cmp.Compare(a.CommCell, b.CommCell), cmp.Compare(a.Number, b.Number))
}

// Observation is one well-formed, complete answer about the job asked for.
type Observation struct {
	Snapshot Snapshot
	Asked    time.Time // when the request was sent
	Answered time.Time // when the answer was complete
}

// ID names the job observed.
func (o Observation) ID() ID { return o.Snapshot.JobID() }
