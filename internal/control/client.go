package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strconv"

	"jobwatch/internal/job"
	"jobwatch/internal/progress"
	"jobwatch/internal/store"
	"jobwatch/internal/system"
)

// ErrNobody says that no watcher serves the store.
var ErrNobody = errors.New("no watcher is running")

// Client uses the Admin of the watcher that serves a store. Its methods are the Admin's.
type Client struct {
	http *http.Client
	path string
}

// Dial finds the watcher that serves a store. The error is ErrNobody where none does; else it says
// what keeps us from it.
func Dial(storePath string) (*Client, error) {
	path, err := socketOf(storePath)
	if err != nil {
		return nil, err
	}
	if path == "" || len(path) > longestSocket { // then a short one would be named in its place
		return nil, ErrNobody
	}
	c := &Client{path: path}
	c.http = &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}}
	conn, err := net.Dial("unix", path) //nolint:noctx // a socket of this machine answers at once
	switch {
	case system.NobodyListens(err):
		return nil, ErrNobody
	case errors.Is(err, fs.ErrPermission):
		return nil, noRight(path)
	case err != nil:
		return nil, err
	}
	return c, conn.Close()
}

// Jobs is Admin.Jobs.
func (c *Client) Jobs(ctx context.Context, after job.ID, limit int) ([]store.Listed, error) {
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	if after != (job.ID{}) {
		query.Set("after", after.String())
	}
	var page jobPage
	err := c.do(ctx, http.MethodGet, "/jobs?"+query.Encode(), nil, &page)
	return page.Jobs, err
}

// Select is Admin.Select.
func (c *Client) Select(ctx context.Context, s Selection) ([]job.ID, error) {
	var selected jobNames
	if err := c.do(ctx, http.MethodPost, "/jobs/select", s, &selected); err != nil {
		return nil, err
	}
	return selected.ids()
}

// Show is Admin.Show.
func (c *Client) Show(ctx context.Context, ids []job.ID) ([]store.Listed, error) {
	var page jobPage
	err := c.do(ctx, http.MethodPost, "/jobs/show", namesOf(ids), &page)
	return page.Jobs, err
}

// Job is Admin.Job.
func (c *Client) Job(ctx context.Context, id job.ID) (store.Listed, error) {
	var l store.Listed
	err := c.do(ctx, http.MethodGet, "/jobs/"+id.String(), nil, &l)
	return l, err
}

// Track is Admin.Track.
func (c *Client) Track(ctx context.Context, id job.ID) error {
	return c.do(ctx, http.MethodPut, "/jobs/"+id.String(), nil, nil)
}

// Untrack is Admin.Untrack.
func (c *Client) Untrack(ctx context.Context, id job.ID) error {
	return c.do(ctx, http.MethodDelete, "/jobs/"+id.String(), nil, nil)
}

// Stat is Admin.Stat.
func (c *Client) Stat(ctx context.Context) (store.Stat, error) {
	var stat store.Stat
	err := c.do(ctx, http.MethodGet, "/store", nil, &stat)
	return stat, err
}

// Backup is Admin.Backup; the running watcher writes the file.
func (c *Client) Backup(ctx context.Context, file string) (int64, error) {
	var made backup
	err := c.doInSteps(ctx, http.MethodPost, "/store/backup", url.Values{"file": {file}}, &made)
	return made.Bytes, err
}

// Verify is Admin.Verify.
func (c *Client) Verify(ctx context.Context) (store.Verified, error) {
	var verified store.Verified
	err := c.doInSteps(ctx, http.MethodGet, "/store/verify", url.Values{}, &verified)
	return verified, err
}

func (c *Client) do(ctx context.Context, method, path string, ask, into any) error {
	return c.ask(ctx, method, path, ask, func(answer *json.Decoder) error {
		if into == nil {
			return nil
		}
		return answer.Decode(into)
	})
}

// doInSteps has whoever looks on told how far the watcher is.
func (c *Client) doInSteps(ctx context.Context, method, path string, query url.Values, into any) error {
	show := progress.Shown(ctx)
	if show == nil {
		return c.do(ctx, method, path+"?"+query.Encode(), nil, into)
	}
	query.Set("steps", "1")
	return c.ask(ctx, method, path+"?"+query.Encode(), nil, func(answer *json.Decoder) error {
		for {
			var next json.RawMessage
			if err := answer.Decode(&next); err != nil {
				return fmt.Errorf("%s: the running watcher has ended before it was done: %w", c.path, err)
			}
			var is struct {
				step
				refusal
			}
			switch err := json.Unmarshal(next, &is); {
			case err == nil && is.Step != nil:
				show(*is.Step)
			case err == nil && is.Error != "":
				return errors.New(is.Error)
			default:
				return json.Unmarshal(next, into)
			}
		}
	})
}

func (c *Client) ask(ctx context.Context, method, path string, ask any, read func(*json.Decoder) error) error {
	var body io.Reader
	if ask != nil {
		text, err := json.Marshal(ask)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://watcher"+path, body)
	if err != nil {
		return err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("%s: the running watcher does not answer: %w", c.path, errors.Unwrap(err))
	}
	defer response.Body.Close()
	decoder := json.NewDecoder(response.Body)
	if response.StatusCode != http.StatusOK {
		var refused refusal
		if decoder.Decode(&refused) != nil || refused.Error == "" {
			return fmt.Errorf("%s: the running watcher answers %s; is it another version?", c.path, response.Status)
		}
		return errors.New(refused.Error)
	}
	return read(decoder)
}
