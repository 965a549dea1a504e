// Package fakeslack is a Slack for tests, over real HTTP: one workspace, one app, one channel. It posts, changes, threads,
// lists with metadata, pages, limits and refuses as Slack's documentation says, and goes wrong as it is told to.
package fakeslack

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	Token   = "xoxb-fake-token"
	Channel = "C0123456789"
)

// Message is one as Slack keeps it.
type Message struct {
	TS          string          `json:"ts"`
	Thread      string          `json:"thread_ts,omitempty"`
	Subtype     string          `json:"subtype,omitempty"`
	Type        string          `json:"type"`
	Text        string          `json:"text"`
	Blocks      json.RawMessage `json:"blocks,omitempty"`
	Attachments json.RawMessage `json:"attachments,omitempty"`
	Metadata    json.RawMessage `json:"metadata,omitempty"`
	Changes     int             `json:"-"` // how often it was changed
	Form        url.Values      `json:"-"` // as it was posted, or changed

	deleted bool
}

// Broadcast says whether a reply was told to the channel too.
func (m Message) Broadcast() bool { return m.Subtype == "thread_broadcast" }

// Fault is what goes wrong with a call.
type Fault struct {
	Status     int           // answer with it, and do nothing
	Error      string        // answer {"ok": false, "error": …}, and do nothing
	RetryAfter string        // the header of such an answer
	Cut        bool          // cut the connection and do nothing
	CutAfter   bool          // do it, and cut the connection before the answer
	Wait       time.Duration // before anything else
}

// Server is the fake. Its fields may be changed while it is locked by With alone.
type Server struct {
	URL     string // of the API, with a slash at its end
	Webhook string // the address of the channel's incoming webhook

	mu       sync.Mutex
	tokens   []string
	inside   bool // the app is in the channel
	archived bool
	page     int // messages a page at most
	every    time.Duration
	next     time.Time // no message before
	clock    int64
	messages []*Message
	plain    []json.RawMessage // what the webhook got
	calls    []string
	fault    func(method string, n int) Fault
}

// New starts one; it ends with the test.
func New(t testing.TB) *Server {
	s := &Server{tokens: []string{Token}, inside: true, page: 200, clock: time.Now().UnixMicro()}
	server := httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	s.URL, s.Webhook = server.URL+"/api/", server.URL+"/services/T0/B0/secret"
	return s
}

// Accept has it accept these tokens alone.
func (s *Server) Accept(tokens ...string) { s.with(func() { s.tokens = tokens }) }

// Inside says whether the app is in the channel.
func (s *Server) Inside(inside bool) { s.with(func() { s.inside = inside }) }

// Archive archives the channel, or takes it back.
func (s *Server) Archive(archived bool) { s.with(func() { s.archived = archived }) }

// Page is how many messages a page of a list has at most.
func (s *Server) Page(messages int) { s.with(func() { s.page = messages }) }

// Limit refuses with 429 what comes sooner after a message than a time; Slack: a second.
func (s *Server) Limit(every time.Duration) { s.with(func() { s.every = every }) }

// Faults are asked before each call, with the number of calls before it; nil: none.
func (s *Server) Faults(fault func(method string, n int) Fault) { s.with(func() { s.fault = fault }) }

// Delete deletes a message, as people do.
func (s *Server) Delete(ts string) {
	s.with(func() {
		if m := s.find(ts); m != nil {
			m.deleted = true
		}
	})
}

// Post puts somebody else's message into the channel.
func (s *Server) Post(m Message) {
	s.with(func() {
		m.TS, m.Type = s.stamp(), "message"
		s.messages = append(s.messages, &m)
	})
}

// Roots are the channel's messages that are no replies, the oldest first.
func (s *Server) Roots() []Message {
	return s.list(func(m *Message) bool { return m.Thread == "" })
}

// Thread are the replies to a message, the oldest first.
func (s *Server) Thread(ts string) []Message {
	return s.list(func(m *Message) bool { return m.Thread == ts })
}

// Plain is what the webhook was sent.
func (s *Server) Plain() []json.RawMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.plain)
}

// Calls are the methods called.
func (s *Server) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

func (s *Server) with(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
}

func (s *Server) list(which func(*Message) bool) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Message
	for _, m := range s.messages {
		if !m.deleted && which(m) {
			list = append(list, *m)
		}
	}
	return list
}

func (s *Server) find(ts string) *Message {
	for _, m := range s.messages {
		if m.TS == ts && !m.deleted {
			return m
		}
	}
	return nil
}

func (s *Server) stamp() string {
	s.clock = max(s.clock+1, time.Now().UnixMicro())
	return fmt.Sprintf("%d.%06d", s.clock/1e6, s.clock%1e6)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	method, ofAPI := strings.CutPrefix(r.URL.Path, "/api/")
	if !ofAPI {
		method = "webhook"
	}
	s.mu.Lock()
	fault := Fault{}
	if s.fault != nil {
		fault = s.fault(method, len(s.calls))
	}
	s.calls = append(s.calls, method)
	s.mu.Unlock()
	time.Sleep(fault.Wait)
	switch {
	case fault.Cut:
		panic(http.ErrAbortHandler)
	case fault.Status != 0 || fault.Error != "":
		refuse(w, fault)
		return
	}
	answer := s.do(method, r)
	if fault.CutAfter {
		panic(http.ErrAbortHandler)
	}
	if text, plain := answer.(string); plain {
		if text != "ok" {
			w.WriteHeader(http.StatusBadRequest)
		}
		fmt.Fprint(w, text)
		return
	}
	if limited, ok := answer.(Fault); ok {
		refuse(w, limited)
		return
	}
	answerJSON(w, answer)
}

func refuse(w http.ResponseWriter, f Fault) {
	if f.RetryAfter != "" {
		w.Header().Set("Retry-After", f.RetryAfter)
	}
	if f.Status != 0 {
		w.WriteHeader(f.Status)
	}
	answerJSON(w, object{"ok": false, "error": f.Error})
}

type object map[string]any

func answerJSON(w http.ResponseWriter, answer any) {
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		panic(http.ErrAbortHandler)
	}
}

func failed(code string) object { return object{"ok": false, "error": code} }
