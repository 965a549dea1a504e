package fakeslack

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (s *Server) do(method string, r *http.Request) any {
	if method == "webhook" {
		return s.webhook(r)
	}
	if err := r.ParseForm(); err != nil {
		return failed("invalid_form_data")
	}
	token := r.Form.Get("token")
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		token = bearer
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case token == "":
		return failed("not_authed")
	case !slices.Contains(s.tokens, token):
		return failed("invalid_auth")
	case method == "auth.test":
		return object{"ok": true, "url": "https://fake.slack.com/", "team": "fake", "user": "jobwatch", "team_id": "T0", "user_id": "U0", "bot_id": "B0"}
	case r.Form.Get("channel") != Channel:
		return failed("channel_not_found")
	case method == "conversations.info":
		return object{"ok": true, "channel": object{"id": Channel, "name": "backup", "is_channel": true, "is_member": s.inside, "is_archived": s.archived}}
	case !s.inside:
		return failed("not_in_channel")
	}
	switch method {
	case "chat.postMessage":
		return s.post(r.Form)
	case "chat.update":
		return s.update(r.Form)
	case "conversations.history":
		return s.history(r.Form)
	case "conversations.replies":
		return s.replies(r.Form)
	}
	return failed("unknown_method")
}

func (s *Server) webhook(r *http.Request) any {
	body, err := io.ReadAll(r.Body)
	if err != nil || !json.Valid(body) || len(Misfits(body)) > 0 {
		return "invalid_payload"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plain = append(s.plain, body)
	return "ok"
}

func (s *Server) post(form url.Values) any {
	m := &Message{Type: "message", Thread: form.Get("thread_ts")}
	if refusal := s.fill(m, form); refusal != "" {
		return failed(refusal)
	}
	switch {
	case s.wasDeleted(form.Get("client_msg_id")):
		return failed("duplicate_message_not_found")
	case s.archived:
		return failed("is_archived")
	case m.Thread != "" && s.find(m.Thread) == nil:
		return failed("thread_not_found")
	case s.every > 0 && time.Now().Before(s.next):
		return Fault{Status: http.StatusTooManyRequests, Error: "ratelimited", RetryAfter: strconv.Itoa(max(1, int(s.every.Seconds())))}
	}
	s.next = time.Now().Add(s.every)
	if form.Get("reply_broadcast") == "true" {
		m.Subtype = "thread_broadcast"
	}
	m.TS = s.stamp()
	s.messages = append(s.messages, m)
	return object{"ok": true, "channel": Channel, "ts": m.TS, "message": m}
}

// wasDeleted says whether a message of that client_msg_id is gone. One that is still there is not held against a second:
// Slack's documentation promises nothing of it.
func (s *Server) wasDeleted(id string) bool {
	return id != "" && slices.ContainsFunc(s.messages, func(m *Message) bool { return m.deleted && m.Form.Get("client_msg_id") == id })
}

func (s *Server) update(form url.Values) any {
	m := s.find(form.Get("ts"))
	if m == nil {
		return failed("message_not_found")
	}
	if refusal := s.fill(m, form); refusal != "" {
		return failed(refusal)
	}
	m.Changes++
	return object{"ok": true, "channel": Channel, "ts": m.TS, "text": m.Text}
}

// fill takes the message out of the form; without metadata what was there remains.
func (s *Server) fill(m *Message, form url.Values) (refusal string) {
	whole := object{"text": form.Get("text")}
	for _, name := range []string{"blocks", "attachments", "metadata"} {
		if text := form.Get(name); text != "" {
			if !json.Valid([]byte(text)) {
				return "invalid_" + name
			}
			whole[name] = json.RawMessage(text)
		}
	}
	text, err := json.Marshal(whole)
	if err != nil || len(Misfits(text)) > 0 {
		return "invalid_blocks"
	}
	if form.Get("text") == "" && whole["blocks"] == nil && whole["attachments"] == nil {
		return "no_text"
	}
	m.Text, m.Form = form.Get("text"), form
	m.Blocks, m.Attachments = raw(form, "blocks"), raw(form, "attachments")
	if metadata := raw(form, "metadata"); metadata != nil {
		m.Metadata = metadata
	}
	return ""
}

func raw(form url.Values, name string) json.RawMessage {
	if form.Get(name) == "" {
		return nil
	}
	return json.RawMessage(form.Get(name))
}

// history lists what the channel shows, the newest first.
func (s *Server) history(form url.Values) any {
	var list []*Message
	for _, m := range s.messages {
		if !m.deleted && (m.Thread == "" || m.Broadcast()) && m.TS >= form.Get("oldest") {
			list = append(list, m)
		}
	}
	slices.Reverse(list)
	return s.paged(list, form)
}

// replies lists a thread, its root first.
func (s *Server) replies(form url.Values) any {
	root := s.find(form.Get("ts"))
	if root == nil {
		return failed("thread_not_found")
	}
	list := []*Message{root}
	for _, m := range s.messages {
		if !m.deleted && m.Thread == root.TS && m.TS >= form.Get("oldest") {
			list = append(list, m)
		}
	}
	return s.paged(list, form)
}

func (s *Server) paged(list []*Message, form url.Values) any {
	from, _ := strconv.Atoi(form.Get("cursor")) //nolint:errcheck // the first page has none
	limit, err := strconv.Atoi(form.Get("limit"))
	if err != nil || limit > s.page {
		limit = s.page
	}
	end := min(from+limit, len(list))
	page := []Message{}
	for _, m := range list[min(from, end):end] {
		shown := *m
		if form.Get("include_all_metadata") != "1" && form.Get("include_all_metadata") != "true" {
			shown.Metadata = nil
		}
		page = append(page, shown)
	}
	cursor := ""
	if end < len(list) {
		cursor = strconv.Itoa(end)
	}
	return object{"ok": true, "messages": page, "has_more": cursor != "", "response_metadata": object{"next_cursor": cursor}}
}
