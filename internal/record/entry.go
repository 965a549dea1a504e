// Package record keeps what a CommServe answered for a while, without what it tells of anybody, and plays it again.
//
//	entry.go   what is kept of one answer
//	tap.go     an http.RoundTripper that listens to a client's requests
//	headers.go what is kept of an answer's head
//	writer.go  the file that is written, reader.go the one that is read
//	player.go  a web server that answers from a record; course.go which answer is next
//
// A record is one file of JSON Lines, FileName: a Head, and an Entry for each request, in the order of their ends. All that
// a CommServe says goes through standin before it is written.
package record

import (
	"net/http"
	"time"

	"jobwatch/internal/standin"
)

// FileName is what the record is called in its folder.
const FileName = "record.jsonl"

// format is the first member of each record.
const format = "jobwatch record 1"

// Head is the first line.
type Head struct {
	Format   string    `json:"format"`
	Version  string    `json:"version"` // of the program that wrote it
	Began    time.Time `json:"began"`
	IDs      string    `json:"ids"`                // kept, renumbered
	BasePath string    `json:"basePath,omitempty"` // of the web service; "": one of its own
	Secure   bool      `json:"secure"`             // it is asked by HTTPS
	Asked    string    `json:"asked"`              // json, xml
	Schedule string    `json:"schedule,omitempty"` // where it names no time zone
}

// Entry is one request and its answer.
type Entry struct {
	At       int64  `json:"at"`   // when it was sent, milliseconds after the record began
	Took     int64  `json:"took"` // until the answer was whole, milliseconds
	Op       string `json:"op"`
	Job      int64  `json:"job,omitempty"`
	Attempts bool   `json:"attempts,omitempty"` // they were asked for
	Query    string `json:"query,omitempty"`
	Limit    int64  `json:"limit,omitempty"`
	Offset   int64  `json:"offset,omitempty"`

	Status int               `json:"status,omitempty"` // 0: no answer came, for the reason in Failure
	Proto  string            `json:"proto,omitempty"`
	Header map[string]string `json:"header,omitempty"`
	Clock  int64             `json:"clock,omitempty"` // seconds that the server's clock is ahead, by its header Date
	Packed bool              `json:"packed,omitempty"`

	Failure string       `json:"failure,omitempty"`
	Form    standin.Form `json:"form,omitempty"`
	Cut     bool         `json:"cut,omitempty"`  // the connection broke within the body
	Long    bool         `json:"long,omitempty"` // the body was not read to its end
	Body    string       `json:"body,omitempty"`
}

// Failures are why no answer came.
const (
	timedOut  = "timeout"
	refused   = "refused" // no connection
	unnamed   = "no such host"
	untrusted = "certificate"
	closed    = "closed" // the connection, or another failure of it
)

func (e *Entry) offset() time.Duration { return time.Duration(e.At) * time.Millisecond }

// isAnswer says whether the entry brought what was asked for, as far as its head tells.
func (e *Entry) isAnswer() bool { return e.Status == http.StatusOK && !e.Cut && !e.Long }

// Details is the operation that answers all about a job.
const Details = "JobDetails"

// Operations that are told apart beside it. Any other is opOther.
const (
	opList     = "Job"
	opSummary  = "Job/{id}"
	opEvents   = "Events"
	opCommServ = "CommServ"
	opLogin    = "Login"
	opRenew    = "RenewLoginToken"
	opPair     = "V4/AccessToken/Renew"
	opOther    = "other"
)
