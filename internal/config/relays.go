package config

import (
	"encoding/json"
	"net/netip"
	"time"
)

// Relay takes events from the stream to one destination: to the one of Slack, Webhook, Email and Audit that is not nil.
type Relay struct {
	Name        string              // [a-z0-9_-]+, unique
	Subjects    []string            // NATS filters without the prefix, none within another
	Match       map[string][]string // severity, class, client, … => words or globs that path.Match accepts, at least one
	Start       Start
	Concurrency int           // at least 1
	Rate        float64       // deliveries a second; 0: no limit
	Timeout     time.Duration // of one delivery
	GiveUpAfter time.Duration // 0: never

	Slack   *Slack
	Webhook *Webhook
	Email   *Email
	Audit   *Audit
}

// Start is where a relay begins that has never run: StartNew, StartAll, or so long ago.
type Start time.Duration

// What Start means besides a duration.
const (
	StartNew Start = 0
	StartAll Start = -1
)

// Slack is a channel: TokenFile with Channel, or WebhookURLFile.
type Slack struct {
	TokenFile, Channel string
	WebhookURLFile     string
	Broadcast          []string // classes of states, lost, stalled
	Group              *Group   // nil: no grouping
	Links              []Link   // in the order of the file
	APIURL             string
}

// Group says when the jobs of a relay are told together.
type Group struct {
	By     string // client, client_group, subclient, commcell
	Within time.Duration
	Over   int
}

// Link is a page about a job; its URL may hold {id} and {commcell}.
type Link struct{ Text, URL string }

// Webhook is a receiver of HTTP: at URL, or at the one that URLFile holds.
type Webhook struct {
	URL, URLFile string
	SecretFiles  []string        // each signs
	Headers      []Header        // in the order of the file
	Body         json.RawMessage // the YAML value in its own order, texts expanded; nil: the event as it is
	Allow        []netip.Prefix
	AllowHTTP    bool
	TLS          TLS
}

// Header is a header of HTTP that is sent along.
type Header struct{ Name, ValueFile string }

// Email is a mail server, and whom it is to reach.
type Email struct {
	Server       string // host:port
	TLS          string // starttls, implicit, none
	Username     string
	PasswordFile string // with Username, or both are empty
	From         string
	To           []string // at least one
	Group        *Group   // nil: no grouping
}

// Audit is a folder of files that nobody can change unseen.
type Audit struct {
	Dir     string
	Rotate  Rotate
	Keep    int // rotated files; 0: all
	KeyFile string
}

// Rotate says when an audit file ends and the next one begins.
type Rotate struct {
	Size int64         // bytes
	Age  time.Duration // 0: at no age
}
