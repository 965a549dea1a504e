package web

import (
	"fmt"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/stream"
)

// toldFilter says which events are wanted, as the flags of watcher tail do.
type toldFilter struct {
	before       uint64 // 0: from the end on
	limit        int
	since, until time.Time // zero: all
	subjects     []string  // by which NATS selects

	commCell, client, kind string
	severity               job.Severity
	classes                []string
}

var (
	kinds      = []string{job.KindState, job.KindPhase, job.KindFailure, job.KindWatch, job.KindCommCell}
	severities = []string{string(job.Info), string(job.Warning), string(job.Error)} // the least first
)

func (s *Server) parseTold(query url.Values) (f toldFilter, err error) {
	f = toldFilter{commCell: query.Get("commcell"), client: query.Get("client"), kind: query.Get("kind"), severity: job.Severity(query.Get("severity")), classes: query["class"]}
	if text := query.Get("before"); text != "" {
		if f.before, err = strconv.ParseUint(text, 10, 63); err != nil || f.before == 0 {
			return f, fmt.Errorf("before=%.40q: wants a sequence of the stream", text)
		}
	}
	if f.limit, err = number(query, "limit", toldLimit, toldMost); err != nil {
		return f, err
	}
	for _, of := range []struct {
		name  string
		given []string
		known []string
	}{{"kind", []string{f.kind}, kinds}, {"severity", []string{string(f.severity)}, severities}, {"class", f.classes, classes}} {
		for _, value := range of.given {
			if value != "" && !slices.Contains(of.known, value) {
				return f, fmt.Errorf("%s=%.40q: wants one of %s", of.name, value, strings.Join(of.known, ", "))
			}
		}
	}
	if _, err := path.Match(f.client, ""); err != nil {
		return f, fmt.Errorf("client=%.80q: no pattern; * and ? stand for any characters, and any one", f.client)
	}
	if f.since, err = timeOf(query, "since"); err != nil {
		return f, err
	}
	if f.until, err = timeOf(query, "until"); err != nil {
		return f, err
	}
	f.subjects = event.Selection{CommCell: f.commCell, Kind: f.kind}.Subjects(s.Publisher.Prefix)
	if subject := query.Get("subject"); subject != "" {
		f.subjects = []string{subject}
	}
	for _, subject := range f.subjects {
		if !stream.IsFilter(subject) {
			return f, fmt.Errorf("subject=%.80q: no subject of NATS", subject)
		}
	}
	return f, nil
}

// timeOf reads a time, or how long ago it was; zero: there is none.
func timeOf(query url.Values, name string) (time.Time, error) {
	text := query.Get(name)
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	at, err := before(query, name)
	if err != nil {
		err = fmt.Errorf("%s=%.40q: wants a time as 2026-11-23T14:00:00Z, or how long ago it was, as 24h", name, text)
	}
	return at, err
}

// takes judges also what NATS has judged, where it was asked for another subject.
func (f *toldFilter) takes(m stream.Message) bool {
	e, err := event.Parse(m.Data)
	if err != nil || !f.until.IsZero() && e.Time.After(f.until) {
		return false
	}
	if e.IsCommCell() {
		data, err := e.CommCell()
		return err == nil && f.has(data.CommCell, job.KindCommCell, data.Severity) && f.client == "" && len(f.classes) == 0
	}
	data, err := e.Job()
	return err == nil && f.has(data.Job.CommCell, data.Change.Kind, data.Severity) &&
		(len(f.classes) == 0 || slices.Contains(f.classes, string(data.Job.StateClass))) && (f.client == "" || job.Like(f.client, string(data.Job.Client)))
}

func (f *toldFilter) has(commCell, kind string, severity job.Severity) bool {
	return (f.commCell == "" || f.commCell == commCell) && (f.kind == "" || f.kind == kind) &&
		slices.Index(severities, string(severity)) >= slices.Index(severities, string(f.severity))
}
