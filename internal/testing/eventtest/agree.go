package eventtest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// envelope is what of an event must agree, read without the code that wrote it.
type envelope struct {
	ID, Source, Subject, PartitionKey, Type, Time string
	Data                                          struct {
		CommCell, Detail, ObservedAt string // of a CommCell
		Change                       struct{ Kind, Detail, ObservedAt string }
		Job                          struct {
			CommCell string
			ID       int64
			Client   *string
		}
	}
}

// disagreements are the members of an event that contradict each other, its subject or its headers.
func disagreements(subject string, headers map[string][]string, message []byte) []string {
	var e envelope
	if err := json.Unmarshal(message, &e); err != nil {
		return []string{err.Error()}
	}
	var wrong []string
	equal := func(what, got, want string) {
		if got != want {
			wrong = append(wrong, fmt.Sprintf("%s is %q, not %q", what, got, want))
		}
	}
	if e.Data.Job.ID == 0 {
		e.ofCommCell(equal)
	} else {
		e.ofJob(equal)
	}
	if headers != nil {
		equal("the header Nats-Msg-Id", strings.Join(headers["Nats-Msg-Id"], ","), e.ID)
		equal("the header Content-Type", strings.Join(headers["Content-Type"], ","), "application/cloudevents+json")
	}
	if subject != "" && !e.published(subject) {
		wrong = append(wrong, "published under "+subject)
	}
	return wrong
}

func (e *envelope) ofJob(equal func(what, got, want string)) {
	j := e.Data.Job
	equal("source", e.Source, "/commcells/"+j.CommCell)
	equal("subject", e.Subject, fmt.Sprintf("jobs/%d", j.ID))
	equal("partitionkey", e.PartitionKey, fmt.Sprintf("%s/%d", j.CommCell, j.ID))
	equal("time", e.Time, e.Data.Change.ObservedAt)
}

func (e *envelope) ofCommCell(equal func(what, got, want string)) {
	equal("source", e.Source, "/commcells/"+e.Data.CommCell)
	equal("subject", e.Subject, "commcells/"+e.Data.CommCell)
	equal("partitionkey", e.PartitionKey, e.Data.CommCell)
	equal("time", e.Time, e.Data.ObservedAt)
}

// published says whether a NATS subject, with a prefix or without, is the event's.
func (e *envelope) published(subject string) bool {
	tokens := strings.Split(subject, ".")
	j, c := e.Data.Job, e.Data.Change
	if j.ID == 0 {
		return endsIn(tokens, "commcells", e.Data.CommCell, e.Data.Detail)
	}
	return len(tokens) >= 6 && names(tokens[len(tokens)-3], j.Client) &&
		endsIn(tokens, "jobs", j.CommCell, fmt.Sprint(j.ID), tokens[len(tokens)-3], c.Kind, c.Detail)
}

func endsIn(tokens []string, end ...string) bool {
	return len(tokens) >= len(end) && slices.Equal(tokens[len(tokens)-len(end):], end)
}

// names says whether a token stands for a client.
func names(token string, client *string) bool {
	if client == nil {
		return token == "-"
	}
	head, _, cut := strings.Cut(token, "~")
	if name, err := url.PathUnescape(token); err == nil && name == *client && token != "-" {
		return true
	}
	name, err := url.PathUnescape(head)
	return err == nil && cut && len(token) <= 128 && strings.HasPrefix(*client, name)
}
