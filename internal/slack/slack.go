// Package slack tells people in a Slack channel what becomes of a job: one message a job, changed as it goes on, and a
// line in its thread for each state, failure and watch event. With an incoming webhook it is one message an event.
//
// What it remembers of a job (record) is written before each message that must not be sent twice, and after it. Where the
// second is missing, the message is looked for in Slack by its metadata.
package slack

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/relay"
)

// Config is what a relay to Slack needs: a bot's token and a channel, or the address of an incoming webhook.
type Config struct {
	Relay   string                 // its name
	Token   func() (string, error) // read at the start, and again when Slack refuses it
	Channel string                 // its id

	WebhookURL func() (string, error) // instead of both: of an incoming webhook; the whole of it is a secret

	Broadcast []string // classes of states, lost, stalled: told to the channel too; nil: failed
	Links     []Link   // the job number links to the first
	APIURL    string   // "": Slack's

	Memory  relay.Memory
	HTTP    *http.Client  // nil: one with the system's roots
	Timeout time.Duration // of one call; 0 is 15 s
}

// Link is a page about a job; {id} and {commcell} stand for the job's.
type Link struct{ Name, URL string }

func (l Link) to(id job.ID) string {
	return strings.NewReplacer("{id}", strconv.FormatInt(id.Number, 10), "{commcell}", id.CommCell).Replace(l.URL)
}

// Slack is a relay.Destination.
type Slack struct {
	Config
	api   *api
	hook  *webhook      // nil with a token
	doubt time.Duration // how long what was posted may not show yet

	doubtful sync.Map // keys of messages whose last sending has no answer: when it was given up
	unsent   sync.Map // keys of messages whose last sending was surely refused: no need to look for them
}

var channelID = regexp.MustCompile(`^[CGD][A-Z0-9]+$`)

// New checks the settings and reads the secret. It sends nothing.
func New(c Config) (*Slack, error) {
	if c.Broadcast == nil {
		c.Broadcast = []string{string(job.Failed)}
	}
	c.APIURL = cmp.Or(c.APIURL, slack.APIURL)
	if !strings.HasSuffix(c.APIURL, "/") {
		c.APIURL += "/"
	}
	if c.HTTP == nil {
		c.HTTP = &http.Client{}
	}
	c.Timeout = cmp.Or(c.Timeout, 15*time.Second)
	if err := c.check(); err != nil {
		return nil, err
	}
	s := &Slack{Config: c, doubt: longestDoubt}
	if c.WebhookURL != nil {
		var err error
		s.hook, err = newWebhook(c)
		return s, err
	}
	var err error
	s.api, err = newAPI(c)
	return s, err
}

func (c Config) check() error {
	switch {
	case c.WebhookURL != nil && (c.Token != nil || c.Channel != ""):
		return fmt.Errorf("slack: webhook_url_file has its channel built in; leave out token_file and channel, or webhook_url_file")
	case c.WebhookURL == nil && c.Token == nil:
		return fmt.Errorf("slack: needs token_file and channel, or webhook_url_file")
	case c.WebhookURL == nil && !channelID.MatchString(c.Channel):
		return fmt.Errorf("slack: channel %.80q is no id; in Slack open the channel's details, and copy the id at their bottom, as in C0123456789", c.Channel)
	}
	if u, err := url.Parse(c.APIURL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return fmt.Errorf("slack: api_url is no address; write it as https://slack.com/api/")
	}
	for _, word := range c.Broadcast {
		if !slices.Contains(broadcasts, word) {
			return fmt.Errorf("slack: broadcast: %.40q is none of %s", word, strings.Join(broadcasts, ", "))
		}
	}
	for _, link := range c.Links {
		if u, err := url.Parse(link.to(job.ID{CommCell: "c", Number: 1})); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || link.Name == "" {
			return fmt.Errorf("slack: links: %.80q needs a name and an address such as https://cs.example.com/#/jobs/{id}", link.Name)
		}
	}
	return nil
}

var broadcasts = []string{
	string(job.Queued), string(job.Active), string(job.Held), string(job.Succeeded), string(job.Partial),
	string(job.Failed), string(job.Killed), string(job.Unknown), job.DetailLost, job.DetailStalled,
}

// Deliver tells of the events.
func (s *Slack) Deliver(ctx context.Context, b relay.Batch) (done int, err error) {
	if s.hook != nil {
		return s.deliverPlain(ctx, b)
	}
	if b.Group != "" {
		if err := s.deliverGroup(ctx, b); err != nil {
			return 0, err
		}
		return len(b.Events), nil
	}
	for done < len(b.Events) { // of one job as a rule
		of := b.Events[done].Job
		end := done + 1
		for end < len(b.Events) && b.Events[end].Job == of {
			end++
		}
		n, err := s.deliverJob(ctx, of, b.Events[done:end])
		done += n
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// deliverPlain is one message an event, by the incoming webhook.
func (s *Slack) deliverPlain(ctx context.Context, b relay.Batch) (done int, err error) {
	if b.Group != "" {
		all, err := readAll(b.Events)
		if err != nil {
			return 0, err
		}
		if err := s.hook.post(ctx, s.groupMessage(b.Group, all)); err != nil {
			return 0, err
		}
		return len(b.Events), nil
	}
	for i, e := range b.Events {
		read, err := readOne(e)
		if err != nil {
			return i, err
		}
		if err := s.hook.post(ctx, s.show(read)); err != nil {
			return i, err
		}
	}
	return len(b.Events), nil
}

// told is an event as it was read.
type told struct {
	event.Event
	id       job.ID
	job      event.JobData      // of a job's
	commCell event.CommCellData // of a CommCell's
	again    bool               // on request: it is told whatever is remembered
}

func readOne(e *relay.Event) (told, error) {
	parsed, err := e.Parsed()
	if err == nil {
		t := told{Event: parsed, id: e.Job, again: e.Replayed || e.Redriven}
		if parsed.IsCommCell() {
			t.commCell, err = parsed.CommCell()
		} else {
			t.job, err = e.JobData()
		}
		if err == nil {
			return t, nil
		}
	}
	return told{}, &relay.Refusal{Kind: relay.Unfit, Reason: words(err.Error(), lineLimit)}
}

func readAll(events []*relay.Event) ([]told, error) {
	all := make([]told, 0, len(events))
	for _, e := range events {
		read, err := readOne(e)
		if err != nil {
			return all, err
		}
		all = append(all, read)
	}
	return all, nil
}

// show is the message as the event has it.
func (s *Slack) show(t told) message {
	if t.IsCommCell() {
		return commCellMessage(t.Event, t.commCell)
	}
	return s.jobMessage(t.Event, t.job)
}

// Preview is what Slack would be sent of a batch that is the first of its job.
func (s *Slack) Preview(b relay.Batch) (string, error) {
	all, err := readAll(b.Events)
	if err != nil || len(all) == 0 {
		return "", err
	}
	var messages []any
	if b.Group != "" {
		messages = append(messages, s.groupMessage(b.Group, all))
	} else {
		messages = append(messages, s.show(all[len(all)-1]))
		for _, r := range s.replies(all, "") {
			messages = append(messages, map[string]any{"thread": r.message, "reply_broadcast": r.broadcast})
		}
	}
	if s.hook != nil {
		messages = messages[:1]
	}
	text, err := json.MarshalIndent(messages, "", "  ")
	return string(text), err
}

// Check asks Slack who the token is and whether it sees the channel. People see nothing of it.
func (s *Slack) Check(ctx context.Context) error {
	_, err := s.Look(ctx)
	return err
}

// Look is Check, and says what was found.
func (s *Slack) Look(ctx context.Context) (found string, err error) {
	if s.hook != nil {
		return "the incoming webhook's server can be connected to; whether it knows the address shows with the first message; nothing was posted", s.hook.check(ctx)
	}
	return s.api.look(ctx)
}

// longestDoubt is how long a message may take to show after it was posted and no answer came. After the answer was given up
// it is half of that, if that is later.
const longestDoubt = 10 * time.Second

const searchBack = 10 * time.Minute // how far our clock may be from Slack's
