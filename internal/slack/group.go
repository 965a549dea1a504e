package slack

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/relay"
)

// groupWords is what the lines of a group may take together; Slack refuses messages of more than about 12,000 characters.
const groupWords = 9000

// deliverGroup is one message that lists the jobs. Those that have a message of their own are changed there too; the
// others are remembered as told, and get one with what comes later.
func (s *Slack) deliverGroup(ctx context.Context, b relay.Batch) error {
	all, err := readAll(b.Events)
	if err != nil {
		return err
	}
	jobs, of := byJob(all)
	entries := map[job.ID]*entry{}
	var owed []told
	for _, id := range jobs {
		e, err := s.recall(ctx, keyOf(id))
		if err != nil {
			return err
		}
		entries[id] = e
		if e.toldOf(of[id]) < len(of[id]) {
			owed = append(owed, of[id]...)
		}
	}
	if len(owed) == 0 {
		return nil
	}
	if err := s.tellGroup(ctx, b, owed, all); err != nil {
		return err
	}
	for _, id := range jobs {
		if err := s.settleGrouped(ctx, entries[id], of[id]); err != nil {
			return err
		}
	}
	return nil
}

// settleGrouped remembers that a group has told of the job.
func (s *Slack) settleGrouped(ctx context.Context, e *entry, all []told) error {
	if e.TS != "" || e.Intent != nil {
		return s.tell(ctx, e, all, true)
	}
	if e.toldOf(all) == len(all) {
		return nil
	}
	last := all[len(all)-1]
	e.shows(last)
	e.replied(pointOf(last), e.Cast)
	for _, r := range s.replies(all, e.Cast) {
		e.Cast = r.cast
	}
	return s.remember(ctx, e)
}

// tellGroup posts the group's message, once.
func (s *Slack) tellGroup(ctx context.Context, b relay.Batch, owed, all []told) error {
	e, err := s.recall(ctx, groupKey(b.Events))
	if err != nil {
		return err
	}
	if e.TS == "" && e.Intent != nil {
		if err := s.findRoot(ctx, e, groupKind); err != nil {
			return err
		}
	}
	if e.TS != "" {
		return nil
	}
	m := sent{message: s.groupMessage(b.Group, owed), mark: s.markOf(e, groupKind)}
	m.id = m.mark.id(s.Channel)
	return s.postRoot(ctx, e, m, all[len(all)-1])
}

// groupKey is the same for the same events.
func groupKey(events []*relay.Event) string {
	hash := sha256.New()
	for _, e := range events {
		fmt.Fprintln(hash, e.ID)
	}
	return fmt.Sprintf("group.%x", hash.Sum(nil)[:16])
}

// byJob sorts events by their jobs, in the order of the first of each.
func byJob(all []told) (jobs []job.ID, of map[job.ID][]told) {
	of = map[job.ID][]told{}
	for _, t := range all {
		if of[t.id] == nil {
			jobs = append(jobs, t.id)
		}
		of[t.id] = append(of[t.id], t)
	}
	return jobs, of
}

// groupMessage lists the jobs of a group, each as the last of its events has it.
func (s *Slack) groupMessage(group string, all []told) message {
	jobs, of := byJob(all)
	room := max(groupWords/len(jobs), 60)
	title := fmt.Sprintf("%d jobs of %s", len(jobs), words(group, nameLimit))
	var elements []slack.RichTextSectionElement
	worst, states := grey, counts{}
	for i, id := range jobs {
		last := of[id][len(of[id])-1]
		if i > 0 {
			elements = append(elements, plain("\n"))
		}
		elements = append(elements, s.groupLine(last, room)...)
		worst = worse(worst, colourOf(last))
		states.add(clip(stateOf(last), 40))
	}
	return message{
		Text:        inert(title + ": " + states.String()),
		Blocks:      []slack.Block{richText(bold(title), plain("  ·  "+states.String()))},
		Attachments: []slack.Attachment{{Color: worst, Blocks: slack.Blocks{BlockSet: []slack.Block{richText(elements...)}}}},
	}
}

func (s *Slack) groupLine(t told, room int) []slack.RichTextSectionElement {
	if t.IsCommCell() {
		return []slack.RichTextSectionElement{bold(stateOf(t)), plain("  CommCell " + t.id.CommCell)}
	}
	j := &t.job.Job
	state := clip(stateOf(t), min(room/3, 40))
	about := clip(subjectOf(j), room/2)
	reason := clip(reasonOf(j.Reason, j.ReasonCode, lineLimit), max(room-len(state)-len(about)-20, 20))
	return []slack.RichTextSectionElement{
		bold(state), plain("  "), s.number(t.id), plain(prefixed("  ", joined("  ·  ", about, reason))),
	}
}

func stateOf(t told) string {
	if t.IsCommCell() {
		return commCellLine(t.commCell).strong
	}
	return headState(t.job)
}

func colourOf(t told) string {
	if t.IsCommCell() {
		return commCellMessage(event.Event{}, t.commCell).Attachments[0].Color
	}
	return colour(t.job)
}

func worse(a, b string) string {
	order := []string{grey, green, amber, red}
	return order[max(slices.Index(order, a), slices.Index(order, b))]
}

// counts says "3 Failed, 2 Completed", in the order of the first of each.
type counts struct {
	of    map[string]int
	order []string
}

func (c *counts) add(state string) {
	if c.of == nil {
		c.of = map[string]int{}
	}
	if c.of[state] == 0 {
		c.order = append(c.order, state)
	}
	c.of[state]++
}

func (c *counts) String() string {
	const most = 6
	var parts []string
	for i, state := range c.order {
		if i == most {
			parts = append(parts, "…")
			break
		}
		parts = append(parts, strconv.Itoa(c.of[state])+" "+state)
	}
	return strings.Join(parts, ", ")
}
