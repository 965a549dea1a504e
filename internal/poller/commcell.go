package poller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"jobwatch/internal/commvault"
	"jobwatch/internal/diff"
	"jobwatch/internal/store"
)

// identify finds out, at the start and after each outage, whether the CommServe is the one that the store knows the
// jobs from: job ids of another one name other jobs. Where it is another, it is asked for nothing more. Its error is
// one of the store's.
func (p *Poller) identify(ctx context.Context, c *cycle) (same bool, err error) {
	if p.Identify == nil || p.identified.Load() {
		return true, nil
	}
	guid, err := p.askGUID(ctx)
	switch kind := commvault.KindOf(err); {
	case kind == "":
		err := p.verifyGUID(guid)
		if other, is := errors.AsType[*otherCommServeError](err); is {
			c.note(other)
			p.report(ctx, p.id, other)
			return false, nil
		}
		p.identified.Store(err == nil)
		return err == nil, err
	case slices.Contains(noAnswer, kind), commvault.LoginRefused(err):
		c.note(err)
		p.report(ctx, p.id, err)
		return false, nil
	}
	p.identified.Store(true) // as far as it can be: some releases, and some users' rights, do not tell
	p.logSparingly(slog.LevelWarn, "the CommServe does not say which it is: another one behind the same url: would not be noticed", causeOf(err), 1,
		"commcell", p.CommCell, "err", err)
	return true, nil
}

var noAnswer = []commvault.Kind{commvault.Unreachable, commvault.Timeout, commvault.Throttled, commvault.Canceled}

func (p *Poller) askGUID(ctx context.Context) (guid string, err error) {
	err = p.request(ctx, func() error {
		guid, err = p.Identify(ctx)
		return err
	})
	return guid, err
}

// verifyGUID learns the GUID of a CommServe that is new to the store. The configuration's counts for more than the
// store's.
func (p *Poller) verifyGUID(guid string) error {
	known, err := p.Store.GUID(p.CommCell)
	if err != nil {
		return err
	}
	want := p.GUID
	if want == "" {
		want = known
	}
	if want != "" && !strings.EqualFold(want, guid) {
		return &otherCommServeError{want, guid}
	}
	if known == guid {
		return nil
	}
	return p.Store.SetGUID(p.CommCell, guid)
}

// otherCommServeError is another CommServe than the one wanted.
type otherCommServeError struct{ want, is string }

func (e *otherCommServeError) Error() string {
	return fmt.Sprintf("the CommServe at url: has the GUID %s and not %s, so its job ids name other jobs; point url: back, or accept it with guid: %s",
		e.is, e.want, e.is)
}

// concludeReachability commits what a whole cycle says of whether the CommCell answers. One that asked nothing says
// nothing.
func (p *Poller) concludeReachability(c *cycle) error {
	if c.asked == 0 {
		return nil
	}
	if c.err == nil {
		p.cache.clearFailure(theCommCell)
	}
	return p.commitReachability(c.answers > 0, c.err)
}

// commitReachability commits unreachable or reachable, where that is news. Its error is one of the store's.
func (p *Poller) commitReachability(up bool, why error) error {
	p.Counts.answers(up, why)
	for {
		known, err := p.Store.Recall(p.id)
		if err != nil {
			return err
		}
		changes := diff.CommCell(known.Told, up)
		if len(changes) == 0 && !known.RefreshPending {
			return nil
		}
		reason := ""
		if !up {
			reason = commvault.Reason(why)
		}
		now := time.Now()
		err = p.Store.CommitCommCell(p.id, known, changes, now, reason)
		if errors.Is(err, store.ErrChanged) {
			continue
		}
		if err == nil {
			p.Counts.events(changes, nil, time.Time{}, now)
		}
		if err == nil && up {
			p.Log.Info("answers again", "commcell", p.CommCell)
		} else if err == nil {
			p.Log.Warn(commvault.FailureOf(why).Says(), "commcell", p.CommCell, "err", reason)
		}
		return err
	}
}
