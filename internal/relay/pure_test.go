package relay

import (
	"fmt"
	"testing"
	"time"

	"jobwatch/internal/job"
)

func TestMatch(t *testing.T) {
	data := func(member string) *Event {
		return &Event{Job: job.ID{CommCell: "prod", Number: 7}, Data: fmt.Appendf(nil,
			`{"specversion":"1.0","id":"i","source":"/commcells/prod","type":"jobwatch.job.state.v1","subject":"jobs/7","time":"2026-11-23T14:00:00Z",`+
				`"datacontenttype":"application/json","sequence":"00000000000000000001","data":{"change":{"kind":"state","detail":"failed","from":null,"to":"Failed"},`+
				`"severity":"error","job":{"commcell":"prod","id":7,"state":"Failed","stateClass":"failed"%s}}}`, member)}
	}
	sql := data(`,"client":"SQL01","subclient":"default","operation":"Backup"`)
	for _, row := range []struct {
		match Match
		e     *Event
		want  bool
	}{
		{nil, sql, true},
		{Match{"severity": {"warning", "error"}}, sql, true},
		{Match{"severity": {"info"}}, sql, false},
		{Match{"client": {"sql*"}}, sql, true},
		{Match{"client": {"*02", "sql?1"}}, sql, true},
		{Match{"client": {"sql*"}, "class": {"succeeded"}}, sql, false}, // all must hold
		{Match{"commcell": {"p*"}, "operation": {"backup"}}, sql, true},
		{Match{"client": {"sql*"}}, data(""), true}, // which says no client
		{Match{"agent": {"x"}}, sql, true},
		{Match{"client": {"nothing"}}, &Event{Data: []byte("no event")}, true}, // somebody should see it
	} {
		if got := row.match.takes(row.e); got != row.want {
			t.Errorf("%v takes %s: %t, want %t", row.match, row.e.Data, got, row.want)
		}
	}
}

func TestSubjectTakes(t *testing.T) {
	for _, row := range []struct {
		filter, subject string
		want            bool
	}{
		{"jobs.>", "jobs.prod.7.fall.state.running", true},
		{"jobs.*.*.*.state.>", "jobs.prod.7.fall.state.running", true},
		{"jobs.*.*.*.failure.>", "jobs.prod.7.fall.state.running", false},
		{"jobs.>", "jobs", false},
		{"jobs.*", "jobs.prod.7", false},
		{"jobs.prod.7", "jobs.prod", false},
		{"jobs.prod", "jobs.prod", true},
	} {
		if got := subjectTakes(row.filter, row.subject); got != row.want {
			t.Errorf("%s takes %s: %t, want %t", row.filter, row.subject, got, row.want)
		}
	}
}

func TestThinKeepsTheNewestAndAFew(t *testing.T) {
	var kept []position
	for n := uint64(1); n <= 100_000; n++ {
		kept = thin(append(kept, position{Sequence: n}))
	}
	if last := kept[len(kept)-1].Sequence; last != 100_000 {
		t.Errorf("the newest is %d", last)
	}
	if kept[0].Sequence != 1 || len(kept) > 40 {
		t.Errorf("%d positions from %d on", len(kept), kept[0].Sequence)
	}
	for n, p := range kept[:len(kept)-2] {
		if older, newer := 100_000-p.Sequence, 100_000-kept[n+1].Sequence; older > 2*newer+2 {
			t.Errorf("nothing between %d and %d behind the newest", older, newer)
		}
	}
}

// TestHealth plays refusals and deliveries, each a second after the last.
func TestHealth(t *testing.T) {
	const (
		taken = iota
		uncertain
		away
		unfit
	)
	type step struct{ what, job int }
	for name, row := range map[string]struct {
		steps  []step
		slots  int
		away   bool // ten seconds later
		counts time.Duration
	}{
		"all is well":                         {[]step{{taken, 1}, {taken, 2}}, 16, false, 12 * time.Second},
		"one job is refused, others are not":  {[]step{{uncertain, 1}, {taken, 2}, {uncertain, 1}, {taken, 2}}, 16, false, 12 * time.Second},
		"one job is refused, nobody else is":  {[]step{{taken, 2}, {uncertain, 1}, {uncertain, 1}}, 16, false, 2 * time.Second},
		"several jobs are refused":            {[]step{{taken, 1}, {uncertain, 1}, {uncertain, 2}, {uncertain, 3}, {uncertain, 4}}, 4, false, 2 * time.Second},
		"many jobs are refused":               {[]step{{uncertain, 1}, {uncertain, 2}, {uncertain, 3}, {uncertain, 4}, {uncertain, 5}, {uncertain, 6}}, 1, true, time.Second},
		"all are refused":                     {[]step{{taken, 1}, {away, 1}}, 1, true, 2 * time.Second},
		"an event is unfit":                   {[]step{{taken, 1}, {unfit, 2}, {unfit, 3}, {unfit, 4}}, 16, false, 14 * time.Second},
		"it returns, and opens up by doubles": {[]step{{away, 1}, {taken, 1}, {taken, 1}}, 4, false, 12 * time.Second},
	} {
		now := time.Now()
		h := newHealth(16, now)
		h.begin(now)
		for _, s := range row.steps {
			now = now.Add(time.Second)
			key := fmt.Sprint(s.job)
			switch s.what {
			case taken:
				h.took(now)
			case uncertain:
				h.refused(now, key, &Refusal{Kind: Uncertain}, false)
			case away:
				h.refused(now, key, &Refusal{Kind: Away}, false)
			case unfit:
				h.refused(now, key, &Refusal{Kind: Unfit}, false)
			}
		}
		now = now.Add(10 * time.Second)
		if h.slots != row.slots || h.away(now) != row.away || h.clock.at(now) != row.counts {
			t.Errorf("%s: slots %d away %t counts %s; want %d %t %s", name, h.slots, h.away(now), h.clock.at(now), row.slots, row.away, row.counts)
		}
	}
}
