package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// probeWays asks where the samples of our subjects lead: nothing is published for it. Of an account's mappings no user
// may read more.
func (b *Broker) probeWays(ctx context.Context, there bool) []Finding {
	untold := ""
	for _, subject := range b.cfg.Samples {
		err := b.Trace(ctx, subject)
		switch {
		case err == nil, errors.Is(err, ErrNoStream) && !there:
		case errors.Is(err, ErrUntold):
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
