package audit

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"jobwatch/internal/relay"
)

// entry is an event that is to be written.
type entry struct {
	id    fingerprint
	seq   uint64
	event []byte // on one line
}

// fingerprint stands for the id of an event.
type fingerprint [16]byte

func fingerprintOf(id string) fingerprint {
	sum := sha256.Sum256([]byte(id))
	return fingerprint(sum[:16])
}

// lines are the events up to the first that is no JSON; unfit says why that one is not.
func lines(events []*relay.Event) (fit []entry, unfit error) {
	for _, e := range events {
		var line bytes.Buffer
		if err := json.Compact(&line, e.Data); err != nil {
			return fit, &relay.Refusal{Kind: relay.Unfit, Reason: fmt.Sprintf("audit: event %.60q is no JSON: %v", e.ID, err)}
		}
		if line.Len() > longest-overhead {
			return fit, &relay.Refusal{Kind: relay.Unfit, Reason: fmt.Sprintf("audit: event %.60q has %d bytes; a line has at most %d", e.ID, line.Len(), longest)}
		}
		fit = append(fit, entry{fingerprintOf(identity(e)), e.Sequence, line.Bytes()})
	}
	return fit, nil
}

// identity is the id that will be read back from the line.
func identity(e *relay.Event) string { return cmp.Or(idOf(e.Data), e.ID) }

func idOf(event []byte) string {
	var has struct {
		ID string `json:"id"`
	}
	_ = json.Unmarshal(event, &has)
	return has.ID
}

const (
	longest  = 64 << 20 // of a line: as much as a NATS message may have
	overhead = 256      // of a line, at most, beside its event
)

// line is the entry as it is written, without its newline.
func (e entry) line(n int64, at time.Time) []byte {
	line := make([]byte, 0, len(e.event)+overhead)
	line = append(line, `{"n":`...)
	line = strconv.AppendInt(line, n, 10)
	line = append(line, `,"seq":`...)
	line = strconv.AppendUint(line, e.seq, 10)
	line = append(line, `,"at":"`...)
	line = at.UTC().AppendFormat(line, time.RFC3339Nano)
	line = append(line, `","event":`...)
	line = append(line, e.event...)
	return append(line, '}')
}

// Line is a line of the log.
type Line struct {
	N     int64           `json:"n"`
	Seq   uint64          `json:"seq"` // in the stream
	At    time.Time       `json:"at"`  // when it was written
	Event json.RawMessage `json:"event"`
}

func parseLine(raw []byte) (Line, error) {
	var l Line
	err := json.Unmarshal(raw, &l)
	return l, err
}

// id is the fingerprint of the event's id.
func (l Line) id() fingerprint { return fingerprintOf(idOf(l.Event)) }
