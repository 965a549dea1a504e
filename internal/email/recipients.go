package email

import (
	"errors"
	"fmt"
	"net/textproto"
	"strings"
	"sync"
	"time"

	"github.com/wneessen/go-mail"

	"jobwatch/internal/relay"
)

// patience is how long one recipient who is refused for the time being keeps the others waiting.
const patience = 10 * time.Minute

// recipients are those that the server has refused: since when, and whether that was said.
type recipients struct {
	sync.Mutex
	refused map[string]time.Time
	said    map[string]bool
}

// nameRecipients names those who get the mail. One who is refused keeps it from nobody else; one who is refused for the
// time being (greylisted, a full mailbox) does so for as long as patience.
func (l *line) nameRecipients(m *mail.Msg) error {
	addresses, err := m.GetRecipients()
	if err != nil {
		return l.refuse(relay.Unfit, err)
	}
	var taken int
	var refusals []error
	var later error
	for _, address := range addresses {
		err := l.Rcpt(address)
		answer, answered := errors.AsType[*textproto.Error](err)
		switch {
		case err == nil:
			taken++
			l.known.takes(address)
			continue
		case !answered, answer.Code == 421:
			return l.refuse(relay.Away, err) // the connection has ended
		case answer.Code < 500 && l.known.refusedFor(address, l.now()) < patience:
			later = err
		}
		refusals = append(refusals, fmt.Errorf("%s: %w", address, err))
	}
	switch {
	case taken == 0:
		refused := l.refuse(relay.Away, refusals[0])
		return l.mended(refused, fmt.Sprintf("none of the %d addresses of to was taken", len(addresses)))
	case later != nil:
		return l.mended(l.refuse(relay.Uncertain, refusals[0]), "the mail waits for this address, at most "+patience.String())
	}
	l.say(refusals)
	return nil
}

// say tells once of a recipient that he gets no mails.
func (l *line) say(refusals []error) {
	for _, err := range refusals {
		address, _, _ := strings.Cut(err.Error(), ": ")
		if l.known.isNews(address) {
			l.Log.Warn("a recipient is refused and gets no mails, the others do", "relay", l.Relay, "err", forReason(err.Error()))
		}
	}
}

func (r *recipients) takes(address string) {
	r.Lock()
	defer r.Unlock()
	delete(r.refused, address)
	delete(r.said, address)
}

// refusedFor is how long the address has been refused, from the first refusal on.
func (r *recipients) refusedFor(address string, now time.Time) time.Duration {
	r.Lock()
	defer r.Unlock()
	if r.refused == nil {
		r.refused = make(map[string]time.Time)
	}
	if _, known := r.refused[address]; !known {
		r.refused[address] = now
	}
	return now.Sub(r.refused[address])
}

func (r *recipients) isNews(address string) bool {
	r.Lock()
	defer r.Unlock()
	if r.said == nil {
		r.said = make(map[string]bool)
	}
	news := !r.said[address]
	r.said[address] = true
	return news
}
