package slack

import (
	"context"
	"slices"
	"strconv"
	"time"

	"jobwatch/internal/job"
	"jobwatch/internal/relay"
)

// bringThread adds what the thread has not told.
func (s *Slack) bringThread(ctx context.Context, e *entry, all []told, quiet bool) error {
	owed := slices.DeleteFunc(slices.Clone(all), func(t told) bool { return !t.again && e.Told.covers(pointOf(t)) })
	for _, r := range s.replies(owed, e.Cast) {
		if err := s.postReply(ctx, e, r, quiet); err != nil {
			return err
		}
	}
	for _, t := range all { // phases too, which have no line
		if p := pointOf(t); !e.Told.covers(p) {
			e.Told = p
		}
	}
	return s.remember(ctx, e)
}

func (s *Slack) postReply(ctx context.Context, e *entry, r threadReply, quiet bool) error {
	now := time.Now()
	e.Reply, e.Telling = &now, r.upto
	if err := s.remember(ctx, e); err != nil {
		return err
	}
	m := sent{message: r.message, thread: e.TS, broadcast: r.broadcast && !quiet, mark: s.markOf(e, lineKind)}
	m.mark.Upto, m.mark.At = r.upto.Number, r.upto.At
	if !r.again {
		m.id = m.mark.id(s.Channel, strconv.FormatUint(r.upto.Number, 10), r.upto.At.UTC().String())
	}
	if _, err := s.send(ctx, e.key+".reply", m); err != nil {
		return s.replyRefused(ctx, e, err)
	}
	e.replied(r.upto, r.cast)
	return nil // written with what comes next
}

func (e *entry) replied(upto point, cast string) {
	e.Reply, e.Telling, e.Cast = nil, point{}, cast
	if !e.Told.covers(upto) {
		e.Told = upto
	}
}

// replyRefused begins another message where the root has been deleted.
func (s *Slack) replyRefused(ctx context.Context, e *entry, err error) error {
	if !isGone(err) {
		return err
	}
	e.anew()
	e.Shown = point{}
	if written := s.remember(ctx, e); written != nil {
		return written
	}
	return anotherComes
}

var anotherComes = &relay.Refusal{Kind: relay.Uncertain, Reason: "the message was deleted; another one comes"}

// settleReply finds out whether the last reply was posted, where that is not known.
func (s *Slack) settleReply(ctx context.Context, e *entry) error {
	if e.Reply == nil || e.TS == "" || s.surelyUnsent(e.key+".reply") {
		return nil
	}
	last, err := s.api.lastReply(ctx, e.TS, s.markOf(e, lineKind), e.Reply.Add(-searchBack))
	if err != nil {
		return err
	}
	shown := point{last.Upto, last.At}
	if !shown.covers(e.Telling) { // the one before
		if err := s.inDoubt(e.key+".reply", e.Reply); err != nil {
			return err
		}
	}
	if last.Kind != "" {
		e.replied(shown, e.Cast)
	}
	return nil
}

// threadReply is one reply of several lines.
type threadReply struct {
	message
	upto      point
	broadcast bool
	again     bool   // some of it was perhaps told before
	cast      string // the state that the channel knows then
}

// replies are what a thread is told of the events: one, unless they are very many.
func (s *Slack) replies(all []told, cast string) []threadReply {
	var replies []threadReply
	var lines []line
	r := threadReply{cast: cast}
	head, size := "", 0
	finish := func() {
		if len(lines) > 0 {
			r.message = reply(head, lines, r.broadcast)
			replies = append(replies, r)
		}
		lines, size, r.broadcast, r.again = nil, 0, false, false
	}
	for _, t := range all {
		l, said := s.lineOf(t)
		if !said {
			continue
		}
		if len(lines) == maxLines || size+l.size() > replyWords {
			finish()
		}
		if s.tellsChannel(t, &r.cast) {
			r.broadcast, head = true, headOf(t.job)
		}
		lines, size, r.upto, r.again = append(lines, l), size+l.size(), pointOf(t), r.again || t.again
	}
	finish()
	return replies
}

func (s *Slack) lineOf(t told) (line, bool) {
	if t.IsCommCell() {
		return commCellLine(t.commCell), true
	}
	return lineOf(t.job)
}

// tellsChannel says whether the event is to be seen by the channel too. The failure that follows a state is told with it.
func (s *Slack) tellsChannel(t told, cast *string) bool {
	c := t.job.Change
	state := string(t.job.Job.State)
	switch {
	case c.Kind == job.KindWatch:
		return slices.Contains(s.Broadcast, c.Detail)
	case c.Kind == job.KindState:
	case c.Kind == job.KindFailure && c.Detail == job.DetailState && state != *cast:
	default:
		return false
	}
	*cast = ""
	if !slices.Contains(s.Broadcast, string(t.job.Job.StateClass)) {
		return false
	}
	*cast = state
	return true
}
