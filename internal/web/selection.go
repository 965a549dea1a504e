package web

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"jobwatch/internal/job"
)

var classes = []string{
	string(job.Queued), string(job.Active), string(job.Held), string(job.Succeeded),
	string(job.Partial), string(job.Failed), string(job.Killed), string(job.Unknown),
}

// parseSelection reads a query. Its errors say what the parameter wants.
func parseSelection(query url.Values) (selection, error) {
	s := selection{commCell: query.Get("commcell"), client: query.Get("client"), classes: query["class"]}
	for _, class := range s.classes {
		if !slices.Contains(classes, class) {
			return s, fmt.Errorf("class=%.40q: wants one of %s", class, strings.Join(classes, ", "))
		}
	}
	var err error
	if s.limit, err = number(query, "limit", pageLimit, pageLimit); err != nil {
		return s, err
	}
	if s.endedAfter, err = before(query, "ended_within"); err != nil {
		return s, err
	}
	switch order := query.Get("order"); order {
	case "", "number":
		err = s.parseAfter(query.Get("after"))
	case "active_first":
		s.activeFirst = true
		if text := query.Get("after"); text != "" {
			s.behind, err = parseCursor(text)
		}
	default:
		err = fmt.Errorf("order=%.40q: wants number or active_first", order)
	}
	return s, err
}

func (s *selection) parseAfter(text string) (err error) {
	s.after = job.ID{CommCell: s.commCell} // nothing of it lies before
	if text == "" {
		return nil
	}
	if s.after, err = job.ParseID(text); err != nil {
		return fmt.Errorf("after=%w", err)
	}
	if s.commCell != "" && s.commCell != s.after.CommCell {
		return fmt.Errorf("after=%.80s is no job of %.80s", text, s.commCell)
	}
	return nil
}

// before reads a length of time that ends now.
func before(query url.Values, name string) (time.Time, error) {
	d, err := length(query, name, 0)
	if d == 0 || err != nil {
		return time.Time{}, err
	}
	return time.Now().Add(-d), nil
}

// length reads a length of time that may be left out.
func length(query url.Values, name string, without time.Duration) (time.Duration, error) {
	text := query.Get(name)
	if text == "" {
		return without, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%s=%.40q: wants a length of time, as 24h", name, text)
	}
	return d, nil
}
