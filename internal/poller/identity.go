package poller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"jobwatch/internal/commvault"
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
		if stranger, is := errors.AsType[*otherCommServeError](err); is {
			c.note(stranger)
			p.report(ctx, trackedJob{id: p.id}, stranger)
			return false, nil
		}
		p.identified.Store(err == nil)
		return err == nil, err
	case slices.Contains(noAnswer, kind), commvault.LoginRefused(err):
		c.note(err)
		p.report(ctx, trackedJob{id: p.id}, err)
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

// strangerError is another CommServe than the one wanted.
type otherCommServeError struct{ want, is string }

func (e *otherCommServeError) Error() string {
	return fmt.Sprintf("the CommServe at url: has the GUID %s and not %s, so its job ids name other jobs; point url: back, or accept it with guid: %s",
		e.is, e.want, e.is)
}
