package commvault

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// Raw is the answer to JobDetails as the CommServe gave it, without this watcher's secrets: for people.
type Raw struct {
	Asked, Answered time.Time
	JSON            json.RawMessage // of an answer that is none, as XML: its text, a string
}

const maxRaw = 1 << 20 // nobody reads more of it on a page

// RawDetails asks for one job with a single request. What is not a whole answer about the job is an error, as in JobDetails.
func (c *Client) RawDetails(ctx context.Context, number int64) (raw Raw, err error) {
	body := c.format.details(number, c.commcellID, c.attempts.accepted.Load())
	q := query{operation: "JobDetails", job: number, method: http.MethodPost, path: "/JobDetails", body: body}
	q.show = func(body []byte, token string) error {
		if _, err := decodeDetails(c.commcell, number, body); err != nil {
			return err
		}
		raw.JSON, err = c.shown(body, token)
		return err
	}
	raw.Asked, err = c.ask(ctx, q)
	raw.Answered = time.Now().UTC()
	return raw, err
}

// shown is an answer for people. A secret that is written in escapes cannot be taken out of a text that is to stay as it
// is: then nothing is shown.
func (c *Client) shown(body []byte, token string) (json.RawMessage, error) {
	if len(body) > maxRaw {
		return nil, &Error{Kind: TooLarge, Err: fmt.Errorf("the answer is not shown: it has %d bytes, over %d MiB", len(body), maxRaw>>20)}
	}
	text := c.secrets.hide(strings.ToValidUTF8(string(trim(body)), "\uFFFD"), token)
	if plain := unescaped(text); c.secrets.hide(plain, token) != plain {
		return nil, notAnAnswer("the answer is not shown: it holds a secret of this watcher")
	}
	if json.Valid([]byte(text)) {
		return json.RawMessage(text), nil
	}
	return json.Marshal(text)
}

var escapes = regexp.MustCompile(`(?:\\u[0-9A-Fa-f]{4})+|\\.`)

// unescaped has no escapes of JSON or XML.
func unescaped(text string) string {
	plain := escapes.ReplaceAllStringFunc(text, func(escape string) (character string) {
		if json.Unmarshal([]byte(`"`+escape+`"`), &character) != nil {
			return escape
		}
		return character
	})
	return html.UnescapeString(plain)
}
