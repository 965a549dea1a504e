package commvault

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

// pair is an access token and the refresh token that renews both, once: a refresh token that comes
// a second time ends the whole chain.
type pair struct {
	Access  string `json:"accessToken"`
	Refresh string `json:"refreshToken"`
}

// pairRenewer authenticates with a pair that is kept in two files.
type pairRenewer struct {
	client  *Client
	files   pairFiles
	unsaved *replacement // renewed, and not yet written to the disk
}

// next takes what the file holds by now, and renews only a token that is still there.
func (p *pairRenewer) next(ctx context.Context, stale token) (token, error) {
	if p.unsaved == nil && !p.files.pending() {
		if held, err := p.files.read(); err != nil || held.Access != stale.text {
			return p.use(held, asConfigured, err)
		}
	}
	unlock, err := p.files.lock(ctx, 3*max(p.client.timeout, renewalTimeout)) // its holder may be waiting for an answer
	if err != nil {
		return token{}, p.client.credentialError(renewPair, err)
	}
	defer unlock()
	return p.nextLocked(ctx, stale)
}

func (p *pairRenewer) use(held pair, from origin, err error) (token, error) {
	if err != nil {
		return token{}, p.client.credentialError(renewPair, err)
	}
	p.client.secrets.learn(held.Access, held.Refresh)
	return token{text: held.Access, origin: from}, nil
}

// nextLocked is next while no other process renews the pair.
func (p *pairRenewer) nextLocked(ctx context.Context, stale token) (token, error) {
	if err := p.completePending(); err != nil {
		return token{}, p.client.credentialError(renewPair, err)
	}
	held, err := p.files.read()
	switch {
	case err != nil || held.Access != stale.text:
		return p.use(held, asConfigured, err)
	case stale.origin == asIssued && !stale.proven:
		e := p.client.credentialError(renewPair, errors.New("the access token is refused right after its renewal; is auth.scheme the right one?"))
		e.refusal = true
		return token{}, e
	}
	if err := p.files.checkWritable(); err != nil {
		return token{}, p.client.credentialError(renewPair, err)
	}
	return p.exchange(ctx, held)
}

// exchange is waited for: a program that stops while it is in flight would lose the new pair.
func (p *pairRenewer) exchange(ctx context.Context, held pair) (token, error) {
	exchanging := p.client.session.exchanging
	exchanging <- struct{}{}
	defer func() { <-exchanging }()
	next, err := p.renew(ctx, held)
	if err != nil && !isSpent(err) {
		p.files.removeTemporary()
		return token{}, err
	}
	p.unsaved = &replacement{Was: held, Is: next}
	settled := p.completePending()
	if err == nil {
		return p.use(next, asIssued, settled)
	}
	p.files.removeTemporary()
	return token{}, p.client.credentialError(renewPair, err)
}

// completePending finishes an exchange that was begun by this process, or by one that died.
func (p *pairRenewer) completePending() error {
	if p.unsaved != nil {
		if err := p.files.save(*p.unsaved); err != nil {
			return err
		}
		p.unsaved = nil
	}
	return p.files.completePending()
}

func (p *pairRenewer) configured() string {
	held, _ := p.files.read() // next reports what is wrong with them
	return held.Access + "\n" + held.Refresh
}

const (
	renewPair      = "RenewAccessToken"
	renewalTimeout = defaultTimeout // at least: an answer that is not waited for costs the pair
)

// renew asks for a new pair. Once it is answered with success the old one is dead, whatever else the answer is: where
// no new pair can be read in it, the error is a *spentError. Where no answer came, nobody knows. It is sent again then:
// if it was carried out, the new pair is lost in any case, and the refusal of the second says so; if not, the old one
// is still good.
func (p *pairRenewer) renew(ctx context.Context, held pair) (next pair, err error) {
	c := p.client
	c.secrets.learn(held.Access, held.Refresh)
	body, _ := json.Marshal(held) // of strings: cannot fail
	// No other format is documented for it.
	q := query{operation: renewPair, method: http.MethodPost, path: "/V4/AccessToken/Renew", body: body, json: true, token: true, patience: renewalTimeout}
	q.salvage = func(body []byte, otherwise error) error {
		if next = pairIn(body, held.Refresh); next == (pair{}) {
			return otherwise
		}
		return nil
	}
	q.decode = func(body []byte) error { return q.salvage(body, noPairIn(body)) }
	_, err = c.send(ctx, q, token{text: held.Access})
	if err == nil {
		c.log.Info("renewed the access token", "commcell", c.commcell)
		return next, nil
	}
	if e, ours := errors.AsType[*Error](err); ours && e.Code/100 == 2 && e.Kind != Auth && !e.page {
		return pair{}, &spentError{e, p.files.advice()}
	}
	err = withoutToken(err, fmt.Sprintf("commcell %s: renewal of the access token refused", c.commcell))
	if e, ours := errors.AsType[*Error](err); ours && e.Kind == Auth {
		e.tail = "; " + p.files.advice()
	}
	return pair{}, err
}

// spentError says that the refresh token is not to be sent again, and that there is no other.
type spentError struct {
	cause  error // nil: it was logged when it happened
	advice string
}

func (e *spentError) Error() string {
	why := "the answer to its renewal held no pair that could be read"
	if e.cause != nil {
		why += " (" + e.cause.Error() + ")"
	}
	return fmt.Sprintf("the refresh token is spent, and %s; %s", why, e.advice)
}

func (e *spentError) Unwrap() error { return e.cause }

func isSpent(err error) bool {
	_, is := errors.AsType[*spentError](err)
	return is
}

var tokenMember = regexp.MustCompile(`(?i)"(access|refresh)token"\s*:\s*("(?:[ !#-\[\]-~]|\\.)+")`)

// pairIn finds the pair wherever it stands in an answer, nested or beside members that are damaged: what is not found
// is lost. It is the empty pair if there is none but the one that was sent.
func pairIn(body []byte, sent string) pair {
	var found pair
	for _, member := range tokenMember.FindAllSubmatch(asJSON(body), -1) {
		var text string
		if json.Unmarshal(member[2], &text) != nil {
			continue
		}
		switch text = strings.TrimSpace(text); member[1][0] {
		case 'a', 'A':
			found.Access = text
		default:
			found.Refresh = text
		}
		if found.Access == "" || found.Refresh == "" {
			continue
		}
		if found.Refresh != sent {
			return found
		}
		found = pair{}
	}
	return pair{}
}

func asJSON(body []byte) []byte {
	body = trim(body)
	if bytes.HasPrefix(body, []byte("<")) {
		body, _, _ = fromXML(body)
	}
	return normalizeJSON(body)
}

// noPairIn is a refusal only where the answer says so, and holds neither token.
func noPairIn(body []byte) error {
	_, err := parse[struct{}](body, "")
	if e, ours := errors.AsType[*Error](err); ours && e.page {
		return e
	}
	if words := complaintOf(body); words != "" && !tokenMember.Match(asJSON(body)) {
		return &Error{Kind: Auth, Words: words}
	}
	if err != nil {
		return err
	}
	return notAnAnswer("no pair of tokens")
}
