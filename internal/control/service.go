package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"jobwatch/internal/job"
	"jobwatch/internal/store"
	"jobwatch/internal/stream"
)

// Service lets those whom NATS lets use an Admin, for the CommCells that this watcher polls:
//
//	[prefix.]jobwatch.<commcell>.job      {"job": 1248}                                      => store.Listed
//	[prefix.]jobwatch.<commcell>.track    {"job": 1248}                                      => store.Listed
//	[prefix.]jobwatch.<commcell>.untrack  {"job": 1248}                                      => store.Listed
//	[prefix.]jobwatch.<commcell>.jobs     {"class": ["failed"], "after": 71, "limit": 500}   => [store.Listed …]
//	[prefix.]jobwatch.<commcell>.stats                                                       => store.Stat
func Service(a *Admin, prefix, version string) stream.Service {
	if prefix != "" {
		prefix += "."
	}
	return stream.Service{
		Name: "jobwatch", Version: version, About: "Commvault jobs as the watcher knows them: list, show, track and untrack them",
		Endpoints: func() []stream.Endpoint {
			var all []stream.Endpoint
			for _, name := range slices.Sorted(maps.Keys(a.CommCells())) {
				cell := served{a, name}
				endpoint := func(verb string, answer func(context.Context, request) (any, error)) {
					all = append(all, stream.Endpoint{
						Name: name + "-" + verb, Subject: prefix + "jobwatch." + name + "." + verb, Answer: answering(answer),
					})
				}
				endpoint("job", cell.job)
				endpoint("jobs", cell.jobs)
				endpoint("stats", cell.stats)
				endpoint("track", cell.track)
				endpoint("untrack", cell.untrack)
			}
			return all
		},
	}
}

// served is a CommCell whose requests are answered.
type served struct {
	*Admin
	name string
}

// request is what an asker may say. Which members count is the subject's business.
type request struct {
	Job   int64    `json:"job"`
	Class []string `json:"class"`
	After cursor   `json:"after"`
	Limit int      `json:"limit"`
}

// cursor is a job's number, or its name, as prod/1248.
type cursor int64

func (c *cursor) UnmarshalJSON(data []byte) error {
	text := strings.Trim(string(data), `"`)
	number, err := strconv.ParseInt(text[strings.LastIndexByte(text, '/')+1:], 10, 64)
	if *c = cursor(number); err != nil && text != "null" {
		return fmt.Errorf("after: %s is no job", data)
	}
	return nil
}

const (
	largestAnswer = 256<<10 - 1 // bytes
	scannedAtOnce = 200         // jobs
)

func answering(answer func(context.Context, request) (any, error)) func(context.Context, []byte) ([]byte, error) {
	return func(ctx context.Context, data []byte) ([]byte, error) {
		asked, err := readRequest(data)
		var value any
		if err == nil {
			value, err = answer(ctx, asked)
		}
		if refusal, ok := errors.AsType[*Refused](err); ok {
			return nil, &stream.ServiceError{Code: refusal.Status, Text: refusal.Text}
		}
		if err != nil {
			return nil, err
		}
		return json.Marshal(value)
	}
}

// readRequest refuses what it does not know: a misspelt member would be one that was not asked for. Nothing asks for all.
func readRequest(data []byte) (request, error) {
	var r request
	if len(bytes.TrimSpace(data)) == 0 {
		return r, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&r)
	if err == nil && decoder.More() {
		err = errors.New("more than one value")
	}
	if err != nil {
		return r, refused(http.StatusBadRequest, `not a request: %v; write {"job": 1248}, or for jobs {"class": ["failed"], "after": 1248, "limit": 100}`, err)
	}
	return r, nil
}

func (c served) id(r request) (job.ID, error) {
	if r.Job <= 0 {
		return job.ID{}, refused(http.StatusBadRequest, `the request names no job; write {"job": 1248}`)
	}
	id := job.ID{CommCell: c.name, Number: r.Job}
	_, err := c.commCell(id) // it may have gone from the configuration a moment ago
	return id, err
}

func (c served) job(ctx context.Context, r request) (any, error) {
	id, err := c.id(r)
	if err != nil {
		return nil, err
	}
	l, err := c.Job(ctx, id)
	if err != nil {
		return nil, err
	}
	text, err := fitting(l)
	return text, err
}

func (c served) track(ctx context.Context, r request) (any, error) { return c.edit(ctx, r, c.Track) }

func (c served) untrack(ctx context.Context, r request) (any, error) {
	return c.edit(ctx, r, c.Untrack)
}

// edit answers with the job as it is then.
func (c served) edit(ctx context.Context, r request, do func(context.Context, job.ID) error) (any, error) {
	id, err := c.id(r)
	if err == nil {
		err = do(ctx, id)
	}
	if err != nil {
		return nil, err
	}
	return c.job(ctx, r)
}

func (c served) stats(ctx context.Context, _ request) (any, error) { return c.Stat(ctx) }

// jobs gives a page of the CommCell's jobs behind a number: as many as were asked for, as long as they fit. The last page
// is the one that is empty.
func (c served) jobs(ctx context.Context, r request) (any, error) {
	if err := r.checkPage(); err != nil {
		return nil, err
	}
	limit := r.Limit
	if limit == 0 {
		limit = largestPage
	}
	page, size := []json.RawMessage{}, len("[]")
	for after := (job.ID{CommCell: c.name, Number: int64(r.After)}); ; {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("%s: the jobs could not be read in time; ask for fewer", c.name)
		}
		some, err := c.Jobs(ctx, after, scannedAtOnce)
		if err != nil {
			return nil, err
		}
		for _, l := range some {
			if l.ID().CommCell != c.name {
				return page, nil
			}
			after = l.ID()
			if len(r.Class) > 0 && !slices.Contains(r.Class, string(l.Snapshot.StateClass)) {
				continue
			}
			text, err := fitting(l)
			if err != nil {
				return nil, err
			}
			if size += len(text) + len(","); len(page) == limit || size > largestAnswer && len(page) > 0 {
				return page, nil
			}
			page = append(page, text)
		}
		if len(some) < scannedAtOnce {
			return page, nil
		}
	}
}

func (r request) checkPage() error {
	classes := []job.Class{job.Queued, job.Active, job.Held, job.Succeeded, job.Partial, job.Failed, job.Killed, job.Unknown}
	for _, class := range r.Class {
		if !slices.Contains(classes, job.Class(class)) {
			return refused(http.StatusBadRequest, "class %q: there are %v", class, classes)
		}
	}
	if r.Limit < 0 || r.Limit > largestPage || r.After < 0 {
		return refused(http.StatusBadRequest, "limit must be 1 to %d, after a job's number", largestPage)
	}
	return nil
}

// fitting is a job as JSON, without the last of its machines where they would be too many for an answer; truncated then
// says so.
func fitting(l store.Listed) (json.RawMessage, error) {
	for whole := true; ; whole = false {
		text, err := json.Marshal(l)
		if err != nil || len(text) < largestAnswer-len("[]") || len(l.Snapshot.Machines) == 0 {
			return text, err
		}
		l.Snapshot.Machines = l.Snapshot.Machines[:len(l.Snapshot.Machines)/2]
		if whole {
			l.Snapshot.Truncated = append(slices.Clone(l.Snapshot.Truncated), "machines")
		}
	}
}
