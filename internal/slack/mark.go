package slack

import (
	"crypto/sha1"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"
)

// The kinds of messages, as their metadata's event_type. A reply that the channel is told too stands in the channel's
// history, so its kind must be another than a root's.
const (
	rootKind  = "jobwatch_job"
	lineKind  = "jobwatch_line"
	groupKind = "jobwatch_group"
)

// mark is what a message is found by, in its metadata. None of it is the CommServe's words.
type mark struct {
	Kind  string
	Relay string
	Key   string // the job's, the CommCell's or the group's
	Turn  int    // counts a job's messages: the one before was deleted
	Upto  uint64 // the number of the last event told
	At    time.Time
}

func (m mark) metadata() slack.SlackMetadata {
	return slack.SlackMetadata{EventType: m.Kind, EventPayload: map[string]any{
		"relay": m.Relay, "key": m.Key, "turn": m.Turn, "upto": m.Upto, "at": m.At.UTC().Format(time.RFC3339Nano),
	}}
}

// markOf reads a message's metadata; what is none of ours is a mark of nothing.
func markOf(metadata slack.SlackMetadata) mark {
	var payload struct {
		Relay, Key string
		Turn       int
		Upto       uint64
		At         time.Time
	}
	text, err := json.Marshal(metadata.EventPayload)
	if err != nil || json.Unmarshal(text, &payload) != nil {
		return mark{}
	}
	return mark{metadata.EventType, payload.Relay, payload.Key, payload.Turn, payload.Upto, payload.At}
}

// isOf says whether two messages are of the same kind, job and turn.
func (m mark) isOf(other mark) bool {
	return m.Kind == other.Kind && m.Relay == other.Relay && m.Key == other.Key && m.Turn == other.Turn
}

// id is the message's client_msg_id: the same for each try, so that Slack can tell a repeat too. It is a UUID made as
// version 5 is, of what identifies the message.
func (m mark) id(channel string, more ...string) string {
	parts := append([]string{"jobwatch", m.Kind, m.Relay, channel, m.Key, strconv.Itoa(m.Turn)}, more...)
	sum := sha1.Sum([]byte(strings.Join(parts, "\x00")))
	sum[6], sum[8] = sum[6]&0x0f|0x50, sum[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[0:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}
