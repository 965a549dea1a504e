package slack

import (
	"context"
	"slices"
	"time"

	"jobwatch/internal/job"
	"jobwatch/internal/relay"
)

// deliverJob brings the message of one job, or of one CommCell's outage, up to date, and then its thread.
func (s *Slack) deliverJob(ctx context.Context, id job.ID, events []*relay.Event) (done int, err error) {
	all, unread := readAll(events)
	e, err := s.recall(ctx, keyOf(id))
	if err != nil {
		return 0, err
	}
	for len(all) > 0 {
		part := all
		if id.IsCommCell() {
			part = all[:1] // each may begin an outage, or end one
		}
		if err := s.tell(ctx, e, part, false); err != nil {
			return done + e.toldOf(part), err
		}
		done, all = done+len(part), all[len(part):]
	}
	return done, unread
}

// toldOf counts the first events that need no more telling.
func (e *entry) toldOf(all []told) int {
	n := slices.IndexFunc(all, func(t told) bool { return t.again || !e.Told.covers(pointOf(t)) || !e.Shown.covers(pointOf(t)) })
	if n < 0 {
		return len(all)
	}
	return n
}

// tell brings message and thread up to the last of the events. What it does may be interrupted anywhere and done again.
// quiet: the channel has been told by a group.
func (s *Slack) tell(ctx context.Context, e *entry, all []told, quiet bool) error {
	if e.toldOf(all) == len(all) {
		return nil
	}
	last := all[len(all)-1]
	if last.IsCommCell() && e.Over && !e.Shown.covers(pointOf(last)) && last.commCell.Detail == job.DetailUnreachable {
		e.anew()
	}
	if err := s.settleReply(ctx, e); err != nil && !isGone(err) {
		return err
	}
	if err := s.bringRoot(ctx, e, last); err != nil {
		return err
	}
	return s.bringThread(ctx, e, all, quiet)
}

// anew begins another message.
func (e *entry) anew() {
	e.Turn++
	e.Intent, e.Posted, e.TS, e.Changed, e.Reply, e.Over = nil, nil, "", nil, nil, false
}

// bringRoot posts the root, or changes it where the event is later than what it shows.
func (s *Slack) bringRoot(ctx context.Context, e *entry, last told) error {
	if e.TS == "" && e.Intent != nil {
		if err := s.findRoot(ctx, e, rootKind); err != nil {
			return err
		}
	}
	if e.TS != "" {
		if e.Shown.covers(pointOf(last)) {
			return nil
		}
		if err := s.inDoubt(e.key+".change", e.Changed); err != nil { // or what comes late is shown for good
			return err
		}
		asked := time.Now()
		err := s.api.update(ctx, e.TS, s.rootOf(e, last))
		if err == nil {
			s.doubtful.Delete(e.key + ".change")
			e.Changed = nil
			e.shows(last) // written with the intent of the reply; to change it twice does no harm
			return nil
		}
		if isFrozen(err) {
			e.shows(last) // the thread goes on
			return nil
		}
		if !isGone(err) {
			return s.perhapsChanged(ctx, e, asked, err)
		}
		e.anew() // somebody has deleted it
	}
	return s.postRoot(ctx, e, s.rootOf(e, last), last)
}

// perhapsChanged remembers that Slack may yet do what it has not answered, also where there is no time left.
func (s *Slack) perhapsChanged(ctx context.Context, e *entry, asked time.Time, refusal error) error {
	if isSure(refusal) {
		return refusal
	}
	s.doubtful.Store(e.key+".change", time.Now())
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	e.Changed = &asked
	if err := s.remember(ctx, e); err != nil {
		return err
	}
	return refusal
}

func (e *entry) shows(last told) {
	if p := pointOf(last); !e.Shown.covers(p) {
		e.Shown = p
	}
	e.Over = last.IsCommCell() && last.commCell.Detail == job.DetailReachable
}

func (s *Slack) rootOf(e *entry, last told) sent {
	m := sent{message: s.show(last), mark: s.markOf(e, rootKind)}
	m.mark.Upto, m.mark.At = last.Number(), last.Time
	m.id = m.mark.id(s.Channel)
	return m
}

func (s *Slack) markOf(e *entry, kind string) mark {
	return mark{Kind: kind, Relay: s.Relay, Key: e.key, Turn: e.Turn}
}

// postRoot remembers that it is about to post, posts, and remembers where.
func (s *Slack) postRoot(ctx context.Context, e *entry, m sent, last told) error {
	now := time.Now()
	if e.Posted = &now; e.Intent == nil {
		e.Intent = &now
	}
	if err := s.remember(ctx, e); err != nil {
		return err
	}
	ts, err := s.send(ctx, e.key, m)
	if isGone(err) { // posted, and deleted before that was known: its client_msg_id is spent
		e.anew()
		if written := s.remember(ctx, e); written != nil {
			return written
		}
		return anotherComes
	}
	if err != nil {
		return err
	}
	e.TS, e.Intent, e.Posted = ts, nil, nil
	e.shows(last)
	return s.remember(ctx, e)
}

// send posts, and notes where it is sure that nothing has been posted.
func (s *Slack) send(ctx context.Context, key string, m sent) (ts string, err error) {
	s.unsent.Delete(key)
	s.doubtful.Delete(key)
	ts, err = s.api.post(ctx, m)
	switch {
	case err == nil:
	case isSure(err):
		s.unsent.Store(key, true)
	default:
		s.doubtful.Store(key, time.Now())
	}
	return ts, err
}

func (s *Slack) surelyUnsent(key string) bool {
	_, sure := s.unsent.Load(key)
	return sure
}

// findRoot looks in Slack for a root that was perhaps posted.
func (s *Slack) findRoot(ctx context.Context, e *entry, kind string) error {
	if s.surelyUnsent(e.key) {
		return nil
	}
	ts, found, err := s.api.root(ctx, s.markOf(e, kind), e.Intent.Add(-searchBack))
	if err != nil {
		return err
	}
	if ts == "" {
		return s.inDoubt(e.key, e.Posted)
	}
	e.TS, e.Intent, e.Posted, e.Shown = ts, nil, nil, point{found.Upto, found.At}
	return s.remember(ctx, e)
}

// inDoubt refuses to post again what Slack does not show, as long as it may yet do what was asked: a request lives on when
// nobody waits for its answer any more.
func (s *Slack) inDoubt(key string, posted *time.Time) error {
	if posted == nil {
		return nil
	}
	left := min(s.doubt, s.doubt-time.Since(*posted)) // another watcher's clock may be ahead
	if gaveUp, here := s.doubtful.Load(key); here {
		left = max(left, s.doubt/2-time.Since(gaveUp.(time.Time)))
	}
	if left <= 0 {
		return nil
	}
	return &relay.Refusal{Kind: relay.Uncertain, Reason: "Slack may yet do what it has not answered", After: left}
}
