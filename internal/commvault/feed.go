package commvault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/html"

	"jobwatch/internal/job"
)

// FeedEntry is one of the CommServe's own events (GET Events).
type FeedEntry struct {
	ID        int64    // grows; 0: newer releases give some entries none
	Job       int64    // that it names; 0: none
	Subsystem job.Text // JobManager, MediaManager, …
	job.FeedEntry
}

// OfJobManager says whether the entry tells what became of the job that it names.
func (e *FeedEntry) OfJobManager() bool {
	if e.Subsystem == "" {
		return e.Job != 0 && strings.HasPrefix(string(e.Code), jobManagerCodes)
	}
	return e.Job != 0 && strings.EqualFold(string(e.Subsystem), "JobManager")
}

const jobManagerCodes = "19:" // the workflow engine writes such too

// FeedMark is how far the feed has been read. The zero FeedMark is before the first request.
type FeedMark struct {
	begun     bool                // a request has set the mark
	from      time.Time           // of the newest entry seen, by the CommServe's clock; zero: none was
	id        int64               // the highest one seen
	withoutID map[uint64]struct{} // entries without an id that the last answer showed
}

// Begun says whether a request has set the mark.
func (m FeedMark) Begun() bool { return m.begun }

const (
	feedPage = 1000 // entries in one answer, the newest ones; what more there was between two requests is left to the ticks

	// Entries are written by many machines: one may come after another and bear an earlier time.
	feedOverlap = time.Minute

	// How far back a request looks as long as no entry was seen; the first only finds the newest. Also how far from
	// our clock an entry's time may lie: one from far ahead would end the feed until then.
	feedReach = 24 * time.Hour
)

// Feed asks once for the entries since the mark, and gives the new ones, the oldest first, with the mark to go on
// from. The first request sets the mark, and gives none. Where there is an error, the mark is the one given.
//
// The time asked for is the CommServe's own, of an entry that it has shown; until there is one it is ours, and read
// each time: it may have been set wrong. New entries are known by their ids, those without one by the last answer.
func (c *Client) Feed(ctx context.Context, since FeedMark) ([]FeedEntry, FeedMark, error) {
	var entries []FeedEntry
	from := since.from.Add(-feedOverlap)
	if since.from.IsZero() {
		from = time.Now().Add(-feedReach)
	}
	q := query{operation: "Events", method: http.MethodGet, path: fmt.Sprintf("/Events?fromTime=%d", from.Unix()), entries: feedPage}
	q.decode = func(body []byte) (err error) {
		entries, err = decodeFeed(body)
		return err
	}
	if _, err := c.ask(ctx, q); err != nil {
		return nil, since, err
	}
	fresh, next := since.filterNew(entries, time.Now().Add(feedReach))
	next.begun = true
	if !since.begun {
		fresh = nil
	}
	return fresh, next, nil
}

// filterNew gives the entries that are new, and the mark behind them. An id below the highest is new too where its
// time is later than all that were seen: then the CommServe's database was restored, and counts from there.
func (m FeedMark) filterNew(entries []FeedEntry, latest time.Time) (fresh []FeedEntry, next FeedMark) {
	if len(entries) == 0 {
		return nil, m
	}
	next = FeedMark{begun: m.begun, from: m.from, withoutID: map[uint64]struct{}{}}
	for i := range entries {
		e := &entries[i]
		later := e.Time.Before(latest)
		isNew := e.ID > m.id || later && e.Time.After(m.from)
		if e.ID == 0 {
			digest := e.digest()
			_, seen := m.withoutID[digest]
			_, twice := next.withoutID[digest]
			next.withoutID[digest] = struct{}{}
			isNew = !seen && !twice
		}
		if isNew {
			fresh = append(fresh, *e)
		}
		next.id = max(next.id, e.ID)
		if later && e.Time.After(next.from) {
			next.from = e.Time
		}
	}
	next.id = cmp.Or(next.id, m.id)
	return fresh, next
}

func (e *FeedEntry) digest() uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d\x00%d\x00%s\x00%s", e.Time.Unix(), e.Job, e.Code, e.Text)
	return h.Sum64()
}

// feedRoot is a guess, as commServRoot is; any other root that no other answer has will do.
const feedRoot = "EVGui_GetEventsResponse"

type feedAnswer struct {
	Entries list[feedLine] `json:"commservEvents"`
}

type feedLine struct {
	ID          integer `json:"id"`
	Job         integer `json:"jobId"`
	Code        text    `json:"eventCodeString"`
	Number      integer `json:"eventCode"`
	Severity    integer `json:"severity"`
	Subsystem   text    `json:"subsystem"`
	Description text    `json:"description"`
	Time        integer `json:"timeSource"`
}

// decodeFeed gives the entries in the order of their ids and times. One without both cannot be told from one seen
// before; an answer without any has no member commservEvents.
func decodeFeed(body []byte) ([]FeedEntry, error) {
	answer, err := parse[feedAnswer](body, feedRootOf(body))
	switch {
	case err != nil:
		return nil, err
	case !answer.present():
		return nil, noObject(body)
	}
	if len(answer.v.Entries) == 0 {
		if r := remarksIn(body); r.complains() || len(r.others) > 0 {
			return nil, r.instead("events")
		}
	}
	var entries []FeedEntry
	for i := range answer.v.Entries {
		if e := answer.v.Entries[i].entry(); e.ID != 0 || !e.Time.IsZero() {
			entries = append(entries, e)
		}
	}
	entries = inOrder(entries)
	return entries[max(0, len(entries)-feedPage):], nil
}

// inOrder sorts by ids. An entry without one stands in front of the first that was written later.
func inOrder(entries []FeedEntry) (all []FeedEntry) {
	var withID, withoutID []FeedEntry
	for _, e := range entries {
		if e.ID == 0 {
			withoutID = append(withoutID, e)
		} else {
			withID = append(withID, e)
		}
	}
	slices.SortStableFunc(withID, func(a, b FeedEntry) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortStableFunc(withoutID, func(a, b FeedEntry) int { return a.Time.Compare(b.Time) })
	for _, e := range withID {
		for len(withoutID) > 0 && withoutID[0].Time.Before(e.Time) {
			all, withoutID = append(all, withoutID[0]), withoutID[1:]
		}
		all = append(all, e)
	}
	return append(all, withoutID...)
}

// feedRootOf takes any root element but those of answers to something else, and of web pages.
func feedRootOf(body []byte) string {
	switch root := firstElement(withoutDeclaration(trim(body))); {
	case root == "", root == detailsRoot, root == listRoot, root == loginRoot, root == renewRoot, root == errorRoot, strings.EqualFold(root, "html"):
		return feedRoot
	default:
		return root
	}
}

func (l *feedLine) entry() FeedEntry {
	e := FeedEntry{Subsystem: clipped(l.Subsystem.words, job.FeedCodeLimit)}
	if id := l.ID.positive(); id != nil {
		e.ID = *id
	}
	if number := l.Job.positive(); number != nil {
		e.Job = *number
	}
	if at := l.Time.time(); at != nil {
		e.Time = *at
	}
	e.Code = clipped(either(l.Code, codeOf(l.Number)).words, job.FeedCodeLimit)
	e.Severity = l.severity()
	e.Text = clipped(plainText(l.Description.words), job.FeedTextLimit)
	return e
}

func clipped(words string, limit int) job.Text {
	cut, _ := job.Clip(words, limit)
	return cut
}

// codeOf reads the code out of its number: the subsystem's stands in the upper bits.
func codeOf(number integer) text {
	n := number.positive()
	if n == nil {
		return text{}
	}
	return text{fmt.Sprintf("%d:%d", *n>>24, *n&(1<<24-1))}
}

var feedSeverities = map[int64]job.Text{0: job.FeedInfo, 3: job.FeedMinor, 6: job.FeedMajor, 9: job.FeedCritical}

// severity is the word for the number, or for the next one below it; nothing where there is none.
func (l *feedLine) severity() job.Text {
	if l.Severity.value == nil {
		return ""
	}
	for _, least := range slices.Backward(slices.Sorted(maps.Keys(feedSeverities))) {
		if *l.Severity.value >= least {
			return feedSeverities[least]
		}
	}
	return job.FeedInfo
}

// FeedRefused says what an error of Feed means: surely that this user or this release has no feed; or that it may
// be so, if it comes again and again; or neither, but something that passes or befalls all requests alike.
func FeedRefused(err error) (surely, maybe bool) {
	e, ours := errors.AsType[*Error](err)
	if !ours {
		return false, false
	}
	switch e.Kind {
	case HTTP:
		return e.Code/100 == 4 && e.Code != http.StatusRequestTimeout, false
	case NotAnAnswer:
		return e.Words != "" && !e.page, true
	case TooLarge, Redirect:
		return false, true
	case Auth: // a fresh token is refused; where that is so for all requests, the CommCell does not answer
		return false, e.Operation == "Events"
	default:
		return false, false
	}
}

// plainText takes the HTML out of words, and puts them into one line.
func plainText(words string) string {
	if strings.ContainsAny(words, "<&") {
		words = withoutTags(words)
	}
	return strings.Join(strings.Fields(words), " ")
}

func withoutTags(words string) string {
	var text strings.Builder
	hidden := "" // the element whose text nobody is meant to read
	for tokens := html.NewTokenizer(strings.NewReader(words)); ; {
		switch kind := tokens.Next(); kind {
		case html.ErrorToken:
			return text.String()
		case html.TextToken:
			if hidden == "" {
				text.WriteString(html.UnescapeString(string(tokens.Raw())))
			}
		case html.StartTagToken, html.EndTagToken, html.SelfClosingTagToken:
			name, _ := tokens.TagName()
			hidden = hiddenBy(string(name), kind, hidden)
			text.WriteString(between(string(name)))
		}
	}
}

func hiddenBy(name string, kind html.TokenType, hidden string) string {
	switch {
	case hidden == "" && kind == html.StartTagToken && (name == "script" || name == "style"):
		return name
	case kind == html.EndTagToken && name == hidden:
		return ""
	}
	return hidden
}

// between is what replaces a tag in a text: nothing for one that only formats words.
func between(name string) string {
	switch name {
	case "a", "b", "em", "font", "i", "span", "strong", "u":
		return ""
	}
	return " "
}
