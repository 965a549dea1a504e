// Package event is what jobwatch publishes: CloudEvents 1.0 in structured JSON, the subjects they are
// published under, and Fold, the way back from a job's events to what has been told of it.
package event

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	fastjson "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"jobwatch/internal/job"
)

// ContentType is the media type of an event, and the NATS header Content-Type.
const ContentType = "application/cloudevents+json"

// Event is one CloudEvent. Data is a JobData, or for the CommCell itself a CommCellData.
type Event struct {
	SpecVersion     string          `json:"specversion"`
	ID              string          `json:"id"` // opaque, unique for ever; also the Nats-Msg-Id
	Source          string          `json:"source"`
	Type            string          `json:"type"`
	Subject         string          `json:"subject"`
	Time            time.Time       `json:"time"`
	DataContentType string          `json:"datacontenttype"`
	DataSchema      string          `json:"dataschema"`
	Sequence        string          `json:"sequence"` // 20 digits, from 1 without a gap in each partition
	PartitionKey    string          `json:"partitionkey"`
	Data            json.RawMessage `json:"data"`
}

// JobData is the data of an event about a job.
type JobData struct {
	Change    Observed     `json:"change"`
	Severity  job.Severity `json:"severity"`
	Job       job.Snapshot `json:"job"`                 // after the change
	Truncated []string     `json:"truncated,omitempty"` // the members of job that were cut
}

// Observed is a change and the time it lies in: after NotBefore, when the observation before was
// asked for (null where there was none), and before ObservedAt, when the answer was complete.
type Observed struct {
	job.Change
	NotBefore  *time.Time `json:"notBefore"`
	ObservedAt time.Time  `json:"observedAt"`

	// What the CommServe's own feed has told of the job since the event before, the oldest first.
	Log []job.FeedEntry `json:"log,omitempty"`
}

// CommCellData is the data of an event about a CommCell.
type CommCellData struct {
	CommCell   string       `json:"commcell"`
	Detail     string       `json:"detail"` // unreachable, reachable
	Reason     job.Text     `json:"reason"`
	Severity   job.Severity `json:"severity"`
	ObservedAt time.Time    `json:"observedAt"`
}

const (
	jobType      = "jobwatch.job."
	commCellType = "jobwatch.commcell."
)

// Number is the event's sequence in its partition.
func (e Event) Number() uint64 {
	n, _ := strconv.ParseUint(e.Sequence, 10, 64)
	return n
}

// Numbered is the event under another sequence.
func (e Event) Numbered(sequence uint64) Event {
	e.Sequence = fmt.Sprintf("%020d", sequence)
	return e
}

// IsCommCell says whether the event is about a CommCell and not about a job.
func (e Event) IsCommCell() bool { return strings.HasPrefix(e.Type, commCellType) }

// JobID names the job, or the CommCell, that the event is about.
func (e Event) JobID() (job.ID, error) {
	if e.IsCommCell() {
		return job.ID{CommCell: e.PartitionKey}, nil
	}
	return job.ParseID(e.PartitionKey)
}

// Job reads the data of an event about a job.
func (e Event) Job() (JobData, error) {
	var data JobData
	err := read(e.Data, &data)
	return data, err
}

// CommCell reads the data of an event about a CommCell.
func (e Event) CommCell() (CommCellData, error) {
	var data CommCellData
	err := read(e.Data, &data)
	return data, err
}

// lenient reads what encoding/json would, four times as fast.
var lenient = fastjson.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

func read(data []byte, into any) error { return fastjson.Unmarshal(data, into, lenient) }

// largest is what an event of ours never exceeds, in bytes. What is told from a larger one would make ours too large, too.
const largest = 64 << 10

// Parse reads an event back. Its error says that the message is none of ours.
func Parse(data []byte) (Event, error) {
	var e Event
	if len(data) > largest {
		return Event{}, fmt.Errorf("not an event of jobwatch: %d bytes", len(data))
	}
	if err := read(data, &e); err != nil {
		return Event{}, fmt.Errorf("not an event: %w", err)
	}
	if e.SpecVersion != "1.0" || !strings.HasPrefix(e.Type, jobType) && !strings.HasPrefix(e.Type, commCellType) {
		return Event{}, fmt.Errorf("not an event of jobwatch: type %.40q", e.Type)
	}
	// Behind the last number there would be none for the next.
	if n, err := strconv.ParseUint(e.Sequence, 10, 64); err != nil || n == 0 || n > math.MaxInt64 || e.ID == "" {
		return Event{}, fmt.Errorf("not an event of jobwatch: id %.40q, sequence %.40q", e.ID, e.Sequence)
	}
	return e, nil
}
