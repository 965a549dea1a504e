package poller

import (
	"context"
	"errors"
	"fmt"
	"time"

	"jobwatch/internal/commvault"
)

// ErrNoTurn is a request that was not sent: the CommServe wants to be left alone, or the polls leave no room.
var ErrNoTurn = errors.New("not asked now")

const longestTurn = 10 * time.Second // that somebody waits for a permit

// AskNow asks for a job for people, who see what comes: nothing is made of it here. The limiter lets it through and
// learns from it as from any request; the sign of life is the schedule's alone.
func (p *Poller) AskNow(ctx context.Context, number int64) (raw commvault.Raw, err error) {
	if p.Identify != nil && !p.identified.Load() {
		return raw, p.notIdentified()
	}
	waits, cancel := context.WithTimeout(ctx, longestTurn)
	defer cancel()
	permit, err := p.limiter.Acquire(waits)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return raw, fmt.Errorf("%w: the polls have left no room for %v", ErrNoTurn, longestTurn)
	case err != nil:
		return raw, fmt.Errorf("%w: %w", ErrNoTurn, err)
	}
	defer func() { permit.Release(outcomeOf(err)) }()
	return p.AskRaw(ctx, number)
}

// notIdentified says why a CommServe of which it is not known which it is cannot be asked: the job may be another's.
func (p *Poller) notIdentified() error {
	if reason := p.Counts.Totals().Reason; reason != "" {
		return errors.New(reason)
	}
	return errors.New("not asked: it has not said yet which CommServe it is")
}
