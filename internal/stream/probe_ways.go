package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// probeWays asks where the samples of our subjects lead: nothing is published for it. Of an account's mappings no user
// may read more.
func (b *Broker) probeWays(ctx context.Context, there bool) []Finding {
	untold, answers := "", b.traceAll(ctx, b.cfg.Samples)
	for i, subject := range b.cfg.Samples {
		err := answers[i]
		switch {
		case err == nil, errors.Is(err, ErrNoStream) && !there:
		case errors.Is(err, ErrNoTrace):
			untold = subject
		case errors.Is(err, ErrNoStream):
			return []Finding{{Failed, "subjects", b.nobody(subject).Error()}}
		default:
			return []Finding{{Failed, "subjects", err.Error()}}
		}
	}
	if untold != "" {
		return []Finding{{Warning, "subjects", fmt.Sprintf(
			"not looked at: whether a mapping of the NATS account, an import or a leaf node leads %s elsewhere; NATS tells "+
				"those alone who may publish to _INBOX.>, and nothing of other accounts; the first event shows it", untold)}}
	}
	if len(b.cfg.Samples) == 0 {
		return nil
	}
	return []Finding{{OK, "subjects", "no mapping leads " + strings.Join(b.cfg.Subjects, " or ") + " elsewhere"}}
}

const tracesAtOnce = 16 // of some 30 for each CommCell: the way to a hub may be long

func (b *Broker) traceAll(ctx context.Context, subjects []string) []error {
	answers := make([]error, len(subjects))
	free := make(chan struct{}, tracesAtOnce)
	var all sync.WaitGroup
	for i, subject := range subjects {
		free <- struct{}{}
		all.Go(func() {
			answers[i] = b.Trace(ctx, subject)
			<-free
		})
	}
	all.Wait()
	return answers
}
