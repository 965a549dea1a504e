package job

import "time"

// FeedEntry is one of the CommServe's own events about a job, as an event of ours carries it in change.log.
type FeedEntry struct {
	Code     Text      `json:"code"`     // of its kind: "19:1086"
	Severity Text      `json:"severity"` // see the constants
	Time     time.Time `json:"time"`     // by the CommServe's clock
	Text     Text      `json:"text"`     // without HTML
}

// The severities of feed entries: Commvault's 0, 3, 6 and 9.
const (
	FeedInfo     Text = "info"
	FeedMinor    Text = "minor"
	FeedMajor    Text = "major"
	FeedCritical Text = "critical"
)

// The most that an event carries of feed entries, so that it stays under 64 KiB: the newest so many, and of each so
// many bytes in JSON.
const (
	FeedLimit     = 20
	FeedTextLimit = 500
	FeedCodeLimit = 32
)
