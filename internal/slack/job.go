package slack

import (
	"context"
	"slices"
	"strconv"
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
	e.Intent, e.Posted, e.TS, e.Reply, e.Over = nil, nil, "", nil, false
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
		err := s.api.update(ctx, e.TS, s.rootOf(e, last))
		if err == nil {
			e.shows(last) // written with the intent of the reply; to change it twice does no harm
			return nil
		}
		if isFrozen(err) {
			e.shows(last) // the thread goes on
			return nil
		}
		if !isGone(err) {
			return err
		}
		e.anew() // somebody has deleted it
	}
	return s.postRoot(ctx, e, s.rootOf(e, last), last)
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
	return &relay.Refusal{Kind: relay.Uncertain, Reason: "Slack does not show yet what was posted", After: left}
}

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
